// make_repository REPOSITORY DOMAIN TIME…: adds a point for each TIME
// ("2026-11-23T01:02:03.456Z") to a repository, made if it is not there. The
// first point of a domain is a full, the others are incremental. Each writes
// one chunk of its own of vda and zeroes the one before; vdb never changes.
#include <cstring>
#include <exception>
#include <filesystem>
#include <iostream>

#include "format/repository/point_writer.h"
#include "format/repository/writer_lock.h"

namespace {

using namespace backstitch;          // NOLINT(google-build-using-namespace)
using namespace backstitch::format;  // NOLINT(google-build-using-namespace)

constexpr uint64_t kVdaBytes = 64 * kChunkBytes + 1000;
constexpr uint64_t kVdbBytes = 100'000;

Bytes content(uint64_t seed) {
  Bytes bytes(kChunkBytes);
  for (auto& byte : bytes) {
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    byte = static_cast<std::byte>(seed >> 56);
  }
  return bytes;
}

void put(DiskWriter& disk, uint64_t chunk, const Bytes& bytes) {
  ChunkSifter sifter(disk);
  disk.put(chunk, sifter.sift(chunk, bytes));
}

void add_point(const Repository& repository, const Domain& domain, Time time) {
  const WriterLock lock(domain);
  PointWriter writer(repository, domain, plan_point(domain, std::nullopt),
                     Compression{}, std::make_shared<Caches>());
  const uint32_t number = writer.number();
  auto& vda = writer.add_disk("vda", kVdaBytes);
  const uint64_t chunk = number % 64;
  if (chunk > 0) vda.put_zeroes(chunk - 1, 1);
  put(vda, chunk, content(number));
  vda.manifest().read = "bitmap";
  vda.manifest().read_bytes = kChunkBytes;
  auto& vdb = writer.add_disk("vdb", kVdbBytes);
  put(vdb, 0, content(1000));
  vdb.manifest().reason = "a raw file has no dirty bitmap";
  vdb.manifest().source = {{"path", "/images/vdb.raw"}, {"format", "raw"}};
  writer.add_file("domain.xml", "<domain type='qemu'/>\n");
  writer.manifest().time = time;
  writer.manifest().consistency = "offline";
  writer.commit();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  try {
    const std::filesystem::path path = argv[1];
    const auto repository =
        exists(path) ? Repository::open(path) : Repository::create(path);
    const auto domain = repository.create_domain(argv[2]);
    for (int i = 3; i < argc; ++i) {
      add_point(repository, domain, parse_time(argv[i]));
    }
  } catch (const std::exception& error) {
    std::cerr << "make_repository: " << error.what() << "\n";
    return 1;
  }
  return 0;
}
