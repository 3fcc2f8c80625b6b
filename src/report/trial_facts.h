// What is kept of `verify --boot`.
#pragma once

#include "src/report/facts.h"

namespace backstitch::engine {

// Of the machine's newest, whose points know their verifications. Nothing when
// it was never tried. What is gone of its report is left out.
std::optional<TrialFacts> trial_facts(const std::string& repository_id,
                                      const MachineFacts& machine);

}  // namespace backstitch::engine
