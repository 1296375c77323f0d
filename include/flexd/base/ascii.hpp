// ascii.hpp: text without a locale: letters, numbers, trimming.
#pragma once

#include <charconv>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

namespace flexd {

// lower is the lower-case form of an ASCII letter; other bytes are themselves.
constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}
constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
constexpr bool is_alpha(char c) {
  return lower(c) >= 'a' && lower(c) <= 'z';
}

// hex_value is the value of a hexadecimal digit of either case, or -1.
constexpr int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  const char letter = lower(c);
  return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

// equals_folded compares 8 bytes at once without regard to the case of letters.
inline bool equals_folded(uint64_t a, uint64_t b) {
  if (a == b) return true;
  constexpr uint64_t kOnes = 0x0101010101010101;
  // The two cases of a letter differ in bit 5 alone.
  const uint64_t differing = a ^ b;
  if ((differing & ~(kOnes * 0x20)) != 0) return false;
  // Per byte, bit 7 of `letters` where the lower form is from a to z; sums stay in their bytes.
  const uint64_t lowered = (a | kOnes * 0x20) & kOnes * 0x7f;
  const uint64_t letters =
      (lowered + kOnes * (0x80 - 'a')) & ~(lowered + kOnes * (0x7f - 'z')) & ~a;
  return ((differing << 2U) & ~letters) == 0;
}

// iequals compares without regard to the case of ASCII letters.
inline bool iequals(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  const auto word_at = [](const char* at) {
    uint64_t word = 0;
    std::memcpy(&word, at, sizeof(word));
    return word;
  };
  const size_t size = a.size();
  if (size >= 8) {
    for (size_t i = 0; i + 8 < size; i += 8) {
      if (!equals_folded(word_at(a.data() + i), word_at(b.data() + i))) return false;
    }
    // The last eight bytes, some of them again.
    return equals_folded(word_at(a.data() + size - 8), word_at(b.data() + size - 8));
  }
  for (size_t i = 0; i < size; ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

// istarts_with tells if `text` begins with `prefix`, without regard to case.
inline bool istarts_with(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && iequals(text.substr(0, prefix.size()), prefix);
}

// trim removes spaces and tabs from both ends (the OWS of RFC 9110 section 5.6.3).
constexpr std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// parse_u64 reads a whole text of decimal digits: no sign, no space, no overflow.
constexpr std::optional<uint64_t> parse_u64(std::string_view text) {
  if (text.empty()) return std::nullopt;
  uint64_t value = 0;
  for (const char c : text) {
    if (!is_digit(c)) return std::nullopt;
    const auto digit = static_cast<uint64_t>(c - '0');
    if (value > (UINT64_MAX - digit) / 10) return std::nullopt;
    value = value * 10 + digit;
  }
  return value;
}

// DecimalText holds the decimal form of a number: DecimalText(42).view() is "42".
class DecimalText {
 public:
  explicit DecimalText(uint64_t value) {
    size_ = static_cast<size_t>(std::to_chars(text_, text_ + sizeof(text_), value).ptr - text_);
  }
  explicit DecimalText(int64_t value) {
    size_ = static_cast<size_t>(std::to_chars(text_, text_ + sizeof(text_), value).ptr - text_);
  }
  std::string_view view() const { return {text_, size_}; }

 private:
  char text_[20];
  size_t size_;
};

// write_hex writes `bytes` as lower-case hexadecimal to `out`, which has room for twice as many.
inline void write_hex(std::span<const uint8_t> bytes, char* out) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (const uint8_t byte : bytes) {
    *out++ = kDigits[byte >> 4U];
    *out++ = kDigits[byte & 15U];
  }
}

}  // namespace flexd
