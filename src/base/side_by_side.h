// Many small works of one kind on all cores.
#pragma once

#include <cstddef>
#include <functional>

namespace backstitch::engine {

// Calls `work` with 0 to count - 1, each once, on several threads. The first
// failure keeps the rest from beginning and is thrown here, when all threads
// have ended. `work` must bear being called by several threads.
void side_by_side(size_t count, const std::function<void(size_t)>& work);

}  // namespace backstitch::engine
