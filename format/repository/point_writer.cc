#include "format/repository/point_writer.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "format/base/error.h"
#include "format/repository/names.h"
#include "format/repository/shared_file.h"
#include "format/repository/writer_lock.h"

namespace backstitch::format {

namespace fs = std::filesystem;

namespace {

MapRoot map_of(const DiskManifest* disk) {
  return disk == nullptr ? MapRoot{} : disk->map();
}

FileHeader with_kind(FileHeader header, FileKind kind) {
  header.kind = kind;
  return header;
}

PointId random_id() {
  PointId id;
  if (::getrandom(id.data(), id.size(), 0) != static_cast<ssize_t>(id.size()))
    throw system_error(errno, "get random bytes");
  return id;
}

}  // namespace

// --- ChunkSifter ---

ChunkSifter::ChunkSifter(const DiskWriter& disk)
    : disk_(disk), encoder_(disk.compression_), old_(kChunkBytes) {}

SiftedChunk ChunkSifter::sift(uint64_t chunk, ByteView content) {
  SiftedChunk result;
  const Ref old = disk_.base_.lookup(chunk);
  result.replaces_data = !old.is_zero();
  if (all_zero(content)) {
    result.kind =
        old.is_zero() ? SiftedChunk::Kind::kSame : SiftedChunk::Kind::kZero;
    return result;
  }
  result.hash = hash_of(content);
  if (!old.is_zero() && old.hash == result.hash && same_bytes(old, content))
    return result;
  result.kind = SiftedChunk::Kind::kNew;
  const auto encoded = encoder_.encode(content);
  result.codec = encoded.codec;
  result.bytes = encoded.bytes;
  return result;
}

// The hash alone would do but for somebody who makes collisions on purpose.
bool ChunkSifter::same_bytes(const Ref& old, ByteView content) {
  try {
    disk_.store_->read_chunk(old, old_);
  } catch (const Error&) {
    return false;  // damaged: what is stored now mends it from here on
  }
  return std::memcmp(old_.data(), content.data(), content.size()) == 0;
}

// --- DiskWriter ---

DiskWriter::DiskWriter(std::shared_ptr<const DiskStore> store,
                       const DiskManifest* base, const FileHeader& header,
                       const fs::path& directory, uint64_t size_bytes,
                       Compression compression)
    : store_(std::move(store)),
      base_(*store_, map_of(base)),
      size_bytes_(size_bytes),
      point_(header.point),
      compression_(compression),
      map_file_(directory / (header.disk + ".map"),
                with_kind(header, FileKind::kMap)),
      data_file_(directory / (header.disk + ".data"),
                 with_kind(header, FileKind::kData)),
      map_(*store_, base_.map(), chunk_count(size_bytes),
           [this](const Page& page) {
             const auto bytes = encode(page);
             Ref ref;
             ref.kind = RefKind::kPage;
             ref.length = kPageBytes;
             ref.point = point_;
             ref.offset = map_file_.append(bytes, kPageBytes);
             ref.hash = hash_of(bytes);
             return ref;
           }) {
  manifest_.name = header.disk;
  manifest_.size_bytes = size_bytes;
  if (base == nullptr) return;
  const uint64_t old_chunks = base_.map().chunks;
  manifest_.data_chunks = base->data_chunks;
  if (old_chunks > chunks())
    manifest_.data_chunks -= base_.count_data(chunks(), old_chunks);
}

void DiskWriter::put(uint64_t chunk, const SiftedChunk& content) {
  switch (content.kind) {
    case SiftedChunk::Kind::kSame:
      return;
    case SiftedChunk::Kind::kZero:
      map_.assign(chunk, {});
      manifest_.zeroed_chunks += 1;
      manifest_.data_chunks -= 1;
      return;
    case SiftedChunk::Kind::kNew:
      break;
  }
  Ref ref;
  ref.kind = RefKind::kChunk;
  ref.codec = content.codec;
  ref.length = static_cast<uint32_t>(content.bytes.size());
  ref.point = point_;
  ref.offset = data_file_.append(
      content.bytes, content.codec == Codec::kStored ? kPageBytes : 1);
  ref.hash = content.hash;
  map_.assign(chunk, ref);
  manifest_.changed_chunks += 1;
  if (!content.replaces_data) manifest_.data_chunks += 1;
}

void DiskWriter::put_zeroes(uint64_t first, uint64_t count) {
  const uint64_t dropped = base_.count_data(first, first + count);
  if (dropped == 0) return;
  map_.assign_zero(first, count);
  manifest_.zeroed_chunks += dropped;
  manifest_.data_chunks -= dropped;
}

void DiskWriter::finish() {
  manifest_.root = map_.finish().root;
  manifest_.map_length = map_file_.length();
  manifest_.data_length = data_file_.length();
  data_file_.finish();
  map_file_.finish();
}

// --- PointPlan ---

const PointPlan::Base* PointPlan::base(const std::string& disk) const {
  const auto found = std::ranges::find(bases, disk, &Base::disk);
  return found == bases.end() ? nullptr : &*found;
}

namespace {

// The newest point of any chain; copies stand alone.
std::optional<Point> newest_of_a_chain(const Domain& domain) {
  const auto numbers = domain.points();
  for (auto number = numbers.rbegin(); number != numbers.rend(); ++number) {
    Point point = domain.open_point(*number);
    if (point.manifest().level != Level::kCopy) return point;
  }
  return {};
}

Point full_of(const Domain& domain, uint32_t chain) {
  try {
    return domain.open_point(chain);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kNotFound) throw;
    throw Error(ErrorKind::kNoBase,
                printable(domain.name()) + ": the full of the chain, point " +
                    std::to_string(chain) +
                    ", was deleted; a differential needs it (an incremental "
                    "does not)");
  }
}

PointPlan plan_on(const Point& base, Level level) {
  PointPlan plan;
  plan.level = level;
  plan.parent = base.number();
  plan.chain = base.manifest().chain;
  for (const DiskManifest& disk : base.manifest().disks)
    plan.bases.push_back({disk.name, base});
  return plan;
}

}  // namespace

PointPlan plan_point(const Domain& domain, std::optional<Level> level) {
  const bool needs_base =
      level == Level::kIncremental || level == Level::kDifferential;
  if (level && !needs_base) return {.level = *level, .bases = {}};
  const auto newest = newest_of_a_chain(domain);
  if (!newest && needs_base) {
    throw Error(ErrorKind::kNoBase,
                printable(domain.name()) + ": there is no full that " +
                    (level == Level::kIncremental ? "an incremental"
                                                  : "a differential") +
                    " could build on; take one with --level full");
  }
  if (!newest) return {};
  if (level == Level::kDifferential)
    return plan_on(full_of(domain, newest->manifest().chain), *level);
  return plan_on(*newest, Level::kIncremental);
}

// --- PointWriter ---

PointWriter::PointWriter(const Repository& repository, const Domain& domain,
                         PointPlan plan, Compression compression,
                         std::shared_ptr<Caches> caches)
    : domain_(domain),
      plan_(std::move(plan)),
      compression_(compression),
      caches_(std::move(caches)) {
  manifest_.repository = repository.id();
  manifest_.domain = domain.name();
  manifest_.point = domain.last_number() + 1;
  manifest_.id = random_id();
  manifest_.level = plan_.level;
  manifest_.parent = plan_.parent;
  manifest_.chain = plan_.chain == 0 ? manifest_.point : plan_.chain;
  manifest_.time = now();
  manifest_.compression = compression.to_string();
  manifest_.tools["backstitch"] = BACKSTITCH_VERSION;
  manifest_.tools["zstd"] = zstd_version();
  directory_ = domain.path() / (kPartialPrefix + point_name(manifest_.point));
  if (::mkdir(directory_.c_str(), 0700) != 0)
    throw system_error(errno, "create directory " + directory_.string());
}

PointWriter::~PointWriter() {
  if (committed_) return;
  disks_.clear();
  std::error_code ignored;  // the next writer sweeps what is left
  fs::remove_all(directory_, ignored);
}

DiskWriter& PointWriter::add_disk(const std::string& name,
                                  uint64_t size_bytes) {
  check_disk_name(name);
  const auto same = [&](const auto& disk) {
    return disk->manifest().name == name;
  };
  if (std::ranges::any_of(disks_, same))
    throw Error(ErrorKind::kUsage, "disk " + name + " is named twice");
  const PointPlan::Base* base = plan_.base(name);
  FileHeader header;
  header.point = manifest_.point;
  header.point_id = manifest_.id;
  header.disk = name;
  disks_.push_back(std::unique_ptr<DiskWriter>(new DiskWriter(
      domain_.store(name, caches_),
      base == nullptr ? nullptr : base->point.manifest().disk(name), header,
      directory_, size_bytes, compression_)));
  return *disks_.back();
}

void PointWriter::add_file(const std::string& name, std::string_view content) {
  check_side_file_name(name);
  if (std::ranges::find(manifest_.files, name, &SideFile::name) !=
      manifest_.files.end()) {
    throw Error(ErrorKind::kUsage, "file " + name + " is added twice");
  }
  const SideFile file{name, content.size(), hash_of(content)};
  if (!link_from_parent(file, content))
    write_new_file(directory_ / name, content);
  manifest_.files.push_back(file);
}

bool PointWriter::link_from_parent(const SideFile& file,
                                   std::string_view content) const {
  if (plan_.bases.empty()) return false;
  const Point& parent = plan_.bases.front().point;
  const auto& files = parent.manifest().files;
  const auto known = std::ranges::find(files, file.name, &SideFile::name);
  if (known == files.end() || known->hash != file.hash) return false;
  return link_if_same(parent.path() / file.name, directory_ / file.name,
                      content);
}

// What nobody can open is no point: a success that turns out to be none when
// the machine is needed.
void PointWriter::check_readable() const {
  try {
    parse_manifest(read_text(directory_ / "point.json"));
  } catch (const Error& error) {
    throw add_context(error, printable(domain_.name()) +
                                 ": the new point could not be opened");
  }
}

void PointWriter::commit() {
  for (const auto& disk : disks_) {
    disk->finish();
    manifest_.disks.push_back(disk->manifest());
  }
  write_new_file(directory_ / "point.json", serialize(manifest_));
  check_readable();
  sync_directory(directory_);
  const fs::path target = domain_.path() / point_name(manifest_.point);
  rename_path(directory_, target);
  try {
    sync_directory(domain_.path());
  } catch (const Error&) {
    // Visible but perhaps not durable is no point: it goes back.
    rename_path(target, directory_);
    throw;
  }
  committed_ = true;
}

}  // namespace backstitch::format
