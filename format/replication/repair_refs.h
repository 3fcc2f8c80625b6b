// The part of repair that mends pages and chunks.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "format/replication/repair_log.h"
#include "format/replication/stored_point.h"

namespace backstitch::format {

// One thread; keeps what it learns of the sources.
class RefRepair {
 public:
  RefRepair(const Domain& domain, const RepairSources& sources, RepairLog& log);

  // True if it was mended: then there may be more below.
  bool mend_page(const DamagedRef& page);
  // Those that can be mended; the rest stay as they are.
  void mend_chunks(const std::vector<DamagedRef>& chunks);

 private:
  // Good bytes for a ref, and who has them.
  struct Found {
    Bytes bytes;
    std::string from;
  };
  // Where chunks with a hash that is looked for lie.
  struct Elsewhere {
    size_t source;  // index into places_
    Ref ref;
  };
  using Key = std::pair<uint64_t, uint64_t>;

  std::optional<Found> at_same_place(const DamagedRef& damage);
  std::optional<Found> in_lives(const DamagedRef& damage);
  std::optional<Found> elsewhere(const DamagedRef& damage);
  void index(const std::vector<DamagedRef>& chunks);
  void index_disk(size_t source, const std::string& disk);
  bool write(const DamagedRef& damage, const Found& found);
  std::optional<Bytes> fit(const DamagedRef& damage, ByteView content);
  const DiskStore& store(size_t source, const std::string& disk);

  const Domain& domain_;
  const RepairSources& sources_;
  RepairLog& log_;
  std::vector<Domain> places_;  // the replicas, then the domain itself
  std::map<std::pair<size_t, std::string>, std::shared_ptr<const DiskStore>>
      stores_;
  std::map<Key, std::vector<Elsewhere>> index_;
  std::set<std::tuple<std::string, RefKind, uint32_t, uint64_t>> done_;
  Bytes bytes_;
};

}  // namespace backstitch::format
