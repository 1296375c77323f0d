#include <algorithm>

#include "flexd/http/h1_parser.hpp"
#include "h1_fields.hpp"

namespace flexd::http {
namespace {

H1Verdict read_status_code(Cursor& cursor, ResponseHead& head) {
  unsigned status = 0;
  for (int i = 0; i < 3; ++i) {
    if (cursor.empty()) return H1Verdict::incomplete;
    const char c = *cursor.at;
    if (!is_digit(c)) return H1Verdict::status_line_invalid;
    status = status * 10 + static_cast<unsigned>(c - '0');
    if (status == 0 || (i == 0 && status > 5)) return H1Verdict::status_line_invalid;
    ++cursor.at;
  }
  head.status = static_cast<uint16_t>(status);
  return H1Verdict::complete;
}

H1Verdict read_one_space(Cursor& cursor) {
  if (cursor.empty()) return H1Verdict::incomplete;
  if (*cursor.at != ' ') return H1Verdict::status_line_invalid;
  ++cursor.at;
  return H1Verdict::complete;
}

H1Verdict read_status_line(Cursor& cursor, ResponseHead& head) {
  bool supported = false;
  H1Verdict verdict = read_version(cursor, H1Verdict::status_line_invalid, head.version, supported);
  if (verdict == H1Verdict::complete) verdict = read_one_space(cursor);
  if (verdict == H1Verdict::complete) verdict = read_status_code(cursor, head);
  if (verdict == H1Verdict::complete) verdict = read_one_space(cursor);
  if (verdict != H1Verdict::complete) return verdict;
  const char* reason = cursor.at;
  cursor.at = scan::skip_value(reason, cursor.end);
  if (cursor.empty()) return H1Verdict::incomplete;
  head.reason = {reason, static_cast<size_t>(cursor.at - reason)};
  if (*cursor.at != '\r' && *cursor.at != '\n') return H1Verdict::status_line_invalid;
  verdict = read_line_end(cursor);
  if (verdict != H1Verdict::complete) return verdict;
  if (!supported) return H1Verdict::version_unsupported;
  return head.status == 101 ? H1Verdict::status_switching : H1Verdict::complete;
}

// settle applies the list of RFC 9112 6.3.
H1Verdict settle(const FieldFacts& facts, Method request_method, ResponseHead& head) {
  const H1Verdict verdict = check_framing(facts, head.version);
  if (verdict != H1Verdict::complete) return verdict;
  head.keep_alive = keeps_alive(facts, head.version);
  const bool never_has_body = head.informational() || head.status == 204;
  if (never_has_body || head.status == 304 || request_method == Method::head) {
    // A 204 that announces a body may be followed by one: the connection cannot be trusted.
    if (never_has_body && (facts.has_coding || facts.content_length != 0)) head.keep_alive = false;
    return H1Verdict::complete;
  }
  if (facts.has_coding) {
    head.framing = Framing::chunked;
  } else if (facts.has_length) {
    head.framing = Framing::length;
    head.content_length = facts.content_length;
  } else {
    head.framing = Framing::until_close;
    head.keep_alive = false;
  }
  return H1Verdict::complete;
}

void clear(ResponseHead& head) {
  head.status = 0;
  head.version = Version::h1_1;
  head.framing = Framing::none;
  head.keep_alive = false;
  head.content_length = 0;
  head.reason = {};
  head.fields.clear();
}

}  // namespace

HeadResult parse_response_head(std::string_view bytes, size_t scanned, Method request_method,
                               ResponseHead& head) {
  if (can_skip_parse(bytes, scanned)) return {};
  clear(head);
  const size_t window = std::min(bytes.size(), kHeadBytesMax);
  const char* begin = bytes.data();
  Cursor cursor{begin, begin + window};
  FieldFacts facts;
  H1Verdict verdict =
      read_first_line(cursor, [&](Cursor& line) { return read_status_line(line, head); });
  if (verdict == H1Verdict::complete) {
    verdict = read_fields(cursor, Side::response, head.fields, facts);
  }
  if (verdict == H1Verdict::complete) verdict = settle(facts, request_method, head);
  if (verdict == H1Verdict::incomplete && window == kHeadBytesMax) {
    verdict = H1Verdict::head_too_long;
  }
  const bool complete = verdict == H1Verdict::complete;
  return {verdict, complete ? static_cast<size_t>(cursor.at - begin) : 0};
}

}  // namespace flexd::http
