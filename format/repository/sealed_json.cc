#include "format/repository/sealed_json.h"

#include "format/base/bytes.h"

namespace backstitch::format {
namespace {

constexpr std::string_view kOpening = "{\"hash\":\"";
constexpr size_t kHashDigits = 32;
constexpr size_t kCoveredFrom = kOpening.size() + kHashDigits;
constexpr uint64_t kFormat = 1;

void check_version(const nlohmann::json& document) {
  const auto format =
      document.at("format").get_ref<const nlohmann::json::number_unsigned_t&>();
  if (format != kFormat) {
    throw Error(ErrorKind::kUnsupported,
                "made by a newer backstitch (format version " +
                    std::to_string(format) + "); this one reads version " +
                    std::to_string(kFormat));
  }
  const auto& flags = document.at("incompatible");
  if (!flags.is_array())
    throw Error(ErrorKind::kDamaged, "incompatible is no list");
  if (!flags.empty()) {
    throw Error(ErrorKind::kUnsupported,
                "needs a feature that this backstitch does not have: " +
                    flags.at(0).get<std::string>());
  }
}

}  // namespace

std::string seal(const nlohmann::ordered_json& body) {
  nlohmann::ordered_json document = {{"format", kFormat}, {"incompatible", {}}};
  document["incompatible"] = nlohmann::ordered_json::array();
  document.update(body);
  using Handler = nlohmann::ordered_json::error_handler_t;
  // Paths and reasons come from outside and need not be UTF-8.
  const std::string text = document.dump(1, ' ', false, Handler::replace);
  const std::string covered = "\"," + text.substr(1) + "\n";
  return std::string(kOpening) + to_hex(hash_of(covered)) + covered;
}

nlohmann::json unseal(std::string_view text) {
  if (text.size() < kCoveredFrom || !text.starts_with(kOpening))
    throw Error(ErrorKind::kDamaged, "is damaged (does not begin with a hash)");
  const std::string_view digits = text.substr(kOpening.size(), kHashDigits);
  if (to_hex(hash_of(text.substr(kCoveredFrom))) != digits)
    throw Error(ErrorKind::kDamaged, "is damaged (hash differs)");
  return reading_json([&] {
    nlohmann::json document = nlohmann::json::parse(text);
    check_version(document);
    return document;
  });
}

}  // namespace backstitch::format
