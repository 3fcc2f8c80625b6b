// backstitch delete: remove points and give their space back.
#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "format/base/units.h"
#include "format/repository/names.h"
#include "format/repository/retention.h"
#include "src/base/stop.h"
#include "src/cli/arguments.h"
#include "src/cli/exit_code.h"
#include "src/cli/output.h"

namespace backstitch::cli {

namespace {

// The points of one domain, each once.
struct Victims {
  format::Domain domain;
  std::set<uint32_t> numbers;
};

// All names are resolved before anything is deleted: "latest" must not come to
// mean another point on the way, and an error must find all still there.
std::map<std::string, Victims> resolve(const format::Repository& repository,
                                       const std::vector<std::string>& names) {
  std::map<std::string, Victims> victims;
  for (const auto& name : names) {
    const auto [domain, number] = repository.resolve(name);
    victims.try_emplace(domain.name(), Victims{domain, {}})
        .first->second.numbers.insert(number);
  }
  return victims;
}

uint64_t remove(const Victims& victims, bool dry_run) {
  const std::vector<uint32_t> numbers(victims.numbers.begin(),
                                      victims.numbers.end());
  if (dry_run) return format::freed_by(victims.domain, numbers).bytes;
  const format::WriterLock lock(victims.domain);
  return format::delete_points(victims.domain, numbers, lock).bytes;
}

int run(const Globals& globals, const Values& values) {
  const auto repository = globals.open_own_repository();
  const bool dry_run = flag(values, "dry-run");
  uint64_t freed = 0;
  nlohmann::json deleted = nlohmann::json::array();
  for (const auto& [name, victims] :
       resolve(repository, texts(values, "point"))) {
    engine::check_stop();
    freed += remove(victims, dry_run);
    for (const uint32_t number : victims.numbers) {
      deleted.push_back(point_label(name, number));
      if (!globals.json) {
        print(fmt::format("{} {}\n", dry_run ? "would delete" : "deleted",
                          format::printable(point_label(name, number))));
      }
    }
  }
  if (globals.json) {
    print_json(
        {{"deleted", deleted}, {"dry_run", dry_run}, {"freed_bytes", freed}});
  } else {
    print(fmt::format("{} {}freed\n", format_bytes(freed),
                      dry_run ? "would be " : ""));
  }
  return kExitOk;
}

}  // namespace

Command delete_command() {
  namespace po = boost::program_options;
  Options options;
  options.add_options()("dry-run,n", po::bool_switch(),
                        "only say what would be deleted");
  return {"delete", "POINT…",        "Delete points; others stay whole.",
          options,  {{"point", -1}}, run};
}

}  // namespace backstitch::cli
