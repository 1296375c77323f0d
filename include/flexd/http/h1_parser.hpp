// h1_parser.hpp: strict HTTP/1.x head parsers (RFC 9112), for requests and for responses.
//
// One pass over a contiguous buffer, no callbacks, no allocation; the head's views point into the
// buffer. Whatever two implementations could read in two ways is refused: that is what request
// smuggling lives on. The cases are in tests/conformance/h1.tsv, a row a rule.
//
// A head in pieces: append what arrives to one buffer and call again with the whole of it and, in
// `scanned`, the size it had at the last call that answered `incomplete` (0 at first). Only when
// the new bytes hold a control character, or a limit is passed, is the head parsed again from its
// beginning: a client that sends byte by byte costs one scan of each byte, plus one parse a line,
// and lines are limited to kFieldsMax. The verdict does not depend on how the bytes were cut.
//
// After a refusal the end of the message is unknown: answer and close.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "flexd/http/message.hpp"

namespace flexd::http {

// kRequestLineMax bounds the request line or the status line, without its CRLF.
inline constexpr size_t kRequestLineMax = 8192;
// kHeadBytesMax bounds a head, from its first byte to the end of its empty line.
inline constexpr size_t kHeadBytesMax = 32768;

// H1Verdict is what a parser has found. Above `incomplete`, each is a refusal.
enum class H1Verdict : uint8_t {
  complete,
  incomplete,
  // The request line (RFC 9112 3).
  method_invalid,       // empty, or not a token
  method_refused,       // CONNECT or TRACE
  line_space,           // anything but single spaces between the three parts
  target_invalid,       // not origin-form, absolute-form or *; a fragment; a byte outside ASCII
  target_star,          // * with another method than OPTIONS
  target_host_differs,  // absolute-form whose authority is not that of Host
  version_invalid,      // missing, or not HTTP/digit.digit
  version_unsupported,  // well formed, but neither 1.0 nor 1.1
  line_too_long,        // over kRequestLineMax
  // The status line (RFC 9112 4).
  status_line_invalid,
  status_switching,  // 101: flexd never asks to switch protocols
  // Lines and fields (RFC 9112 2.2, 5).
  bare_cr,
  bare_lf,
  line_folded,   // a field line that begins with whitespace
  name_invalid,  // a byte that no name has, or no colon
  name_empty,
  name_underscore,  // "_" in a request: many back ends read it as "-"
  space_before_colon,
  value_invalid,    // a control character in a value
  too_many_fields,  // over kFieldsMax
  head_too_long,    // over kHeadBytesMax
  // Host (RFC 9112 3.2).
  host_missing,
  host_repeated,
  host_invalid,
  // Framing (RFC 9112 6).
  length_invalid,
  length_repeated,
  coding_repeated,
  coding_in_http10,
  coding_with_length,
  coding_unsupported,  // Transfer-Encoding is not exactly "chunked"
  // Expect (RFC 9110 10.1.1).
  expectation_unsupported,
  // Chunks (RFC 9112 7.1); h1_chunks.hpp.
  chunk_size_invalid,
  chunk_size_too_long,
  chunk_extension_invalid,
  chunk_extensions_too_long,
  chunk_end_missing,  // no CRLF after the data
  trailers_too_long,
  trailers_too_many,
};

// H1Refusal is the answer that a refusal of a request deserves. In a response from an origin every
// refusal is a broken origin.
enum class H1Refusal : uint8_t {
  malformed_request,       // 400
  expectation_failed,      // 417
  headers_too_large,       // 431
  coding_not_implemented,  // 501
  version_not_supported,   // 505
};

// refusal_of returns the answer to a verdict, which must be a refusal.
[[nodiscard]] H1Refusal refusal_of(H1Verdict verdict);
// status_of returns the status code of a refusal.
[[nodiscard]] unsigned status_of(H1Refusal refusal);
// verdict_phrase says of a refusal that is a malformed_request what is wrong, as a part of a
// sentence for the sender, at most 64 bytes.
[[nodiscard]] std::string_view verdict_phrase(H1Verdict verdict);
// verdict_name is the enumerator's name, for logs and tests.
[[nodiscard]] std::string_view verdict_name(H1Verdict verdict);

struct HeadResult {
  H1Verdict verdict = H1Verdict::incomplete;
  // consumed is the size of the head with its empty line, if complete; else 0. The body or the
  // next message begins there.
  size_t consumed = 0;

  bool complete() const { return verdict == H1Verdict::complete; }
  bool incomplete() const { return verdict == H1Verdict::incomplete; }
  bool refused() const { return verdict > H1Verdict::incomplete; }
};

// parse_request_head reads a request head (RFC 9112 3) from the beginning of `bytes`. `head` is
// meaningful only if the result is complete.
//
// Choices where the RFCs leave one: one empty line before the request line is skipped (2.2); an
// HTTP/1.0 request may lack Host; an absolute-form target is http or https and its authority must
// be spelt as in Host, but for case; a length may have leading zeros. If a head is wrong in several
// ways, the first line that is malformed decides; then 400 before 501 before 417.
[[nodiscard]] HeadResult parse_request_head(std::string_view bytes, size_t scanned,
                                            RequestHead& head);

// parse_response_head reads a response head (RFC 9112 4) to a request of method `request_method`.
//
// A 1xx, 204 or 304 response and any answer to HEAD have no body, whatever their fields say
// (RFC 9112 6.3); a 204 that announces one all the same loses keep_alive. Without Content-Length
// and Transfer-Encoding the body ends with the connection. Field names may hold "_" here: the
// reason to refuse it is the back end behind a request, and a provider's extra field is no reason
// to fail an answer that was paid for.
[[nodiscard]] HeadResult parse_response_head(std::string_view bytes, size_t scanned,
                                             Method request_method, ResponseHead& head);

}  // namespace flexd::http
