#include <iterator>

#include "flexd/base/assert.hpp"
#include "flexd/http/h1_parser.hpp"

namespace flexd::http {
namespace {

// kNames has the names of H1Verdict in its order.
constexpr std::string_view kNames[] = {
    "complete",
    "incomplete",
    "method_invalid",
    "method_refused",
    "line_space",
    "target_invalid",
    "target_star",
    "target_host_differs",
    "version_invalid",
    "version_unsupported",
    "line_too_long",
    "status_line_invalid",
    "status_switching",
    "bare_cr",
    "bare_lf",
    "line_folded",
    "name_invalid",
    "name_empty",
    "name_underscore",
    "space_before_colon",
    "value_invalid",
    "too_many_fields",
    "head_too_long",
    "host_missing",
    "host_repeated",
    "host_invalid",
    "length_invalid",
    "length_repeated",
    "coding_repeated",
    "coding_in_http10",
    "coding_with_length",
    "coding_unsupported",
    "expectation_unsupported",
    "chunk_size_invalid",
    "chunk_size_too_long",
    "chunk_extension_invalid",
    "chunk_extensions_too_long",
    "chunk_end_missing",
    "trailers_too_long",
    "trailers_too_many",
};
static_assert(std::size(kNames) == static_cast<size_t>(H1Verdict::trailers_too_many) + 1);

}  // namespace

H1Refusal refusal_of(H1Verdict verdict) {
  FLEXD_ASSERT(verdict > H1Verdict::incomplete);
  switch (verdict) {
    case H1Verdict::version_unsupported:
      return H1Refusal::version_not_supported;
    case H1Verdict::coding_unsupported:
      return H1Refusal::coding_not_implemented;
    case H1Verdict::expectation_unsupported:
      return H1Refusal::expectation_failed;
    case H1Verdict::line_too_long:
    case H1Verdict::too_many_fields:
    case H1Verdict::head_too_long:
    case H1Verdict::trailers_too_long:
    case H1Verdict::trailers_too_many:
      return H1Refusal::headers_too_large;
    default:
      return H1Refusal::malformed_request;
  }
}

unsigned status_of(H1Refusal refusal) {
  switch (refusal) {
    case H1Refusal::malformed_request:
      return 400;
    case H1Refusal::expectation_failed:
      return 417;
    case H1Refusal::headers_too_large:
      return 431;
    case H1Refusal::coding_not_implemented:
      return 501;
    case H1Refusal::version_not_supported:
      return 505;
  }
  return 400;
}

std::string_view verdict_name(H1Verdict verdict) {
  return kNames[static_cast<size_t>(verdict)];
}

std::string_view verdict_phrase(H1Verdict verdict) {
  switch (verdict) {
    case H1Verdict::method_invalid:
    case H1Verdict::line_space:
    case H1Verdict::version_invalid:
      return "its request line is not `METHOD /path HTTP/1.1`";
    case H1Verdict::method_refused:
      return "CONNECT and TRACE are refused";
    case H1Verdict::target_invalid:
    case H1Verdict::target_star:
      return "its target is not a path of visible ASCII";
    case H1Verdict::target_host_differs:
      return "its target names another host than its Host field";
    case H1Verdict::bare_cr:
    case H1Verdict::bare_lf:
      return "a line does not end in CR LF";
    case H1Verdict::line_folded:
      return "a field line begins with white space";
    case H1Verdict::name_invalid:
    case H1Verdict::name_empty:
    case H1Verdict::space_before_colon:
      return "a field name is empty or has a character it may not have";
    case H1Verdict::name_underscore:
      return "a field name has an underscore";
    case H1Verdict::value_invalid:
      return "a field value has a control character";
    case H1Verdict::host_missing:
      return "it has no Host field";
    case H1Verdict::host_repeated:
      return "it has more than one Host field";
    case H1Verdict::host_invalid:
      return "its Host field is not a host and a port";
    case H1Verdict::length_invalid:
    case H1Verdict::length_repeated:
      return "its Content-Length is not one number";
    case H1Verdict::coding_repeated:
    case H1Verdict::coding_in_http10:
      return "its Transfer-Encoding is repeated, or in HTTP/1.0";
    case H1Verdict::coding_with_length:
      return "it has both Content-Length and Transfer-Encoding";
    default:
      return verdict >= H1Verdict::chunk_size_invalid ? "its chunked body is ill-formed"
                                                      : std::string_view();
  }
}

}  // namespace flexd::http
