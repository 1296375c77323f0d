// assert.hpp: checks of invariants that stay on in release builds.
//
// FLEXD_ASSERT is for what cannot happen unless flexd itself is wrong. Input from a socket or a
// file never reaches it: that is a Result (result.hpp).
#pragma once

namespace flexd {

// assert_failed prints the expression and its place on stderr and aborts.
[[noreturn]] void assert_failed(const char* expression, const char* file, int line) noexcept;

}  // namespace flexd

#define FLEXD_ASSERT(expression)                      \
  (__builtin_expect(static_cast<bool>(expression), 1) \
       ? static_cast<void>(0)                         \
       : ::flexd::assert_failed(#expression, __FILE__, __LINE__))
