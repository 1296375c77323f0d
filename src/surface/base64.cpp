#include "base64.hpp"

#include "flexd/base/ascii.hpp"

namespace flexd::surface {

namespace {

// sextet is the value of a digit, or -1.
int sextet(char c) {
  if (is_alpha(c)) return c >= 'a' ? c - 'a' + 26 : c - 'A';
  if (is_digit(c)) return c - '0' + 52;
  if (c == '+' || c == '-') return 62;
  if (c == '/' || c == '_') return 63;
  return -1;
}

}  // namespace

bool Base64Reader::take(char digit) {
  const int value = sextet(digit);
  if (value < 0) return false;
  bits_ = (bits_ << 6U) | static_cast<uint32_t>(value);
  count_ += 6;
  if (count_ < 8) return true;
  count_ -= 8;
  bytes_[size_++] = static_cast<char>((bits_ >> count_) & 0xFFU);
  if (size_ < bytes_.size()) return true;
  size_ = 0;
  return out_.append({bytes_.data(), bytes_.size()});
}

bool Base64Reader::finish() {
  // 6 bits left over are a digit without a partner.
  return count_ < 6 && out_.append({bytes_.data(), size_});
}

}  // namespace flexd::surface
