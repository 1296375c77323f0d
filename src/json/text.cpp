#include "flexd/json/text.hpp"

#include <array>
#include <cstdint>
#include <cstring>

#include "blocks.hpp"
#include "skim.hpp"

namespace flexd::json {
namespace {

bool is_plain(char c) {
  return static_cast<uint8_t>(c) >= 0x20 && c != '"' && c != '\\';
}

PlainRun plain_run_scalar(const char* begin, const char* end) {
  uint8_t seen = 0;
  const char* at = begin;
  for (; at != end && is_plain(*at); ++at) seen |= static_cast<uint8_t>(*at);
  return {at, seen >= 0x80};
}

bool utf8_valid_scalar(const char* begin, const char* end) {
  return utf8_error_offset({begin, static_cast<size_t>(end - begin)}) == std::string_view::npos;
}

const char* skip_container_scalar(const char* begin, const char* end) {
  size_t depth = 0;
  bool in_string = false;
  for (const char* at = begin; at != end; ++at) {
    const char c = *at;
    if (in_string) {
      in_string = c != '"';
      // The byte after a backslash ends nothing.
      if (c == '\\' && ++at == end) return nullptr;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if ((c == '}' || c == ']') && --depth == 0) {
      return at + 1;
    }
  }
  return nullptr;
}

#if FLEXD_JSON_X86

// bits_below has the bits under the lowest bit of `mask` set.
uint32_t bits_below(uint32_t mask) {
  return (mask & (0U - mask)) - 1U;
}

struct Masks {
  uint32_t stop;
  uint32_t high;
};

inline Masks masks16(__m128i bytes) {
  const __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
  const __m128i slash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
  const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1F)), bytes);
  const __m128i stop = _mm_or_si128(_mm_or_si128(quote, slash), control);
  return {static_cast<uint32_t>(_mm_movemask_epi8(stop)),
          static_cast<uint32_t>(_mm_movemask_epi8(bytes))};
}

PlainRun plain_run_sse2(const char* begin, const char* end) {
  uint32_t high = 0;
  const char* at = begin;
  for (; end - at >= 16; at += 16) {
    const Masks masks = masks16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)));
    if (masks.stop != 0) {
      high |= masks.high & bits_below(masks.stop);
      return {at + __builtin_ctz(masks.stop), high != 0};
    }
    high |= masks.high;
  }
  const PlainRun tail = plain_run_scalar(at, end);
  return {tail.stop, tail.high || high != 0};
}

__attribute__((target("avx2"))) inline Masks masks32(__m256i bytes) {
  const __m256i quote = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('"'));
  const __m256i slash = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('\\'));
  const __m256i control = _mm256_cmpeq_epi8(_mm256_min_epu8(bytes, _mm256_set1_epi8(0x1F)), bytes);
  const __m256i stop = _mm256_or_si256(_mm256_or_si256(quote, slash), control);
  return {static_cast<uint32_t>(_mm256_movemask_epi8(stop)),
          static_cast<uint32_t>(_mm256_movemask_epi8(bytes))};
}

__attribute__((target("avx2"))) PlainRun plain_run_avx2(const char* begin, const char* end) {
  uint32_t high = 0;
  const char* at = begin;
  for (; end - at >= 32; at += 32) {
    const Masks masks = masks32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)));
    if (masks.stop != 0) {
      high |= masks.high & bits_below(masks.stop);
      return {at + __builtin_ctz(masks.stop), high != 0};
    }
    high |= masks.high;
  }
  const PlainRun tail = plain_run_sse2(at, end);
  return {tail.stop, tail.high || high != 0};
}

// The UTF-8 check looks every pair of neighboring bytes up in three tables of sixteen: what the
// first byte's high half, its low half and the second byte's high half allow to be wrong. Only a
// real error is in all three. J. Keiser, D. Lemire, "Validating UTF-8 in less than one instruction
// per byte", 2021.
enum : uint8_t {
  kTooShort = 1U << 0U,
  kTooLong = 1U << 1U,
  kOverlong3 = 1U << 2U,
  kTooLarge = 1U << 3U,
  kSurrogate = 1U << 4U,
  kOverlong2 = 1U << 5U,
  kOverlong4 = 1U << 6U,
  kTooLarge1000 = 1U << 6U,
  kTwoTails = 1U << 7U,
  kCarry = kTooShort | kTooLong | kTwoTails,
};

// Each table stands twice: AVX2 looks up within halves of sixteen bytes.
using Table = std::array<uint8_t, 32>;

constexpr Table twice(std::array<uint8_t, 16> half) {
  Table table{};
  for (size_t i = 0; i < table.size(); ++i) table[i] = half[i % half.size()];
  return table;
}

constexpr uint8_t kLarge = kCarry | kTooLarge | kTooLarge1000;
constexpr uint8_t kTail = kTooLong | kOverlong2 | kTwoTails;
alignas(32) constexpr Table kFirstHigh = twice({kTooLong, kTooLong, kTooLong, kTooLong, kTooLong,
                                                kTooLong, kTooLong, kTooLong, kTwoTails, kTwoTails,
                                                kTwoTails, kTwoTails, kTooShort | kOverlong2,
                                                kTooShort, kTooShort | kOverlong3 | kSurrogate,
                                                kTooShort | kTooLarge | kTooLarge1000});
alignas(32) constexpr Table kFirstLow = twice({kCarry | kOverlong3 | kOverlong2 | kOverlong4,
                                               kCarry | kOverlong2, kCarry, kCarry,
                                               kCarry | kTooLarge, kLarge, kLarge, kLarge, kLarge,
                                               kLarge, kLarge, kLarge, kLarge, kLarge | kSurrogate,
                                               kLarge, kLarge});
alignas(32) constexpr Table kSecondHigh =
    twice({kTooShort, kTooShort, kTooShort, kTooShort, kTooShort, kTooShort, kTooShort, kTooShort,
           kTail | kOverlong3 | kTooLarge1000, kTail | kOverlong3 | kTooLarge,
           kTail | kSurrogate | kTooLarge, kTail | kSurrogate | kTooLarge, kTooShort, kTooShort,
           kTooShort, kTooShort});

__attribute__((target("avx2"))) inline __m256i look_up(const Table& table, __m256i nibbles) {
  const __m256i rows = _mm256_load_si256(reinterpret_cast<const __m256i*>(table.data()));
  return _mm256_shuffle_epi8(rows, nibbles);
}

// shifted is the input moved up by N bytes, with the last N bytes of the block before it in front.
template <int N>
__attribute__((target("avx2"))) inline __m256i shifted(__m256i input, __m256i before) {
  return _mm256_alignr_epi8(input, _mm256_permute2x128_si256(before, input, 0x21), 16 - N);
}

__attribute__((target("avx2"))) inline __m256i utf8_errors(__m256i input, __m256i before) {
  const __m256i low_half = _mm256_set1_epi8(0x0F);
  const __m256i first = shifted<1>(input, before);
  const __m256i first_high = _mm256_and_si256(_mm256_srli_epi16(first, 4), low_half);
  const __m256i input_high = _mm256_and_si256(_mm256_srli_epi16(input, 4), low_half);
  const __m256i pair =
      _mm256_and_si256(_mm256_and_si256(look_up(kFirstHigh, first_high),
                                        look_up(kFirstLow, _mm256_and_si256(first, low_half))),
                       look_up(kSecondHigh, input_high));
  const __m256i third = _mm256_subs_epu8(shifted<2>(input, before), _mm256_set1_epi8(0xE0 - 0x80));
  const __m256i fourth = _mm256_subs_epu8(shifted<3>(input, before), _mm256_set1_epi8(0xF0 - 0x80));
  const __m256i tails =
      _mm256_and_si256(_mm256_or_si256(third, fourth), _mm256_set1_epi8(static_cast<char>(0x80)));
  return _mm256_xor_si256(tails, pair);
}

__attribute__((target("avx2"))) bool utf8_valid_avx2(const char* begin, const char* end) {
  __m256i before = _mm256_setzero_si256();
  __m256i errors = _mm256_setzero_si256();
  const char* at = begin;
  for (; end - at >= 32; at += 32) {
    const __m256i input = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
    errors = _mm256_or_si256(errors, utf8_errors(input, before));
    before = input;
  }
  // The zeros after the last byte show a sequence that was cut off.
  alignas(32) std::array<char, 32> tail{};
  if (at != end) std::memcpy(tail.data(), at, static_cast<size_t>(end - at));
  const __m256i input = _mm256_load_si256(reinterpret_cast<const __m256i*>(tail.data()));
  errors = _mm256_or_si256(errors, utf8_errors(input, before));
  return _mm256_testz_si256(errors, errors) != 0;
}

FLEXD_JSON_AVX2 const char* skip_container_avx2(const char* begin, const char* end) {
  uint64_t depth = 0;
  uint64_t in_string = 0;  // all bits: the block before ended in a string
  uint64_t carry = 0;
  for (const char* at = begin; at < end; at += 64) {
    std::array<char, 64> tail;
    const char* block = at;
    if (end - at < 64) {
      tail.fill(' ');
      std::memcpy(tail.data(), at, static_cast<size_t>(end - at));
      block = tail.data();
    }
    const Marks marks = marks_of(block);
    uint64_t quotes = marks.quotes;
    if ((quotes | marks.slashes | carry | ~in_string) == 0) continue;
    if ((marks.slashes | carry) != 0) quotes &= ~escaped_by(marks.slashes, carry);
    const uint64_t string = parity_below(quotes) ^ in_string;
    // A backslash outside of strings escapes nothing. Only broken text has one.
    if ((marks.slashes & ~string) != 0) return skip_container_scalar(begin, end);
    in_string = 0U - (string >> 63U);
    const uint64_t opens = marks.opens & ~string;
    const uint64_t closes = marks.closes & ~string;
    if (count(closes) >= depth) {
      uint64_t closed = 0;
      for (uint64_t rest = closes; rest != 0; rest &= rest - 1) {
        if (depth + count(opens & (rest ^ (rest - 1))) == ++closed) {
          return at + __builtin_ctzll(rest) + 1;
        }
      }
    }
    depth += count(opens) - count(closes);
  }
  return nullptr;
}

#endif  // FLEXD_JSON_X86

constexpr std::array kKernels = {
    TextKernels{"scalar", plain_run_scalar, utf8_valid_scalar, skip_container_scalar, skim_scalar},
#if FLEXD_JSON_X86
    TextKernels{"sse2", plain_run_sse2, utf8_valid_scalar, skip_container_scalar, skim_scalar},
    TextKernels{"avx2", plain_run_avx2, utf8_valid_avx2, skip_container_avx2, skim_avx2},
#endif
};

size_t supported_count() {
#if FLEXD_JSON_X86
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("pclmul") != 0 &&
                    __builtin_cpu_supports("popcnt") != 0;
  return avx2 ? kKernels.size() : kKernels.size() - 1;
#else
  return kKernels.size();
#endif
}

const size_t kSupported = supported_count();

}  // namespace

// Before static initialization has come to this file the portable variant is the only one.
const TextKernels& best_kernels() {
  return kKernels[kSupported == 0 ? 0 : kSupported - 1];
}

std::span<const TextKernels> supported_kernels() {
  return {kKernels.data(), kSupported == 0 ? 1 : kSupported};
}

size_t utf8_sequence_bytes(std::string_view text) {
  if (text.empty()) return 0;
  const auto byte = [text](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  const size_t count = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (text.size() < count) return 0;
  // Only the second byte's range depends on the first (RFC 3629 section 4).
  const uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (byte(1) < low || byte(1) > high) return 0;
  for (size_t i = 2; i < count; ++i) {
    if ((byte(i) & 0xC0U) != 0x80) return 0;
  }
  return count;
}

size_t utf8_error_offset(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    const size_t count = utf8_sequence_bytes(text.substr(at));
    if (count == 0) return at;
    at += count;
  }
  return std::string_view::npos;
}

}  // namespace flexd::json
