// slab.hpp: a fixed number of places for objects of one type, named by slot and generation.
//
// A handle stays valid while its object lives; after that `get` gives nullptr, also when the slot
// is in use again, because the generation differs (24 bits: it repeats after 16.7 million reuses of
// one slot). Memory comes in chunks the first time it is needed and is kept; the slot freed last is
// used first, so that it is warm. Objects never move. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "flexd/base/assert.hpp"
#include "flexd/base/poison.hpp"

namespace flexd {

// kGenerationMask is the range of generations; 0 is never used.
inline constexpr uint32_t kGenerationMask = (1U << 24U) - 1;

// SlabHandle names an object in a Slab.
struct SlabHandle {
  uint32_t slot = UINT32_MAX;
  uint32_t generation = 0;
  bool operator==(const SlabHandle&) const = default;
  explicit operator bool() const { return slot != UINT32_MAX; }
};

template <typename T>
class Slab {
 public:
  // A slab for at most `capacity` objects at a time.
  explicit Slab(size_t capacity) : capacity_(capacity) {
    chunks_.reserve((capacity + kChunkItems - 1) / kChunkItems);
  }
  ~Slab() {
    for (uint32_t slot = 0; slot < used_; slot++) {
      Item& item = item_at(slot);
      if (item.live) object(item)->~T();
      unpoison(item.storage, sizeof(T));
    }
  }
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;

  // create makes an object from `arguments`; an empty handle if the slab is full.
  template <typename... Arguments>
  [[nodiscard]] SlabHandle create(Arguments&&... arguments) {
    uint32_t slot = free_;
    if (slot != kNone) {
      free_ = item_at(slot).next_free;
    } else if (used_ < capacity_) {
      if (used_ == chunks_.size() * kChunkItems) {
        chunks_.push_back(std::make_unique<Item[]>(kChunkItems));
      }
      slot = used_++;
    } else {
      return {};
    }
    Item& item = item_at(slot);
    unpoison(item.storage, sizeof(T));
    new (item.storage) T(std::forward<Arguments>(arguments)...);
    item.live = true;
    count_++;
    return {slot, item.generation};
  }

  // get is the object of a handle, or nullptr if it is gone.
  T* get(uint32_t slot, uint32_t generation) {
    if (slot >= used_) return nullptr;
    Item& item = item_at(slot);
    return item.live && item.generation == generation ? object(item) : nullptr;
  }
  T* get(SlabHandle handle) { return get(handle.slot, handle.generation); }

  // destroy ends the life of a live object.
  void destroy(SlabHandle handle) {
    T* dying = get(handle);
    FLEXD_ASSERT(dying != nullptr);
    dying->~T();
    Item& item = item_at(handle.slot);
    item.live = false;
    item.generation = (item.generation + 1) & kGenerationMask;
    if (item.generation == 0) item.generation = 1;
    item.next_free = free_;
    free_ = handle.slot;
    count_--;
    poison(item.storage, sizeof(T));
  }

  // for_each calls visit(handle, object) for every live object; `visit` may destroy that object.
  template <typename Visit>
  void for_each(Visit visit) {
    for (uint32_t slot = 0; slot < used_; slot++) {
      Item& item = item_at(slot);
      if (item.live) visit(SlabHandle{slot, item.generation}, *object(item));
    }
  }

  size_t count() const { return count_; }
  size_t capacity() const { return capacity_; }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr uint32_t kChunkItems = 256;
  struct Item {
    alignas(T) std::byte storage[sizeof(T)];
    uint32_t generation = 1;
    uint32_t next_free = kNone;
    bool live = false;
  };
  static T* object(Item& item) { return std::launder(reinterpret_cast<T*>(item.storage)); }
  Item& item_at(uint32_t slot) { return chunks_[slot / kChunkItems][slot % kChunkItems]; }

  size_t capacity_;
  std::vector<std::unique_ptr<Item[]>> chunks_;
  uint32_t used_ = 0;  // slots that were ever in use
  uint32_t free_ = kNone;
  size_t count_ = 0;
};

}  // namespace flexd
