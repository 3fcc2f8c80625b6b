// Makes a point from raw files, with nothing but the format library:
//
//   make_repository REPOSITORY DOMAIN [--level LEVEL] [--compression C]
//                   [--file NAME=PATH]... DISK=PATH...
//
// The repository is created when it is not there. Prints the point's number.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "format/base/error.h"
#include "format/base/file.h"
#include "format/repository/names.h"
#include "format/repository/point_writer.h"
#include "format/repository/writer_lock.h"

namespace {

namespace fs = std::filesystem;
using namespace backstitch;          // NOLINT(google-build-using-namespace)
using namespace backstitch::format;  // NOLINT(google-build-using-namespace)

struct Request {
  fs::path repository;
  std::string domain;
  std::optional<Level> level;
  Compression compression;
  std::vector<std::pair<std::string, fs::path>> disks;
  std::vector<std::pair<std::string, fs::path>> files;
};

Level level_from(const std::string& text) {
  for (const Level level : {Level::kFull, Level::kIncremental,
                            Level::kDifferential, Level::kCopy}) {
    if (to_string(level) == text) return level;
  }
  throw Error(ErrorKind::kUsage, "no such level: " + text);
}

std::pair<std::string, fs::path> split(const std::string& text) {
  const size_t sign = text.find('=');
  if (sign == std::string::npos)
    throw Error(ErrorKind::kUsage, text + ": NAME=PATH is needed");
  return {text.substr(0, sign), text.substr(sign + 1)};
}

Request parse(const std::vector<std::string>& words) {
  Request request;
  std::vector<std::string> plain;
  for (size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--level") {
      request.level = level_from(words.at(++i));
    } else if (words[i] == "--compression") {
      request.compression = Compression::parse(words.at(++i));
    } else if (words[i] == "--file") {
      request.files.push_back(split(words.at(++i)));
    } else {
      plain.push_back(words[i]);
    }
  }
  if (plain.size() < 2)
    throw Error(ErrorKind::kUsage, "REPOSITORY DOMAIN DISK=PATH... are needed");
  request.repository = plain[0];
  request.domain = plain[1];
  for (size_t i = 2; i < plain.size(); ++i)
    request.disks.push_back(split(plain[i]));
  return request;
}

// The first chunk at or after `number` that the file system has data for.
uint64_t next_data_chunk(const File& file, uint64_t number, uint64_t chunks) {
  const off_t data =
      ::lseek(file.fd(), static_cast<off_t>(number * kChunkBytes), SEEK_DATA);
  return data < 0 ? chunks : static_cast<uint64_t>(data) / kChunkBytes;
}

void add_disk(PointWriter& writer, const std::string& name,
              const fs::path& path) {
  const File file = File::open(path, O_RDONLY);
  const uint64_t size = file.size();
  DiskWriter& disk = writer.add_disk(name, size);
  ChunkSifter sifter(disk);
  Bytes chunk(kChunkBytes);
  const uint64_t chunks = chunk_count(size);
  for (uint64_t number = 0; number < chunks; ++number) {
    const uint64_t data = next_data_chunk(file, number, chunks);
    if (data > number) disk.put_zeroes(number, data - number);
    if (data == chunks) break;
    number = data;
    const uint64_t offset = number * kChunkBytes;
    const uint64_t length = std::min(kChunkBytes, size - offset);
    std::fill(chunk.begin(), chunk.end(), std::byte{0});
    file.read_at(offset, std::span(chunk).first(length));
    disk.put(number, sifter.sift(number, chunk));
  }
  disk.manifest().read_bytes = size;
  disk.manifest().reason = "made by a test";
}

uint32_t make_point(const Request& request) {
  const Repository repository = fs::exists(request.repository)
                                    ? Repository::open(request.repository)
                                    : Repository::create(request.repository);
  const Domain domain = repository.create_domain(request.domain);
  const WriterLock lock(domain);
  PointWriter writer(repository, domain, plan_point(domain, request.level),
                     request.compression, std::make_shared<Caches>());
  writer.manifest().time = now();
  writer.manifest().consistency = "offline";
  for (const auto& [name, path] : request.disks) add_disk(writer, name, path);
  for (const auto& [name, path] : request.files)
    writer.add_file(name, read_text(path));
  writer.commit();
  return writer.number();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const Request request =
        parse(std::vector<std::string>(argv + 1, argv + argc));
    std::printf("%s\n", point_name(make_point(request)).c_str());
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "make_repository: %s\n", error.what());
    return 1;
  }
}
