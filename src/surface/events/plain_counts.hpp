// plain_counts.hpp: reads an object of counts the short way.
//
// Providers write usage as an object of numbers, some of them in objects one level down, without
// escapes and fractions. That is read here in one walk; all else is left to json::Members.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "flexd/json/text.hpp"

namespace flexd::surface {

// is compares with a literal, by its size and its bytes at once.
template <size_t kSize>
bool is(std::string_view text, const char (&word)[kSize]) {
  return text == std::string_view(word, kSize - 1);
}

// PlainCounts walks such an object and calls visit(outer, name, number) for each number; `outer` is
// the name of the object it stands in, empty for the outermost.
class PlainCounts {
 public:
  explicit PlainCounts(std::string_view object)
      : at_(object.data()), end_(object.data() + object.size()) {}

  // walk is false for an object of another kind; what was visited until then means nothing.
  template <typename Visit>
  bool walk(Visit&& visit) {
    return walk_object({}, visit);
  }
  // stop is behind the object, once `walk` has been true.
  const char* stop() const { return at_; }

 private:
  // take passes one byte, and the blanks before it, if it is `c`.
  bool take(char c) {
    const char* at = at_;
    while (at != end_ && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) ++at;
    const bool is_there = at != end_ && *at == c;
    at_ = at + (is_there ? 1 : 0);
    return is_there;
  }

  bool take_name(std::string_view& name) {
    if (!take('"')) return false;
    const char* const begin = at_;
    const char* const at = plain_run_(begin, end_).stop;
    if (at == end_ || *at != '"') return false;
    name = {begin, static_cast<size_t>(at - begin)};
    at_ = at + 1;
    return take(':');
  }

  bool take_number(uint64_t& number) {
    constexpr size_t kDigitsMax = 18;  // cannot overflow
    const char* at = at_;
    const char* const end = end_;
    while (at != end && *at == ' ') ++at;
    const char* const begin = at;
    uint64_t sum = 0;
    for (; at != end; ++at) {
      const auto digit = static_cast<unsigned>(*at - '0');
      if (digit > 9) break;
      sum = sum * 10 + digit;
    }
    at_ = at;
    number = sum;
    const auto digits = static_cast<size_t>(at - begin);
    if (digits == 0 || digits > kDigitsMax || at == end) return false;
    // No leading zero, fraction or exponent.
    return (*begin != '0' || digits == 1) && *at != '.' && *at != 'e' && *at != 'E';
  }

  template <typename Visit>
  bool walk_object(std::string_view outer, Visit& visit) {
    if (!take('{')) return false;
    do {
      std::string_view name;
      if (!take_name(name)) return false;
      uint64_t number = 0;
      if (take_number(number)) {
        if (!visit(outer, name, number)) return false;
      } else if (!outer.empty() || at_ == end_ || *at_ != '{' || !walk_object(name, visit)) {
        return false;
      }
    } while (take(','));
    return take('}');
  }

  const char* at_;
  const char* end_;
  decltype(json::TextKernels::plain_run) plain_run_ = json::best_kernels().plain_run;
};

}  // namespace flexd::surface
