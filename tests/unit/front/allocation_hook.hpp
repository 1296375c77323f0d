// allocation_hook.hpp: counts what one thread asks the C library's heap for.
//
// malloc and its relatives are replaced in the whole program, so that whatever code allocates is
// seen: operator new, the standard library, C libraries. Only the threads that ask for it count.
// A sanitizer has replaced malloc already: under FLEXD_SANITIZE operator new alone is replaced.
#pragma once

#include <cstddef>
#include <cstdint>

namespace flexd::allocation_test {

// kCountsMalloc: everything is counted, not operator new alone.
#ifdef FLEXD_SANITIZE
inline constexpr bool kCountsMalloc = false;
#else
inline constexpr bool kCountsMalloc = true;
#endif

// TlsAllocations are those of the TLS library: by the allocator that flexd gives it
// (flexd/tls/memory.hpp), and by malloc here and there. Under a sanitizer they are not seen.
struct TlsAllocations {
  uint64_t count = 0;
  uint64_t bytes = 0;
};

// start_counting begins to count in the calling thread; once in a program.
void start_counting();
// allocations is how many there were in the calling thread, without those of the TLS library.
uint64_t allocations();
TlsAllocations tls_allocations();
// keep_stacks has the stacks of allocations kept from now on: the first few of each time it is
// called, without the TLS library's.
void keep_stacks();
// print_stacks prints the stacks that were kept, for addr2line.
void print_stacks();

}  // namespace flexd::allocation_test
