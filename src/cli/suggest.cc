#include "src/cli/suggest.h"

#include <algorithm>
#include <cstddef>

namespace backstitch::cli {

namespace {

// Insertions, deletions, substitutions and swaps of neighbours (the optimal
// string alignment distance): the errors that fingers make.
size_t distance(const std::string& a, const std::string& b) {
  std::vector<std::vector<size_t>> cost(a.size() + 1,
                                        std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) cost[i][0] = i;
  for (size_t j = 0; j <= b.size(); ++j) cost[0][j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t differs = a[i - 1] == b[j - 1] ? 0 : 1;
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1,
                             cost[i - 1][j - 1] + differs});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
      }
    }
  }
  return cost[a.size()][b.size()];
}

}  // namespace

std::string nearest(const std::string& word,
                    const std::vector<std::string>& candidates) {
  if (word.empty()) return "";
  std::string best;
  // Longer words may be further off; a word of which little is left is another.
  size_t best_score = 2 * (word.size() / 3 + 1) + 2;
  for (const auto& candidate : candidates) {
    if (word.size() >= 2 && candidate.starts_with(word)) return candidate;
    const size_t errors = distance(word, candidate);
    // Few get the first letter wrong.
    const size_t score = 2 * errors + (candidate.starts_with(word[0]) ? 0 : 1);
    if (score < best_score && errors < candidate.size()) {
      best = candidate;
      best_score = score;
    }
  }
  return best;
}

std::string did_you_mean(const std::string& word,
                         const std::vector<std::string>& candidates) {
  const std::string guess = nearest(word, candidates);
  return guess.empty() ? "" : "; did you mean '" + guess + "'?";
}

}  // namespace backstitch::cli
