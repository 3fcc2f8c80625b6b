// What is kept of archives between runs: the index of each stream, and LZ4
// windows. clean_cache (cache_cleaning.h) keeps it small. All of it can be made
// again, so nothing that goes wrong here is an error; what is damaged or out of
// date is as good as not there.
//
//   KEY.index    the pieces of a stream, and which file it is
//   KEY.windows  slots of one LZ4 window each, written as they come to be known
#pragma once

#include <optional>
#include <vector>

#include "format/sparsestream/lz4_frame.h"
#include "format/sparsestream/stream_index.h"

namespace backstitch::format {

// $XDG_CACHE_HOME/backstitch; without one /var/cache/backstitch for root and
// ~/.cache/backstitch for others. Empty when there is none.
std::filesystem::path cache_directory();

// The file of an archive that an index is about, as it was then.
struct CacheOrigin {
  std::filesystem::path path;
  FileStamp stamp;
};
// Nothing when it is no index.
std::optional<CacheOrigin> origin_of_index(const std::filesystem::path& path);

// Nothing when there is none, or it is of another file.
std::optional<std::vector<StreamPiece>> load_pieces(const StoredPlace& place);
void save_pieces(const StoredPlace& place,
                 const std::vector<StreamPiece>& pieces);

// Thread-safe. Several processes may have the same file open: a slot carries
// its own hash, and they all write the same.
class WindowStore {
 public:
  // In the cache directory, else in a file without a name, else nowhere.
  explicit WindowStore(const StoredPlace& place);

  std::optional<Lz4Position> load(uint64_t slot) const;
  void save(uint64_t slot, const Lz4Position& position) const;

 private:
  bool is_full() const;

  uint64_t salt_ = 0;  // tells slots of other files, or older ones
  Fd file_;
  std::filesystem::path directory_;  // the cache's; empty: the file has no name
};

}  // namespace backstitch::format
