#include "flexd/base/block_pool.hpp"

#include <cstdlib>
#include <new>

#include "flexd/base/assert.hpp"
#include "flexd/base/poison.hpp"

namespace flexd {

namespace {

constexpr size_t kAlignment = 64;
// kKeptBytesMax is the largest class that waits in a free list.
constexpr size_t kKeptBytesMax = 1U << 20U;

}  // namespace

BlockPool::BlockPool(size_t budget_bytes) : budget_bytes_(budget_bytes) {}

BlockPool::~BlockPool() {
  FLEXD_ASSERT(in_use_bytes_ == 0);
  for (size_t index = 0; index < kBlockClasses.size(); index++) {
    while (free_[index] != nullptr) release_one(index);
  }
}

size_t BlockPool::class_index(size_t bytes) {
  size_t index = 0;
  while (index < kBlockClasses.size() && kBlockClasses[index] < bytes) index++;
  return index;
}

size_t BlockPool::class_bytes(size_t bytes) {
  const size_t index = class_index(bytes);
  return index < kBlockClasses.size() ? kBlockClasses[index] : 0;
}

std::byte* BlockPool::take(size_t bytes) {
  const size_t index = class_index(bytes);
  if (index >= kBlockClasses.size()) return nullptr;
  const size_t size = kBlockClasses[index];
  if (size > budget_bytes_ - in_use_bytes_) return nullptr;
  if (free_[index] != nullptr) {
    FreeBlock* block = free_[index];
    unpoison(block, size);
    free_[index] = block->next;
    in_use_bytes_ += size;
    return reinterpret_cast<std::byte*>(block);
  }
  make_room(size);
  void* block = std::aligned_alloc(kAlignment, size);
  if (block == nullptr) return nullptr;
  system_takes_++;
  held_bytes_ += size;
  in_use_bytes_ += size;
  return static_cast<std::byte*>(block);
}

void BlockPool::give(std::byte* block, size_t bytes) {
  const size_t index = class_index(bytes);
  FLEXD_ASSERT(index < kBlockClasses.size() && kBlockClasses[index] == bytes);
  FLEXD_ASSERT(in_use_bytes_ >= bytes);
  in_use_bytes_ -= bytes;
  if (bytes > kKeptBytesMax) {
    held_bytes_ -= bytes;
    std::free(block);
    return;
  }
  free_[index] = new (block) FreeBlock{free_[index]};
  poison(block, bytes);
}

// make_room gives kept blocks of other classes back to the system, largest first, so that what the
// pool holds (in use and kept) stays within the budget whatever mix of sizes is asked for.
void BlockPool::make_room(size_t bytes) {
  size_t index = kBlockClasses.size();
  while (index > 0 && held_bytes_ + bytes > budget_bytes_) {
    if (free_[index - 1] == nullptr) {
      index--;
    } else {
      release_one(index - 1);
    }
  }
}

void BlockPool::release_one(size_t index) {
  FreeBlock* block = free_[index];
  unpoison(block, kBlockClasses[index]);
  free_[index] = block->next;
  held_bytes_ -= kBlockClasses[index];
  std::free(block);
}

}  // namespace flexd
