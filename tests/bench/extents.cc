// Asks a raw image's server for all extents and says how many runs there were.
//   extents IMAGE
#include <iostream>

#include "format/base/error.h"
#include "src/image/qemu_nbd.h"
#include "src/nbd/nbd_source.h"

int main(int argc, char** argv) {
  using namespace backstitch::engine;  // NOLINT(google-build-using-namespace)
  if (argc != 2) return 2;
  try {
    const QemuNbd server(argv[1], {.format = "raw", .bitmap = ""});
    NbdSource source(server.address(), {});
    uint64_t runs = 0;
    while (source.next_run({})) ++runs;
    std::cout << runs << std::endl;
    return 0;
  } catch (const backstitch::Error& error) {
    std::cerr << error.what() << std::endl;
    return 1;
  }
}
