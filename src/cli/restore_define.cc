#include "src/cli/restore_define.h"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "format/base/error.h"
#include "format/base/units.h"
#include "format/repository/names.h"
#include "src/cli/arguments.h"
#include "src/cli/exit_code.h"
#include "src/cli/output.h"
#include "src/recovery/define.h"

namespace backstitch::cli {

namespace {

using engine::DefineRequest;
using engine::DefineResult;
using format::printable;

std::map<std::string, std::string> parse_places(
    const std::vector<std::string>& arguments) {
  std::map<std::string, std::string> places;
  for (const std::string& argument : arguments) {
    const size_t equals = argument.find('=');
    if (equals == 0 || equals == std::string::npos ||
        equals + 1 == argument.size()) {
      throw Error(ErrorKind::kUsage, "--to " + argument + ": say DISK=PATH");
    }
    const std::string disk = argument.substr(0, equals);
    if (!places.emplace(disk, argument.substr(equals + 1)).second)
      throw Error(ErrorKind::kUsage, "--to " + disk + " was given twice");
  }
  return places;
}

DefineRequest parse_request(const Values& values) {
  DefineRequest request;
  request.name = text(values, "name");
  request.directory = text(values, "dest");
  request.pool = text(values, "pool");
  request.places = parse_places(texts(values, "to"));
  request.disks = texts(values, "disk");
  request.format = text(values, "format");
  if (!request.format.empty() && request.format != "raw" &&
      request.format != "qcow2") {
    throw Error(ErrorKind::kUsage,
                "--format " + request.format + ": say raw or qcow2");
  }
  if (!request.directory.empty() && !request.pool.empty())
    throw Error(ErrorKind::kUsage, "say either DEST or --pool");
  if (request.directory.empty() && request.pool.empty() &&
      request.places.empty()) {
    throw Error(ErrorKind::kUsage,
                "where to? Say a directory, --pool, or --to DISK=PATH");
  }
  request.adjust = flag(values, "adjust");
  request.overwrite = flag(values, "force");
  request.dry_run = flag(values, "dry-run");
  if (flag(values, "no-sync"))
    request.durability = engine::Durability::kLeftToTheKernel;
  const std::string bandwidth = text(values, "bandwidth");
  if (!bandwidth.empty())
    request.bandwidth = parse_bytes(bandwidth, "--bandwidth");
  return request;
}

void report_json(const format::Manifest& manifest, const DefineResult& result,
                 bool dry_run) {
  auto files = nlohmann::json::array();
  for (const auto& disk : result.disks) {
    files.push_back({{"disk", disk.disk},
                     {"path", disk.path},
                     {"format", disk.format},
                     {"size_bytes", disk.size_bytes}});
  }
  for (const auto& file : result.files)
    files.push_back({{"disk", ""}, {"path", file}});
  print_json({{"domain", manifest.domain},
              {"point", manifest.point},
              {"dry_run", dry_run},
              {"files", files},
              {"name", result.name},
              {"uuid", result.uuid},
              {"new_identity", result.new_identity},
              {"autostart", result.autostart},
              {"notes", result.notes}});
}

void report_text(const std::string& label, const DefineResult& result,
                 const std::string& uri, bool dry_run) {
  const char* done = dry_run ? "would restore" : "restored";
  std::string out;
  const auto line = [&out](const std::string& text) {
    out += printable(text) + "\n";
  };
  for (const auto& disk : result.disks) {
    line(fmt::format("{} {} of {} to {} ({}, {})", done, disk.disk, label,
                     disk.path, format_bytes(disk.size_bytes), disk.format));
  }
  for (const auto& file : result.files) line(fmt::format("{} {}", done, file));
  line(fmt::format(
      "{}{} defined{}{}", result.name, dry_run ? " would be" : " is",
      result.new_identity ? ", with a UUID and MAC addresses of its own" : "",
      result.autostart ? ", and starts with the host" : ""));
  for (const std::string& note : result.notes) line("  " + note);
  if (!dry_run) {
    line("start it:  virsh " +
         (uri == "qemu:///system" ? "" : "-c '" + uri + "' ") + "start " +
         result.name);
  }
  print(out);
}

}  // namespace

void add_define_options(Options& options) {
  namespace po = boost::program_options;
  const auto one = [](const char* name) {
    return po::value<std::string>()->value_name(name);
  };
  options.add_options()("define", po::bool_switch(),
                        "bring the machine back in libvirt, with its NVRAM and "
                        "TPM")("name", one("NAME"),
                               "--define: under another name")(
      "adjust", po::bool_switch(),
      "--define: leave out or change what the host lacks")(
      "pool", one("POOL"), "--define: disks become volumes of a storage pool")(
      "to", po::value<std::vector<std::string>>()->value_name("DISK=FILE"),
      "--define: this disk becomes that file or block device")(
      "dry-run,n", po::bool_switch(), "--define: only check, and say what");
}

void refuse_define_options(const Values& values) {
  const auto refuse = [](const char* option) {
    throw Error(ErrorKind::kUsage, std::string(option) + " needs --define");
  };
  for (const char* name : {"name", "pool", "to"}) {
    if (values.count(name) != 0) refuse(("--" + std::string(name)).c_str());
  }
  for (const char* name : {"adjust", "dry-run"}) {
    if (flag(values, name)) refuse(("--" + std::string(name)).c_str());
  }
}

int restore_and_define(const Globals& globals, const Values& values) {
  const DefineRequest request = parse_request(values);
  const auto repository = globals.open_repository();
  const auto [domain, number] = repository.resolve(text(values, "point"));
  const format::Point point = domain.open_point(number);
  const auto progress = make_progress(globals);
  const DefineResult result =
      engine::define_point(point, globals.connect, request, *progress);
  if (globals.json) {
    report_json(point.manifest(), result, request.dry_run);
  } else {
    report_text(point_label(domain.name(), number), result, globals.connect,
                request.dry_run);
  }
  return kExitOk;
}

}  // namespace backstitch::cli
