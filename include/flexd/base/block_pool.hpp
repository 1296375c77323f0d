// block_pool.hpp: one worker's memory for request bodies, held events and output, under one budget.
//
// BlockPool hands out blocks of a few fixed sizes from LIFO free lists. Blocks are taken from the
// system the first time and kept, so that after warm-up nothing on the request path allocates. Its
// budget bounds the bytes handed out; admission (front) looks at `in_use_bytes` before it reads a
// body. Not thread-safe: one pool a worker.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace flexd {

// kBlockClasses are the sizes of blocks, smallest first.
inline constexpr std::array<size_t, 8> kBlockClasses = {4096,      16384,     65536,     262144,
                                                        1U << 20U, 1U << 22U, 1U << 24U, 1U << 25U};
// kBlockBytesMin is the smallest block: the segment of a ByteChain.
inline constexpr size_t kBlockBytesMin = kBlockClasses.front();
// kBlockBytesMax is the largest block: an answer folded for a non-streaming caller.
inline constexpr size_t kBlockBytesMax = kBlockClasses.back();

class BlockPool {
 public:
  // A pool that hands out at most `budget_bytes` at a time. Blocks above 1 MiB go back to the
  // system when they are returned; smaller ones are kept.
  explicit BlockPool(size_t budget_bytes);
  ~BlockPool();
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;

  // class_bytes is the size of the smallest class that holds `bytes`, or 0 if none does.
  static size_t class_bytes(size_t bytes);

  // take returns a block of exactly class_bytes(bytes), or nullptr if the budget or the system has
  // no more, or no class is large enough. The block is 64-byte aligned.
  [[nodiscard]] std::byte* take(size_t bytes);
  // give returns a block got by take; `bytes` is its class size.
  void give(std::byte* block, size_t bytes);

  size_t in_use_bytes() const { return in_use_bytes_; }
  size_t budget_bytes() const { return budget_bytes_; }
  // system_takes counts blocks fetched from the system: constant once warm.
  uint64_t system_takes() const { return system_takes_; }
  // held_bytes counts what the system has lent to the pool: in use and kept. Never above the
  // budget.
  size_t held_bytes() const { return held_bytes_; }

 private:
  struct FreeBlock {
    FreeBlock* next;
  };
  static size_t class_index(size_t bytes);
  void make_room(size_t bytes);
  void release_one(size_t index);

  size_t budget_bytes_;
  size_t in_use_bytes_ = 0;
  size_t held_bytes_ = 0;
  uint64_t system_takes_ = 0;
  std::array<FreeBlock*, kBlockClasses.size()> free_{};
};

}  // namespace flexd
