#include "fuse/tree/catalog.h"

#include "format/base/error.h"
#include "format/repository/names.h"

namespace backstitch::mount {

LiveCatalog::LiveCatalog(format::Repository repository, ImageFactory& images)
    : Catalog(repository.path()),
      repository_(std::move(repository)),
      images_(images) {}

std::vector<std::string> LiveCatalog::domains() const {
  std::vector<std::string> names;
  for (const format::Domain& domain : repository_.domains())
    names.push_back(domain.name());
  return names;
}

std::filesystem::path LiveCatalog::directory(const std::string& domain) const {
  return repository_.domain(domain).path();
}

std::vector<uint32_t> LiveCatalog::points(const std::string& domain) const {
  return repository_.domain(domain).points();
}

uint32_t LiveCatalog::latest(const std::string& domain) const {
  return repository_.domain(domain).latest();
}

DirectoryPointer LiveCatalog::point(const std::string& domain, uint32_t number,
                                    const DirectoryPointer& known) const {
  if (known && known->is_current()) return known;
  return std::make_shared<PointDirectory>(repository_.domain(domain), number,
                                          images_);
}

FixedCatalog::FixedCatalog(const format::Repository& repository,
                           ImageFactory& images,
                           const std::vector<std::string>& points)
    : Catalog(repository.path()) {
  for (const std::string& point : points) {
    const auto name = repository.resolve(point);
    Shown& shown = domains_[name.domain.name()];
    shown.path = name.domain.path();
    Kept& kept = shown.points[name.number];
    if (kept.directory) continue;
    kept.directory =
        std::make_shared<PointDirectory>(name.domain, name.number, images);
    kept.held = kept.directory->hold();
  }
}

std::vector<std::string> FixedCatalog::domains() const {
  std::vector<std::string> names;
  for (const auto& domain : domains_) names.push_back(domain.first);
  return names;
}

std::filesystem::path FixedCatalog::directory(const std::string& domain) const {
  return shown(domain).path;
}

std::vector<uint32_t> FixedCatalog::points(const std::string& domain) const {
  std::vector<uint32_t> numbers;
  for (const auto& point : shown(domain).points) numbers.push_back(point.first);
  return numbers;
}

uint32_t FixedCatalog::latest(const std::string& domain) const {
  return shown(domain).points.rbegin()->first;
}

DirectoryPointer FixedCatalog::point(const std::string& domain, uint32_t number,
                                     const DirectoryPointer& /*known*/) const {
  const auto& points = shown(domain).points;
  const auto found = points.find(number);
  if (found == points.end()) {
    throw Error(ErrorKind::kNotFound, format::printable(domain) + "/" +
                                          format::point_name(number) +
                                          ": not part of this mount");
  }
  return found->second.directory;
}

const FixedCatalog::Shown& FixedCatalog::shown(
    const std::string& domain) const {
  const auto found = domains_.find(domain);
  if (found == domains_.end()) {
    throw Error(ErrorKind::kNotFound,
                format::printable(domain) + ": not part of this mount");
  }
  return found->second;
}

std::unique_ptr<Catalog> make_catalog(const format::Repository& repository,
                                      ImageFactory& images,
                                      const std::vector<std::string>& points) {
  if (points.empty()) return std::make_unique<LiveCatalog>(repository, images);
  return std::make_unique<FixedCatalog>(repository, images, points);
}

}  // namespace backstitch::mount
