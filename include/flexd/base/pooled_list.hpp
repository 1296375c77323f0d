// pooled_list.hpp: a growable array of plain records in pooled memory.
//
// For what is made while one request is worked on and dropped right after. It grows like the Buffer
// it stands on, by block classes, copying; references into it hold until the next push.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <type_traits>

#include "flexd/base/assert.hpp"
#include "flexd/base/buffer.hpp"

namespace flexd {

template <typename T>
  requires std::is_trivially_copyable_v<T> && (alignof(T) <= 64)
class PooledList {
 public:
  explicit PooledList(BlockPool& pool) : bytes_(pool) {}

  // push copies `item` to the end; false (and nothing changed) if the pool has no room.
  [[nodiscard]] bool push(const T& item) {
    return bytes_.append({reinterpret_cast<const char*>(&item), sizeof(T)});
  }
  // drop_front removes the first `count` items; the rest moves down.
  void drop_front(size_t count) { bytes_.consume(count * sizeof(T)); }
  void clear() { bytes_.clear(); }

  size_t size() const { return bytes_.size() / sizeof(T); }
  bool empty() const { return bytes_.empty(); }
  T& operator[](size_t index) {
    FLEXD_ASSERT(index < size());
    return reinterpret_cast<T*>(bytes_.data())[index];
  }
  const T& operator[](size_t index) const {
    FLEXD_ASSERT(index < size());
    return reinterpret_cast<const T*>(bytes_.view().data())[index];
  }
  T& back() { return (*this)[size() - 1]; }
  // items is valid until the next push.
  std::span<const T> items() const {
    return {reinterpret_cast<const T*>(bytes_.view().data()), size()};
  }

 private:
  Buffer bytes_;
};

// BufferSink collects text in a Buffer, for writers that want append(std::string_view) without a
// word of failure after each piece: it is asked once, at the end.
class BufferSink {
 public:
  explicit BufferSink(Buffer& buffer) : buffer_(buffer) {}

  void append(std::string_view text) {
    if (!failed_ && !text.empty() && !buffer_.append(text)) failed_ = true;
  }
  // failed: the pool had no room; the text is not whole.
  bool failed() const { return failed_; }
  size_t size() const { return buffer_.size(); }

 private:
  Buffer& buffer_;
  bool failed_ = false;
};

}  // namespace flexd
