#include "flexd/json/cursor.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <system_error>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define FLEXD_JSON_INLINE __attribute__((always_inline)) inline

namespace flexd::json {
namespace {

constexpr uint32_t kReplacement = 0xFFFD;

bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

// skip_space asks but one question where there is none, as nearly everywhere.
FLEXD_JSON_INLINE const char* skip_space(const char* at, const char* end) {
  if (at != end && static_cast<uint8_t>(*at) > ' ') return at;
  while (at != end && is_space(*at)) ++at;
  return at;
}

#if defined(__SSE2__)
// quote_or_escape_mask has a bit for each quote and backslash of 16 bytes.
inline uint32_t quote_or_escape_mask(const char* at) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
  const __m128i found = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                                     _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
  return static_cast<uint32_t>(_mm_movemask_epi8(found));
}
#endif

// known_end is what the outline knows of a value's end, if there is one.
inline const char* known_end(const char* at, const char* end, const Outline* outline) {
  if (outline == nullptr) return nullptr;
  const char* const known = outline->end_of(at);
  return known == nullptr || known > end ? nullptr : known;
}

const char* skip_long_string(const char* at, const char* end, const Outline* outline) {
#if defined(__SSE2__)
  if (end - at > 32 && quote_or_escape_mask(at + 1) == 0) {
    const uint32_t mask = quote_or_escape_mask(at + 17);
    if (mask != 0 && at[17 + __builtin_ctz(mask)] == '"') return at + 18 + __builtin_ctz(mask);
  }
#endif
  if (const char* const known = known_end(at, end, outline); known != nullptr) return known;
  const auto plain_run = best_kernels().plain_run;
  ++at;
  for (;;) {
    at = plain_run(at, end).stop;
    if (at == end) return nullptr;
    const char c = *at++;
    if (c == '"') return at;
    // The byte after a backslash ends nothing. A control character, in broken text, does neither.
    if (c == '\\' && at++ == end) return nullptr;
  }
}

// skip_string takes an opening quote and gives the byte after the closing one, or nullptr. Most
// strings are names and words of a few bytes, for which a call would cost more than the search.
FLEXD_JSON_INLINE const char* skip_string(const char* at, const char* end, const Outline* outline) {
#if defined(__SSE2__)
  if (end - at > 16) {
    const uint32_t mask = quote_or_escape_mask(at + 1);
    if (mask != 0 && at[1 + __builtin_ctz(mask)] == '"') return at + 2 + __builtin_ctz(mask);
  }
#endif
  return skip_long_string(at, end, outline);
}

// skip_container takes an opening bracket and gives the byte after its match, or nullptr. It counts
// brackets and does not compare their kinds.
const char* skip_container(const char* at, const char* end, const Outline* outline) {
  if (end - at >= 2 && (at[1] == '}' || at[1] == ']')) return at + 2;
  if (const char* const known = known_end(at, end, outline); known != nullptr) return known;
  return best_kernels().skip_container(at, end);
}

// kEndsWord says of each byte whether a number, `true`, `false` or `null` ends before it.
constexpr std::array<bool, 256> kEndsWord = [] {
  std::array<bool, 256> ends{};
  for (const char c : {' ', '\n', '\r', '\t', ',', ':', '"', '{', '}', '[', ']'}) {
    ends[static_cast<uint8_t>(c)] = true;
  }
  return ends;
}();

const char* skip_word(const char* at, const char* end) {
  const char* const begin = at;
  while (at != end && !kEndsWord[static_cast<uint8_t>(*at)]) ++at;
  return at == begin ? nullptr : at;
}

// skip_value takes a value's first byte and gives the byte after the value, or nullptr.
FLEXD_JSON_INLINE const char* skip_value(const char* at, const char* end, const Outline* outline) {
  if (at == end) return nullptr;
  if (*at == '"') return skip_string(at, end, outline);
  if (*at == '{' || *at == '[') return skip_container(at, end, outline);
  return skip_word(at, end);
}

inline Value value_between(const char* begin, const char* end) {
  return {{begin, static_cast<size_t>(end - begin)}};
}

// Text is what a walk has before it.
struct Text {
  const char* at;
  const char* end;
  const Outline* outline;
};

// read_member reads the next member of an object and the comma before it, unless it is the first;
// false if there is none, or it is not whole.
FLEXD_JSON_INLINE bool read_member(Text& text, bool first, Member& member) {
  const char* const end = text.end;
  const char* name = text.at;
  if (!first) {
    if (name != end && *name != ',') name = skip_space(name, end);
    if (name == end || *name != ',') return false;
    ++name;
  }
  name = skip_space(name, end);
  if (name == end || *name != '"') return false;
  const char* const name_end = skip_string(name, end, text.outline);
  if (name_end == nullptr) return false;
  const char* colon = name_end;
  if (colon != end && *colon != ':') colon = skip_space(colon, end);
  if (colon == end || *colon != ':') return false;
  const char* const value = skip_space(colon + 1, end);
  text.at = skip_value(value, end, text.outline);
  if (text.at == nullptr) return false;
  member = {.name = value_between(name, name_end), .value = value_between(value, text.at)};
  return true;
}

// text_in is the inside of a container that begins with `bracket`, up to its end and beyond; empty
// for other values.
FLEXD_JSON_INLINE Text text_in(Value container, char bracket, const Outline* outline) {
  const std::string_view text = container.text;
  if (!text.starts_with(bracket)) return {.at = nullptr, .end = nullptr, .outline = outline};
  return {.at = text.data() + 1, .end = text.data() + text.size(), .outline = outline};
}

std::optional<uint32_t> hex4(std::string_view digits) {
  if (digits.size() < 4 || !std::all_of(digits.begin(), digits.begin() + 4, is_hex_digit)) {
    return std::nullopt;
  }
  uint32_t unit = 0;
  const char* begin = digits.data();
  std::from_chars(begin, begin + 4, unit, 16);
  return unit;
}

size_t encode_utf8(uint32_t code, std::array<char, 4>& out) {
  const auto tail = [code](unsigned shift) {
    return static_cast<char>(0x80U | ((code >> shift) & 0x3FU));
  };
  if (code < 0x80) {
    out[0] = static_cast<char>(code);
    return 1;
  }
  if (code < 0x800) {
    out = {static_cast<char>(0xC0U | (code >> 6U)), tail(0)};
    return 2;
  }
  if (code < 0x10000) {
    out = {static_cast<char>(0xE0U | (code >> 12U)), tail(6), tail(0)};
    return 3;
  }
  out = {static_cast<char>(0xF0U | (code >> 18U)), tail(12), tail(6), tail(0)};
  return 4;
}

bool is_high_surrogate(uint32_t unit) {
  return (unit & 0xFC00U) == 0xD800U;
}
bool is_low_surrogate(uint32_t unit) {
  return (unit & 0xFC00U) == 0xDC00U;
}

// Unit is one escape, unescaped.
struct Unit {
  std::array<char, 4> bytes{};
  size_t size = 0;
};

// unescape_hex reads what follows `\u`, with the second half of a pair if there is one.
std::optional<Unit> unescape_hex(std::string_view& text) {
  const auto first = hex4(text);
  if (!first) return std::nullopt;
  text.remove_prefix(4);
  uint32_t code = *first;
  if (is_high_surrogate(code) && text.starts_with("\\u")) {
    const auto second = hex4(text.substr(2));
    if (second && is_low_surrogate(*second)) {
      code = 0x10000U + ((code - 0xD800U) << 10U) + (*second - 0xDC00U);
      text.remove_prefix(6);
    }
  }
  if (is_high_surrogate(code) || is_low_surrogate(code)) code = kReplacement;
  Unit unit;
  unit.size = encode_utf8(code, unit.bytes);
  return unit;
}

// unescape reads one escape from the front of `text`, which starts with a backslash.
std::optional<Unit> unescape(std::string_view& text) {
  if (text.size() < 2) return std::nullopt;
  const char letter = text[1];
  text.remove_prefix(2);
  if (letter == 'u') return unescape_hex(text);
  static constexpr std::string_view kLetters = "\"\\/bfnrt";
  static constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
  const size_t index = kLetters.find(letter);
  if (index == std::string_view::npos) return std::nullopt;
  return Unit{.bytes = {kMeanings[index]}, .size = 1};
}

// from_number converts the whole text or nothing.
template <typename Integer>
std::optional<Integer> from_number(Value value) {
  if (!value.is(Type::kNumber)) return std::nullopt;
  const std::string_view text = value.text;
  Integer number = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || stop != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

Value Value::front_of(std::string_view document) {
  const char* begin = document.data();
  const char* const end = begin + document.size();
  return value_between(skip_space(begin, end), end);
}

Value Value::value_in(std::string_view document) {
  const char* begin = document.data();
  const char* end = begin + document.size();
  begin = skip_space(begin, end);
  const char* stop = skip_value(begin, end, nullptr);
  return stop == nullptr ? Value{} : value_between(begin, stop);
}

Value Value::operator[](std::string_view name) const {
  return member_of(*this, name, nullptr);
}

// unescapes_to is equals for strings that are longer than the word. Only escapes, which are longer
// than what they mean, can still make the two equal.
bool Value::unescapes_to(std::string_view word) const {
  std::string_view rest = contents();
  size_t same = 0;
  while (same < word.size() && same < rest.size() && rest[same] == word[same] &&
         rest[same] != '\\') {
    ++same;
  }
  if (same >= rest.size() || rest[same] != '\\') return false;
  rest.remove_prefix(same);
  word.remove_prefix(same);
  while (!rest.empty()) {
    std::optional<Unit> unit;
    if (rest.front() == '\\') {
      unit = unescape(rest);
      if (!unit) return false;
    } else {
      unit = Unit{.bytes = {rest.front()}, .size = 1};
      rest.remove_prefix(1);
    }
    if (!word.starts_with(std::string_view(unit->bytes.data(), unit->size))) return false;
    word.remove_prefix(unit->size);
  }
  return word.empty();
}

std::optional<bool> Value::to_bool() const {
  if (text == "true") return true;
  if (text == "false") return false;
  return std::nullopt;
}

std::optional<int64_t> Value::to_int64() const {
  return from_number<int64_t>(*this);
}

std::optional<uint64_t> Value::to_uint64() const {
  return from_number<uint64_t>(*this);
}

std::optional<std::string_view> decode(Value string, std::span<char> buffer) {
  if (string.text.size() < 2 || string.text.front() != '"' || string.text.back() != '"') {
    return std::nullopt;
  }
  std::string_view rest = string.contents();
  size_t escape_at = rest.find('\\');
  if (escape_at == std::string_view::npos) return rest;
  size_t size = 0;
  const auto put = [&](std::string_view bytes) {
    if (bytes.size() > buffer.size() - size) return false;
    if (!bytes.empty()) std::memcpy(buffer.data() + size, bytes.data(), bytes.size());
    size += bytes.size();
    return true;
  };
  for (; escape_at != std::string_view::npos; escape_at = rest.find('\\')) {
    if (!put(rest.substr(0, escape_at))) return std::nullopt;
    rest.remove_prefix(escape_at);
    const auto unit = unescape(rest);
    if (!unit || !put({unit->bytes.data(), unit->size})) return std::nullopt;
  }
  if (!put(rest)) return std::nullopt;
  return std::string_view(buffer.data(), size);
}

Members::Members(Value object, const Outline* outline) : outline_(outline) {
  const Text inside = text_in(object, '{', outline);
  at_ = inside.at;
  end_ = inside.end;
}

bool Members::next() {
  Text text{.at = at_, .end = end_, .outline = outline_};
  at_ = end_;  // unless a whole member stands here, the walk is over
  if (!read_member(text, !member_.value.exists(), member_)) return false;
  at_ = text.at;
  return true;
}

Elements::Elements(Value array, const Outline* outline) : outline_(outline) {
  if (!array.text.starts_with('[')) return;
  at_ = array.text.data() + 1;
  end_ = array.text.data() + array.text.size();
}

bool Elements::next() {
  const char* value = skip_space(at_, end_);
  at_ = end_;
  if (element_.exists()) {
    if (value == end_ || *value != ',') return false;
    value = skip_space(value + 1, end_);
  }
  const char* value_end = skip_value(value, end_, outline_);
  if (value_end == nullptr) return false;
  element_ = value_between(value, value_end);
  at_ = value_end;
  return true;
}

Value member_of(Value object, std::string_view name, const Outline* outline) {
  Text text = text_in(object, '{', outline);
  Member member;
  for (bool first = true; read_member(text, first, member); first = false) {
    if (member.name.equals(name)) return member.value;
  }
  return {};
}

size_t field_named(Value name, const Names& names) {
  const std::string_view raw = name.contents();
  const size_t field = names.field_of(raw);
  if (field < names.size() || raw.find('\\') == std::string_view::npos) return field;
  std::array<char, kNameBytesMax + 1> buffer;
  const auto unescaped = decode(name, buffer);
  return unescaped ? names.field_of(*unescaped) : names.size();
}

FieldWalk::FieldWalk(Value object, const Names& names, std::span<Value> found,
                     const Outline* outline)
    : outline_(outline), names_(names), found_(found) {
  FLEXD_ASSERT(found.size() >= names.size());
  std::fill(found.begin(), found.end(), Value{});
  const Text inside = text_in(object, '{', outline);
  at_ = inside.at;
  end_ = inside.end;
}

bool FieldWalk::next() {
  Text text{.at = at_, .end = end_, .outline = outline_};
  Member member;
  at_ = end_;
  for (; read_member(text, first_, member); first_ = false) {
    const std::string_view name = member.name.text;
    field_ = names_.field_of({name.data() + 1, name.size() - 2});
    if (field_ == names_.size()) field_ = field_named(member.name, names_);
    const uint32_t bit = field_ < names_.size() ? uint32_t{1} << field_ : 0;
    if ((bit & ~seen_) == 0) {
      member_ = member;
      first_ = false;
      at_ = text.at;
      return true;
    }
    seen_ |= bit;
    found_[field_] = member.value;
  }
  return false;
}

void members_of(Value object, const Names& names, std::span<Value> found, const Outline* outline) {
  FieldWalk walk(object, names, found, outline);
  while (walk.next()) {
  }
}

}  // namespace flexd::json
