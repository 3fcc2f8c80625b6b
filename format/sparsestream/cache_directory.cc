#include "format/sparsestream/cache_directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <cstdlib>

#include "format/base/error.h"
#include "format/sparsestream/cache_cleaning.h"

namespace backstitch::format {
namespace {

namespace fs = std::filesystem;

constexpr std::array<char, 8> kMagic = {'b', 's', 't', 'r', 'm', 'i', 'x', '2'};

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

// What a cached file is about, as its first bytes.
struct IndexHeader {
  std::array<char, 8> magic = kMagic;
  FileStamp stamp;
  uint64_t offset = 0;
  uint64_t length = 0;
  uint64_t count = 0;
  uint64_t path_length = 0;  // of the file that it is about, after the pieces
  friend bool operator==(const IndexHeader&, const IndexHeader&) = default;
};
static_assert(std::has_unique_object_representations_v<IndexHeader>);
constexpr uint64_t kFixed = sizeof(IndexHeader) + sizeof(Hash128);
static_assert(std::has_unique_object_representations_v<StreamPiece>);

std::string origin_path(const StoredPlace& place) {
  return fs::absolute(place.path).lexically_normal().string();
}

IndexHeader header_of(const StoredPlace& place, uint64_t count) {
  return {.stamp = place.stamp,
          .offset = place.offset,
          .length = place.length,
          .count = count,
          .path_length = origin_path(place).size()};
}

fs::path file_of(const StoredPlace& place, const char* suffix) {
  const fs::path directory = cache_directory();
  if (directory.empty()) return {};
  const std::string key = origin_path(place) + "\n" + place.name;
  return directory / (to_hex(hash_of(key)) + suffix);
}

bool make_directory(const fs::path& directory) {
  std::error_code code;
  fs::create_directories(directory.parent_path(), code);
  ::mkdir(directory.c_str(), 0700);
  return fs::is_directory(directory, code);
}

// As damage, or a file that was made for others, would have it.
bool fits(const StoredPlace& place, const std::vector<StreamPiece>& pieces) {
  uint64_t covered = 0;
  for (const StreamPiece& piece : pieces) {
    if (piece.begin < covered || piece.length == 0 ||
        piece.length > UINT64_MAX - piece.begin ||
        piece.stored_at > place.length ||
        piece.stored_length > place.length - piece.stored_at) {
      return false;
    }
    covered = piece.begin + piece.length;
  }
  return true;
}

Hash128 hash_of_index(const IndexHeader& header,
                      const std::vector<StreamPiece>& pieces) {
  const std::array<Hash128, 2> parts = {
      hash_of(std::as_bytes(std::span(&header, 1))),
      hash_of(std::as_bytes(std::span(pieces)))};
  return hash_of(std::as_bytes(std::span(parts)));
}

}  // namespace

fs::path cache_directory() {
  const std::string named = environment("XDG_CACHE_HOME");
  if (!named.empty() && named.front() == '/')
    return fs::path(named) / "backstitch";
  if (::geteuid() == 0) return "/var/cache/backstitch";
  const std::string home = environment("HOME");
  return home.empty() ? fs::path() : fs::path(home) / ".cache/backstitch";
}

std::optional<CacheOrigin> origin_of_index(const fs::path& path) {
  try {
    const File file = File::open(path, O_RDONLY | O_NOFOLLOW);
    IndexHeader header;
    file.read_at(0, std::as_writable_bytes(std::span(&header, 1)));
    const uint64_t size = file.size();
    if (header.magic != kMagic || header.path_length > PATH_MAX ||
        size < kFixed + header.path_length) {
      return std::nullopt;
    }
    std::string origin(header.path_length, '\0');
    file.read_at(size - origin.size(),
                 std::as_writable_bytes(std::span(origin)));
    return CacheOrigin{origin, header.stamp};
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::optional<std::vector<StreamPiece>> load_pieces(const StoredPlace& place) {
  const fs::path path = file_of(place, ".index");
  if (path.empty()) return std::nullopt;
  try {
    const File file = File::open(path, O_RDONLY | O_NOFOLLOW);
    const uint64_t other = kFixed + origin_path(place).size();
    const uint64_t size = file.size();
    if (size < other || (size - other) % sizeof(StreamPiece) != 0)
      return std::nullopt;
    IndexHeader header;
    Hash128 hash;
    file.read_at(0, std::as_writable_bytes(std::span(&header, 1)));
    file.read_at(sizeof header, std::as_writable_bytes(std::span(&hash, 1)));
    std::vector<StreamPiece> pieces((size - other) / sizeof(StreamPiece));
    if (header != header_of(place, pieces.size())) return std::nullopt;
    file.read_at(kFixed, std::as_writable_bytes(std::span(pieces)));
    if (hash != hash_of_index(header, pieces) || !fits(place, pieces))
      return std::nullopt;
    ::futimens(file.fd(), nullptr);  // used last (see clean_cache)
    return pieces;
  } catch (const Error&) {
    return std::nullopt;
  }
}

void save_pieces(const StoredPlace& place,
                 const std::vector<StreamPiece>& pieces) {
  const fs::path path = file_of(place, ".index");
  if (path.empty() || !make_directory(path.parent_path())) return;
  const fs::path temporary =
      path.parent_path() /
      ("." + path.filename().string() + "." + std::to_string(::getpid()));
  try {
    const std::string origin = origin_path(place);
    const IndexHeader header = header_of(place, pieces.size());
    const Hash128 hash = hash_of_index(header, pieces);
    {
      const File file =
          File::open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW);
      file.write_at(0, std::as_bytes(std::span(&header, 1)));
      file.write_at(sizeof header, std::as_bytes(std::span(&hash, 1)));
      file.write_at(sizeof header + sizeof hash,
                    std::as_bytes(std::span(pieces)));
      file.write_at(kFixed + pieces.size() * sizeof(StreamPiece),
                    std::as_bytes(std::span(std::string_view(origin))));
    }
    rename_path(temporary, path, true);
    note_cached(path.parent_path(),
                kFixed + pieces.size() * sizeof(StreamPiece));
  } catch (const Error&) {
    ::unlink(temporary.c_str());
  }
}

// --- WindowStore ---

namespace {

struct SlotHeader {
  uint64_t hash = 0;  // of all that follows, and the window
  uint64_t salt = 0;
  uint64_t slot = 0;
  uint64_t stored = 0;
  uint64_t content = 0;
  uint64_t window = 0;  // its length
};
constexpr uint64_t kSlotBytes = sizeof(SlotHeader) + kLz4WindowBytes;

uint64_t hash_of_slot(ByteView bytes) {
  return hash64_of(bytes.subspan(sizeof(uint64_t)));
}

}  // namespace

WindowStore::WindowStore(const StoredPlace& place) {
  const IndexHeader header = header_of(place, 0);
  salt_ = hash64_of(std::as_bytes(std::span(&header, 1)));
  const fs::path path = file_of(place, ".windows");
  constexpr int kFlags = O_RDWR | O_CLOEXEC;
  if (!path.empty() && make_directory(path.parent_path()))
    file_ = Fd(::open(path.c_str(), kFlags | O_CREAT | O_NOFOLLOW, 0600));
  if (file_) directory_ = path.parent_path();
  if (!file_) file_ = Fd(::open("/var/tmp", kFlags | O_TMPFILE, 0600));
}

std::optional<Lz4Position> WindowStore::load(uint64_t slot) const {
  if (!file_) return std::nullopt;
  Bytes bytes(kSlotBytes);
  const auto got = ::pread(file_.get(), bytes.data(), bytes.size(),
                           static_cast<off_t>(slot * kSlotBytes));
  if (got < static_cast<ssize_t>(sizeof(SlotHeader))) return std::nullopt;
  const auto header = load_le<SlotHeader>(bytes.data());
  if (header.salt != salt_ || header.slot != slot ||
      header.window > kLz4WindowBytes ||
      static_cast<uint64_t>(got) < sizeof header + header.window) {
    return std::nullopt;
  }
  bytes.resize(sizeof header + header.window);
  if (header.hash != hash_of_slot(bytes)) return std::nullopt;
  bytes.erase(bytes.begin(), bytes.begin() + sizeof header);
  return Lz4Position{header.stored, header.content, std::move(bytes)};
}

void WindowStore::save(uint64_t slot, const Lz4Position& position) const {
  if (!file_ || is_full()) return;
  SlotHeader header{.salt = salt_,
                    .slot = slot,
                    .stored = position.stored,
                    .content = position.content,
                    .window = position.window.size()};
  Bytes bytes(sizeof header + position.window.size());
  store_le(bytes.data(), header);
  std::ranges::copy(position.window, bytes.begin() + sizeof header);
  header.hash = hash_of_slot(bytes);
  store_le(bytes.data(), header);
  // A full disk only means that the window is not kept.
  [[maybe_unused]] const auto written =
      ::pwrite(file_.get(), bytes.data(), bytes.size(),
               static_cast<off_t>(slot * kSlotBytes));
  if (!directory_.empty()) note_cached(directory_, bytes.size());
}

// A file that the cleaning removed would grow unseen.
bool WindowStore::is_full() const {
  constexpr uint64_t kBlockBytes = 512;  // of st_blocks, see stat(3type)
  struct stat status {};
  if (::fstat(file_.get(), &status) != 0) return true;
  if (!directory_.empty()) return status.st_nlink == 0;
  return static_cast<uint64_t>(status.st_blocks) * kBlockBytes > cache_limit();
}

}  // namespace backstitch::format
