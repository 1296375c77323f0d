#include "flexd/json/writer.hpp"

#include <algorithm>

namespace flexd::json {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

std::string_view escape_of(char c, std::array<char, 6>& space) {
  static constexpr std::string_view kBytes = "\"\\\b\f\n\r\t";
  static constexpr std::string_view kLetters = "\"\\bfnrt";
  static constexpr std::string_view kHex = "0123456789abcdef";
  const size_t index = kBytes.find(c);
  if (index != std::string_view::npos) {
    space = {'\\', kLetters[index]};
    return {space.data(), 2};
  }
  const auto byte = static_cast<uint8_t>(c);
  space = {'\\', 'u', '0', '0', kHex[byte >> 4U], kHex[byte & 0xFU]};
  return {space.data(), space.size()};
}

}  // namespace

EscapedPiece next_escaped_piece(std::string_view text, std::array<char, 6>& space) {
  // One look goes over a bounded window: text that is ill-formed at every byte stays linear.
  static constexpr size_t kWindowBytes = 1024;
  const TextKernels& kernels = best_kernels();
  const std::string_view window = text.substr(0, kWindowBytes);
  const char* begin = window.data();
  const PlainRun run = kernels.plain_run(begin, begin + window.size());
  const std::string_view plain(begin, static_cast<size_t>(run.stop - begin));
  if (run.high && !kernels.utf8_valid(begin, run.stop)) {
    const size_t good = utf8_error_offset(plain);
    // A sequence that only the window's end cuts in two is left for the next look.
    if (utf8_sequence_bytes(text.substr(good)) != 0) {
      return {.plain = plain.substr(0, good), .escape = {}, .taken = good};
    }
    return {.plain = plain.substr(0, good), .escape = kReplacement, .taken = good + 1};
  }
  if (plain.size() == window.size()) return {.plain = plain, .escape = {}, .taken = plain.size()};
  return {
      .plain = plain, .escape = escape_of(window[plain.size()], space), .taken = plain.size() + 1};
}

}  // namespace flexd::json
