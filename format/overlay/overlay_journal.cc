#include "format/overlay/overlay_journal.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "format/base/error.h"
#include "format/overlay/overlay_header.h"

namespace backstitch::format {
namespace {

namespace fs = std::filesystem;

constexpr uint32_t kRecordMagic = 0x3152564f;  // "OVR1"
constexpr uint64_t kRecordHeaderBytes = 48;
constexpr uint64_t kRunBytes = 16;
constexpr uint64_t kHashAt = 32;
// Written ahead with zeroes, so that most syncs change the file's content only
// and not its length, which costs the file system a commit.
constexpr uint64_t kFillBytes = 64 << 10;

// Of a record as it is in the file, its own hash left out.
Hash128 record_hash(const Hash128& seed, ByteView record) {
  Bytes covered(record.begin(), record.end());
  store_le(&covered[kHashAt], seed.low);
  store_le(&covered[kHashAt + 8], seed.high);
  return hash_of(covered);
}

}  // namespace

struct OverlayJournal::Record {
  uint64_t sequence = 0;
  uint64_t durable = 0;
  uint64_t length = 0;
  std::vector<BlockRun> runs;
};

Error OverlayJournal::damaged(const std::string& what) const {
  return Error(ErrorKind::kDamaged, file_.path().string() + ": " + what);
}

OverlayJournal OverlayJournal::create(const fs::path& path,
                                      const OverlayIdentity& identity,
                                      const BlockMap& map) {
  fs::path unfinished = path;
  unfinished += ".new";
  const auto header = encode_overlay_header(identity);
  OverlayJournal journal(File::open(unfinished, O_RDWR | O_CREAT | O_TRUNC),
                         identity, hash_of(header));
  journal.file_.write_at(0, header);
  std::vector<BlockRun> runs;
  for (uint64_t block = 0; block < map.end();) {
    const BlockRun run = map.run_at(block, map.end());
    block = run.end();
    if (run.state == BlockState::kBase) continue;
    runs.push_back(run);
    if (runs.size() < kMostRuns) continue;
    journal.append(runs);
    runs.clear();
  }
  journal.append(runs);
  journal.file_.sync();
  journal.durable_ = journal.sequence_;
  rename_path(unfinished, path, true);
  sync_directory(path.parent_path());
  journal.file_ =
      File(Fd(::fcntl(journal.file_.fd(), F_DUPFD_CLOEXEC, 0)), path);
  if (!journal.file_) throw system_error(errno, "open " + path.string());
  return journal;
}

OverlayJournal OverlayJournal::open(const fs::path& path) {
  File file = File::open(path, O_RDWR);
  std::array<std::byte, kHeaderBytes> header;
  file.read_at(0, header);
  try {
    OverlayIdentity identity = decode_overlay_header(header);
    return {std::move(file), std::move(identity), hash_of(header)};
  } catch (const Error& error) {
    throw add_context(error, path.string());
  }
}

bool OverlayJournal::read_record(uint64_t offset, uint64_t file_end,
                                 Record& record) const {
  if (file_end - offset < kRecordHeaderBytes) return false;
  Bytes bytes(kRecordHeaderBytes);
  file_.read_at(offset, bytes);
  const auto count = load_le<uint32_t>(&bytes[4]);
  if (load_le<uint32_t>(bytes.data()) != kRecordMagic || count == 0 ||
      count > kMostRuns)
    return false;
  record.length = kRecordHeaderBytes + count * kRunBytes;
  if (file_end - offset < record.length) return false;
  bytes.resize(record.length);
  file_.read_at(offset, bytes);
  const Hash128 hash = {load_le<uint64_t>(&bytes[kHashAt]),
                        load_le<uint64_t>(&bytes[kHashAt + 8])};
  if (record_hash(seed_, bytes) != hash) return false;
  record.sequence = load_le<uint64_t>(&bytes[8]);
  record.durable = load_le<uint64_t>(&bytes[16]);
  record.runs.clear();
  for (uint64_t at = kRecordHeaderBytes; at < bytes.size(); at += kRunBytes) {
    record.runs.push_back({load_le<uint64_t>(&bytes[at]),
                           load_le<uint32_t>(&bytes[at + 8]),
                           BlockState(load_le<uint32_t>(&bytes[at + 12]))});
  }
  return true;
}

BlockMap OverlayJournal::replay() {
  const uint64_t file_end = file_.size();
  const uint64_t blocks =
      (identity_.size_bytes + kBlockBytes - 1) / kBlockBytes;
  BlockMap map;
  Record record;
  while (read_record(end_, file_end, record) &&
         record.sequence == sequence_ + 1) {
    for (const BlockRun& run : record.runs) {
      if ((run.state != BlockState::kData && run.state != BlockState::kZero) ||
          run.first >= blocks || run.count > blocks - run.first)
        throw damaged("a record at offset " + std::to_string(end_) +
                      " makes no sense");
      map.set(run.first, run.count, run.state);
    }
    end_ += record.length;
    ++sequence_;
  }
  check_tail(file_end);
  filled_end_ = end_;
  durable_ = sequence_;
  map.begin_sync();
  map.end_sync(true);
  return map;
}

// Whatever stands behind the last good record must not rely on it.
void OverlayJournal::check_tail(uint64_t file_end) const {
  constexpr uint64_t kWindow = 64 << 10;
  Bytes window;
  Record record;
  for (uint64_t at = end_; at < file_end; at += window.size()) {
    window.resize(std::min(kWindow, file_end - at));
    file_.read_at(at, window);
    // Records begin on multiples of 16, and so do windows.
    for (uint64_t i = 0; i + 4 <= window.size(); i += kRunBytes) {
      if (load_le<uint32_t>(&window[i]) == kRecordMagic &&
          read_record(at + i, file_end, record) && record.durable > sequence_) {
        throw damaged("the record at offset " + std::to_string(end_) +
                      " is damaged; what was written since cannot be known");
      }
    }
  }
}

void OverlayJournal::append(std::span<const BlockRun> runs) {
  if (runs.empty()) return;
  assert(runs.size() <= kMostRuns);
  Bytes bytes(kRecordHeaderBytes + runs.size() * kRunBytes);
  store_le(bytes.data(), kRecordMagic);
  store_le(&bytes[4], static_cast<uint32_t>(runs.size()));
  store_le(&bytes[8], sequence_ + 1);
  store_le(&bytes[16], durable_);
  std::byte* at = &bytes[kRecordHeaderBytes];
  for (const BlockRun& run : runs) {
    store_le(at, run.first);
    store_le(at + 8, static_cast<uint32_t>(run.count));
    store_le(at + 12, static_cast<uint32_t>(run.state));
    at += kRunBytes;
  }
  const Hash128 hash = record_hash(seed_, bytes);
  store_le(&bytes[kHashAt], hash.low);
  store_le(&bytes[kHashAt + 8], hash.high);
  const uint64_t record_end = end_ + bytes.size();
  if (record_end > filled_end_) {
    const uint64_t filled = (record_end / kFillBytes + 1) * kFillBytes;
    file_.write_at(record_end, Bytes(filled - record_end));
    filled_end_ = filled;
  }
  file_.write_at(end_, bytes);
  end_ = record_end;
  ++sequence_;
}

void OverlayJournal::sync() {
  if (::fdatasync(file_.fd()) != 0)
    throw system_error(errno, "make " + file_.path().string() + " durable");
  durable_ = sequence_;
}

}  // namespace backstitch::format
