// Deletes points through the format library: delete_points REPOSITORY DOMAIN
// NUMBER... Exits with 5 when a reader holds one of them.
#include <cstdio>
#include <string>
#include <vector>

#include "format/base/error.h"
#include "format/repository/retention.h"
#include "format/repository/writer_lock.h"

int main(int argc, char** argv) {
  using namespace backstitch;          // NOLINT(google-build-using-namespace)
  using namespace backstitch::format;  // NOLINT(google-build-using-namespace)
  try {
    const std::vector<std::string> words(argv + 1, argv + argc);
    const Domain domain = Repository::open(words.at(0)).domain(words.at(1));
    std::vector<uint32_t> points;
    for (size_t i = 2; i < words.size(); ++i)
      points.push_back(static_cast<uint32_t>(std::stoul(words[i])));
    const WriterLock lock(domain);
    delete_points(domain, points, lock);
    return 0;
  } catch (const Error& error) {
    std::fprintf(stderr, "delete_points: %s\n", error.what());
    return error.kind() == ErrorKind::kBusy ? 5 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "delete_points: %s\n", error.what());
    return 1;
  }
}
