// JSON documents that carry the hash of their own bytes: `repository.json` and
// the manifests. Specified in man/backstitch-format.5, SEALED JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "format/base/error.h"

namespace backstitch::format {

// The bytes of the file: `{"hash":"` and 32 digits, then the rest of `body` (an
// object), which is what the hash covers.
std::string seal(const nlohmann::ordered_json& body);

// Checks the hash, that `format` is known and that `incompatible` names no
// feature, and gives the object. Throws kDamaged or kUnsupported.
nlohmann::json unseal(std::string_view text);

// Runs `read` on fields of a document; what nlohmann throws becomes kDamaged.
template <typename Read>
auto reading_json(Read&& read) {
  try {
    return std::forward<Read>(read)();
  } catch (const nlohmann::json::exception& error) {
    throw Error(ErrorKind::kDamaged,
                std::string("is not what it should be: ") + error.what());
  }
}

}  // namespace backstitch::format
