#include "flexd/base/byte_chain.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "flexd/base/assert.hpp"

namespace flexd {

// Segment is the head of a block; its bytes follow it. [begin, end) of them are in the chain.
struct ByteChain::Segment {
  Segment* next = nullptr;
  uint32_t begin = 0;
  uint32_t end = 0;

  static constexpr size_t kCapacity = kBlockBytesMin - 16;
  char* bytes() { return reinterpret_cast<char*>(this) + sizeof(Segment); }
  const char* bytes() const { return reinterpret_cast<const char*>(this) + sizeof(Segment); }
  size_t size() const { return end - begin; }
  size_t room() const { return kCapacity - end; }
};

ByteChain::ByteChain(ByteChain&& other) noexcept
    : pool_(other.pool_),
      head_(std::exchange(other.head_, nullptr)),
      tail_(std::exchange(other.tail_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

ByteChain& ByteChain::operator=(ByteChain&& other) noexcept {
  if (this != &other) {
    clear();
    pool_ = other.pool_;
    head_ = std::exchange(other.head_, nullptr);
    tail_ = std::exchange(other.tail_, nullptr);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

ByteChain::Segment* ByteChain::add_segment() {
  static_assert(sizeof(Segment) + Segment::kCapacity == kBlockBytesMin);
  std::byte* block = pool_->take(kBlockBytesMin);
  if (block == nullptr) return nullptr;
  auto* segment = new (block) Segment;
  if (tail_ == nullptr) {
    head_ = segment;
  } else {
    tail_->next = segment;
  }
  tail_ = segment;
  return segment;
}

bool ByteChain::append(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::span<char> room = reserve();
    if (room.empty()) return false;
    const size_t count = std::min(room.size(), bytes.size());
    std::memcpy(room.data(), bytes.data(), count);
    commit(count);
    bytes.remove_prefix(count);
  }
  return true;
}

void ByteChain::append(ByteChain&& other) {
  FLEXD_ASSERT(pool_ == other.pool_ && this != &other);
  if (other.head_ == nullptr) return;
  if (tail_ == nullptr) {
    head_ = other.head_;
  } else {
    tail_->next = other.head_;
  }
  tail_ = other.tail_;
  size_ += other.size_;
  other.head_ = nullptr;
  other.tail_ = nullptr;
  other.size_ = 0;
}

std::span<char> ByteChain::reserve() {
  Segment* segment = tail_;
  if (segment == nullptr || segment->room() == 0) segment = add_segment();
  if (segment == nullptr) return {};
  return {segment->bytes() + segment->end, segment->room()};
}

void ByteChain::commit(size_t count) {
  if (count == 0) return;
  FLEXD_ASSERT(tail_ != nullptr && count <= tail_->room());
  tail_->end += static_cast<uint32_t>(count);
  size_ += count;
}

void ByteChain::consume(size_t count) {
  FLEXD_ASSERT(count <= size_);
  size_ -= count;
  while (head_ != nullptr) {
    const size_t step = std::min(count, head_->size());
    head_->begin += static_cast<uint32_t>(step);
    count -= step;
    // A head that still has bytes stays. An empty chain keeps nothing: idle connections hold no
    // block.
    if (head_->size() > 0) break;
    Segment* next = head_->next;
    pool_->give(reinterpret_cast<std::byte*>(head_), kBlockBytesMin);
    head_ = next;
    if (head_ == nullptr) tail_ = nullptr;
  }
}

void ByteChain::clear() {
  while (head_ != nullptr) {
    Segment* next = head_->next;
    pool_->give(reinterpret_cast<std::byte*>(head_), kBlockBytesMin);
    head_ = next;
  }
  tail_ = nullptr;
  size_ = 0;
}

std::string_view ByteChain::front() const {
  for (const Segment* segment = head_; segment != nullptr; segment = segment->next) {
    if (segment->size() > 0) return {segment->bytes() + segment->begin, segment->size()};
  }
  return {};
}

size_t ByteChain::fill_iovecs(std::span<iovec> out) const {
  size_t filled = 0;
  for (Segment* segment = head_; segment != nullptr && filled < out.size();
       segment = segment->next) {
    if (segment->size() == 0) continue;
    out[filled++] = iovec{segment->bytes() + segment->begin, segment->size()};
  }
  return filled;
}

size_t ByteChain::copy_out(size_t offset, std::span<char> out) const {
  size_t copied = 0;
  for (const Segment* segment = head_; segment != nullptr && copied < out.size();
       segment = segment->next) {
    const size_t size = segment->size();
    if (offset >= size) {
      offset -= size;
      continue;
    }
    const size_t count = std::min(size - offset, out.size() - copied);
    std::memcpy(out.data() + copied, segment->bytes() + segment->begin + offset, count);
    copied += count;
    offset = 0;
  }
  return copied;
}

}  // namespace flexd
