// backstitch repair: good bytes where damaged ones are.
#include "format/replication/repair.h"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "format/base/error.h"
#include "format/base/units.h"
#include "format/repository/names.h"
#include "src/base/stop.h"
#include "src/cli/arguments.h"
#include "src/cli/exit_code.h"
#include "src/cli/output.h"
#include "src/cli/repair_live.h"

namespace backstitch::cli {

namespace {

using format::Mended;
using format::RepairResult;
using nlohmann::json;

// What of one domain is to be mended; no numbers: all of it.
struct Target {
  format::Domain domain;
  std::vector<uint32_t> numbers;
  bool whole = false;
};

std::vector<Target> find_targets(const format::Repository& repository,
                                 const std::vector<std::string>& arguments) {
  std::map<std::string, Target> targets;
  const auto add = [&](const format::Domain& domain) -> Target& {
    return targets.try_emplace(domain.name(), Target{domain, {}, false})
        .first->second;
  };
  if (arguments.empty())
    for (const auto& domain : repository.domains()) add(domain).whole = true;
  for (const auto& argument : arguments) {
    if (argument.find('@') == std::string::npos) {
      add(repository.domain(argument)).whole = true;
      continue;
    }
    const auto [domain, number] = repository.resolve(argument);
    add(domain).numbers.push_back(number);
  }
  std::vector<Target> list;
  for (auto& [name, target] : targets) {
    if (target.whole) target.numbers.clear();
    list.push_back(std::move(target));
  }
  return list;
}

std::pair<std::string, std::string> split(const std::string& option,
                                          const std::string& argument) {
  const size_t sign = argument.find('=');
  if (sign == 0 || sign == std::string::npos || sign + 1 == argument.size()) {
    throw Error(ErrorKind::kUsage,
                option + " " + argument + ": expected DISK=VALUE");
  }
  return {argument.substr(0, sign), argument.substr(sign + 1)};
}

// Everything that good bytes may come from.
class Sources {
 public:
  explicit Sources(const Values& values) {
    for (const auto& path : texts(values, "from"))
      repositories_.push_back(format::Repository::open(path));
    std::map<std::string, std::string> formats;
    for (const auto& argument : texts(values, "format"))
      formats.insert(split("--format", argument));
    for (const auto& argument : texts(values, "from-image")) {
      const auto [disk, file] = split("--from-image", argument);
      lives_.push_back(open_live(disk, file, formats[disk]));
    }
    as_ = text(values, "as");
  }

  bool have_lives() const { return !lives_.empty(); }

  format::RepairSources of(const format::Domain& domain) const {
    format::RepairSources sources;
    for (const auto& repository : repositories_) {
      try {
        sources.replicas.push_back(
            repository.domain(as_.empty() ? domain.name() : as_));
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::kNotFound) throw;
      }
    }
    for (const auto& live : lives_) sources.lives.push_back(live.get());
    return sources;
  }

 private:
  std::vector<format::Repository> repositories_;
  std::vector<std::unique_ptr<format::LiveContent>> lives_;
  std::string as_;
};

json mended_json(const std::string& domain, const Mended& entry) {
  return {{"domain", domain},       {"file", entry.file},
          {"offset", entry.offset}, {"what", entry.what},
          {"disk", entry.disk},     {"begin_bytes", entry.begin},
          {"end_bytes", entry.end}, {"from", entry.from}};
}

json damage_json(const std::string& domain, const format::Finding& finding) {
  return {{"domain", domain},         {"file", finding.file},
          {"offset", finding.offset}, {"what", finding.what},
          {"disk", finding.disk},     {"begin_bytes", finding.begin},
          {"end_bytes", finding.end}, {"points", finding.points}};
}

std::string mended_line(const Mended& entry, bool dry_run) {
  std::string line = dry_run ? "would repair " : "repaired ";
  line += entry.file + ": " + entry.what;
  if (entry.begin != entry.end) {
    line += fmt::format(" at offset {} (disk range {} of {})", entry.offset,
                        format_range(entry.begin, entry.end), entry.disk);
  }
  if (!entry.from.empty()) line += ", from " + entry.from;
  return format::printable(line) + "\n";
}

class Run {
 public:
  Run(const Globals& globals, const Values& values)
      : json_(globals.json),
        dry_run_(flag(values, "dry-run")),
        repository_(globals.open_own_repository()),
        targets_(find_targets(repository_, texts(values, "point"))),
        sources_(values),
        progress_(make_progress(globals)) {
    if (targets_.size() > 1 &&
        (sources_.have_lives() || !text(values, "as").empty())) {
      throw Error(ErrorKind::kUsage,
                  "--from-image and --as are for one domain; name it");
    }
    for (const Target& target : targets_) mend(target);
  }

  int report() const {
    if (json_) {
      print_json({{"dry_run", dry_run_},
                  {"repaired", mended_},
                  {"findings", findings_}});
    } else if (mended_.empty() && findings_.empty()) {
      print("no damage found\n");
    } else {
      print(fmt::format(
          "{} {}; {}\n", dry_run_ ? "would repair" : "repaired",
          count_of(mended_.size(), "place"),
          findings_.empty()
              ? "no damage is left"
              : "damage " + std::string(dry_run_ ? "found" : "is left") +
                    " in " + count_of(findings_.size(), "place")));
    }
    return findings_.empty() ? kExitOk : kExitDamaged;
  }

 private:
  void mend(const Target& target) {
    const format::WriterLock lock(target.domain);
    format::RepairOptions options;
    options.dry_run = dry_run_;
    options.progress = [&, seen = uint64_t{0}](uint64_t bytes) mutable {
      engine::check_stop();
      if (bytes == 0) {
        progress_->begin(target.domain.name(), 0);
      } else {
        progress_->advance(bytes - std::min(bytes, seen));
      }
      seen = bytes;
    };
    const auto result =
        format::repair(target.domain, target.numbers,
                       sources_.of(target.domain), lock, options);
    progress_->end();
    tell(target.domain.name(), result);
  }

  void tell(const std::string& domain, const RepairResult& result) {
    for (const Mended& entry : result.mended) {
      mended_.push_back(mended_json(domain, entry));
      if (!json_) print(mended_line(entry, dry_run_));
    }
    for (const auto& finding : result.after.findings) {
      findings_.push_back(damage_json(domain, finding));
      if (!json_) {
        print((dry_run_ ? "" : "still damaged: ") +
              format::printable(finding.what) + "\n");
      }
    }
  }

  const bool json_;
  const bool dry_run_;
  const format::Repository repository_;
  const std::vector<Target> targets_;
  const Sources sources_;
  const std::unique_ptr<engine::Progress> progress_;
  json mended_ = json::array();
  json findings_ = json::array();
};

int run(const Globals& globals, const Values& values) {
  return Run(globals, values).report();
}

}  // namespace

Command repair_command() {
  namespace po = boost::program_options;
  Options options;
  const auto many = [](const char* name) {
    return po::value<std::vector<std::string>>()->value_name(name);
  };
  options.add_options()("from", many("DIR"),
                        "another repository with the same points")(
      "from-image", many("DISK=FILE"),
      "an image or device with the content of a disk")(
      "format", many("DISK=FORMAT"), "the format of an image")(
      "as", po::value<std::string>()->value_name("NAME"),
      "what the domain is called in the other repository")(
      "dry-run,n", po::bool_switch(), "only say what would be repaired");
  return {"repair",
          "[POINT|DOMAIN…]",
          "Mend damage from another repository or an image.",
          options,
          {{"point", -1}},
          run};
}

}  // namespace backstitch::cli
