// What became of a trial (see trial.h), for programs and for people.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "format/repository/repository.h"
#include "src/recovery/trial.h"

namespace backstitch::engine {

// Where the last trial of a point is kept: STATE/verified/ID/DOMAIN/NUMBER,
// with the id of the repository. Made by save_trial.
std::filesystem::path trial_directory(const std::string& repository_id,
                                      const std::string& domain,
                                      uint32_t point);

// The document that report.json holds and --json prints; specified in
// man/backstitch.1, verify.
nlohmann::ordered_json trial_document(const format::Repository& repository,
                                      const format::Point& point,
                                      const TrialRequest& request,
                                      const TrialResult& result);

// One page that needs nothing beside it: the screenshot is in it.
std::string trial_page(const nlohmann::ordered_json& document,
                       ByteView screenshot);

// Writes report.json, report.html and, where there is one, screenshot.png, each
// in place of an older one and complete when it has its name.
void save_trial(const std::filesystem::path& directory,
                const nlohmann::ordered_json& document, ByteView screenshot);

}  // namespace backstitch::engine
