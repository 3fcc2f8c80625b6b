// backstitch boot: start a machine from a point.
#include "src/recovery/boot.h"

#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "format/base/error.h"
#include "format/base/units.h"
#include "format/repository/names.h"
#include "src/cli/arguments.h"
#include "src/cli/exit_code.h"
#include "src/cli/output.h"

namespace backstitch::cli {

namespace {

using engine::BootNetwork;
using engine::BootResult;
using format::printable;

BootNetwork parse_network(const std::string& word) {
  if (word.empty() || word == "isolated") return BootNetwork::kIsolated;
  if (word == "none") return BootNetwork::kNone;
  if (word == "as-backed-up") return BootNetwork::kAsBackedUp;
  throw Error(ErrorKind::kUsage,
              "--network " + word + ": say isolated, none or as-backed-up");
}

unsigned parse_cpus(const std::string& word) {
  unsigned cpus = 0;
  if (word.empty()) return cpus;
  const auto [end, error] =
      std::from_chars(word.data(), word.data() + word.size(), cpus);
  if (error != std::errc() || end != word.data() + word.size() || cpus == 0 ||
      cpus > 4096) {
    throw Error(ErrorKind::kUsage, "--cpus " + word + ": say a number");
  }
  return cpus;
}

std::string parse_format(const std::string& word) {
  if (word.empty() || word == "raw" || word == "qcow2") return word;
  throw Error(ErrorKind::kUsage, "--format " + word + ": say raw or qcow2");
}

void report(const Globals& globals, const BootResult& result) {
  const engine::Session& session = result.session;
  if (globals.json) {
    auto disks = nlohmann::json::array();
    for (const auto& disk : session.disks) {
      disks.push_back({{"name", disk.name},
                       {"overlay", disk.overlay},
                       {"image", disk.image}});
    }
    print_json({{"name", session.name},
                {"uuid", session.uuid},
                {"domain", session.domain},
                {"point", session.point},
                {"took_ms", result.took.count()},
                {"notes", result.notes},
                {"disks", disks}});
    return;
  }
  const std::string name = printable(session.name);
  std::string out =
      fmt::format("{} runs from {}, after {:.1f} s\n", name,
                  printable(point_label(session.domain, session.point)),
                  static_cast<double>(result.took.count()) / 1000);
  for (const std::string& note : result.notes)
    out += "  " + printable(note) + "\n";
  out += fmt::format(
      "console:              virsh console {0}\n"
      "keep it:              backstitch finalize {0}\n"
      "end it, drop its work: backstitch discard {0}\n",
      name);
  print(out);
}

int run(const Globals& globals, const Values& values) {
  const std::string resume = text(values, "resume");
  const std::string point_text = text(values, "point");
  if (resume.empty() == point_text.empty()) {
    throw Error(ErrorKind::kUsage,
                "usage: backstitch boot POINT, or boot --resume NAME");
  }
  if (!resume.empty()) {
    report(globals, engine::resume_session(resume));
    return kExitOk;
  }
  engine::BootRequest request;
  request.name = text(values, "name");
  request.storage = text(values, "storage");
  request.network = parse_network(text(values, "network"));
  const std::string memory = text(values, "memory");
  if (!memory.empty()) request.memory_bytes = parse_bytes(memory, "--memory");
  request.cpus = parse_cpus(text(values, "cpus"));
  request.format = parse_format(text(values, "format"));
  request.start_paused = flag(values, "start-paused");
  const auto repository = globals.open_repository();
  const auto [domain, number] = repository.resolve(point_text);
  report(globals, engine::boot_point(repository, domain.open_point(number),
                                     globals.connect, request));
  return kExitOk;
}

}  // namespace

Command boot_command() {
  namespace po = boost::program_options;
  Options options;
  const auto one = [](const char* name) {
    return po::value<std::string>()->value_name(name);
  };
  options.add_options()("name", one("NAME"),
                        "of the new machine (default: DOMAIN-recovered)")(
      "storage", one("DIR"),
      "where it is to live (default: /var/lib/libvirt/images)")(
      "network", one("HOW"),
      "isolated (default: cards without a cable), none, as-backed-up")(
      "memory", one("BYTES"), "instead of what it had")(
      "cpus", one("N"), "instead of what it had")(
      "format", one("FORMAT"),
      "of its disks at last, raw or qcow2 (default: as they were)")(
      "start-paused", po::bool_switch(), "do not let it run yet")(
      "resume", one("NAME"), "start one again whose host or driver went down");
  return {"boot",
          "[POINT]",
          "Start a machine from a point, with nothing restored.",
          options,
          {{"point", 1}},
          run};
}

}  // namespace backstitch::cli
