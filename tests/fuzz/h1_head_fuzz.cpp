// Any bytes as an HTTP/1.x request: the properties of h1_checks.hpp hold. The first two bytes say
// where the input is cut in two.
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "h1_checks.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const size_t split = (data[0] + size_t{256} * data[1]) % (bytes.size() + 1);
  const std::string complaint = flexd::http::check_request(bytes, split);
  if (complaint.empty()) return 0;
  std::fprintf(stderr, "h1_head_fuzz: %s\n", complaint.c_str());
  std::abort();
}
