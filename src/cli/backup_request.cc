#include "src/cli/backup_request.h"

#include <algorithm>
#include <charconv>

#include "format/base/error.h"
#include "format/base/units.h"
#include "src/cli/arguments.h"

namespace backstitch::cli {
namespace {

using engine::ImageArgument;

std::optional<format::Level> parse_level(const std::string& level) {
  using format::Level;
  if (level.empty() || level == "auto") return std::nullopt;
  for (const Level known : {Level::kFull, Level::kIncremental,
                            Level::kDifferential, Level::kCopy}) {
    if (format::to_string(known) == level) return known;
  }
  throw Error(ErrorKind::kUsage,
              "--level " + level +
                  ": say auto, full, incremental, differential or copy");
}

// "vda=FILE" into its two sides.
std::pair<std::string, std::string> split(const std::string& option,
                                          const std::string& argument) {
  const size_t equals = argument.find('=');
  if (equals == 0 || equals == std::string::npos ||
      equals + 1 == argument.size()) {
    throw Error(ErrorKind::kUsage,
                option + " " + argument +
                    ": say DISK=" + (option == "--image" ? "FILE" : "FORMAT"));
  }
  return {argument.substr(0, equals), argument.substr(equals + 1)};
}

// Whether each disk that an option names is among the images.
void check_known(const std::string& option, const std::string& disk,
                 const std::vector<ImageArgument>& images) {
  if (std::ranges::find(images, disk, &ImageArgument::disk) != images.end())
    return;
  throw Error(ErrorKind::kUsage,
              option + " " + disk + ": no --image is called so");
}

std::vector<ImageArgument> parse_images(const Values& values) {
  std::vector<ImageArgument> images;
  for (const std::string& argument : texts(values, "image")) {
    const auto [disk, file] = split("--image", argument);
    images.push_back({disk, file, ""});
  }
  for (const std::string& argument : texts(values, "format")) {
    const auto parts = split("--format", argument);
    check_known("--format", parts.first, images);
    for (ImageArgument& image : images) {
      if (image.disk == parts.first) image.format = parts.second;
    }
  }
  return images;
}

void select_disks(const Values& values, std::vector<ImageArgument>& images) {
  const auto include = texts(values, "include");
  const auto exclude = texts(values, "exclude");
  for (const std::string& disk : include)
    check_known("--include", disk, images);
  for (const std::string& disk : exclude)
    check_known("--exclude", disk, images);
  const auto names = [](const std::vector<std::string>& list,
                        const ImageArgument& image) {
    return std::ranges::find(list, image.disk) != list.end();
  };
  std::erase_if(images, [&](const ImageArgument& image) {
    return (!include.empty() && !names(include, image)) ||
           names(exclude, image);
  });
}

void set_compression(const Values& values, format::Compression& compression) {
  const std::string method = text(values, "compression");
  if (!method.empty()) compression = format::Compression::parse(method);
}

uint64_t bytes(const Values& values, const std::string& option) {
  const std::string value = text(values, option);
  return value.empty() ? 0 : parse_bytes(value, "--" + option);
}

unsigned number(const Values& values, const std::string& option, unsigned most,
                unsigned otherwise) {
  const std::string value = text(values, option);
  if (value.empty()) return otherwise;
  unsigned result = 0;
  const auto [end, error] =
      std::from_chars(value.data(), value.data() + value.size(), result);
  if (error != std::errc() || end != value.data() + value.size() ||
      result == 0 || result > most) {
    throw Error(ErrorKind::kUsage, "--" + option + " " + value +
                                       ": say a number from 1 to " +
                                       std::to_string(most));
  }
  return result;
}

engine::Quiesce parse_quiesce(const std::string& word) {
  using engine::Quiesce;
  if (word.empty() || word == "auto") return Quiesce::kAuto;
  if (word == "require") return Quiesce::kRequire;
  if (word == "no") return Quiesce::kNo;
  throw Error(ErrorKind::kUsage,
              "--quiesce " + word + ": say auto, require or no");
}

// Options that mean nothing to image files.
void refuse_domain_options(const Values& values) {
  for (const char* option :
       {"scratch", "quiesce", "freeze-mountpoint", "threshold",
        "tls-certificates", "nbd-host", "nbd-port", "jobs"}) {
    if (values.count(option) != 0) {
      throw Error(ErrorKind::kUsage, std::string("--") + option +
                                         " is for domains, not for --image");
    }
  }
  for (const char* option : {"all", "start-paused", "tls", "estimate"}) {
    if (flag(values, option)) {
      throw Error(ErrorKind::kUsage, std::string("--") + option +
                                         " is for domains, not for --image");
    }
  }
}

}  // namespace

engine::ImageBackupRequest image_backup_request(const Values& values) {
  refuse_domain_options(values);
  if (text(values, "name").empty()) {
    throw Error(ErrorKind::kUsage,
                "--name is missing: what the machine is called in the "
                "repository");
  }
  engine::ImageBackupRequest request;
  request.name = text(values, "name");
  request.images = parse_images(values);
  request.level = parse_level(text(values, "level"));
  request.bandwidth = bytes(values, "bandwidth");
  set_compression(values, request.compression);
  select_disks(values, request.images);
  return request;
}

engine::DomainBackupRequest domain_backup_request(const Values& values,
                                                  const std::string& domain) {
  engine::DomainBackupRequest request;
  request.domain = domain;
  request.name = text(values, "name");
  request.level = parse_level(text(values, "level"));
  set_compression(values, request.compression);
  request.include = texts(values, "include");
  request.exclude = texts(values, "exclude");
  request.scratch = text(values, "scratch");
  if (!request.scratch.empty() && request.scratch.front() != '/') {
    throw Error(ErrorKind::kUsage, "--scratch " + request.scratch +
                                       ": say the whole path, from / on");
  }
  request.freeze.quiesce = parse_quiesce(text(values, "quiesce"));
  request.freeze.mountpoints = texts(values, "freeze-mountpoint");
  request.bandwidth = bytes(values, "bandwidth");
  request.threshold = bytes(values, "threshold");
  request.start_paused = flag(values, "start-paused");
  request.server.tls = flag(values, "tls");
  request.server.tls_certificates = text(values, "tls-certificates");
  request.server.host = text(values, "nbd-host");
  request.server.port = number(values, "nbd-port", 65535, 10809);
  return request;
}

unsigned jobs_at_once(const Values& values) {
  return number(values, "jobs", 64, 1);
}

Options backup_options() {
  namespace po = boost::program_options;
  Options options;
  using Texts = std::vector<std::string>;
  const auto one = [](const char* name) {
    return po::value<std::string>()->value_name(name);
  };
  const auto many = [](const char* name) {
    return po::value<Texts>()->value_name(name);
  };
  options.add_options()(
      "image", many("DISK=FILE"),
      "back up this image file or block device of a machine that is off "
      "(repeatable)")("name", one("NAME"),
                      "what a machine of --image is called")(
      "format", many("DISK=FORMAT"),
      "the format of an image (raw, qcow2, …) instead of what it looks like")(
      "level", one("LEVEL"),
      "auto (incremental where there is a chain, else full), full, "
      "incremental, differential or copy")(
      "compression", one("METHOD"), format::Compression::methods().c_str())(
      "include", many("DISK"), "only this disk (repeatable)")(
      "exclude", many("DISK"), "not this disk (repeatable)")(
      "all", po::bool_switch(), "all domains")(
      "jobs", one("N"), "with --all: so many at once (default: 1)")(
      "scratch", one("DIR"),
      "where QEMU keeps what the guest overwrites meanwhile (default: beside "
      "the disk's image)")(
      "quiesce", one("HOW"),
      "freeze the guest's file systems for a moment: auto (default: where an "
      "agent answers), require, no")(
      "freeze-mountpoint", many("PATH"),
      "freeze only this file system (repeatable)")(
      "bandwidth", one("BYTES"), "read no more than this a second")(
      "threshold", one("BYTES"), "make no point when less has changed")(
      "estimate", po::bool_switch(), "only say how much would be read")(
      "start-paused", po::bool_switch(),
      "start a domain that is off for the backup, without running it")(
      "strict", po::bool_switch(), "warnings give exit status 8")(
      "tls", po::bool_switch(), "read the disks over TCP with TLS")(
      "tls-certificates", one("DIR"), "our certificate and the authority's")(
      "nbd-host", one("HOST"), "the address QEMU offers the disks at")(
      "nbd-port", one("PORT"), "and its port (default: 10809)");
  return options;
}

}  // namespace backstitch::cli
