#include "format/replication/repair_refs.h"

#include <algorithm>

#include "format/base/error.h"
#include "format/chain/fit_chunk.h"
#include "format/map/walk.h"
#include "format/repository/names.h"

namespace backstitch::format {
namespace {

// More places for one hash would only be more of the same.
constexpr size_t kMostPlaces = 4;

uint64_t end_of(const DamagedRef& damage) {
  return (damage.at.first + level_span(damage.at.level)) * kChunkBytes;
}

}  // namespace

RefRepair::RefRepair(const Domain& domain, const RepairSources& sources,
                     RepairLog& log)
    : domain_(domain),
      sources_(sources),
      log_(log),
      places_(sources.replicas),
      bytes_(kChunkBytes) {
  places_.push_back(domain);
}

const DiskStore& RefRepair::store(size_t source, const std::string& disk) {
  auto& known = stores_[{source, disk}];
  if (!known) known = places_[source].store(disk, std::make_shared<Caches>());
  return *known;
}

bool RefRepair::mend_page(const DamagedRef& page) {
  const auto found = at_same_place(page);
  return found && write(page, *found);
}

void RefRepair::mend_chunks(const std::vector<DamagedRef>& chunks) {
  std::vector<DamagedRef> left;
  for (const DamagedRef& chunk : chunks) {
    auto found = at_same_place(chunk);
    if (!found) found = in_lives(chunk);
    if (found) {
      write(chunk, *found);
    } else {
      left.push_back(chunk);
    }
  }
  if (left.empty()) return;
  index(left);
  for (const DamagedRef& chunk : left)
    if (const auto found = elsewhere(chunk)) write(chunk, *found);
}

// A copy of a point has the same bytes at the same places.
std::optional<RefRepair::Found> RefRepair::at_same_place(
    const DamagedRef& damage) {
  for (size_t i = 0; i < sources_.replicas.size(); ++i) {
    try {
      Bytes bytes(damage.ref.length);
      store(i, damage.disk).read_stored(damage.ref, bytes);
      return Found{std::move(bytes), places_[i].path().string()};
    } catch (const Error&) {
      continue;  // not there, or damaged there as well
    }
  }
  return {};
}

std::optional<RefRepair::Found> RefRepair::in_lives(const DamagedRef& damage) {
  for (LiveContent* live : sources_.lives) {
    if (!live->read_chunk(damage.disk, damage.at.first, bytes_)) continue;
    if (auto bytes = fit(damage, bytes_))
      return Found{std::move(*bytes), live->name()};
  }
  return {};
}

std::optional<RefRepair::Found> RefRepair::elsewhere(const DamagedRef& damage) {
  const auto places = index_.find({damage.ref.hash.low, damage.ref.hash.high});
  if (places == index_.end()) return {};
  for (const Elsewhere& place : places->second) {
    const DiskStore& from = store(place.source, damage.disk);
    const bool alike = place.ref.codec == damage.ref.codec &&
                       place.ref.length == damage.ref.length;
    try {
      std::optional<Bytes> bytes;
      if (alike) {
        bytes.emplace(place.ref.length);
        from.read_stored(place.ref, *bytes);
      } else {
        from.read_chunk(place.ref, bytes_);
        bytes = fit(damage, bytes_);
      }
      if (bytes)
        return Found{std::move(*bytes), places_[place.source].path().string()};
    } catch (const Error&) {
      continue;  // damaged as well
    }
  }
  return {};
}

std::optional<Bytes> RefRepair::fit(const DamagedRef& damage,
                                    ByteView content) {
  Compression first;
  try {
    const auto stored = read_stored(domain_, damage.ref.point);
    if (stored) first = Compression::parse(stored->manifest.compression);
  } catch (const Error&) {
    first = {};  // it is only where to begin
  }
  return fit_chunk(damage.ref, content, first);
}

void RefRepair::index(const std::vector<DamagedRef>& chunks) {
  index_.clear();
  std::set<std::string> disks;
  for (const DamagedRef& chunk : chunks) {
    index_[{chunk.ref.hash.low, chunk.ref.hash.high}];
    disks.insert(chunk.disk);
  }
  for (size_t i = 0; i < places_.size(); ++i)
    for (const std::string& disk : disks) index_disk(i, disk);
}

// All chains of the disk, each walked once over all its points.
void RefRepair::index_disk(size_t source, const std::string& disk) {
  std::map<uint32_t, std::vector<MapRoot>> chains;
  for (const uint32_t number : places_[source].points()) {
    try {
      const Manifest manifest = places_[source].open_point(number).manifest();
      if (const DiskManifest* part = manifest.disk(disk))
        chains[manifest.chain].push_back(part->map());
    } catch (const Error&) {
      continue;
    }
  }
  WalkVisitor visitor;
  visitor.damaged = [](const Ref&, Position, const std::exception&) {};
  visitor.visit = [&](const Ref& ref, Position) {
    if (ref.kind != RefKind::kChunk) return;
    const auto wanted = index_.find({ref.hash.low, ref.hash.high});
    if (wanted != index_.end() && wanted->second.size() < kMostPlaces)
      wanted->second.push_back({source, ref});
  };
  for (const auto& [chain, maps] : chains)
    walk(store(source, disk), maps, visitor);
}

// Several points may have named it; once is enough.
bool RefRepair::write(const DamagedRef& damage, const Found& found) {
  const Ref& ref = damage.ref;
  if (!done_.emplace(damage.disk, ref.kind, ref.point, ref.offset).second)
    return false;
  const std::string file = disk_file(damage.disk, kind_of(ref));
  Mended entry;
  entry.file = domain_.name() + "/" + point_name(ref.point) + "/" + file;
  entry.offset = ref.offset;
  entry.what = ref.kind == RefKind::kPage ? "page" : "chunk";
  entry.disk = damage.disk;
  entry.begin = damage.at.first * kChunkBytes;
  entry.end = end_of(damage);
  entry.from = found.from;
  log_.overwrite(domain_.path() / point_name(ref.point) / file, found.bytes,
                 std::move(entry));
  return true;
}

}  // namespace backstitch::format
