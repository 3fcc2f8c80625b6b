// backstitch mount: start the driver and say where the images are.
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <sstream>

#include "format/base/error.h"
#include "format/repository/names.h"
#include "src/base/process.h"
#include "src/base/stop.h"
#include "src/cli/arguments.h"
#include "src/cli/exit_code.h"
#include "src/cli/output.h"
#include "src/mounts/mount_table.h"
#include "src/mounts/private_mount.h"

namespace backstitch::cli {

namespace {

using engine::kDriverType;
using engine::mount_at;
using engine::real_mount_point;
using std::chrono::milliseconds;

constexpr const char* kDriver = "backstitchfs";
constexpr const char* kPackage = "backstitch";
constexpr milliseconds kPoll{100};
// Of a whole repository only so many images are named.
constexpr size_t kFewPoints = 8;

struct Image {
  std::string point;
  std::string disk;
  std::string path;
};

// What is to be mounted, resolved: the tree must not mean another "latest" than
// what was printed.
struct Request {
  std::string repository;
  std::string mount_point;
  std::vector<format::Repository::PointName> points;
  bool foreground = false;
  bool allow_other = false;
  bool verbose = false;
  bool writable = false;
  std::string overlay;
  std::vector<std::string> options;
};

Request read_request(const Globals& globals, const Values& values,
                     const format::Repository& repository) {
  Request request;
  request.repository = std::filesystem::absolute(repository.path()).string();
  request.mount_point = real_mount_point(text(values, "mountpoint"));
  for (const auto& name : texts(values, "point")) {
    request.points.push_back(repository.resolve(name));
  }
  request.foreground = flag(values, "foreground");
  request.allow_other = flag(values, "allow-other");
  request.verbose = globals.verbose > 0;
  request.writable = flag(values, "writable");
  request.overlay = text(values, "overlay");
  if (!request.overlay.empty()) {
    if (!request.writable)
      throw Error(ErrorKind::kUsage, "--overlay needs --writable");
    request.overlay = std::filesystem::absolute(request.overlay).string();
  }
  request.options = texts(values, "option");
  return request;
}

// A backslash keeps commas and backslashes out of the list's own meaning.
std::string escaped(const std::string& value) {
  std::string out;
  for (const char c : value) {
    if (c == ',' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::vector<std::string> driver_arguments(const Request& request) {
  std::vector<std::string> arguments = {engine::driver_program()};
  if (request.foreground) arguments.emplace_back("-f");
  if (request.verbose) arguments.emplace_back("-v");
  if (request.allow_other) {
    arguments.insert(arguments.end(), {"-o", "allow_other"});
  }
  if (request.writable) arguments.insert(arguments.end(), {"-o", "writable"});
  if (!request.overlay.empty()) {
    arguments.insert(arguments.end(),
                     {"-o", "overlay=" + escaped(request.overlay)});
  }
  for (const auto& option : request.options) {
    arguments.insert(arguments.end(), {"-o", option});
  }
  // Names may begin with a dash.
  arguments.insert(arguments.end(),
                   {"--", request.repository, request.mount_point});
  for (const auto& point : request.points) {
    arguments.push_back(point_label(point.domain.name(), point.number));
  }
  return arguments;
}

// The points that were named, or all when they are few.
std::vector<format::Repository::PointName> points_to_name(
    const format::Repository& repository, const Request& request) {
  if (!request.points.empty()) return request.points;
  std::vector<format::Repository::PointName> points;
  for (const auto& domain : repository.domains()) {
    for (const uint32_t number : domain.points()) {
      if (points.size() == kFewPoints) return {};
      points.push_back({domain, number});
    }
  }
  return points;
}

std::vector<Image> find_images(const format::Repository& repository,
                               const Request& request) {
  std::vector<Image> images;
  for (const auto& [domain, number] : points_to_name(repository, request)) {
    const std::string directory = request.mount_point + "/" + domain.name() +
                                  "/" + format::point_name(number) + "/";
    try {
      const format::Point point = domain.open_point(number);
      for (const auto& disk : point.manifest().disks) {
        images.push_back({point_label(domain.name(), number), disk.name,
                          directory + disk.name + ".raw"});
      }
    } catch (const Error& error) {
      // The tree is there; one point of it that is not is only worth a word.
      spdlog::warn("{}", format::printable(error.what()));
    }
  }
  return images;
}

void report(const Globals& globals, const Request& request,
            const std::vector<Image>& images) {
  if (globals.json) {
    auto entries = nlohmann::json::array();
    for (const auto& image : images) {
      entries.push_back(
          {{"point", image.point}, {"disk", image.disk}, {"path", image.path}});
    }
    print_json({{"mountpoint", request.mount_point}, {"images", entries}});
    return;
  }
  std::string out = "mounted on " + request.mount_point + "\n";
  for (const auto& image : images) out += "  " + image.path + "\n";
  if (images.empty()) {
    out += "  " + request.mount_point + "/DOMAIN/latest/DISK.raw\n";
  }
  std::istringstream lines(out + "unmount with: backstitch unmount " +
                           request.mount_point);
  std::string shown;
  for (std::string line; std::getline(lines, line);) {
    shown += format::printable(line) + "\n";
  }
  print(shown);
}

// The driver's exit codes are ours; so are its words, but for its name.
[[noreturn]] void throw_driver_error(int status, std::string words) {
  const std::string prefix = std::string(kDriver) + ": ";
  if (words.starts_with(prefix)) words.erase(0, prefix.size());
  if (words.empty()) words = prefix + engine::describe_status(status);
  throw Error(
      WIFEXITED(status) ? error_kind(WEXITSTATUS(status)) : ErrorKind::kFailed,
      words);
}

// The driver goes into the background by itself once the tree can be read.
void start_behind(const Request& request) {
  auto driver = engine::Process::start(driver_arguments(request), kPackage);
  std::optional<int> status;
  while (!(status = driver.wait(kPoll))) engine::check_stop();
  const std::string words = driver.standard_error();
  if (*status != 0) throw_driver_error(*status, words);
  if (!words.empty()) spdlog::warn("{}", format::printable(words));
}

// Ends with the driver: by an unmount, or by a signal, which is how a program
// in the foreground is meant to end and no failure.
int serve_in_front(const Globals& globals, const Request& request,
                   const format::Repository& repository) {
  engine::StartOptions options;
  options.share_stderr = true;
  auto driver =
      engine::Process::start(driver_arguments(request), kPackage, options);
  bool reported = false;
  bool stopped = false;
  std::optional<int> status;
  while (!(status = driver.wait(kPoll))) {
    if (!stopped && engine::stop_signal() != 0) {
      stopped = true;
      ::kill(driver.pid(), SIGTERM);
    }
    const auto mount = mount_at(request.mount_point);
    if (!reported && mount && mount->type == kDriverType) {
      reported = true;
      report(globals, request, find_images(repository, request));
    }
  }
  if (*status != 0) throw_driver_error(*status, "");
  return kExitOk;
}

int run(const Globals& globals, const Values& values) {
  const auto repository = globals.open_repository();
  const Request request = read_request(globals, values, repository);
  if (request.foreground) {
    return serve_in_front(globals, request, repository);
  }
  start_behind(request);
  report(globals, request, find_images(repository, request));
  return kExitOk;
}

}  // namespace

Command mount_command() {
  namespace po = boost::program_options;
  Options options;
  options.add_options()("allow-other", po::bool_switch(),
                        "let all users see the tree, not only you")(
      "foreground,f", po::bool_switch(),
      "stay until the tree is unmounted or a signal comes")(
      "writable", po::bool_switch(),
      "let the images be written; the points stay as they are")(
      "overlay", po::value<std::string>()->value_name("DIR"),
      "keep what is written in DIR, and show it again")(
      "option,o", po::value<std::vector<std::string>>()->value_name("OPT,…"),
      "options for backstitchfs(8) or mount(8) (repeatable)");
  return {"mount",
          "MOUNTPOINT [POINT…]",
          "Show points as live raw disk images.",
          options,
          {{"mountpoint", 1}, {"point", -1}},
          run};
}

}  // namespace backstitch::cli
