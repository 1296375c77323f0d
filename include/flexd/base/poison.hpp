// poison.hpp: tells AddressSanitizer that memory we hold must not be touched, and that it may
// again. Free blocks and buffers lent to the kernel are poisoned, so that a stray access crashes in
// tests. Without the sanitizer both calls are nothing.
#pragma once

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#define FLEXD_HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FLEXD_HAS_ASAN 1
#endif
#endif

#ifdef FLEXD_HAS_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace flexd {

// poison forbids access to `bytes` bytes from `memory`; unpoison allows it again.
inline void poison([[maybe_unused]] const void* memory, [[maybe_unused]] size_t bytes) {
#ifdef FLEXD_HAS_ASAN
  __asan_poison_memory_region(memory, bytes);
#endif
}
inline void unpoison([[maybe_unused]] const void* memory, [[maybe_unused]] size_t bytes) {
#ifdef FLEXD_HAS_ASAN
  __asan_unpoison_memory_region(memory, bytes);
#endif
}

}  // namespace flexd
