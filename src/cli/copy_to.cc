// backstitch copy-to: the same points in another repository.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "format/base/error.h"
#include "format/base/units.h"
#include "format/replication/copy_plan.h"
#include "format/replication/copy_point.h"
#include "format/repository/names.h"
#include "src/base/stop.h"
#include "src/cli/arguments.h"
#include "src/cli/exit_code.h"
#include "src/cli/output.h"
#include "src/nbd/throttle.h"

namespace backstitch::cli {

namespace {

namespace fs = std::filesystem;
using format::PlannedPoint;
using nlohmann::json;

// What of one domain is asked for.
struct Wanted {
  format::Domain domain;
  std::set<uint32_t> numbers;
};
using AllWanted = std::map<std::string, Wanted>;

void want(AllWanted& all, const format::Domain& domain,
          const std::vector<uint32_t>& numbers) {
  all.try_emplace(domain.name(), Wanted{domain, {}})
      .first->second.numbers.insert(numbers.begin(), numbers.end());
}

// An argument that is the name of a domain means all of it.
AllWanted find_wanted(const format::Repository& repository,
                      const std::vector<std::string>& arguments) {
  AllWanted all;
  if (arguments.empty()) {
    for (const auto& domain : repository.domains())
      want(all, domain, domain.points());
  }
  for (const auto& argument : arguments) {
    if (argument.find('@') == std::string::npos) {
      const auto domain = repository.domain(argument);
      want(all, domain, domain.points());
      continue;
    }
    const auto [domain, number] = repository.resolve(argument);
    want(all, domain, {number});
  }
  return all;
}

format::Repository open_target(const fs::path& path, bool create) {
  std::error_code code;
  if (create && !fs::exists(path / "repository.json", code))
    return format::Repository::create(fs::absolute(path).lexically_normal());
  return format::Repository::open(path);
}

class Copy {
 public:
  Copy(const Globals& globals, const Values& values)
      : json_(globals.json),
        dry_run_(flag(values, "dry-run")),
        as_(text(values, "as")),
        source_(globals.open_own_repository()),
        progress_(make_progress(globals)) {
    const std::string bandwidth = text(values, "bandwidth");
    if (!bandwidth.empty())
      limit_.emplace(parse_bytes(bandwidth, "--bandwidth"));
    const auto wanted = find_wanted(source_, texts(values, "point"));
    if (!as_.empty() && wanted.size() != 1)
      throw Error(ErrorKind::kUsage, "--as is for points of one domain");
    open(text(values, "target"), flag(values, "init"));
    for (const auto& [name, domain] : wanted) copy(domain);
  }

  int report() const {
    if (json_) {
      print_json({{"source", source_.path().string()},
                  {"target", target_path_},
                  {"dry_run", dry_run_},
                  {"points", points_},
                  {"present", present_},
                  {"written_bytes", counts_.written_bytes},
                  {"continued_bytes", counts_.continued_bytes}});
      return kExitOk;
    }
    print(fmt::format(
        "{}{}, {}{}\n", dry_run_ ? "would copy " : "copied ",
        count_of(points_.size(), "point"),
        format_bytes(dry_run_ ? planned_bytes_ : counts_.written_bytes),
        present_ == 0 ? "" : fmt::format("; {} were there already", present_)));
    return kExitOk;
  }

 private:
  // A dry run makes no repository either.
  void open(const fs::path& path, bool create) {
    target_path_ = fs::absolute(path).lexically_normal().string();
    std::error_code code;
    const bool there = fs::exists(path / "repository.json", code);
    if (there || !create || !dry_run_) target_ = open_target(path, create);
    if (there && fs::equivalent(path, source_.path(), code)) {
      throw Error(ErrorKind::kUsage,
                  path.string() + ": is the repository to copy from");
    }
  }

  std::optional<format::Domain> domain_there(const std::string& name) const {
    if (!target_) return {};
    try {
      return target_->domain(name);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kNotFound) throw;
      return {};
    }
  }

  void copy(const Wanted& wanted) {
    const std::string name = as_.empty() ? wanted.domain.name() : as_;
    format::check_domain_name(name);
    if (dry_run_) {
      const auto there = domain_there(name);
      const auto plan = format::plan_copy(
          wanted.domain, there ? &*there : nullptr, wanted.numbers);
      for (const PlannedPoint& point : plan.points) tell(wanted, name, point);
      present_ += plan.present;
      return;
    }
    if (wanted.numbers.empty()) return;
    const auto there = target_->create_domain(name);
    const format::WriterLock lock(there);
    format::sweep_copies(wanted.domain, there, lock);
    const auto plan = format::plan_copy(wanted.domain, &there, wanted.numbers);
    present_ += plan.present;
    for (const PlannedPoint& planned : plan.points)
      copy_point(wanted, there, lock, planned);
  }

  void copy_point(const Wanted& wanted, const format::Domain& there,
                  const format::WriterLock& lock, const PlannedPoint& planned) {
    engine::check_stop();
    const auto point = open_if_there(wanted.domain, planned.number);
    if (!point) return;
    const auto counts =
        format::copy_point(wanted.domain, *point, there, lock, hooks());
    counts_.written_bytes += counts.written_bytes;
    counts_.continued_bytes += counts.continued_bytes;
    tell(wanted, there.name(), planned);
  }

  // One that was deleted meanwhile is no more than what later points need.
  static std::optional<format::Point> open_if_there(
      const format::Domain& domain, uint32_t number) {
    try {
      return domain.open_point(number);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kNotFound) throw;
      spdlog::warn("{} was deleted meanwhile",
                   format::printable(point_label(domain.name(), number)));
      return {};
    }
  }

  format::CopyHooks hooks() {
    format::CopyHooks hooks;
    hooks.begin = [this](const std::string& part, uint64_t bytes) {
      progress_->begin(part, bytes);
    };
    hooks.advance = [this](uint64_t bytes) {
      engine::check_stop();
      progress_->advance(bytes);
    };
    hooks.end = [this] { progress_->end(); };
    hooks.before_read = [this](uint64_t bytes) {
      if (limit_) limit_->wait_for(bytes);
    };
    return hooks;
  }

  void tell(const Wanted& wanted, const std::string& name,
            const PlannedPoint& point) {
    const auto& domain = wanted.domain.name();
    planned_bytes_ += point.stored_bytes;
    points_.push_back(
        {{"domain", domain},
         {"as", name},
         {"point", point.number},
         {"stored_bytes", point.stored_bytes},
         {"needed_by", point.needed_by == 0 ? json() : json(point.needed_by)}});
    if (json_) return;
    std::string line = dry_run_ ? "would copy " : "copied ";
    line += point_label(domain, point.number);
    if (name != domain) line += " as " + point_label(name, point.number);
    line += " (" + format_bytes(point.stored_bytes);
    if (point.needed_by != 0)
      line += ", needed by " + point_label(domain, point.needed_by);
    print(format::printable(line + ")") + "\n");
  }

  const bool json_;
  const bool dry_run_;
  const std::string as_;
  const format::Repository source_;
  std::optional<format::Repository> target_;  // none: a dry run with --init
  std::string target_path_;
  const std::unique_ptr<engine::Progress> progress_;
  std::optional<engine::RateLimit> limit_;
  json points_ = json::array();
  uint64_t present_ = 0;
  uint64_t planned_bytes_ = 0;
  format::CopyCounts counts_;
};

int run(const Globals& globals, const Values& values) {
  return Copy(globals, values).report();
}

}  // namespace

Command copy_to_command() {
  namespace po = boost::program_options;
  Options options;
  const auto one = [](const char* name) {
    return po::value<std::string>()->value_name(name);
  };
  options.add_options()("as", one("NAME"), "what the domain is called there")(
      "bandwidth", one("BYTES"), "read no more than this a second")(
      "dry-run,n", po::bool_switch(), "only say what would be copied")(
      "init", po::bool_switch(), "create the repository if it is not there");
  return {"copy-to",
          "REPOSITORY [POINT|DOMAIN…]",
          "Copy points that another repository lacks.",
          options,
          {{"target", 1}, {"point", -1}},
          run};
}

}  // namespace backstitch::cli
