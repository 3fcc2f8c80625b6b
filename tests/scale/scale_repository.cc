// Makes a repository with many points of one huge disk, from extents that are
// nowhere stored: what could not be backed up in a test's time and space.
//
//   make_repository REPOSITORY DOMAIN SIZE POINTS CHUNKS
//
// Every point writes chunk 0 and CHUNKS others, scattered over the disk. A
// written chunk holds its own number and its point's, as two little-endian
// 64-bit numbers, over and over. Which ones are written: see scattered().
#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "format/base/error.h"
#include "format/base/units.h"
#include "format/repository/point_writer.h"
#include "format/repository/repository.h"
#include "format/repository/writer_lock.h"

namespace {

using backstitch::Bytes;
using namespace backstitch::format;  // NOLINT(google-build-using-namespace)

struct Plan {
  std::string repository;
  std::string domain;
  uint64_t size_bytes;
  uint64_t points;
  uint64_t chunks;
};

// The finalizer of splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom
// Number Generators), so that a test in another language can follow.
uint64_t mix(uint64_t value) {
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9ULL;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBULL;
  return value ^ (value >> 31);
}

std::vector<uint64_t> scattered(const Plan& plan, uint64_t point) {
  const uint64_t chunks = chunk_count(plan.size_bytes);
  std::vector<uint64_t> result = {0};
  for (uint64_t i = 1; i <= plan.chunks; ++i)
    result.push_back(mix((point << 32) + i) % chunks);
  std::ranges::sort(result);
  const auto repeated = std::unique(result.begin(), result.end());
  result.erase(repeated, result.end());
  return result;
}

void fill(Bytes& content, uint64_t chunk, uint64_t point) {
  for (size_t i = 0; i < content.size(); i += 16) {
    backstitch::store_le(&content[i], chunk);
    backstitch::store_le(&content[i + 8], point);
  }
}

void make_point(const Plan& plan, const Repository& repository,
                const Domain& domain, const std::shared_ptr<Caches>& caches) {
  const WriterLock lock(domain);
  PointWriter writer(repository, domain, plan_point(domain, {}), Compression{},
                     caches);
  DiskWriter& disk = writer.add_disk("vda", plan.size_bytes);
  ChunkSifter sifter(disk);
  Bytes content(kChunkBytes);
  for (const uint64_t chunk : scattered(plan, writer.number())) {
    fill(content, chunk, writer.number());
    disk.put(chunk, sifter.sift(chunk, content));
  }
  writer.manifest().time = now();
  writer.manifest().consistency = "offline";
  writer.commit();
}

void make_repository(const Plan& plan) {
  const auto repository = Repository::create(plan.repository);
  const auto domain = repository.create_domain(plan.domain);
  const auto caches = std::make_shared<Caches>();
  for (uint64_t i = 0; i < plan.points; ++i)
    make_point(plan, repository, domain, caches);
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 6) {
    std::cerr
        << "usage: make_repository REPOSITORY DOMAIN SIZE POINTS CHUNKS\n";
    return 2;
  }
  try {
    make_repository({arguments[1], arguments[2],
                     backstitch::parse_bytes(arguments[3], "the size"),
                     std::strtoull(arguments[4], nullptr, 10),
                     std::strtoull(arguments[5], nullptr, 10)});
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
  return 0;
}
