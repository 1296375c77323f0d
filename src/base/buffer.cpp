#include "flexd/base/buffer.hpp"

#include <cstring>
#include <utility>

#include "flexd/base/assert.hpp"

namespace flexd {

Buffer::Buffer(Buffer&& other) noexcept
    : pool_(other.pool_),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      capacity_(std::exchange(other.capacity_, 0)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  if (this != &other) {
    clear();
    pool_ = other.pool_;
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
    capacity_ = std::exchange(other.capacity_, 0);
  }
  return *this;
}

bool Buffer::reserve(size_t bytes) {
  if (bytes > kBlockBytesMax) return false;
  const size_t wanted = bytes + kBufferPadding;
  if (wanted <= capacity_) return true;
  const size_t capacity = BlockPool::class_bytes(wanted);
  if (capacity == 0) return false;
  std::byte* block = pool_->take(capacity);
  if (block == nullptr) return false;
  char* data = reinterpret_cast<char*>(block);
  const size_t size = size_;
  if (size > 0) std::memcpy(data, data_, size);
  clear();
  data_ = data;
  size_ = size;
  capacity_ = capacity;
  return true;
}

void Buffer::consume(size_t count) {
  FLEXD_ASSERT(count <= size_);
  if (count == 0) return;
  size_ -= count;
  std::memmove(data_, data_ + count, size_);
}

void Buffer::truncate(size_t count) {
  FLEXD_ASSERT(count <= size_);
  size_ = count;
}

void Buffer::give_back() {
  pool_->give(reinterpret_cast<std::byte*>(data_), capacity_);
  data_ = nullptr;
  size_ = 0;
  capacity_ = 0;
}

}  // namespace flexd
