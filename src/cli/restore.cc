// backstitch restore: disks of a point to files or block devices.
#include "src/recovery/restore.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "format/base/error.h"
#include "format/base/units.h"
#include "format/repository/names.h"
#include "src/cli/arguments.h"
#include "src/cli/exit_code.h"
#include "src/cli/output.h"
#include "src/cli/restore_define.h"

namespace backstitch::cli {

namespace {

using engine::ImageFormat;
using engine::RestoredFile;

// What --format says, else what the name of the target says.
ImageFormat parse_format(const std::string& format, const std::string& target) {
  if (format == "raw") return ImageFormat::kRaw;
  if (format == "qcow2") return ImageFormat::kQcow2;
  if (!format.empty())
    throw Error(ErrorKind::kUsage, "--format " + format + ": say raw or qcow2");
  return target.ends_with(".qcow2") ? ImageFormat::kQcow2 : ImageFormat::kRaw;
}

void report_json(const format::Manifest& manifest,
                 const std::vector<RestoredFile>& made) {
  auto files = nlohmann::json::array();
  for (const RestoredFile& file : made) {
    files.push_back({{"disk", file.disk},
                     {"path", file.path.string()},
                     {"size_bytes", file.size_bytes}});
  }
  print_json({{"domain", manifest.domain},
              {"point", manifest.point},
              {"files", files}});
}

void report_text(const std::string& label,
                 const std::vector<RestoredFile>& made) {
  for (const RestoredFile& file : made) {
    print(format::printable(fmt::format(
              "restored {} of {} to {} ({})",
              file.disk.empty() ? file.path.filename().string() : file.disk,
              label, file.path.string(), format_bytes(file.size_bytes))) +
          "\n");
  }
}

int run(const Globals& globals, const Values& values) {
  if (flag(values, "define")) return restore_and_define(globals, values);
  refuse_define_options(values);
  const std::string target = text(values, "dest");
  if (target.empty())
    throw Error(ErrorKind::kUsage, "usage: backstitch restore POINT DEST");
  engine::RestoreOptions options;
  options.format = parse_format(text(values, "format"), target);
  options.overwrite = flag(values, "force");
  const std::string bandwidth = text(values, "bandwidth");
  if (!bandwidth.empty())
    options.bandwidth = parse_bytes(bandwidth, "--bandwidth");
  if (flag(values, "no-sync"))
    options.durability = engine::Durability::kLeftToTheKernel;
  const auto repository = globals.open_repository();
  const auto [domain, number] = repository.resolve(text(values, "point"));
  const format::Point point = domain.open_point(number);
  const auto progress = make_progress(globals);
  const auto made = engine::restore_point(point, texts(values, "disk"), target,
                                          options, *progress);
  if (globals.json) {
    report_json(point.manifest(), made);
  } else {
    report_text(point_label(domain.name(), number), made);
  }
  return kExitOk;
}

}  // namespace

Command restore_command() {
  namespace po = boost::program_options;
  Options options;
  const auto one = [](const char* name) {
    return po::value<std::string>()->value_name(name);
  };
  const auto many = [](const char* name) {
    return po::value<std::vector<std::string>>()->value_name(name);
  };
  options.add_options()("disk", many("DISK"), "only this disk")(
      "format", one("FORMAT"),
      "raw or qcow2 (default: as DEST is called, else raw; with --define as "
      "they were)")("bandwidth", one("BYTES"),
                    "read no more than this a second")(
      "force,f", po::bool_switch(), "overwrite what is there")(
      "no-sync", po::bool_switch(),
      "do not wait until everything is on stable storage");
  add_define_options(options);
  return {"restore",
          "POINT [DEST]",
          "Restore disks, or all of a machine (--define).",
          options,
          {{"point", 1}, {"dest", 1}},
          run};
}

}  // namespace backstitch::cli
