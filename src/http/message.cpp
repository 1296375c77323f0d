#include "flexd/http/message.hpp"

#include <cstring>

#include "h1_scan.hpp"

namespace flexd::http {
namespace {

bool all_of(std::string_view text, scan::Class wanted) {
  const char* begin = text.data();
  const char* end = begin + text.size();
  return scan::skip_scalar(begin, end, wanted) == end;
}

// port_ok judges what follows the colon of an authority. RFC 3986 lets it be empty.
bool port_ok(std::string_view port) {
  if (port.size() > 5) return false;
  unsigned value = 0;
  for (const char c : port) {
    if (!is_digit(c)) return false;
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  return value <= 65535;
}

// bracketed_ok judges an authority that begins with "[". What is between the brackets need not be
// an address that exists, only one that no reader can take for something else.
bool bracketed_ok(std::string_view authority) {
  const size_t close = authority.find(']');
  if (close == std::string_view::npos) return false;
  const std::string_view address = authority.substr(1, close - 1);
  if (address.size() < 2 || address.size() > 45) return false;
  unsigned colons = 0;
  for (const char c : address) {
    if (c == ':') ++colons;
    if (!scan::is(c, scan::kHex) && c != ':' && c != '.') return false;
  }
  if (colons < 2 || colons > 7) return false;
  const std::string_view rest = authority.substr(close + 1);
  return rest.empty() || (rest[0] == ':' && port_ok(rest.substr(1)));
}

struct Reason {
  unsigned status;
  std::string_view phrase;
};

// kReasons is searched from the front: the usual answer comes first.
constexpr Reason kReasons[] = {
    {200, "OK"},
    {100, "Continue"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {425, "Too Early"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

}  // namespace

FieldList& FieldList::operator=(const FieldList& other) {
  if (this == &other) return *this;
  size_ = other.size_;
  if (size_ != 0) std::memcpy(storage_, other.storage_, size_ * sizeof(Field));
  return *this;
}

const Field* FieldList::find(std::string_view name) const {
  for (const Field& field : *this) {
    if (iequals(field.name, name)) return &field;
  }
  return nullptr;
}

std::string_view FieldList::value(std::string_view name, std::string_view fallback) const {
  const Field* field = find(name);
  return field == nullptr ? fallback : field->value;
}

size_t FieldList::count(std::string_view name) const {
  size_t found = 0;
  for_each(name, [&](std::string_view) { ++found; });
  return found;
}

Method parse_method(std::string_view token) {
  for (const Method method : {Method::post, Method::get, Method::head, Method::put, Method::patch,
                              Method::del, Method::options}) {
    if (token == method_text(method)) return method;
  }
  return Method::other;
}

std::string_view method_text(Method method) {
  switch (method) {
    case Method::get:
      return "GET";
    case Method::head:
      return "HEAD";
    case Method::post:
      return "POST";
    case Method::put:
      return "PUT";
    case Method::patch:
      return "PATCH";
    case Method::del:
      return "DELETE";
    case Method::options:
      return "OPTIONS";
    case Method::other:
      break;
  }
  return {};
}

bool is_valid_name(std::string_view name) {
  return !name.empty() && all_of(name, scan::kToken);
}

bool is_valid_value(std::string_view value) {
  const char* begin = value.data();
  const char* end = begin + value.size();
  return scan::skip_value(begin, end) == end;
}

bool is_valid_authority(std::string_view authority) {
  if (authority.starts_with('[')) return bracketed_ok(authority);
  const size_t colon = authority.find(':');
  const std::string_view host = authority.substr(0, colon);
  if (host.empty() || !all_of(host, scan::kHost)) return false;
  return colon == std::string_view::npos || port_ok(authority.substr(colon + 1));
}

bool is_valid_path(std::string_view path) {
  if (!path.starts_with('/')) return false;
  const char* end = path.data() + path.size();
  const char* at = path.data();
  for (;;) {
    at = scan::skip_scalar(at, end, scan::kPath);
    if (at == end) return true;
    if (*at != '%' || end - at < 3) return false;
    if (!scan::is(at[1], scan::kHex) || !scan::is(at[2], scan::kHex)) return false;
    at += 3;
  }
}

bool is_valid_query(std::string_view query) {
  const char* begin = query.data();
  const char* end = begin + query.size();
  return scan::skip_target(begin, end) == end;
}

bool split_target(std::string_view path_and_query, RequestHead& head) {
  const size_t mark = path_and_query.find('?');
  head.target = path_and_query.substr(0, mark);
  head.query = {};
  if (mark != std::string_view::npos) head.query = path_and_query.substr(mark + 1);
  return is_valid_path(head.target) && is_valid_query(head.query);
}

bool parse_content_length(std::string_view value, uint64_t& length) {
  if (value.empty() || value.size() > 19) return false;
  uint64_t total = 0;
  for (const char c : value) {
    if (!is_digit(c)) return false;
    total = total * 10 + static_cast<uint64_t>(c - '0');
  }
  length = total;
  return true;
}

bool has_token(std::string_view list, std::string_view token) {
  while (true) {
    const size_t comma = list.find(',');
    if (iequals(trim(list.substr(0, comma)), token)) return true;
    if (comma == std::string_view::npos) return false;
    list.remove_prefix(comma + 1);
  }
}

std::string_view reason_phrase(unsigned status) {
  for (const Reason& reason : kReasons) {
    if (reason.status == status) return reason.phrase;
  }
  return {};
}

}  // namespace flexd::http
