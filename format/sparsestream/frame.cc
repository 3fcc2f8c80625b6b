#include "format/sparsestream/frame.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "format/base/error.h"

namespace backstitch::format {
namespace {

using nlohmann::json;

constexpr std::array<std::pair<FrameKind, std::string_view>, 5> kKinds = {{
    {FrameKind::kMeta, "meta"},
    {FrameKind::kData, "data"},
    {FrameKind::kZero, "zero"},
    {FrameKind::kStop, "stop"},
    {FrameKind::kCompression, "comp"},
}};
constexpr uint64_t kLatestVersion = 2;

[[noreturn]] void damaged(const std::string& why) {
  throw Error(ErrorKind::kDamaged, why);
}

uint64_t parse_hex(std::string_view digits) {
  uint64_t value = 0;
  const char* const end = digits.data() + digits.size();
  const auto [rest, code] = std::from_chars(digits.data(), end, value, 16);
  if (code != std::errc() || rest != end) damaged("is no frame header");
  return value;
}

// The value under either spelling, null when there is neither.
const json& value_of(const json& meta, const char* key, const char* old_key) {
  static const json nothing;
  for (const char* spelling : {key, old_key})
    if (const auto at = meta.find(spelling); at != meta.end()) return *at;
  return nothing;
}

uint64_t count_of(const json& meta, const char* key, const char* old_key) {
  const json& value = value_of(meta, key, old_key);
  if (!value.is_number_unsigned())
    damaged(std::string("the metadata has no count under ") + key);
  return value.get<uint64_t>();
}

std::string text_of(const json& meta, const char* key, const char* old_key) {
  const json& value = value_of(meta, key, old_key);
  return value.is_string() ? value.get<std::string>() : "";
}

// False, or the level of compression, where 0 is none.
bool is_on(const json& value) {
  return value.is_boolean() ? value.get<bool>()
                            : value.is_number() && value != 0;
}

}  // namespace

std::string to_string(FrameKind kind) {
  for (const auto& [known, name] : kKinds)
    if (known == kind) return std::string(name);
  return "unknown";
}

Frame parse_frame(std::string_view text) {
  if (text.size() != kFrameBytes || text[4] != ' ' || text[21] != ' ' ||
      text.substr(38) != kFrameEnd) {
    damaged("is no frame header");
  }
  const auto kind =
      std::ranges::find(kKinds, text.substr(0, 4),
                        &std::pair<FrameKind, std::string_view>::second);
  if (kind == kKinds.end()) damaged("is a frame of no known kind");
  return {kind->first, parse_hex(text.substr(5, 16)),
          parse_hex(text.substr(22, 16))};
}

bool resembles_stream(std::string_view beginning) {
  constexpr std::string_view kBeginning = "meta 0000000000000000 0000000000";
  constexpr size_t kWord = 5;
  size_t same = 0;
  size_t same_in_word = 0;
  for (size_t i = 0; i < std::min(beginning.size(), kBeginning.size()); ++i) {
    if (beginning[i] != kBeginning[i]) continue;
    ++same;
    if (i < kWord) ++same_in_word;
  }
  return same >= kBeginning.size() - 8 && same_in_word >= kWord - 2;
}

StreamMeta parse_meta(std::string_view text) {
  const json parsed = json::parse(text, nullptr, false);
  if (!parsed.is_object()) damaged("the metadata is no JSON object");
  StreamMeta meta;
  meta.old_keys = parsed.contains("virtual-size");
  meta.virtual_size = count_of(parsed, "virtualSize", "virtual-size");
  meta.data_size = count_of(parsed, "dataSize", "data-size");
  if (meta.virtual_size > uint64_t{1} << 62) damaged("the disk is too large");
  const json& version = value_of(parsed, "streamVersion", "stream-version");
  if (version.is_number_unsigned()) meta.version = version.get<uint64_t>();
  meta.date = text_of(parsed, "date", "date");
  meta.disk = text_of(parsed, "diskName", "disk-name");
  meta.disk_format = text_of(parsed, "diskFormat", "disk-format");
  meta.checkpoint = text_of(parsed, "checkpointName", "checkpoint-name");
  meta.parent = text_of(parsed, "parentCheckpoint", "parent-checkpoint");
  const json& incremental = value_of(parsed, "incremental", "incremental");
  meta.incremental = incremental.is_boolean() && incremental.get<bool>();
  meta.compressed =
      meta.version >= 2 && is_on(value_of(parsed, "compressed", "compressed"));
  if (meta.version == 0 || meta.version > kLatestVersion) {
    throw Error(ErrorKind::kUnsupported,
                "is a stream of version " + std::to_string(meta.version) +
                    "; versions up to " + std::to_string(kLatestVersion) +
                    " are read");
  }
  const std::string method =
      text_of(parsed, "compressionMethod", "compression-method");
  if (meta.compressed && !method.empty() && method != "lz4")
    throw Error(ErrorKind::kUnsupported, "is compressed with " + method);
  return meta;
}

}  // namespace backstitch::format
