// blocks.hpp: JSON text by blocks of 64 bytes, for the AVX2 variants of the byte loops (text.hpp).
//
// A Marks has one bit for each byte of a block, the lowest for the first; strings and escapes are
// then a matter of arithmetic. G. Langdale, D. Lemire, "Parsing gigabytes of JSON per second",
// 2019.
#pragma once

#if defined(__x86_64__)
#include <immintrin.h>

#include <cstdint>

#define FLEXD_JSON_X86 1
#define FLEXD_JSON_AVX2 __attribute__((target("avx2,pclmul,popcnt")))

namespace flexd::json {

// Marks has a bit for each of 64 bytes that is one of those that a walk over a container heeds.
struct Marks {
  uint64_t quotes = 0;
  uint64_t slashes = 0;
  uint64_t opens = 0;
  uint64_t closes = 0;
};

FLEXD_JSON_AVX2 inline uint64_t equal_to(__m256i low, __m256i high, char c) {
  const __m256i wanted = _mm256_set1_epi8(c);
  const auto low_bits = static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(low, wanted)));
  const auto high_bits =
      static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(high, wanted)));
  return low_bits | uint64_t{high_bits} << 32U;
}

FLEXD_JSON_AVX2 inline Marks marks_of(const char* block) {
  const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(block));
  const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(block + 32));
  // A bracket and its brace differ in bit 5 only.
  const __m256i low_folded = _mm256_or_si256(low, _mm256_set1_epi8(0x20));
  const __m256i high_folded = _mm256_or_si256(high, _mm256_set1_epi8(0x20));
  return {.quotes = equal_to(low, high, '"'),
          .slashes = equal_to(low, high, '\\'),
          .opens = equal_to(low_folded, high_folded, '{'),
          .closes = equal_to(low_folded, high_folded, '}')};
}

// escaped_by marks the bytes behind an escaping backslash: every second one of a run escapes.
// `carry` is 1 if the first byte is escaped by the block before, and becomes that of the next.
inline uint64_t escaped_by(uint64_t slashes, uint64_t& carry) {
  constexpr uint64_t kOdd = 0xAAAA'AAAA'AAAA'AAAA;
  const uint64_t runs = (slashes & ~carry) << 1U | kOdd;
  const uint64_t codes = (runs - (slashes & ~carry)) ^ kOdd;
  const uint64_t escaped = codes ^ (slashes | carry);
  carry = (codes & slashes) >> 63U;
  return escaped;
}

// parity_below has a bit set if the number of bits set in `bits` at it and below is odd.
FLEXD_JSON_AVX2 inline uint64_t parity_below(uint64_t bits) {
  const __m128i product =
      _mm_clmulepi64_si128(_mm_cvtsi64_si128(static_cast<int64_t>(bits)), _mm_set1_epi8(-1), 0);
  return static_cast<uint64_t>(_mm_cvtsi128_si64(product));
}

inline uint64_t count(uint64_t bits) {
  return static_cast<uint64_t>(__builtin_popcountll(bits));
}

}  // namespace flexd::json

#endif
