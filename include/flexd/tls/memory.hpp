// memory.hpp: counts what the TLS library allocates.
//
// BoringSSL lets a program define its allocator (openssl/mem.h: OPENSSL_memory_alloc and its
// companions, weak symbols). flexd's is malloc with a count, so that a benchmark can report the
// library's allocations apart from its own. Freed memory is overwritten first, as the library does.
#pragma once

#include <cstdint>

namespace flexd::tls {

// MemoryCounters are of the calling thread.
struct MemoryCounters {
  uint64_t allocations = 0;
  uint64_t frees = 0;
  uint64_t allocated_bytes = 0;
};

[[nodiscard]] MemoryCounters memory_counters();

}  // namespace flexd::tls
