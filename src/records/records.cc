#include "src/records/records.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "format/base/error.h"
#include "format/base/file.h"
#include "src/base/replace_file.h"
#include "src/base/state.h"

namespace backstitch::engine {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr char kRun[] = "run.json";

void save(const format::Repository& repository, const std::string& domain,
          const std::string& name, const json& document) {
  try {
    const fs::path directory = records_directory(repository, domain);
    fs::create_directories(directory);
    replace_file(directory / name, document.dump() + "\n");
  } catch (const std::exception& error) {
    spdlog::debug("not recorded: {}", error.what());
  }
}

RunRecord run_from(const json& from) {
  return {format::parse_time(from.at("time")), from.at("duration_ms"),
          from.at("exit_code"), from.at("message")};
}

Verification verification_from(const json& from) {
  return {from.at("point"), from.at("kind"),
          format::parse_time(from.at("time")), from.at("good"),
          from.at("report")};
}

void load(const fs::path& path, DomainRecords& records) {
  try {
    const json document = json::parse(read_text(path));
    if (path.filename() == kRun) {
      records.run = run_from(document);
    } else {
      records.verifications.push_back(verification_from(document));
    }
  } catch (const std::exception& error) {
    spdlog::debug("{}: {}", path.string(), error.what());
  }
}

}  // namespace

const Verification* DomainRecords::last_verification() const {
  const auto last =
      std::ranges::max_element(verifications, {}, &Verification::time);
  return last == verifications.end() ? nullptr : &*last;
}

fs::path records_directory(const format::Repository& repository,
                           const std::string& domain) {
  return state_directory() / "records" / repository.id() / domain;
}

void record_run(const format::Repository& repository, const std::string& domain,
                const RunRecord& run) {
  save(repository, domain, kRun,
       {{"time", format::format_time(run.time)},
        {"duration_ms", run.duration_ms},
        {"exit_code", run.exit_code},
        {"message", run.message}});
}

void record_verification(const format::Repository& repository,
                         const std::string& domain,
                         const Verification& verification) {
  save(repository, domain,
       fmt::format("{:06}-{}.json", verification.point, verification.kind),
       {{"point", verification.point},
        {"kind", verification.kind},
        {"time", format::format_time(verification.time)},
        {"good", verification.good},
        {"report", verification.report}});
}

DomainRecords load_records(const format::Repository& repository,
                           const std::string& domain) {
  DomainRecords records;
  std::error_code code;
  std::vector<fs::path> paths;
  for (const auto& entry :
       fs::directory_iterator(records_directory(repository, domain), code)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(".json") && !name.starts_with("."))
      paths.push_back(entry.path());
  }
  std::ranges::sort(paths);
  for (const auto& path : paths) load(path, records);
  return records;
}

}  // namespace backstitch::engine
