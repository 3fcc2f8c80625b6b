#include "format/repository/retention.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <map>
#include <optional>
#include <set>

#include "format/base/error.h"
#include "format/map/walk.h"
#include "format/repository/dead_space.h"
#include "format/repository/names.h"

namespace backstitch::format {

namespace fs = std::filesystem;

namespace {

struct Rule {
  const char* name;
  const char* period;  // strftime: points of one period compete
  unsigned count;
};

std::string period_of(Time time, const char* pattern) {
  const std::time_t count =
      std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
  std::tm parts{};
  ::localtime_r(&count, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), pattern, &parts);
  return text.data();
}

// Marks the newest point of each of the newest `count` periods.
void apply_rule(const std::vector<Time>& times, const Rule& rule,
                std::vector<std::string>& reasons) {
  std::string last;
  unsigned left = rule.count;
  for (size_t i = times.size(); i-- > 0 && left > 0;) {
    const std::string period = *rule.period == 0
                                   ? std::to_string(i)
                                   : period_of(times[i], rule.period);
    if (period == last) continue;
    last = period;
    --left;
    reasons[i] += (reasons[i].empty() ? "" : ", ") + std::string(rule.name);
  }
}

fs::path state_file(const Domain& domain, uint32_t number, const char* name) {
  return domain.path() / point_name(number) / name;
}

// Points held exclusively, so that no reader can open them any more.
class DeletionLocks {
 public:
  DeletionLocks(const Domain& domain, const std::vector<uint32_t>& points) {
    for (const uint32_t number : points) {
      // NFS gives an exclusive lock only to who may write (flock(2)).
      File file = File::open(state_file(domain, number, "point.json"), O_RDWR);
      if (::flock(file.fd(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK)
          throw system_error(errno, "lock " + file.path().string());
        const std::string holders = lock_holders(file);
        throw Error(ErrorKind::kBusy,
                    printable(domain.name()) + "@" + std::to_string(number) +
                        " is in use" +
                        (holders.empty() ? "" : " by " + holders));
      }
      files_.push_back(std::move(file));
    }
  }

 private:
  std::vector<File> files_;
};

void check_there(const Domain& domain, const std::vector<uint32_t>& points) {
  const auto numbers = domain.points();
  for (const uint32_t number : points) {
    if (!std::ranges::binary_search(numbers, number)) {
      throw Error(
          ErrorKind::kNotFound,
          printable(domain.name()) + " has no point " + std::to_string(number));
    }
  }
}

// One after the other: a thousand points must not need a thousand open files.
std::vector<Manifest> live_manifests(const Domain& domain) {
  std::vector<Manifest> manifests;
  for (const uint32_t number : domain.points())
    manifests.push_back(domain.open_point(number).manifest());
  return manifests;
}

// What a directory without a manifest needs cannot be known. It may be a point
// that is being copied here, whose manifest comes last, or one whose manifest
// was lost and can be brought back.
void check_all_known(const Domain& domain) {
  for (const auto& entry : fs::directory_iterator(domain.path())) {
    const uint32_t number = point_number(entry.path().filename().string());
    if (number == 0 || entry.is_regular_file()) continue;
    const auto has = [&](const char* name) {
      return fs::exists(entry.path() / name);
    };
    if (has("point.json") || has("deleted.json") || has("remains.json"))
      continue;
    throw Error(ErrorKind::kDamaged,
                printable(domain.name()) + "/" + point_name(number) +
                    ": has no manifest, so what it needs is not known");
  }
}

// Nothing of the dead point is needed any more.
void remove_point(const Domain& domain, uint32_t number) {
  const fs::path gone = domain.path() / (kPartialPrefix + point_name(number));
  rename_path(domain.path() / point_name(number), gone);
  sync_directory(domain.path());
  remove_tree(gone);
}

std::map<uint32_t, std::vector<Manifest>> by_chain(
    std::vector<Manifest> manifests) {
  std::map<uint32_t, std::vector<Manifest>> chains;
  for (Manifest& manifest : manifests)
    chains[manifest.chain].push_back(std::move(manifest));
  return chains;
}

// Only the .map and .data files stay.
void keep_remains(const Domain& domain, const Manifest& dead) {
  const fs::path directory = domain.path() / point_name(dead.point);
  for (const SideFile& file : dead.files) remove_tree(directory / file.name);
  if (fs::exists(directory / "deleted.json"))
    rename_path(directory / "deleted.json", directory / "remains.json");
  sync_directory(directory);
}

uint64_t release_chain(const Domain& domain, const std::vector<Manifest>& dead,
                       const std::vector<Manifest>& live) {
  DeadSpace space(domain, dead, live);
  const uint64_t freed = space.release();
  for (const Manifest& manifest : dead) {
    if (space.is_needed(manifest.point)) {
      keep_remains(domain, manifest);
    } else {
      remove_point(domain, manifest.point);
    }
  }
  return freed;
}

}  // namespace

std::vector<std::string> apply_policy(const std::vector<Time>& times,
                                      const KeepPolicy& policy) {
  const std::array<Rule, 5> rules = {{{"last", "", policy.last},
                                      {"daily", "%F", policy.daily},
                                      {"weekly", "%G-%V", policy.weekly},
                                      {"monthly", "%Y-%m", policy.monthly},
                                      {"yearly", "%Y", policy.yearly}}};
  std::vector<std::string> reasons(times.size());
  for (const Rule& rule : rules) apply_rule(times, rule, reasons);
  return reasons;
}

bool has_unfinished_deletion(const Domain& domain) {
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(domain.path(), code)) {
    if (point_number(entry.path().filename().string()) != 0 &&
        fs::exists(entry.path() / "deleted.json", code)) {
      return true;
    }
  }
  return false;
}

uint64_t release_dead(const Domain& domain) {
  const auto dead = by_chain(domain.remains());
  if (dead.empty()) return 0;
  check_all_known(domain);
  const auto live = by_chain(live_manifests(domain));
  uint64_t freed = 0;
  std::optional<Error> failure;
  for (const auto& [chain, remains] : dead) {
    const auto needing = live.find(chain);
    try {
      freed += release_chain(
          domain, remains,
          needing == live.end() ? std::vector<Manifest>() : needing->second);
    } catch (const Error& error) {  // no other chain's matter
      if (!failure) failure = error;
    }
  }
  if (failure) throw Error(*failure);
  return freed;
}

Freed delete_points(const Domain& domain, const std::vector<uint32_t>& points,
                    const WriterLock& /*lock*/) {
  check_there(domain, points);
  const DeletionLocks locks(domain, points);
  for (const uint32_t number : points) {
    rename_path(state_file(domain, number, "point.json"),
                state_file(domain, number, "deleted.json"));
    sync_directory(domain.path() / point_name(number));
  }
  try {
    return {release_dead(domain)};
  } catch (const Error& error) {
    throw add_context(error, "deleted, but no space was given back");
  }
}

Freed freed_by(const Domain& domain, const std::vector<uint32_t>& points) {
  check_there(domain, points);
  auto dead = domain.remains();
  auto live = live_manifests(domain);
  const auto dies = [&](const Manifest& manifest) {
    return std::ranges::find(points, manifest.point) != points.end();
  };
  std::ranges::copy_if(live, std::back_inserter(dead), dies);
  std::erase_if(live, dies);
  return {DeadSpace(domain, dead, live).measure()};
}

}  // namespace backstitch::format
