// backstitch backup: make a recovery point.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "format/base/error.h"
#include "format/base/units.h"
#include "format/repository/names.h"
#include "src/cli/arguments.h"
#include "src/cli/exit_code.h"
#include "src/cli/listing.h"
#include "src/cli/output.h"
#include "src/image/image_backup.h"

namespace backstitch::cli {

namespace {

using engine::ImageArgument;
using format::DiskManifest;
using format::Manifest;

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
  if (equals == 0 || equals == argument.npos || equals + 1 == argument.size()) {
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

engine::ImageBackupRequest parse_request(const Values& values) {
  engine::ImageBackupRequest request;
  request.name = text(values, "name");
  request.images = parse_images(values);
  request.level = parse_level(text(values, "level"));
  const std::string compression = text(values, "compression");
  if (!compression.empty())
    request.compression = format::Compression::parse(compression);
  select_disks(values, request.images);
  return request;
}

void report_json(const Manifest& manifest) {
  auto disks = nlohmann::json::array();
  for (const DiskManifest& disk : manifest.disks) {
    disks.push_back({{"name", disk.name},
                     {"size_bytes", disk.size_bytes},
                     {"read", disk.read},
                     {"reason", disk.reason},
                     {"read_bytes", disk.read_bytes},
                     {"changed_bytes", changed_bytes(disk)},
                     {"stored_bytes", disk.data_length + disk.map_length}});
  }
  print_json({{"domain", manifest.domain},
              {"point", manifest.point},
              {"level", format::to_string(manifest.level)},
              {"parent", manifest.parent},
              {"time", format::format_time(manifest.time)},
              {"duration_ms", manifest.duration_ms},
              {"consistency", manifest.consistency},
              {"stored_bytes", manifest.stored_bytes()},
              {"disks", disks}});
}

void report_text(const Manifest& manifest) {
  print(fmt::format(
      "made {}: {}, {}, {} stored in {:.1f} s\n",
      format::printable(point_label(manifest.domain, manifest.point)),
      format::to_string(manifest.level), manifest.consistency,
      format_bytes(manifest.stored_bytes()),
      static_cast<double>(manifest.duration_ms) / 1000));
  using Align = Table::Align;
  Table table({{"DISK"},
               {"SIZE", Align::kRight},
               {"READ", Align::kRight},
               {"CHANGED", Align::kRight},
               {"STORED", Align::kRight},
               {"HOW"}});
  for (const DiskManifest& disk : manifest.disks) {
    table.add(
        {disk.name, format_bytes(disk.size_bytes),
         format_bytes(disk.read_bytes), format_bytes(changed_bytes(disk)),
         format_bytes(disk.data_length + disk.map_length),
         disk.read == "bitmap" ? "by dirty bitmap" : "whole: " + disk.reason});
  }
  print(table.to_string());
}

int run(const Globals& globals, const Values& values) {
  const std::string domain = text(values, "domain");
  const bool from_images = !texts(values, "image").empty();
  if (!domain.empty() && from_images) {
    throw Error(ErrorKind::kUsage,
                "DOMAIN and --image exclude each other; a machine of images "
                "is named with --name");
  }
  if (!domain.empty()) {
    throw Error(ErrorKind::kUnsupported,
                "backing up libvirt domains is not built yet; the images of a "
                "machine that is off can be backed up with --image and --name");
  }
  if (!from_images) {
    throw Error(ErrorKind::kUsage,
                "nothing to back up; say --image vda=FILE --name NAME");
  }
  if (text(values, "name").empty()) {
    throw Error(ErrorKind::kUsage,
                "--name is missing: what the machine is called in the "
                "repository");
  }
  const auto request = parse_request(values);
  const auto repository = globals.open_repository();
  const auto progress = make_progress(globals);
  const Manifest manifest =
      engine::backup_images(repository, request, *progress);
  globals.json ? report_json(manifest) : report_text(manifest);
  return kExitOk;
}

}  // namespace

Command backup_command() {
  namespace po = boost::program_options;
  using Texts = std::vector<std::string>;
  Options options;
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
      "compression", one("METHOD"), "zstd (default, level -1), zstd:N or none")(
      "include", many("DISK"), "only this disk (repeatable)")(
      "exclude", many("DISK"), "not this disk (repeatable)");
  return {"backup", "[DOMAIN]",      "Make a recovery point.",
          options,  {{"domain", 1}}, run};
}

}  // namespace backstitch::cli
