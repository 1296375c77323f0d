#include "flexd/tls/memory.hpp"

#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "ssl.hpp"

namespace flexd::tls {
namespace {

thread_local MemoryCounters counters;

// The size of a block is kept in front of it, in a slot that keeps malloc's alignment.
constexpr size_t kPrefix = alignof(std::max_align_t);

}  // namespace

MemoryCounters memory_counters() {
  return counters;
}

void install_memory_hook() {}

}  // namespace flexd::tls

// The three functions that the library looks for. It takes all or none of them.
extern "C" {

__attribute__((visibility("default"))) void* OPENSSL_memory_alloc(size_t size);
__attribute__((visibility("default"))) void OPENSSL_memory_free(void* memory);
__attribute__((visibility("default"))) size_t OPENSSL_memory_get_size(void* memory);

void* OPENSSL_memory_alloc(size_t size) {
  using flexd::tls::kPrefix;
  if (size > SIZE_MAX - kPrefix) return nullptr;
  auto* block = static_cast<char*>(std::malloc(size + kPrefix));
  if (block == nullptr) return nullptr;
  std::memcpy(block, &size, sizeof size);
  ++flexd::tls::counters.allocations;
  flexd::tls::counters.allocated_bytes += size;
  return block + kPrefix;
}

void OPENSSL_memory_free(void* memory) {
  using flexd::tls::kPrefix;
  if (memory == nullptr) return;
  ++flexd::tls::counters.frees;
  explicit_bzero(memory, OPENSSL_memory_get_size(memory));
  std::free(static_cast<char*>(memory) - kPrefix);
}

size_t OPENSSL_memory_get_size(void* memory) {
  size_t size = 0;
  std::memcpy(&size, static_cast<char*>(memory) - flexd::tls::kPrefix, sizeof size);
  return size;
}

}  // extern "C"
