#include "flexd/base/assert.hpp"

#include <cstdio>
#include <cstdlib>

namespace flexd {

void assert_failed(const char* expression, const char* file, int line) noexcept {
  std::fprintf(stderr, "flexd: broken invariant: %s at %s:%d\n", expression, file, line);
  std::fflush(stderr);
  std::abort();
}

}  // namespace flexd
