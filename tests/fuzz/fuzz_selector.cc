// POINT as it stands on a command line, against a small repository.

#include "format/repository/repository.h"
#include "tests/fuzz/input.h"
#include "tests/support/scripted_disk.h"
#include "tests/support/temp_dir.h"

using namespace backstitch;          // NOLINT(google-build-using-namespace)
using namespace backstitch::format;  // NOLINT(google-build-using-namespace)

namespace {

// Two domains, one with an '@' in its name, and three points.
class Subject {
 public:
  Subject() : repository_(Repository::create(dir_.path() / "r")) {
    add("vm1", "2025-12-31T23:59:59.999Z");
    add("vm1", "2026-11-23T01:02:03.456Z");
    add("a@b", "2026-11-23T01:02:03.456Z");
  }
  const Repository& repository() const { return repository_; }

 private:
  void add(const std::string& name, const std::string& time) {
    const Domain domain = repository_.create_domain(name);
    const WriterLock lock(domain);
    test::ScriptedDisks disks;
    test::PointOptions options;
    options.time = parse_time(time);
    test::make_point(repository_, domain, disks, options);
  }

  test::TempDir dir_;
  Repository repository_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Subject subject;
  fuzz::parses([&] {
    const auto point = subject.repository().resolve(fuzz::text_of(data, size));
    fuzz::require(point.domain.open_point(point.number).number() ==
                  point.number);
  });
  return 0;
}
