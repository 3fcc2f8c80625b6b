// Steps back, taken unless all went well.
#pragma once

#include <spdlog/spdlog.h>

#include <functional>
#include <vector>

#include "format/base/error.h"

namespace backstitch::engine {

class Undo {
 public:
  Undo() = default;
  Undo(const Undo&) = delete;
  Undo& operator=(const Undo&) = delete;
  // Last first. One that fails is a warning, and the others are taken.
  ~Undo() {
    for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) {
      try {
        (*step)();
      } catch (const Error& error) {
        spdlog::warn("{}", error.what());
      }
    }
  }

  void add(std::function<void()> step) { steps_.push_back(std::move(step)); }
  void keep() { steps_.clear(); }

 private:
  std::vector<std::function<void()>> steps_;
};

}  // namespace backstitch::engine
