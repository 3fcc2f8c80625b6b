// What libvirt and qemu-img say: descriptions of domains, URIs, image facts.

#include "src/image/qemu_img.h"
#include "src/libvirt/domain_disks.h"
#include "src/libvirt/host.h"
#include "tests/fuzz/input.h"

using namespace backstitch;          // NOLINT(google-build-using-namespace)
using namespace backstitch::engine;  // NOLINT(google-build-using-namespace)

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text = fuzz::text_of(data, size);
  fuzz::parses([&] {
    const DomainXml domain = parse_domain_xml(text);
    const DiskChoice choice = choose_disks(domain, {}, {});
    fuzz::require(choice.disks.size() + choice.left_out.size() ==
                  domain.disks.size());
  });
  fuzz::parses([&] { parse_image_info(text); });
  fuzz::parses([&] { parse_uri(text); });
  return 0;
}
