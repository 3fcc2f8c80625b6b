#include "format/repository/manifest.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

#include "format/base/error.h"
#include "format/repository/names.h"
#include "format/repository/sealed_json.h"

namespace backstitch::format {
namespace {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;

constexpr std::array<std::pair<Level, const char*>, 4> kLevels = {{
    {Level::kFull, "full"},
    {Level::kIncremental, "incremental"},
    {Level::kDifferential, "differential"},
    {Level::kCopy, "copy"},
}};

[[noreturn]] void damaged(const std::string& why) {
  throw Error(ErrorKind::kDamaged, "makes no sense: " + why);
}

template <typename T>
T get(const Json& object, const char* key) {
  return object.at(key).get<T>();
}

uint64_t get_count(const Json& object, const char* key) {
  const Json& value = object.at(key);
  if (!value.is_number_unsigned()) damaged(std::string(key) + " is no count");
  return value.get<uint64_t>();
}

uint32_t get_number(const Json& object, const char* key) {
  const uint64_t value = get_count(object, key);
  if (value > UINT32_MAX) damaged(std::string(key) + " is out of range");
  return static_cast<uint32_t>(value);
}

OrderedJson to_json(const DiskManifest& disk) {
  return {
      {"name", disk.name},
      {"size", disk.size_bytes},
      {"root", to_hex(ByteView(encode(disk.root)))},
      {"data_chunks", disk.data_chunks},
      {"map_length", disk.map_length},
      {"data_length", disk.data_length},
      {"read", disk.read},
      {"reason", disk.reason},
      {"read_bytes", disk.read_bytes},
      {"changed_chunks", disk.changed_chunks},
      {"zeroed_chunks", disk.zeroed_chunks},
      {"source", disk.source},
  };
}

DiskManifest disk_from(const Json& json) {
  DiskManifest disk;
  disk.name = get<std::string>(json, "name");
  disk.size_bytes = get_count(json, "size");
  const Bytes root = bytes_from_hex(get<std::string>(json, "root"));
  if (root.size() != kRefBytes) damaged("root is no ref");
  disk.root =
      decode_ref(std::span<const std::byte, kRefBytes>(root.data(), kRefBytes));
  disk.data_chunks = get_count(json, "data_chunks");
  disk.map_length = get_count(json, "map_length");
  disk.data_length = get_count(json, "data_length");
  disk.read = get<std::string>(json, "read");
  disk.reason = get<std::string>(json, "reason");
  disk.read_bytes = get_count(json, "read_bytes");
  disk.changed_chunks = get_count(json, "changed_chunks");
  disk.zeroed_chunks = get_count(json, "zeroed_chunks");
  disk.source = get<std::map<std::string, std::string>>(json, "source");
  return disk;
}

void check_disk(const DiskManifest& disk, const Manifest& manifest) {
  check_disk_name(disk.name);
  if (disk.size_bytes > uint64_t{1} << 62) damaged("a disk is too large");
  check_ref(disk.root, disk.map().height(), manifest.point);
  if (!disk.root.is_zero() && disk.root.point < manifest.chain)
    damaged("a root lies before its chain");
  if (disk.map_length < kHeaderBytes || disk.data_length < kHeaderBytes)
    damaged("a file is shorter than its header");
  if (disk.data_chunks > disk.map().chunks) damaged("too many data chunks");
}

template <typename Items, typename Check>
void check_each(const Items& items, const Check& check) {
  for (auto item = items.begin(); item != items.end(); ++item) {
    const auto same = [&](const auto& other) {
      return other.name == item->name;
    };
    if (std::any_of(items.begin(), item, same))
      damaged("\"" + item->name + "\" stands there twice");
    check(*item);
  }
}

void check_manifest(const Manifest& manifest) {
  if (manifest.point == 0 || manifest.chain == 0 ||
      manifest.chain > manifest.point || manifest.parent >= manifest.point ||
      (manifest.parent != 0 && manifest.parent < manifest.chain)) {
    damaged("point, parent and chain do not fit together");
  }
  check_each(manifest.disks,
             [&](const DiskManifest& disk) { check_disk(disk, manifest); });
  check_each(manifest.files,
             [](const SideFile& file) { check_side_file_name(file.name); });
}

Level level_from(const std::string& text) {
  for (const auto& [level, name] : kLevels)
    if (text == name) return level;
  damaged("unknown level");
}

PointId id_from(const std::string& hex) {
  const Bytes bytes = bytes_from_hex(hex);
  PointId id;
  if (bytes.size() != id.size()) damaged("id is no 128-bit number");
  std::ranges::copy(bytes, id.begin());
  return id;
}

Hash128 hash_from(const std::string& hex) {
  const Bytes bytes = bytes_from_hex(hex);
  if (bytes.size() != 16) damaged("hash is no 128-bit number");
  Hash128 hash;
  for (int i = 0; i < 8; ++i) {
    hash.high = hash.high << 8 | std::to_integer<uint64_t>(bytes[i]);
    hash.low = hash.low << 8 | std::to_integer<uint64_t>(bytes[8 + i]);
  }
  return hash;
}

Manifest manifest_from(const Json& json) {
  Manifest manifest;
  manifest.repository = get<std::string>(json, "repository");
  manifest.domain = get<std::string>(json, "domain");
  manifest.point = get_number(json, "point");
  manifest.id = id_from(get<std::string>(json, "id"));
  manifest.level = level_from(get<std::string>(json, "level"));
  manifest.parent = get_number(json, "parent");
  manifest.chain = get_number(json, "chain");
  manifest.time = parse_time(get<std::string>(json, "time"));
  manifest.duration_ms = get_count(json, "duration_ms");
  manifest.consistency = get<std::string>(json, "consistency");
  const Json& checkpoint = json.at("checkpoint");
  manifest.checkpoint = get<std::string>(checkpoint, "name");
  manifest.checkpoint_xml = get<std::string>(checkpoint, "xml");
  manifest.compression = get<std::string>(json, "compression");
  manifest.tools = get<std::map<std::string, std::string>>(json, "tools");
  for (const Json& disk : json.at("disks"))
    manifest.disks.push_back(disk_from(disk));
  for (const Json& file : json.at("files")) {
    manifest.files.push_back({get<std::string>(file, "name"),
                              get_count(file, "size"),
                              hash_from(get<std::string>(file, "hash"))});
  }
  check_manifest(manifest);
  return manifest;
}

}  // namespace

std::string to_string(Level level) {
  for (const auto& [known, name] : kLevels)
    if (known == level) return name;
  return "unknown";
}

const DiskManifest* Manifest::disk(const std::string& name) const {
  const auto found = std::ranges::find(disks, name, &DiskManifest::name);
  return found == disks.end() ? nullptr : &*found;
}

uint64_t Manifest::stored_bytes() const {
  uint64_t sum = 0;
  for (const DiskManifest& disk : disks)
    sum += disk.map_length + disk.data_length;
  return sum;
}

std::string serialize(const Manifest& manifest) {
  OrderedJson json = {
      {"repository", manifest.repository},
      {"domain", manifest.domain},
      {"point", manifest.point},
      {"id", to_hex(ByteView(manifest.id))},
      {"level", to_string(manifest.level)},
      {"parent", manifest.parent},
      {"chain", manifest.chain},
      {"time", format_time(manifest.time)},
      {"duration_ms", manifest.duration_ms},
      {"consistency", manifest.consistency},
      {"checkpoint",
       {{"name", manifest.checkpoint}, {"xml", manifest.checkpoint_xml}}},
      {"compression", manifest.compression},
      {"tools", manifest.tools},
      {"disks", OrderedJson::array()},
      {"files", OrderedJson::array()},
  };
  for (const DiskManifest& disk : manifest.disks)
    json["disks"].push_back(to_json(disk));
  for (const SideFile& file : manifest.files) {
    json["files"].push_back({{"name", file.name},
                             {"size", file.size_bytes},
                             {"hash", to_hex(file.hash)}});
  }
  return seal(json);
}

Manifest parse_manifest(const std::string& text) {
  const Json json = unseal(text);
  return reading_json([&] {
    try {
      return manifest_from(json);
    } catch (const Error& error) {
      // A name that nobody may use is damage here, not a mistake of the user.
      throw Error(ErrorKind::kDamaged, error.what());
    }
  });
}

std::string format_time(Time time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const std::time_t count = seconds.time_since_epoch().count();
  std::tm parts{};
  ::gmtime_r(&count, &parts);
  std::array<char, 64> text{};
  const int length = std::snprintf(
      text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
      parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
      parts.tm_min, parts.tm_sec, static_cast<int>((time - seconds).count()));
  return std::string(text.data(), static_cast<size_t>(length));
}

Time parse_time(const std::string& text) {
  std::tm parts{};
  int milliseconds = 0;
  if (std::sscanf(text.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ", &parts.tm_year,
                  &parts.tm_mon, &parts.tm_mday, &parts.tm_hour, &parts.tm_min,
                  &parts.tm_sec, &milliseconds) != 7) {
    damaged("no time of the form 2026-01-31T00:00:00.000Z");
  }
  parts.tm_year -= 1900;
  parts.tm_mon -= 1;
  const Time time = Time(std::chrono::seconds(::timegm(&parts))) +
                    std::chrono::milliseconds(milliseconds);
  if (format_time(time) != text) damaged("no such time");
  return time;
}

Time now() {
  return std::chrono::floor<std::chrono::milliseconds>(
      std::chrono::system_clock::now());
}

}  // namespace backstitch::format
