// h1_scan.hpp: byte classes and the scans that the HTTP/1.x parsers spend their time in.
//
// Each scan has two forms that answer the same: 16 bytes at a time with SSE2, which every x86-64
// has, and byte by byte. The second is also the tail of the first: no scan reads past `end`.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "flexd/base/ascii.hpp"

namespace flexd::http::scan {

enum Class : uint8_t {
  kToken = 1,      // tchar, RFC 9110 5.6.2
  kFieldName = 2,  // tchar but "_"
  kPath = 4,       // pchar or "/", RFC 3986 3.3; "%" is not among them
  kHost = 8,       // letters, digits, "-", ".", "_"
  kTarget = 16,    // visible ASCII but "#"
  kHex = 32,
  kValue = 64,  // field-vchar, SP or HTAB, RFC 9110 5.5
};

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

constexpr bool is_alnum(char c) {
  return is_digit(c) || is_alpha(c);
}

constexpr bool one_of(char c, const char* set) {
  for (; *set != 0; ++set) {
    if (*set == c) return true;
  }
  return false;
}

constexpr std::array<uint8_t, 256> make_classes() {
  std::array<uint8_t, 256> classes{};
  for (int i = 0; i < 256; ++i) {
    const char c = static_cast<char>(i);
    const bool token = is_alnum(c) || one_of(c, "!#$%&'*+-.^_`|~");
    const bool visible = i > 0x20 && i < 0x7f;
    int mask = 0;
    if (token) mask |= kToken;
    if (token && c != '_') mask |= kFieldName;
    if (is_alnum(c) || one_of(c, "-._~!$&'()*+,;=:@/")) mask |= kPath;
    if (is_alnum(c) || one_of(c, "-._")) mask |= kHost;
    if (visible && c != '#') mask |= kTarget;
    if (hex_value(c) >= 0) mask |= kHex;
    if (i >= 0x20 ? i != 0x7f : c == '\t') mask |= kValue;
    classes[static_cast<size_t>(i)] = static_cast<uint8_t>(mask);
  }
  return classes;
}

inline constexpr std::array<uint8_t, 256> kClasses = make_classes();

constexpr bool is(char c, Class wanted) {
  return (kClasses[static_cast<unsigned char>(c)] & wanted) != 0;
}

// skip_scalar returns the first byte from `at` that is not of the class, or `end`.
inline const char* skip_scalar(const char* at, const char* end, Class wanted) {
  while (at != end && is(*at, wanted)) ++at;
  return at;
}

#if defined(__SSE2__)

// first_set returns the index of the lowest bit of a mask that is not 0.
inline int first_set(int mask) {
  return __builtin_ctz(static_cast<unsigned>(mask));
}

// value_stops has a bit for each byte of 16 that is not of class kValue.
inline int value_stops(__m128i bytes) {
  const __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
  const __m128i tab = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\t'));
  const __m128i del = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f));
  return _mm_movemask_epi8(_mm_or_si128(_mm_andnot_si128(tab, low), del));
}

// name_stops has a bit for each byte of 16 that is not a letter, a digit or "-". It may stop at a
// byte that a name can have; it never passes one that it cannot.
inline int name_stops(__m128i bytes) {
  const __m128i lower = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
  const __m128i letter = _mm_and_si128(_mm_cmpgt_epi8(lower, _mm_set1_epi8('a' - 1)),
                                       _mm_cmplt_epi8(lower, _mm_set1_epi8('z' + 1)));
  const __m128i digit = _mm_and_si128(_mm_cmpgt_epi8(bytes, _mm_set1_epi8('0' - 1)),
                                      _mm_cmplt_epi8(bytes, _mm_set1_epi8('9' + 1)));
  const __m128i dash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('-'));
  return _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(letter, digit), dash)) ^ 0xffff;
}

// target_stops has a bit for each byte of 16 that is not of class kTarget. The compare is signed,
// so bytes from 0x80 on count as below 0x21.
inline int target_stops(__m128i bytes) {
  const __m128i visible = _mm_cmpgt_epi8(bytes, _mm_set1_epi8(0x20));
  const __m128i del = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f));
  const __m128i hash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('#'));
  return _mm_movemask_epi8(_mm_andnot_si128(_mm_or_si128(del, hash), visible)) ^ 0xffff;
}

inline __m128i load(const char* at) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
}

inline const char* skip_value(const char* at, const char* end) {
  for (; end - at >= 16; at += 16) {
    const int stops = value_stops(load(at));
    if (stops != 0) return at + first_set(stops);
  }
  return skip_scalar(at, end, kValue);
}

inline const char* skip_target(const char* at, const char* end) {
  for (; end - at >= 16; at += 16) {
    const int stops = target_stops(load(at));
    if (stops != 0) return at + first_set(stops);
  }
  return skip_scalar(at, end, kTarget);
}

inline const char* skip_name(const char* at, const char* end, Class wanted) {
  while (end - at >= 16) {
    const int stops = name_stops(load(at));
    if (stops != 0) {
      at += first_set(stops);
      if (*at == ':') return at;
      break;
    }
    at += 16;
  }
  return skip_scalar(at, end, wanted);
}

#else

inline const char* skip_value(const char* at, const char* end) {
  return skip_scalar(at, end, kValue);
}
inline const char* skip_target(const char* at, const char* end) {
  return skip_scalar(at, end, kTarget);
}
inline const char* skip_name(const char* at, const char* end, Class wanted) {
  return skip_scalar(at, end, wanted);
}

#endif

}  // namespace flexd::http::scan
