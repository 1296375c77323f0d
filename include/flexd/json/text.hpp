// text.hpp: the byte loops that every reader and writer of JSON text spends its time in.
//
// Each loop exists as portable code and, on x86-64, as SSE2 and AVX2 code chosen once at run time.
// The variants give equal answers on every input: tests and fuzz targets hold them to that.
// No variant reads outside [begin, end).
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace flexd::json {

// PlainRun is the result of skipping bytes that stand for themselves in a JSON string.
struct PlainRun {
  const char* stop;  // the first quote, backslash or control character, or the end
  bool high;         // a byte >= 0x80 was passed, so the run is worth a UTF-8 check
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
