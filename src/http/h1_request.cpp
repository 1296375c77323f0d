#include <algorithm>

#include "flexd/http/h1_parser.hpp"
#include "h1_fields.hpp"

namespace flexd::http {
namespace {

// read_space takes the single space between two parts of the line.
H1Verdict read_space(Cursor& cursor, H1Verdict otherwise) {
  if (cursor.empty()) return H1Verdict::incomplete;
  if (*cursor.at != ' ') return *cursor.at == '\t' ? H1Verdict::line_space : otherwise;
  ++cursor.at;
  return H1Verdict::complete;
}

H1Verdict read_method(Cursor& cursor, RequestHead& head) {
  const char* begin = cursor.at;
  cursor.at = scan::skip_scalar(begin, cursor.end, scan::kToken);
  if (cursor.empty()) return H1Verdict::incomplete;
  head.method_text = {begin, static_cast<size_t>(cursor.at - begin)};
  if (head.method_text.empty()) return H1Verdict::method_invalid;
  return read_space(cursor, H1Verdict::method_invalid);
}

H1Verdict read_target(Cursor& cursor, RequestHead& head) {
  const char* begin = cursor.at;
  cursor.at = scan::skip_target(begin, cursor.end);
  if (cursor.empty()) return H1Verdict::incomplete;
  head.raw_target = {begin, static_cast<size_t>(cursor.at - begin)};
  if (head.raw_target.empty()) {
    return *cursor.at == ' ' || *cursor.at == '\t' ? H1Verdict::line_space
                                                   : H1Verdict::target_invalid;
  }
  // A line that ends here is that of HTTP/0.9.
  const bool ended = *cursor.at == '\r' || *cursor.at == '\n';
  return read_space(cursor, ended ? H1Verdict::version_invalid : H1Verdict::target_invalid);
}

// check_absolute reads "http://authority/path?query" (RFC 9112 3.2.2).
H1Verdict check_absolute(std::string_view target, RequestHead& head) {
  const size_t colon = target.find("://");
  if (colon == std::string_view::npos) return H1Verdict::target_invalid;
  const std::string_view scheme = target.substr(0, colon);
  // An empty path means "/" (RFC 9110 4.2.3); there is one to point at in "://".
  const std::string_view root = target.substr(colon + 1, 1);
  if (!iequals(scheme, "http") && !iequals(scheme, "https")) {
    return H1Verdict::target_invalid;
  }
  target.remove_prefix(colon + 3);
  const size_t authority_end = target.find_first_of("/?");
  head.authority = target.substr(0, authority_end);
  if (!is_valid_authority(head.authority)) return H1Verdict::target_invalid;
  if (authority_end == std::string_view::npos) {
    head.target = root;
    return H1Verdict::complete;
  }
  const std::string_view rest = target.substr(authority_end);
  if (rest[0] == '/') {
    return split_target(rest, head) ? H1Verdict::complete : H1Verdict::target_invalid;
  }
  head.target = root;
  head.query = rest.substr(1);
  return H1Verdict::complete;
}

// check_target judges a target whose bytes are visible ASCII without "#".
H1Verdict check_target(RequestHead& head) {
  const std::string_view target = head.raw_target;
  if (target[0] == '/') {
    return split_target(target, head) ? H1Verdict::complete : H1Verdict::target_invalid;
  }
  if (target != "*") return check_absolute(target, head);
  head.target = target;
  return head.method == Method::options ? H1Verdict::complete : H1Verdict::target_star;
}

H1Verdict read_request_line(Cursor& cursor, RequestHead& head) {
  H1Verdict verdict = read_method(cursor, head);
  if (verdict != H1Verdict::complete) return verdict;
  verdict = read_target(cursor, head);
  if (verdict != H1Verdict::complete) return verdict;
  if (!cursor.empty() && (*cursor.at == ' ' || *cursor.at == '\t')) return H1Verdict::line_space;
  bool supported = false;
  verdict = read_version(cursor, H1Verdict::version_invalid, head.version, supported);
  if (verdict != H1Verdict::complete) return verdict;
  if (cursor.empty()) return H1Verdict::incomplete;
  if (*cursor.at == ' ' || *cursor.at == '\t') return H1Verdict::line_space;
  if (*cursor.at != '\r' && *cursor.at != '\n') return H1Verdict::version_invalid;
  verdict = read_line_end(cursor);
  if (verdict != H1Verdict::complete) return verdict;
  if (!supported) return H1Verdict::version_unsupported;
  head.method = parse_method(head.method_text);
  if (head.method == Method::other &&
      (head.method_text == "CONNECT" || head.method_text == "TRACE")) {
    return H1Verdict::method_refused;
  }
  return check_target(head);
}

// settle judges the head as a whole and fills in what follows from its fields.
H1Verdict settle(const FieldFacts& facts, RequestHead& head) {
  if (!facts.has_host && head.version == Version::h1_1) return H1Verdict::host_missing;
  const bool absolute = !head.authority.empty();
  if (absolute && facts.has_host && !iequals(head.authority, facts.host)) {
    return H1Verdict::target_host_differs;
  }
  if (!absolute) head.authority = facts.host;
  const H1Verdict verdict = check_framing(facts, head.version);
  if (verdict != H1Verdict::complete) return verdict;
  if (facts.expect_other) return H1Verdict::expectation_unsupported;
  if (facts.has_coding) {
    head.framing = Framing::chunked;
  } else if (facts.has_length) {
    head.framing = Framing::length;
    head.content_length = facts.content_length;
  }
  head.keep_alive = keeps_alive(facts, head.version);
  const bool has_body = head.framing == Framing::chunked || head.content_length != 0;
  head.expect_continue = facts.expect_continue && has_body && head.version == Version::h1_1;
  return H1Verdict::complete;
}

void clear(RequestHead& head) {
  head.method = Method::other;
  head.version = Version::h1_1;
  head.framing = Framing::none;
  head.keep_alive = false;
  head.expect_continue = false;
  head.content_length = 0;
  head.method_text = head.target = head.query = head.raw_target = head.authority = {};
  head.fields.clear();
}

H1Verdict read_head(Cursor& cursor, RequestHead& head) {
  if (!cursor.empty() && *cursor.at == '\r') {
    const H1Verdict verdict = read_line_end(cursor);
    if (verdict != H1Verdict::complete) return verdict;
  }
  const H1Verdict verdict =
      read_first_line(cursor, [&](Cursor& window) { return read_request_line(window, head); });
  if (verdict != H1Verdict::complete) return verdict;
  FieldFacts facts;
  const H1Verdict fields = read_fields(cursor, Side::request, head.fields, facts);
  return fields == H1Verdict::complete ? settle(facts, head) : fields;
}

}  // namespace

HeadResult parse_request_head(std::string_view bytes, size_t scanned, RequestHead& head) {
  if (can_skip_parse(bytes, scanned)) return {};
  clear(head);
  const size_t window = std::min(bytes.size(), kHeadBytesMax);
  const char* begin = bytes.data();
  Cursor cursor{begin, begin + window};
  H1Verdict verdict = read_head(cursor, head);
  if (verdict == H1Verdict::incomplete && window == kHeadBytesMax) {
    verdict = H1Verdict::head_too_long;
  }
  const bool complete = verdict == H1Verdict::complete;
  return {verdict, complete ? static_cast<size_t>(cursor.at - begin) : 0};
}

}  // namespace flexd::http
