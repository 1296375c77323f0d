#include "skim.hpp"

#include <array>
#include <cstring>

namespace flexd::json {
namespace {

// begins compares as much of a beginning as the bytes given have.
bool begins(const char* at, const char* end, const std::array<char, 4>& beginning) {
  const auto left = static_cast<size_t>(end - at);
  if (left < beginning.size()) return std::memcmp(at, beginning.data(), left) == 0;
  return std::memcmp(at, beginning.data(), beginning.size()) == 0;
}

bool is_wanted(const char* at, const char* end, const SkimFor& what) {
  return begins(at, end, what.first) || begins(at, end, what.second);
}

}  // namespace

Skimmed skim_scalar(const char* begin, const char* end, const SkimFor& what, Nesting& nesting) {
  for (const char* at = begin; at != end; ++at) {
    const char c = *at;
    if (nesting.in_string) {
      const bool opened = nesting.opened;
      nesting.opened = false;
      if (opened && nesting.depth == 1 && is_wanted(at, end, what)) return {at, SkimStop::string};
      if (nesting.escaped) {
        nesting.escaped = false;
      } else if (c == '\\') {
        nesting.escaped = true;
      } else if (c == '"') {
        nesting.in_string = false;
      }
    } else if (c == '"') {
      nesting.in_string = nesting.opened = true;
    } else if (c == '{' || c == '[') {
      ++nesting.depth;
    } else if (c == '}' || c == ']') {
      if (nesting.depth <= what.floor) return {at, SkimStop::broken};
      if (--nesting.depth == what.floor) return {at + 1, SkimStop::closed};
    } else if (c == '\\') {
      return {at, SkimStop::broken};
    }
  }
  return {end, SkimStop::end};
}

#if FLEXD_JSON_X86

#define FLEXD_JSON_INLINE __attribute__((always_inline)) FLEXD_JSON_AVX2 inline

namespace {

// Walk is a skim on its way from block to block.
struct Walk {
  uint64_t depth;
  uint64_t in_string;  // all bits or none
  uint64_t opened;     // 1 if the byte before opened a string
  uint64_t carry;      // 1 if the byte before escapes the next

  void tell(Nesting& nesting) const {
    nesting = {
        .depth = depth, .in_string = in_string != 0, .opened = opened != 0, .escaped = carry != 0};
  }
};

// Brackets are those of a block outside of strings, by bits.
struct Brackets {
  uint64_t opens;
  uint64_t closes;
};

// below has the bits under `bit`, a power of two; all bits if it is 0.
uint64_t below(uint64_t bit) {
  return bit - 1;
}

FLEXD_JSON_AVX2 uint64_t depth_at(const Brackets& brackets, uint64_t bit, uint64_t depth) {
  return depth + count(brackets.opens & below(bit)) - count(brackets.closes & below(bit));
}

// find_closed is the bit of the first bracket that closes to the floor, or below it; 0 if none.
FLEXD_JSON_AVX2 uint64_t find_closed(const Brackets& brackets, uint64_t above_floor) {
  uint64_t closed = 0;
  for (uint64_t rest = brackets.closes; rest != 0; rest &= rest - 1) {
    const uint64_t bit = rest & (0U - rest);
    if (above_floor + count(brackets.opens & below(bit)) <= ++closed) return bit;
  }
  return 0;
}

// step takes the block of `size` bytes at `at`, of which `bytes` has 64, filled up with blanks,
// which change nothing. nullptr as the result's `stop` says to go on. Broken text is left to the
// portable variant, from the beginning of the block.
FLEXD_JSON_INLINE Skimmed step(const char* bytes, const char* at, const char* end, size_t size,
                               const SkimFor& what, Walk& walk) {
  constexpr Skimmed kOn{nullptr, SkimStop::end};
  constexpr Skimmed kBroken{nullptr, SkimStop::broken};
  const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes));
  const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes + 32));
  uint64_t quotes = equal_to(low, high, '"');
  const uint64_t slashes = equal_to(low, high, '\\');
  // Most of an answer is inside of long strings.
  if ((quotes | slashes | walk.opened | ~walk.in_string) == 0) {
    walk.carry = 0;
    return kOn;
  }
  uint64_t carry = 0;
  if ((slashes | walk.carry) != 0) {
    carry = walk.carry;
    const uint64_t escaped = escaped_by(slashes, carry);
    if (size < 64) carry = escaped >> size & 1U;
    quotes &= ~escaped;
  }
  const uint64_t string = parity_below(quotes) ^ walk.in_string;
  if ((slashes & ~string) != 0) return kBroken;
  // A bracket and its brace differ in bit 5 only.
  const __m256i fold = _mm256_set1_epi8(0x20);
  const __m256i folded_low = _mm256_or_si256(low, fold);
  const __m256i folded_high = _mm256_or_si256(high, fold);
  const Brackets brackets{.opens = equal_to(folded_low, folded_high, '{') & ~string,
                          .closes = equal_to(folded_low, folded_high, '}') & ~string};
  const uint64_t close_count = count(brackets.closes);
  const uint64_t above_floor = walk.depth - what.floor;
  const uint64_t closed = close_count >= above_floor ? find_closed(brackets, above_floor) : 0;
  const uint64_t opening = quotes & string;
  uint64_t starts = (opening << 1U | walk.opened) & below(closed);
  // Where everything is deeper than 1, no string can be wanted.
  if (walk.depth <= close_count + 1 && starts != 0) {
    starts &= equal_to(low, high, what.first[0]) | equal_to(low, high, what.second[0]);
    for (; starts != 0; starts &= starts - 1) {
      const char* const place = at + __builtin_ctzll(starts);
      if (depth_at(brackets, starts & (0U - starts), walk.depth) != 1) continue;
      if (!is_wanted(place, end, what)) continue;
      walk = {.depth = 1, .in_string = ~uint64_t{0}, .opened = 0, .carry = 0};
      return {place, SkimStop::string};
    }
  }
  if (closed != 0) {
    if (depth_at(brackets, closed, walk.depth) == what.floor) return kBroken;
    walk = {.depth = what.floor, .in_string = 0, .opened = 0, .carry = 0};
    return {at + __builtin_ctzll(closed) + 1, SkimStop::closed};
  }
  walk.depth += count(brackets.opens) - close_count;
  walk.in_string = 0U - (string >> 63U);
  walk.opened = opening >> (size - 1) & 1U;
  walk.carry = carry;
  return kOn;
}

}  // namespace

FLEXD_JSON_AVX2 Skimmed skim_avx2(const char* begin, const char* end, const SkimFor& what,
                                  Nesting& nesting) {
  Walk walk{.depth = nesting.depth,
            .in_string = 0U - uint64_t{nesting.in_string},
            .opened = uint64_t{nesting.opened},
            .carry = uint64_t{nesting.escaped}};
  const char* at = begin;
  Skimmed stopped{end, SkimStop::end};
  for (; end - at >= 64; at += 64) {
    stopped = step(at, at, end, 64, what, walk);
    if (stopped.why != SkimStop::end) break;
  }
  if (stopped.why == SkimStop::end && at != end) {
    const auto left = static_cast<size_t>(end - at);
    std::array<char, 64> tail;
    tail.fill(' ');
    std::memcpy(tail.data(), at, left);
    stopped = step(tail.data(), at, end, left, what, walk);
  }
  walk.tell(nesting);
  if (stopped.why == SkimStop::broken) return skim_scalar(at, end, what, nesting);
  return stopped.why == SkimStop::end ? Skimmed{end, SkimStop::end} : stopped;
}

#undef FLEXD_JSON_INLINE

#endif

}  // namespace flexd::json
