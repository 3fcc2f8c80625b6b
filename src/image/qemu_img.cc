#include "src/image/qemu_img.h"

#include <sys/stat.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "format/base/error.h"
#include "format/map/ref.h"
#include "src/base/process.h"

namespace backstitch::engine {
namespace {

using nlohmann::json;

std::vector<ImageBitmap> parse_bitmaps(const json& list) {
  std::vector<ImageBitmap> bitmaps;
  for (const json& entry : list) {
    ImageBitmap bitmap;
    bitmap.name = entry.at("name");
    for (const json& flag : entry.at("flags")) {
      bitmap.in_use = bitmap.in_use || flag == "in-use";
      bitmap.enabled = bitmap.enabled || flag == "auto";
    }
    bitmaps.push_back(bitmap);
  }
  return bitmaps;
}

// get<uint64_t>() would take any number, 1e300 too, which is undefined.
uint64_t count_from(const json& value) {
  return value.get_ref<const json::number_unsigned_t&>();
}

// 0 where it is not said.
uint64_t count_at(const json& object, const char* key) {
  return object.contains(key) ? count_from(object.at(key)) : 0;
}

ImageInfo parse(const json& document) {
  ImageInfo info;
  info.path = document.value("filename", "");
  info.format = document.at("format");
  info.size_bytes = count_from(document.at("virtual-size"));
  info.cluster_bytes = count_at(document, "cluster-size");
  info.encrypted = document.value("encrypted", false);
  info.backing_file = document.value("backing-filename", "");
  const json specific = document.value("format-specific", json::object());
  const json data = specific.value("data", json::object());
  info.compat = data.value("compat", "");
  info.refcount_bits = count_at(data, "refcount-bits");
  info.lazy_refcounts = data.value("lazy-refcounts", false);
  info.extended_l2 = data.value("extended-l2", false);
  info.compression_type = data.value("compression-type", "");
  info.data_file = data.value("data-file", "");
  info.data_file_raw = data.value("data-file-raw", false);
  info.bitmaps = parse_bitmaps(data.value("bitmaps", json::array()));
  return info;
}

// In a list of options a comma is written twice.
std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == ',' ? ",," : std::string(1, c);
  return out;
}

// What qemu-img create -o takes.
std::string to_words(const Qcow2Options& options) {
  std::string words;
  const auto add = [&](const char* key, const std::string& value) {
    if (value.empty()) return;
    words += (words.empty() ? "" : ",") + std::string(key) + "=" + value;
  };
  const auto number = [](uint64_t value) {
    return value == 0 ? "" : std::to_string(value);
  };
  add("compat", escaped(options.compat));
  add("cluster_size", number(options.cluster_bytes));
  add("refcount_bits", number(options.refcount_bits));
  add("lazy_refcounts", options.lazy_refcounts ? "on" : "");
  add("extended_l2", options.extended_l2 ? "on" : "");
  add("compression_type", escaped(options.compression_type));
  if (options.data_file.empty()) return words;
  add("data_file", escaped(std::filesystem::absolute(options.data_file)));
  add("data_file_raw", options.data_file_raw ? "on" : "");
  return words;
}

// QEMU writes all bitmaps of an image anew when it closes it. The clusters of
// the old ones stay with the file, for the next time: to punch them out, one by
// one, is a third of the time that a large disk's bitmaps take.
std::string options_to_change_bitmaps(const ImageInfo& image) {
  return "driver=" + image.format +
         ",file.filename=" + escaped(image.path.string()) +
         ",file.discard=ignore";
}

Error unexpected(const json::exception& error) {
  return Error(
      ErrorKind::kFailed,
      std::string("qemu-img info gave an unexpected answer: ") + error.what());
}

}  // namespace

const ImageBitmap* ImageInfo::bitmap(const std::string& name) const {
  const auto found = std::ranges::find(bitmaps, name, &ImageBitmap::name);
  return found != bitmaps.end() ? &*found : nullptr;
}

ImageInfo parse_image_info(const std::string& text) {
  try {
    return parse(json::parse(text));
  } catch (const json::exception& error) {
    throw unexpected(error);
  }
}

std::vector<ImageInfo> examine_chain(const ImageInfo& image) {
  const std::string text =
      run({"qemu-img", "info", "--backing-chain", "--output=json", "-f",
           image.format, "--", image.path.string()},
          kQemuPackage);
  try {
    std::vector<ImageInfo> chain;
    for (const json& document : json::parse(text))
      chain.push_back(parse(document));
    return chain;
  } catch (const json::exception& error) {
    throw unexpected(error);
  }
}

std::string inode_of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return {};
  return std::to_string(status.st_ino);
}

ImageInfo examine_image(const std::filesystem::path& path,
                        const std::string& format) {
  const std::filesystem::path absolute = std::filesystem::absolute(path);
  Arguments arguments = {"qemu-img", "info", "--output=json"};
  if (!format.empty()) arguments.insert(arguments.end(), {"-f", format});
  arguments.insert(arguments.end(), {"--", absolute.string()});
  ImageInfo info = parse_image_info(run(arguments, kQemuPackage));
  info.path = absolute;
  info.inode = inode_of(absolute);
  return info;
}

void create_qcow2(const std::filesystem::path& path, uint64_t size_bytes,
                  const Qcow2Options& options) {
  Arguments arguments = {"qemu-img", "create", "-q", "-f", "qcow2"};
  const std::string words = to_words(options);
  if (!words.empty()) arguments.insert(arguments.end(), {"-o", words});
  arguments.insert(arguments.end(),
                   {"--", std::filesystem::absolute(path).string(),
                    std::to_string(size_bytes)});
  run(arguments, kQemuPackage);
}

void name_data_file(const std::filesystem::path& image,
                    const std::filesystem::path& data_file) {
  run({"qemu-img", "amend", "-q", "-f", "qcow2", "-o",
       "data_file=" + escaped(std::filesystem::absolute(data_file)), "--",
       std::filesystem::absolute(image).string()},
      kQemuPackage);
}

void create_overlay(const std::filesystem::path& path,
                    const std::filesystem::path& backing,
                    const std::string& backing_format) {
  run({"qemu-img", "create", "-q", "-f", "qcow2", "-F", backing_format, "-b",
       std::filesystem::absolute(backing).string(), "--",
       std::filesystem::absolute(path).string()},
      kQemuPackage);
}

void add_bitmap(const ImageInfo& image, const std::string& bitmap) {
  run({"qemu-img", "bitmap", "--add", "-g", std::to_string(format::kChunkBytes),
       "--image-opts", "--", options_to_change_bitmaps(image), bitmap},
      kQemuPackage);
}

void remove_bitmap(const ImageInfo& image, const std::string& bitmap) {
  run({"qemu-img", "bitmap", "--remove", "--image-opts", "--",
       options_to_change_bitmaps(image), bitmap},
      kQemuPackage);
}

std::string qemu_version() {
  const std::string text = run({"qemu-img", "--version"}, kQemuPackage);
  constexpr std::string_view kBefore = "version ";
  const size_t begin = text.find(kBefore);
  if (begin == std::string::npos) return "unknown";
  const size_t from = begin + kBefore.size();
  return text.substr(from, text.find('\n') - from);
}

}  // namespace backstitch::engine
