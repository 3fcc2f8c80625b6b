// What is kept of archives between runs: the index of each stream, and LZ4
// windows. All of it can be made again, so nothing that goes wrong here is an
// error; what is damaged or out of date is as good as not there.
//
//   KEY.index    the pieces of a stream
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
  uint64_t salt_ = 0;  // tells slots of other files, or older ones
  Fd file_;
};

}  // namespace backstitch::format
