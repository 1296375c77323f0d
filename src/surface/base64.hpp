// base64.hpp: base64 text read digit by digit (RFC 4648), of either alphabet.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "flexd/base/buffer.hpp"

namespace flexd::surface {

// Base64Reader appends what the digits say to a Buffer, some hundred bytes at a time.
class Base64Reader {
 public:
  explicit Base64Reader(Buffer& out) : out_(out) {}

  // take takes the next digit; false if it is none, or there is no room.
  [[nodiscard]] bool take(char digit);
  // finish appends what is left; false if a digit lacks its partner, or there is no room.
  [[nodiscard]] bool finish();

 private:
  Buffer& out_;
  std::array<char, 256> bytes_;
  size_t size_ = 0;
  uint32_t bits_ = 0;
  unsigned count_ = 0;  // of bits_ that are not in bytes_ yet
};

}  // namespace flexd::surface
