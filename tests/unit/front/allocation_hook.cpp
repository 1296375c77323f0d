#include "allocation_hook.hpp"

#include <execinfo.h>
#include <link.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <new>
#include <string_view>

extern "C" {
// Of the TLS library's allocator (flexd/tls/memory.hpp).
void* OPENSSL_memory_alloc(size_t size);
// glibc's own names for what is replaced here.
// NOLINTBEGIN(bugprone-reserved-identifier)
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* memory, size_t size);
void* __libc_memalign(size_t alignment, size_t size);
// NOLINTEND(bugprone-reserved-identifier)
}

namespace flexd::allocation_test {
namespace {

constexpr size_t kStacksMax = 8;
constexpr int kFramesMax = 24;
// kTlsAllocatorBytes is more than the code of OPENSSL_memory_alloc takes.
constexpr uintptr_t kTlsAllocatorBytes = 160;

struct Stack {
  std::array<void*, kFramesMax> frames;
  int size = 0;
};

thread_local bool counting = false;
thread_local bool inside = false;
thread_local uint64_t counted = 0;
thread_local TlsAllocations counted_tls;

// Range is where a library's code is.
struct Range {
  uintptr_t begin = 0;
  uintptr_t end = 0;
};
std::array<Range, 8> tls_ranges;
size_t tls_range_count = 0;

// The library allocates by OPENSSL_memory_alloc, which is flexd's, and here and there by malloc.
int add_tls_ranges(dl_phdr_info* info, size_t /*size*/, void* /*context*/) {
  const std::string_view name(info->dlpi_name);
  const bool is_tls = name.find("/libssl.") != std::string_view::npos ||
                      name.find("/libcrypto.") != std::string_view::npos;
  for (size_t i = 0; is_tls && i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& part = info->dlpi_phdr[i];
    if (part.p_type != PT_LOAD || (part.p_flags & PF_X) == 0) continue;
    const uintptr_t begin = info->dlpi_addr + part.p_vaddr;
    if (tls_range_count < tls_ranges.size()) {
      tls_ranges[tls_range_count++] = {begin, begin + part.p_memsz};
    }
  }
  return 0;
}

std::array<Stack, kStacksMax> stacks;
std::atomic<size_t> stacks_left{0};

bool is_tls_library(const void* caller) {
  const auto from = reinterpret_cast<uintptr_t>(&OPENSSL_memory_alloc);
  const auto address = reinterpret_cast<uintptr_t>(caller);
  if (address >= from && address < from + kTlsAllocatorBytes) return true;
  for (const Range& range : tls_ranges) {
    if (address >= range.begin && address < range.end) return true;
  }
  return false;
}

void count(const void* caller, size_t bytes) {
  if (!counting || inside) return;
  if (is_tls_library(caller)) {
    ++counted_tls.count;
    counted_tls.bytes += bytes;
    return;
  }
  ++counted;
  const size_t left = stacks_left.load(std::memory_order_relaxed);
  if (left == 0) return;
  inside = true;  // backtrace allocates at its first call
  Stack& stack = stacks[kStacksMax - left];
  stack.size = backtrace(stack.frames.data(), kFramesMax);
  stacks_left.store(left - 1, std::memory_order_relaxed);
  inside = false;
}

}  // namespace

void start_counting() {
  dl_iterate_phdr(add_tls_ranges, nullptr);
  counting = true;
}

uint64_t allocations() {
  return counted;
}

TlsAllocations tls_allocations() {
  return counted_tls;
}

void keep_stacks() {
  stacks = {};
  stacks_left = kStacksMax;
}

void print_stacks() {
  for (const Stack& stack : stacks) {
    if (stack.size == 0) continue;
    backtrace_symbols_fd(stack.frames.data(), stack.size, STDOUT_FILENO);
    static_cast<void>(::write(STDOUT_FILENO, "\n", 1));
  }
}

}  // namespace flexd::allocation_test

using flexd::allocation_test::count;

#ifdef FLEXD_SANITIZE

void* operator new(size_t size) {
  count(__builtin_return_address(0), size);
  void* const memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) std::abort();
  return memory;
}
void* operator new[](size_t size) {
  return operator new(size);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete[](void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, size_t /*size*/) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, size_t /*size*/) noexcept {
  std::free(memory);
}

#else

extern "C" {

void* malloc(size_t size) noexcept {
  count(__builtin_return_address(0), size);
  return __libc_malloc(size);
}
void* calloc(size_t elements, size_t size) noexcept {
  count(__builtin_return_address(0), elements * size);
  return __libc_calloc(elements, size);
}
void* realloc(void* memory, size_t size) noexcept {
  count(__builtin_return_address(0), size);
  return __libc_realloc(memory, size);
}
void* memalign(size_t alignment, size_t size) noexcept {
  count(__builtin_return_address(0), size);
  return __libc_memalign(alignment, size);
}
void* aligned_alloc(size_t alignment, size_t size) noexcept {
  count(__builtin_return_address(0), size);
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** memory, size_t alignment, size_t size) noexcept {
  count(__builtin_return_address(0), size);
  *memory = __libc_memalign(alignment, size);
  return *memory == nullptr ? ENOMEM : 0;
}

}  // extern "C"

#endif
