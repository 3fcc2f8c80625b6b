// "did you mean": the nearest of some words.
#pragma once

#include <string>
#include <vector>

namespace backstitch::cli {

// The candidate that is a typing error or two away from `word`, or that it
// begins; empty when none is near.
std::string nearest(const std::string& word,
                    const std::vector<std::string>& candidates);

// "; did you mean 'list'?", or nothing.
std::string did_you_mean(const std::string& word,
                         const std::vector<std::string>& candidates);

}  // namespace backstitch::cli
