// A byte-bounded cache that makes each value once however many threads ask.
//
// Sharded by key; in each shard the least recently used values go first when
// the shard's share of the capacity is exceeded. A value handed out stays alive
// while its holder keeps it. A failed make is not remembered: everyone who
// waited for it gets the exception, the next to ask tries again.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>

namespace backstitch {

template <typename Key, typename Value, typename KeyHash>
class Cache {
 public:
  using Pointer = std::shared_ptr<const Value>;

  // `capacity` is in whatever unit the costs given to get() have.
  explicit Cache(uint64_t capacity) : shard_capacity_(capacity / kShards) {}

  // The value of `key`, made by `make` (which returns a Pointer) if absent.
  // Blocks while another thread makes the same value.
  template <typename Make>
  Pointer get(const Key& key, uint64_t cost, Make&& make) {
    Shard& shard = shard_of(key);
    std::shared_ptr<Slot> slot;
    {
      std::unique_lock lock(shard.mutex);
      const auto found = shard.slots.find(key);
      if (found != shard.slots.end()) return wait_for(shard, lock, found);
      slot = std::make_shared<Slot>();
      slot->cost = cost;
      shard.slots.emplace(key, slot);
    }
    return fill(shard, key, slot, std::forward<Make>(make));
  }

  // The value if it is there and complete; never waits.
  Pointer peek(const Key& key) {
    Shard& shard = shard_of(key);
    const std::scoped_lock lock(shard.mutex);
    const auto found = shard.slots.find(key);
    if (found == shard.slots.end() || !found->second->value) return nullptr;
    shard.recent.splice(shard.recent.begin(), shard.recent,
                        found->second->position);
    return found->second->value;
  }

 private:
  static constexpr size_t kShards = 16;

  struct Slot {
    Pointer value;                 // set once made
    std::exception_ptr exception;  // set once failed
    uint64_t cost = 0;
    typename std::list<Key>::iterator position;  // valid once made
  };
  using Slots = std::unordered_map<Key, std::shared_ptr<Slot>, KeyHash>;

  struct Shard {
    std::mutex mutex;
    std::condition_variable made;
    Slots slots;
    std::list<Key> recent;  // most recently used first; made values only
    uint64_t used = 0;
  };

  Shard& shard_of(const Key& key) {
    const uint64_t hash = KeyHash()(key) * 0x9E3779B97F4A7C15ULL;
    return shards_[hash >> 60];
  }

  Pointer wait_for(Shard& shard, std::unique_lock<std::mutex>& lock,
                   typename Slots::iterator found) {
    const std::shared_ptr<Slot> slot = found->second;
    if (slot->value) {
      shard.recent.splice(shard.recent.begin(), shard.recent, slot->position);
      return slot->value;
    }
    shard.made.wait(lock, [&] { return slot->value || slot->exception; });
    if (slot->exception) std::rethrow_exception(slot->exception);
    return slot->value;
  }

  template <typename Make>
  Pointer fill(Shard& shard, const Key& key, const std::shared_ptr<Slot>& slot,
               Make&& make) {
    try {
      Pointer value = std::forward<Make>(make)();
      {
        const std::scoped_lock lock(shard.mutex);
        slot->value = value;
        shard.recent.push_front(key);
        slot->position = shard.recent.begin();
        shard.used += slot->cost;
        trim(shard);
      }
      shard.made.notify_all();
      return value;
    } catch (...) {
      {
        const std::scoped_lock lock(shard.mutex);
        slot->exception = std::current_exception();
        shard.slots.erase(key);
      }
      shard.made.notify_all();
      throw;
    }
  }

  void trim(Shard& shard) {
    while (shard.used > shard_capacity_ && shard.recent.size() > 1) {
      const auto last = shard.slots.find(shard.recent.back());
      shard.used -= last->second->cost;
      shard.slots.erase(last);
      shard.recent.pop_back();
    }
  }

  const uint64_t shard_capacity_;
  std::array<Shard, kShards> shards_;
};

}  // namespace backstitch
