// h1_fields.hpp: what request and response heads of HTTP/1.x have in common: lines, fields,
// framing.
//
// Every reader goes strictly from left to right and looks at no byte beyond the first that breaks a
// rule. So for each prefix of a head the verdict is `incomplete` until the byte that settles it,
// and the same from there on: pieces and the whole cannot disagree.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "flexd/http/h1_parser.hpp"
#include "flexd/http/message.hpp"
#include "h1_scan.hpp"

namespace flexd::http {

// Cursor is what is left to read.
struct Cursor {
  const char* at;
  const char* end;

  bool empty() const { return at == end; }
  size_t left() const { return static_cast<size_t>(end - at); }
};

// FieldFacts is what the fields said about host, framing, connection and expectation.
struct FieldFacts {
  std::string_view host;
  uint64_t content_length = 0;
  bool has_host = false;
  bool has_length = false;
  bool has_coding = false;
  bool coding_chunked = false;
  bool connection_close = false;
  bool connection_keep_alive = false;
  bool expect_continue = false;
  bool expect_other = false;
};

enum class Side : uint8_t { request, response };

// can_skip_parse says that bytes added since `scanned` cannot have settled an unfinished head.
[[nodiscard]] bool can_skip_parse(std::string_view bytes, size_t scanned);

// read_line_end takes CRLF. The byte at the cursor, if any, must be CR or LF.
[[nodiscard]] H1Verdict read_line_end(Cursor& cursor);

// read_version takes "HTTP/d.d"; `supported` says whether it is 1.0 or 1.1.
[[nodiscard]] H1Verdict read_version(Cursor& cursor, H1Verdict malformed, Version& version,
                                     bool& supported);

// read_first_line runs `read` on a window of the line limit and reports line_too_long if that is
// not enough.
template <typename Read>
[[nodiscard]] H1Verdict read_first_line(Cursor& cursor, Read&& read) {
  constexpr size_t kWindow = kRequestLineMax + 2;
  const bool cut = cursor.left() >= kWindow;
  Cursor window{cursor.at, cut ? cursor.at + kWindow : cursor.end};
  const H1Verdict verdict = read(window);
  cursor.at = window.at;
  return cut && verdict == H1Verdict::incomplete ? H1Verdict::line_too_long : verdict;
}

// read_fields takes the field lines and the empty line after them.
[[nodiscard]] H1Verdict read_fields(Cursor& cursor, Side side, FieldList& fields,
                                    FieldFacts& facts);

// check_framing judges Content-Length and Transfer-Encoding together (RFC 9112 6.1).
[[nodiscard]] H1Verdict check_framing(const FieldFacts& facts, Version version);

// keeps_alive applies RFC 9112 9.3.
[[nodiscard]] bool keeps_alive(const FieldFacts& facts, Version version);

}  // namespace flexd::http
