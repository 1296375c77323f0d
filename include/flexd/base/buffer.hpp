// buffer.hpp: a contiguous, growable buffer of pooled memory.
//
// A request body, a head that came in pieces and an event under assembly live in one of these. It
// grows by block classes (block_pool.hpp), copying; it never shrinks until `clear`. After the
// contents there are always kBufferPadding readable zero-or-garbage bytes, so that SIMD readers may
// load past the end. Move-only; gives its block back when destroyed.
#pragma once

#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>

#include "flexd/base/block_pool.hpp"

namespace flexd {

inline constexpr size_t kBufferPadding = 64;

class Buffer {
 public:
  explicit Buffer(BlockPool& pool) : pool_(&pool) {}
  ~Buffer() { clear(); }
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  // append copies `bytes` to the end; false (and nothing changed) if the pool has no room.
  [[nodiscard]] bool append(std::string_view bytes) {
    if (bytes.empty()) return true;
    const size_t size = size_ + bytes.size();
    if (size + kBufferPadding > capacity_ && !reserve(size)) return false;
    std::memcpy(data_ + size_, bytes.data(), bytes.size());
    size_ = size;
    return true;
  }
  // extend makes the contents `bytes` longer and returns where those are to be written; nullptr
  // (and nothing changed) if the pool has no room.
  [[nodiscard]] char* extend(size_t bytes) {
    const size_t size = size_ + bytes;
    if (size + kBufferPadding > capacity_ && !reserve(size)) return nullptr;
    char* const at = data_ + size_;
    size_ = size;
    return at;
  }
  // reserve makes room for `bytes` in all; false (and nothing changed) if the pool has no room.
  [[nodiscard]] bool reserve(size_t bytes);
  // consume drops `count` bytes from the front (moves the rest down).
  void consume(size_t count);
  // truncate keeps the first `count` bytes.
  void truncate(size_t count);
  // clear gives the memory back.
  void clear() {
    if (data_ != nullptr) give_back();
  }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // capacity_bytes is what the pool has lent to this buffer.
  size_t capacity_bytes() const { return capacity_; }
  // view is valid until the next non-const call.
  std::string_view view() const { return {data_, size_}; }
  char* data() { return data_; }

 private:
  void give_back();

  BlockPool* pool_;
  char* data_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;  // of the block; contents may use capacity_ - kBufferPadding
};

}  // namespace flexd
