// text.hpp: the byte loops that every reader and writer of JSON text spends its time in.
//
// Each loop exists as portable code and, on x86-64, as SSE2 and AVX2 code chosen once at run time.
// The variants give equal answers on every input: tests and fuzz targets hold them to that.
// No variant reads outside [begin, end).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace flexd::json {

// PlainRun is the result of skipping bytes that stand for themselves in a JSON string.
struct PlainRun {
  const char* stop;  // the first quote, backslash or control character, or the end
  bool high;         // a byte >= 0x80 was passed, so the run is worth a UTF-8 check
};

// Nesting is where a walk over JSON text stands between two bytes.
struct Nesting {
  uint64_t depth = 0;  // arrays and objects open
  bool in_string = false;
  bool opened = false;   // the byte before opened this string
  bool escaped = false;  // the byte before escapes the next
};

// SkimFor is what a skim is after.
struct SkimFor {
  // Two beginnings of strings, not empty, without escapes.
  std::array<char, 4> first{};
  std::array<char, 4> second{};
  // floor is the depth at which a skim ends.
  uint64_t floor = 0;
};

enum class SkimStop : uint8_t {
  end,     // of the bytes given
  string,  // before the first byte of a string at depth 1 that begins with one of the two, as far
           // as the bytes given show
  closed,  // after the bracket that brought the depth down to the floor
  broken,  // a backslash outside of strings, or a bracket that closes more than there is to close
};

struct Skimmed {
  const char* stop;
  SkimStop why;
};

// TextKernels is one variant of the byte loops.
struct TextKernels {
  const char* name;
  // plain_run skips from `begin` to the first `"`, `\` or byte below 0x20.
  PlainRun (*plain_run)(const char* begin, const char* end);
  // utf8_valid tells whether the bytes are well-formed UTF-8 (RFC 3629).
  bool (*utf8_valid)(const char* begin, const char* end);
  // skip_container takes an opening bracket or brace and gives the byte after its match, or nullptr
  // if there is none. It counts brackets outside of strings and does not compare their kinds.
  const char* (*skip_container)(const char* begin, const char* end);
  // skim walks text that comes in pieces, counting brackets outside of strings (their kinds are not
  // compared), until it finds what it is after. `nesting` goes with `stop`: another skim from there
  // carries on.
  Skimmed (*skim)(const char* begin, const char* end, const SkimFor& what, Nesting& nesting);
};

// best_kernels is the fastest variant that this processor runs.
const TextKernels& best_kernels();
// supported_kernels lists every variant that this processor runs, the portable one first.
std::span<const TextKernels> supported_kernels();

// utf8_error_offset is where the first ill-formed UTF-8 sequence starts, or npos. Portable and
// slow.
size_t utf8_error_offset(std::string_view text);
// utf8_sequence_bytes is the length of the well-formed sequence at the front of `text`, or 0.
size_t utf8_sequence_bytes(std::string_view text);

}  // namespace flexd::json
