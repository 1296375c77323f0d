// byte_chain.hpp: a queue of bytes in pooled segments; what a connection has still to send.
//
// Bytes go in at the back and leave at the front. Segments never move, so the front may be in the
// hands of the kernel while more is appended. Each segment is one smallest block (block_pool.hpp).
// Move-only; gives its segments back when destroyed.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <span>
#include <string_view>

#include "flexd/base/block_pool.hpp"

namespace flexd {

class ByteChain {
 public:
  explicit ByteChain(BlockPool& pool) : pool_(&pool) {}
  ~ByteChain() { clear(); }
  ByteChain(ByteChain&& other) noexcept;
  ByteChain& operator=(ByteChain&& other) noexcept;
  ByteChain(const ByteChain&) = delete;
  ByteChain& operator=(const ByteChain&) = delete;

  // append copies `bytes` to the back; false if the pool has no room (a prefix may have gone in:
  // the connection is to be aborted).
  [[nodiscard]] bool append(std::string_view bytes);
  // append moves all of `other` (of the same pool) to the back and leaves it empty. Never fails.
  void append(ByteChain&& other);
  // reserve gives writable room of 1 to segment-size bytes at the back, empty if the pool has none;
  // `commit` then says how much of it was filled, with no other call to the chain in between.
  [[nodiscard]] std::span<char> reserve();
  void commit(size_t count);
  // consume drops `count` bytes from the front. count <= size().
  void consume(size_t count);
  void clear();

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // front is the first contiguous run of bytes (empty if the chain is).
  std::string_view front() const;
  // fill_iovecs describes the bytes from the front; returns how many of `out` it filled.
  size_t fill_iovecs(std::span<iovec> out) const;
  // copy_out copies up to `out.size()` bytes from `offset`; returns how many.
  size_t copy_out(size_t offset, std::span<char> out) const;

 private:
  struct Segment;
  Segment* add_segment();

  BlockPool* pool_;
  Segment* head_ = nullptr;
  Segment* tail_ = nullptr;
  size_t size_ = 0;
};

}  // namespace flexd
