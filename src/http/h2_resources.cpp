#include "flexd/http/h2_resources.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "flexd/base/assert.hpp"
#include "h2_state.hpp"

namespace flexd::http::h2 {
namespace {

constexpr size_t kSmallestClass = 64;
// The class of a block is kept in front of it; larger blocks than the classes have this one.
constexpr size_t kPrefix = alignof(std::max_align_t);
constexpr uint32_t kUnclassed = UINT32_MAX;

struct Prefix {
  uint32_t index;
  uint32_t unused;
  uint64_t bytes;
};
static_assert(sizeof(Prefix) <= kPrefix);

Prefix prefix_of(const void* memory) {
  Prefix prefix{};
  std::memcpy(&prefix, static_cast<const char*>(memory) - kPrefix, sizeof prefix);
  return prefix;
}

// take_object reuses a free object or makes one.
template <typename Object>
Object* take_object(std::vector<std::unique_ptr<Object>>& all, std::vector<Object*>& free,
                    uint64_t& takes) {
  if (free.empty()) {
    ++takes;
    all.push_back(std::make_unique<Object>());
    free.reserve(all.size());  // so that giving back never allocates
    return all.back().get();
  }
  Object* object = free.back();
  free.pop_back();
  return object;
}

}  // namespace

Resources::Resources() : piece_(kPieceBytes) {}

Resources::~Resources() {
  FLEXD_ASSERT(counters_.in_use_bytes == 0);  // a session outlived its resources
  for (FreeBlock* block : free_) {
    while (block != nullptr) {
      FreeBlock* next = block->next;
      std::free(reinterpret_cast<char*>(block) - kPrefix);
      block = next;
    }
  }
}

size_t Resources::class_index(size_t bytes) {
  size_t index = 0;
  while (index < kClasses && (kSmallestClass << index) < bytes) ++index;
  return index;
}

void* Resources::allocate(size_t bytes) {
  ++counters_.allocations;
  const size_t index = class_index(bytes);
  if (index < kClasses && free_[index] != nullptr) {
    FreeBlock* block = free_[index];
    free_[index] = block->next;
    counters_.in_use_bytes += kSmallestClass << index;
    return block;
  }
  const size_t size = index < kClasses ? kSmallestClass << index : bytes;
  if (size > SIZE_MAX - kPrefix) return nullptr;
  auto* block = static_cast<char*>(std::malloc(size + kPrefix));
  if (block == nullptr) return nullptr;
  ++counters_.system_takes;
  counters_.in_use_bytes += size;
  const Prefix prefix{index < kClasses ? static_cast<uint32_t>(index) : kUnclassed, 0, size};
  std::memcpy(block, &prefix, sizeof prefix);
  return block + kPrefix;
}

void Resources::release(void* memory) {
  if (memory == nullptr) return;
  const Prefix prefix = prefix_of(memory);
  counters_.in_use_bytes -= prefix.bytes;
  if (prefix.index == kUnclassed) {
    std::free(static_cast<char*>(memory) - kPrefix);
    return;
  }
  auto* block = static_cast<FreeBlock*>(memory);
  block->next = free_[prefix.index];
  free_[prefix.index] = block;
}

void* Resources::reallocate(void* memory, size_t bytes) {
  if (memory == nullptr) return allocate(bytes);
  const Prefix prefix = prefix_of(memory);
  if (bytes <= prefix.bytes) return memory;
  void* larger = allocate(bytes);
  if (larger == nullptr) return nullptr;
  std::memcpy(larger, memory, prefix.bytes);
  release(memory);
  return larger;
}

HeadBlock* Resources::take_head() {
  return take_object(heads_, free_heads_, counters_.object_takes);
}
void Resources::give_head(HeadBlock* head) {
  free_heads_.push_back(head);
}

ClientStream* Resources::take_client_stream() {
  return take_object(client_streams_, free_client_streams_, counters_.object_takes);
}
void Resources::give_client_stream(ClientStream* stream) {
  *stream = ClientStream{};
  free_client_streams_.push_back(stream);
}

ServerStream* Resources::take_server_stream() {
  return take_object(server_streams_, free_server_streams_, counters_.object_takes);
}
void Resources::give_server_stream(ServerStream* stream) {
  *stream = ServerStream{};
  free_server_streams_.push_back(stream);
}

bool HeadBlock::add(std::string_view name, std::string_view value) {
  counted += name.size() + value.size() + 32;
  if (counted > kFieldBytesMax) {
    over_limit = true;
    return false;
  }
  if (name.starts_with(':')) {
    const std::string_view kept = keep(value);
    if (name == ":status") status = kept;
    if (name == ":method") method = kept;
    if (name == ":path") path = kept;
    if (name == ":authority") authority = kept;
    if (name == ":scheme") scheme = kept;
    return true;
  }
  const std::string_view kept_name = keep(name);
  if (!fields.push(kept_name, keep(value))) over_limit = true;
  return !over_limit;
}

nghttp2_mem memory_of(Resources& resources) {
  return {
      .mem_user_data = &resources,
      .malloc = [](size_t size,
                   void* user) { return static_cast<Resources*>(user)->allocate(size); },
      .free = [](void* memory, void* user) { static_cast<Resources*>(user)->release(memory); },
      .calloc = [](size_t count, size_t size, void* user) -> void* {
        if (size != 0 && count > SIZE_MAX / size) return nullptr;
        void* memory = static_cast<Resources*>(user)->allocate(count * size);
        if (memory != nullptr) std::memset(memory, 0, count * size);
        return memory;
      },
      .realloc = [](void* memory, size_t size,
                    void* user) { return static_cast<Resources*>(user)->reallocate(memory, size); },
  };
}

std::string_view next_piece(nghttp2_session* session, Resources& resources,
                            std::string_view& pending, bool& broken) {
  const std::span<char> piece = resources.piece();
  size_t used = 0;
  while (used < piece.size()) {
    if (pending.empty()) {
      const uint8_t* data = nullptr;
      const ssize_t size = nghttp2_session_mem_send(session, &data);
      if (size < 0) broken = true;
      if (size <= 0) break;
      pending = text_of(data, static_cast<size_t>(size));
    }
    const size_t count = std::min(pending.size(), piece.size() - used);
    std::memcpy(piece.data() + used, pending.data(), count);
    pending.remove_prefix(count);
    used += count;
  }
  return {piece.data(), used};
}

uint32_t frame_glitch(const nghttp2_frame& frame) {
  switch (frame.hd.type) {
    case NGHTTP2_DATA:
      return frame.hd.length == 0 && (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) == 0 ? 1 : 0;
    case NGHTTP2_WINDOW_UPDATE:
      return is_small_window_update(frame.window_update.window_size_increment) ? 1 : 0;
    case NGHTTP2_SETTINGS:
      return (frame.hd.flags & NGHTTP2_FLAG_ACK) == 0 ? 4 : 0;
    case NGHTTP2_PING:
    case NGHTTP2_PRIORITY:
      return 1;
    default:
      return 0;
  }
}

}  // namespace flexd::http::h2
