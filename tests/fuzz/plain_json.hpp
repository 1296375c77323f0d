// plain_json.hpp: says of a text whether it is JSON, byte by byte, as RFC 8259 puts it down.
//
// It shares no code with the JSON parser, which is held to it. Where the RFC leaves a choice it
// takes the parser's (flexd/json/finder.hpp): UTF-8 without a byte order mark, numbers of any size,
// halves of surrogate pairs by themselves, and no more than 128 brackets open at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace flexd::fuzz {

class PlainJson {
 public:
  explicit PlainJson(std::string_view text) : text_(text) {}

  // good is asked once.
  bool good() {
    skip_space();
    if (!value(0)) return false;
    skip_space();
    return at_ == text_.size();
  }

 private:
  // byte is the one at hand, or -1 at the end.
  int byte() const { return at_ < text_.size() ? static_cast<uint8_t>(text_[at_]) : -1; }
  bool take(char wanted) {
    if (byte() != wanted) return false;
    ++at_;
    return true;
  }
  bool take_word(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  void skip_space() {
    while (take(' ') || take('\t') || take('\n') || take('\r')) {
    }
  }

  bool value(size_t open) {
    if (byte() == '{') return container(open + 1, '{', '}');
    if (byte() == '[') return container(open + 1, '[', ']');
    if (byte() == '"') return string();
    return take_word("true") || take_word("false") || take_word("null") || number();
  }
  bool container(size_t open, char first, char last) {
    if (open > 128 || !take(first)) return false;
    skip_space();
    if (take(last)) return true;
    do {
      skip_space();
      if (first == '{' && !name()) return false;
      if (!value(open)) return false;
      skip_space();
    } while (take(','));
    return take(last);
  }
  bool name() {
    if (!string()) return false;
    skip_space();
    if (!take(':')) return false;
    skip_space();
    return true;
  }

  bool digits() {
    const size_t first = at_;
    while (byte() >= '0' && byte() <= '9') ++at_;
    return at_ > first;
  }
  bool number() {
    take('-');
    if (!take('0') && !digits()) return false;
    if (take('.') && !digits()) return false;
    if (!take('e') && !take('E')) return true;
    if (!take('+')) take('-');
    return digits();
  }

  bool string() {
    if (!take('"')) return false;
    while (!take('"')) {
      if (byte() < ' ') return false;  // or the end
      if (!(take('\\') ? escape() : character())) return false;
    }
    return true;
  }
  bool escape() {
    if (!take('u')) {
      constexpr std::string_view kLetters = "\"\\/bfnrt";
      const int letter = byte();
      ++at_;
      return letter >= 0 && kLetters.find(static_cast<char>(letter)) != std::string_view::npos;
    }
    for (int i = 0; i < 4; ++i, ++at_) {
      constexpr std::string_view kHex = "0123456789abcdefABCDEF";
      if (byte() < 0 || kHex.find(static_cast<char>(byte())) == std::string_view::npos) {
        return false;
      }
    }
    return true;
  }
  // character is one of UTF-8 (RFC 3629): no longer than needed, no surrogate, up to U+10FFFF.
  bool character() {
    const auto lead = static_cast<uint32_t>(byte());
    ++at_;
    if (lead < 0x80) return true;
    if (lead < 0xC0 || lead > 0xF7) return false;
    const int more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
    uint32_t point = lead & (0x3FU >> more);
    for (int i = 0; i < more; ++i, ++at_) {
      if (byte() < 0x80 || byte() > 0xBF) return false;
      point = point << 6U | (static_cast<uint32_t>(byte()) & 0x3FU);
    }
    constexpr uint32_t kLeast[] = {0, 0x80, 0x800, 0x10000};
    return point >= kLeast[more] && point <= 0x10FFFF && (point < 0xD800 || point > 0xDFFF);
  }

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace flexd::fuzz
