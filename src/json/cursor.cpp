#include "flexd/json/cursor.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <system_error>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace flexd::json {
namespace {

constexpr uint32_t kReplacement = 0xFFFD;

bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

// skip_space asks but one question where there is none, as nearly everywhere.
inline const char* skip_space(const char* at, const char* end) {
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

const char* skip_long_string(const char* at, const char* end) {
  const auto plain_run = best_kernels().plain_run;
  for (;;) {
    at = plain_run(at, end).stop;
    if (at == end) return nullptr;
    const char c = *at++;
    if (c == '"') return at;
    // The byte after a backslash ends nothing. A control character, in broken text, does neither.
    if (c == '\\' && at++ == end) return nullptr;
  }
}

// skip_string takes the byte after an opening quote and gives the one after the closing quote, or
// nullptr. Most strings are names and words of a few bytes, for which a call would cost more than
// the search.
inline const char* skip_string(const char* at, const char* end) {
#if defined(__SSE2__)
  if (end - at >= 16) {
    const uint32_t mask = quote_or_escape_mask(at);
    if (mask != 0 && at[__builtin_ctz(mask)] == '"') return at + __builtin_ctz(mask) + 1;
  }
#endif
  return skip_long_string(at, end);
}

// skip_container takes an opening bracket and gives the byte after its match, or nullptr. It counts
// brackets and does not compare their kinds.
inline const char* skip_container(const char* at, const char* end) {
  if (end - at >= 2 && (at[1] == '}' || at[1] == ']')) return at + 2;
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

// skip_value takes a value's first byte and gives the byte after the value, or nullptr.
const char* skip_value(const char* at, const char* end) {
  if (at == end) return nullptr;
  if (*at == '"') return skip_string(at + 1, end);
  if (*at == '{' || *at == '[') return skip_container(at, end);
  const char* begin = at;
  while (at != end && !kEndsWord[static_cast<uint8_t>(*at)]) ++at;
  return at == begin ? nullptr : at;
}

inline Value value_between(const char* begin, const char* end) {
  return {{begin, static_cast<size_t>(end - begin)}};
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
  const char* stop = skip_value(begin, end);
  return stop == nullptr ? Value{} : value_between(begin, stop);
}

Value Value::operator[](std::string_view name) const {
  Members members(*this);
  while (members.next()) {
    if (members.member().name.equals(name)) return members.member().value;
  }
  return {};
}

bool Value::equals(std::string_view word) const {
  if (text.size() < 2 || text.front() != '"') return false;
  std::string_view rest = contents();
  if (rest.size() < word.size()) return false;
  if (rest.size() == word.size()) return rest == word && word.find('\\') == word.npos;
  // Only escapes, which are longer than what they mean, can still make the two equal.
  size_t same = 0;
  while (same < word.size() && rest[same] == word[same] && rest[same] != '\\') ++same;
  if (rest[same] != '\\') return false;
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

Members::Members(Value object) {
  if (!object.is(Type::kObject)) return;
  at_ = object.text.data() + 1;
  end_ = object.text.data() + object.text.size();
}

bool Members::next() {
  const char* name = skip_space(at_, end_);
  at_ = end_;  // unless a whole member stands here, the walk is over
  if (member_.value.exists()) {
    if (name == end_ || *name != ',') return false;
    name = skip_space(name + 1, end_);
  }
  if (name == end_ || *name != '"') return false;
  const char* name_end = skip_string(name + 1, end_);
  if (name_end == nullptr) return false;
  const char* colon = skip_space(name_end, end_);
  if (colon == end_ || *colon != ':') return false;
  const char* value = skip_space(colon + 1, end_);
  const char* value_end = skip_value(value, end_);
  if (value_end == nullptr) return false;
  member_ = {.name = value_between(name, name_end), .value = value_between(value, value_end)};
  at_ = value_end;
  return true;
}

Elements::Elements(Value array) {
  if (!array.is(Type::kArray)) return;
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
  const char* value_end = skip_value(value, end_);
  if (value_end == nullptr) return false;
  element_ = value_between(value, value_end);
  at_ = value_end;
  return true;
}

size_t field_named(Value name, const Names& names) {
  const std::string_view raw = name.contents();
  const size_t field = names.field_of(raw);
  if (field < names.size() || raw.find('\\') == std::string_view::npos) return field;
  std::array<char, kNameBytesMax + 1> buffer;
  const auto unescaped = decode(name, buffer);
  return unescaped ? names.field_of(*unescaped) : names.size();
}

void members_of(Value object, const Names& names, std::span<Value> found) {
  FLEXD_ASSERT(found.size() >= names.size());
  std::fill(found.begin(), found.end(), Value{});
  for (const Member& member : Members(object)) {
    const size_t field = field_named(member.name, names);
    if (field < names.size() && !found[field].exists()) found[field] = member.value;
  }
}

}  // namespace flexd::json
