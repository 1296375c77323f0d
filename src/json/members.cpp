#include "members.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "flexd/json/cursor.hpp"

namespace flexd::json {

// A walk member by member is the portable way, and members_of (cursor.cpp) falls back on it.
const char* find_members_scalar(const char* /*begin*/, const char* /*end*/, const Names& /*names*/,
                                Value* /*found*/) {
  return nullptr;
}

#if FLEXD_JSON_X86

#define FLEXD_JSON_INLINE __attribute__((always_inline)) FLEXD_JSON_AVX2 inline

namespace {

bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

// is_plain_block: 64 bytes without a quote or a backslash.
FLEXD_JSON_INLINE bool is_plain_block(const char* at) {
  const __m256i quote = _mm256_set1_epi8('"');
  const __m256i slash = _mm256_set1_epi8('\\');
  const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
  const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at + 32));
  const __m256i quotes =
      _mm256_or_si256(_mm256_cmpeq_epi8(low, quote), _mm256_cmpeq_epi8(high, quote));
  const __m256i slashes =
      _mm256_or_si256(_mm256_cmpeq_epi8(low, slash), _mm256_cmpeq_epi8(high, slash));
  const __m256i marks = _mm256_or_si256(quotes, slashes);
  return _mm256_testz_si256(marks, marks) != 0;
}

// MemberFinder takes an object block by block. Of what stands deeper than its members nothing is
// looked at but brackets and quotes, and of the members nothing but colons and what ends a value
// that is wanted.
class MemberFinder {
 public:
  MemberFinder(const char* begin, const Names& names, Value* found)
      : names_(names), found_(found), last_quote_(begin) {}

  enum class Step : uint8_t { on, whole, unsure };

  bool in_string() const { return in_string_ != 0 && carry_ == 0; }
  // stop is the byte behind the object, after Step::whole.
  const char* stop() const { return stop_; }

  // take reads the 64 bytes at `bytes`, which stand, as far as they are the object's, at `at`.
  FLEXD_JSON_INLINE Step take(const char* bytes, const char* at) {
    const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes));
    const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes + 32));
    uint64_t quotes = equal_to(low, high, '"');
    const uint64_t slashes = equal_to(low, high, '\\');
    if ((slashes | carry_) != 0) {
      quotes &= ~escaped_by(slashes, carry_);
      escapes_ = true;
    }
    const uint64_t string = parity_below(quotes) ^ in_string_;
    if ((slashes & ~string) != 0) return Step::unsure;
    in_string_ = 0U - (string >> 63U);
    // A bracket and its brace differ in bit 5 only.
    const __m256i fold = _mm256_set1_epi8(0x20);
    const __m256i folded_low = _mm256_or_si256(low, fold);
    const __m256i folded_high = _mm256_or_si256(high, fold);
    const uint64_t opens = equal_to(folded_low, folded_high, '{') & ~string;
    const uint64_t closes = equal_to(folded_low, folded_high, '}') & ~string;
    if (depth_ > count(closes) + 1) {
      depth_ += count(opens) - count(closes);
      return Step::on;
    }
    uint64_t last = 0;
    const uint64_t here =
        opens == 0 && closes == 0 ? ~uint64_t{0} : members_in(opens, closes, last);
    const uint64_t stops = (equal_to(low, high, ',') & ~string & here) | last;
    const uint64_t colons = equal_to(low, high, ':') & ~string & here;
    comma_count_ += count(stops);
    colon_count_ += count(colons);
    const uint64_t opening = quotes & string;
    if (wanted_ != nullptr && stops != 0 && !end_value(at + std::countr_zero(stops))) {
      return Step::unsure;
    }
    if (!take_colons(at, colons, opening, stops)) return Step::unsure;
    if (opening != 0) last_quote_ = at + 63 - std::countl_zero(opening);
    if (last == 0) return Step::on;
    stop_ = at + std::countr_zero(last) + 1;
    return is_end() ? Step::whole : Step::unsure;
  }

 private:
  // members_in has the bits of a block that are in the object and in nothing deeper. `last` becomes
  // the bit of the bracket that ends the object, if it is in the block.
  FLEXD_JSON_INLINE uint64_t members_in(uint64_t opens, uint64_t closes, uint64_t& last) {
    uint64_t here = 0;
    uint64_t before = 0;  // all bits up to where the object's own bytes begin (again)
    for (uint64_t rest = opens | closes; rest != 0; rest &= rest - 1) {
      const uint64_t bit = rest & (0U - rest);
      if ((opens & bit) != 0) {
        if (depth_ == 1) here |= (bit - 1) & ~before;
        if (++depth_ == 1) before = bit | (bit - 1);
      } else {
        --depth_;
        if (depth_ == 1) before = bit | (bit - 1);
        if (depth_ == 0) {
          last = bit;
          return here | ((bit - 1) & ~before);
        }
      }
    }
    return depth_ == 1 ? here | ~before : here;
  }

  // take_colons reads the name before each colon, and notes the value behind it if it is wanted.
  FLEXD_JSON_INLINE bool take_colons(const char* at, uint64_t colons, uint64_t opening,
                                     uint64_t stops) {
    for (; colons != 0; colons &= colons - 1) {
      const uint64_t bit = colons & (0U - colons);
      const uint64_t before = opening & (bit - 1);
      const char* const quote = before != 0 ? at + 63 - std::countl_zero(before) : last_quote_;
      const char* const colon = at + std::countr_zero(colons);
      const char* quote_end = colon - 1;
      while (quote_end > quote && is_space(*quote_end)) --quote_end;
      if (quote_end == quote || *quote_end != '"' || wanted_ != nullptr) return false;
      size_t field = names_.field_of({quote + 1, static_cast<size_t>(quote_end - quote - 1)});
      if (field == names_.size()) {
        if (!escapes_) continue;
        field = field_named({{quote, static_cast<size_t>(quote_end + 1 - quote)}}, names_);
        if (field == names_.size()) continue;
      }
      if (found_[field].exists()) continue;
      wanted_ = &found_[field];
      value_ = colon + 1;
      const uint64_t behind = stops & ~(bit - 1);
      if (behind != 0 && !end_value(at + std::countr_zero(behind))) return false;
    }
    return true;
  }

  // end_value takes the comma or bracket behind a value that is wanted.
  FLEXD_JSON_INLINE bool end_value(const char* stop) {
    const char* first = value_;
    while (first < stop && is_space(*first)) ++first;
    while (stop > first && is_space(stop[-1])) --stop;
    *wanted_ = {{first, static_cast<size_t>(stop - first)}};
    wanted_ = nullptr;
    return first != stop;
  }

  // is_end: the bracket is of the right kind, and every member had its colon. The bracket stands
  // for the last comma, also in an empty object.
  bool is_end() const {
    return stop_[-1] == '}' && comma_count_ == std::max<uint64_t>(colon_count_, 1);
  }

  const Names& names_;
  Value* const found_;
  uint64_t in_string_ = 0;  // all bits or none
  uint64_t carry_ = 0;      // 1 if the block before escapes the first byte
  uint64_t depth_ = 0;
  uint64_t colon_count_ = 0;
  uint64_t comma_count_ = 0;
  const char* last_quote_;   // that opened a string
  Value* wanted_ = nullptr;  // that is to become the value behind value_
  const char* value_ = nullptr;
  const char* stop_ = nullptr;
  bool escapes_ = false;
};

}  // namespace

FLEXD_JSON_AVX2 const char* find_members_avx2(const char* begin, const char* end,
                                              const Names& names, Value* found) {
  using Step = MemberFinder::Step;
  MemberFinder finder(begin, names, found);
  const char* at = begin;
  for (; end - at >= 64; at += 64) {
    // Most of an answer is inside of long strings.
    if (finder.in_string() && is_plain_block(at)) continue;
    const Step step = finder.take(at, at);
    if (step != Step::on) return step == Step::whole ? finder.stop() : nullptr;
  }
  if (at == end) return nullptr;
  std::array<char, 64> tail;
  tail.fill(' ');
  std::memcpy(tail.data(), at, static_cast<size_t>(end - at));
  return finder.take(tail.data(), at) == Step::whole ? finder.stop() : nullptr;
}

#undef FLEXD_JSON_INLINE

#endif

}  // namespace flexd::json
