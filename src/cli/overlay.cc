// backstitch overlay commit: what was written on a mount becomes a point.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>

#include "format/base/error.h"
#include "format/base/units.h"
#include "format/overlay/commit_overlay.h"
#include "format/repository/names.h"
#include "src/base/stop.h"
#include "src/cli/arguments.h"
#include "src/cli/exit_code.h"
#include "src/cli/output.h"

namespace backstitch::cli {

namespace {

using format::OverlayDirectory;
using Entries = std::vector<OverlayDirectory::Entry>;

// The overlays of the one point that is meant.
Entries choose(const OverlayDirectory& directory,
               const format::Repository& repository, const std::string& name) {
  Entries entries = directory.entries();
  if (!name.empty()) {
    const auto point = repository.resolve(name);
    std::erase_if(entries, [&](const auto& entry) {
      return entry.domain != point.domain.name() || entry.point != point.number;
    });
  }
  if (entries.empty()) {
    throw Error(ErrorKind::kNotFound, directory.path().string() +
                                          ": has no overlay" +
                                          (name.empty() ? "" : " of " + name));
  }
  for (const auto& entry : entries) {
    const auto& first = entries.front();
    if (entry.domain == first.domain && entry.point == first.point) continue;
    throw Error(ErrorKind::kUsage, directory.path().string() +
                                       ": has overlays of several points (" +
                                       point_label(first.domain, first.point) +
                                       ", " +
                                       point_label(entry.domain, entry.point) +
                                       "); say which one is meant");
  }
  return entries;
}

void report(const Globals& globals, const format::Manifest& made,
            const OverlayDirectory::Entry& base) {
  const std::string label = point_label(made.domain, made.point);
  if (globals.json) {
    print_json({{"domain", made.domain},
                {"point", made.point},
                {"base", base.point},
                {"stored_bytes", made.stored_bytes()}});
    return;
  }
  print(fmt::format("{} made of what was written on {}, {} stored\n",
                    format::printable(label),
                    format::printable(point_label(base.domain, base.point)),
                    format_bytes(made.stored_bytes())));
}

// The point is there: what is left is only in the way.
void drop(const OverlayDirectory& directory,
          const OverlayDirectory::Entry& base) {
  try {
    directory.remove(base.domain, base.point);
  } catch (const Error& error) {
    spdlog::warn("the overlay stays: {}", format::printable(error.what()));
  }
}

int run(const Globals& globals, const Values& values) {
  const auto repository = globals.open_own_repository();
  const auto directory = OverlayDirectory::open(
      std::filesystem::absolute(text(values, "dir")), false);
  const auto names = texts(values, "point");
  if (names.size() > 1)
    throw Error(ErrorKind::kUsage, "one point at a time can be committed");
  const Entries entries =
      choose(directory, repository, names.empty() ? "" : names.front());
  format::CommitOptions options;
  const std::string method = text(values, "compression");
  if (!method.empty()) options.compression = format::Compression::parse(method);
  options.progress = [](uint64_t) { engine::check_stop(); };
  const auto made =
      format::commit_overlay(repository, directory, entries, options);
  if (!flag(values, "keep")) drop(directory, entries.front());
  report(globals, made, entries.front());
  return kExitOk;
}

}  // namespace

Command overlay_command() {
  namespace po = boost::program_options;
  Options options;
  options.add_options()("compression",
                        po::value<std::string>()->value_name("METHOD"),
                        format::Compression::methods().c_str())(
      "keep", po::bool_switch(), "leave the overlay as it is");
  return {"overlay commit",
          "DIR [POINT…]",
          "Make a point of what was written on a mount.",
          options,
          {{"dir", 1}, {"point", -1}},
          run};
}

}  // namespace backstitch::cli
