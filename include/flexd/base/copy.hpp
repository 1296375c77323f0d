// copy.hpp: copies of texts that are short as a rule, such as names, numbers and punctuation.
#pragma once

#include <cstddef>
#include <cstring>
#include <string_view>

namespace flexd {

// copy_text copies `text` to `to`, which it must not overlap, and returns where the copy ends. Up
// to 32 bytes it takes a few moves and no call of the C library's function, which costs more than
// they.
inline char* copy_text(std::string_view text, char* to) {
  const char* const from = text.data();
  const size_t size = text.size();
  if (size > 32) {
    std::memcpy(to, from, size);
  } else if (size >= 16) {
    std::memcpy(to, from, 16);
    std::memcpy(to + size - 16, from + size - 16, 16);
  } else if (size >= 8) {
    std::memcpy(to, from, 8);
    std::memcpy(to + size - 8, from + size - 8, 8);
  } else if (size >= 4) {
    std::memcpy(to, from, 4);
    std::memcpy(to + size - 4, from + size - 4, 4);
  } else if (size != 0) {
    // One to three: the first, the middle and the last, some of them twice.
    to[0] = from[0];
    to[size / 2] = from[size / 2];
    to[size - 1] = from[size - 1];
  }
  return to + size;
}

}  // namespace flexd
