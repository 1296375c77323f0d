// ascii.hpp: text without a locale: letters, numbers, trimming.
#pragma once

#include <charconv>
#include <cstdint>
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

// iequals compares without regard to the case of ASCII letters.
constexpr bool iequals(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); i++) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

// istarts_with tells if `text` begins with `prefix`, without regard to case.
constexpr bool istarts_with(std::string_view text, std::string_view prefix) {
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
