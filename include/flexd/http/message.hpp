// message.hpp: one HTTP message head, whatever version it came in (RFC 9110).
//
// The HTTP/1.1 parser (h1_parser.hpp) and the HTTP/2 session both fill these types, and nothing
// above http/ can tell which of them did. Framing, connection and expectation fields have been read
// and judged by the codec: what is above looks at `framing`, `keep_alive` and `expect_continue`,
// not at the fields.
//
// Ownership: every string_view points into the buffer that the codec was given. The head is valid
// as long as that buffer neither moves nor changes; whoever keeps a head keeps the buffer. Nothing
// here allocates.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "flexd/base/ascii.hpp"

namespace flexd::http {

// kFieldsMax is how many fields a head may have; one more is refused with 431.
inline constexpr size_t kFieldsMax = 100;

// Field is one header field. The name is as it was sent (HTTP/2 sends lower case, HTTP/1.1 any
// case) and is compared without regard to ASCII case; the value has no whitespace at either end.
struct Field {
  std::string_view name;
  std::string_view value;
};

// FieldList holds up to kFieldsMax fields in the order they were sent. Copying copies only the
// fields in use, and the views still point to the same buffer.
class FieldList {
 public:
  FieldList() = default;
  FieldList(const FieldList& other) { *this = other; }
  FieldList& operator=(const FieldList& other);
  ~FieldList() = default;

  // push adds a field; false (and nothing changed) if the list is full.
  [[nodiscard]] bool push(std::string_view name, std::string_view value) {
    if (size_ == kFieldsMax) return false;
    std::construct_at(data() + size_, Field{name, value});
    ++size_;
    return true;
  }
  void clear() { size_ = 0; }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const Field& operator[](size_t index) const { return data()[index]; }
  const Field* begin() const { return data(); }
  const Field* end() const { return data() + size_; }

  // find returns the first field of that name, or nullptr.
  [[nodiscard]] const Field* find(std::string_view name) const;
  // value returns the first value of that name, or `fallback`.
  [[nodiscard]] std::string_view value(std::string_view name, std::string_view fallback = {}) const;
  // count returns how many fields have that name.
  [[nodiscard]] size_t count(std::string_view name) const;
  // for_each calls visit(value) for each field of that name, in order.
  template <typename Visit>
  void for_each(std::string_view name, Visit&& visit) const {
    for (const Field& field : *this) {
      if (iequals(field.name, name)) visit(field.value);
    }
  }

 private:
  // Raw storage: a head is built for every request, and clearing 3200 bytes costs as much as
  // parsing two hundred.
  Field* data() { return reinterpret_cast<Field*>(storage_); }
  const Field* data() const { return reinterpret_cast<const Field*>(storage_); }

  size_t size_ = 0;
  alignas(Field) std::byte storage_[sizeof(Field) * kFieldsMax];
};

// Method has the methods that flexd routes by; any other valid token is `other`, and the head's
// `method_text` says which. CONNECT and TRACE never reach a head: the codecs refuse them.
enum class Method : uint8_t { get, head, post, put, patch, del, options, other };

// parse_method maps a method token (case-sensitive, RFC 9110 9.1) to its Method.
[[nodiscard]] Method parse_method(std::string_view token);
// method_text is the token of a method; empty for Method::other.
[[nodiscard]] std::string_view method_text(Method method);

enum class Version : uint8_t { h1_0, h1_1, h2 };

// Framing says how the body of a message ends.
enum class Framing : uint8_t {
  none,         // there is no body
  length,       // after content_length bytes (which may be 0)
  chunked,      // by the last chunk; in HTTP/2, by END_STREAM with no length declared
  until_close,  // by the end of the connection (HTTP/1.x responses only)
};

// RequestHead is a request without its body.
struct RequestHead {
  Method method = Method::other;
  Version version = Version::h1_1;
  Framing framing = Framing::none;
  // keep_alive: the connection may carry another request after this one (always true in HTTP/2).
  bool keep_alive = false;
  // expect_continue: the client waits for 100 (Continue) before it sends the body. Never set for
  // HTTP/1.0 or when there is no body to wait for (RFC 9110 10.1.1).
  bool expect_continue = false;
  // content_length is the declared length when framing is `length`, else 0.
  uint64_t content_length = 0;
  std::string_view method_text;
  // target is the path, from "/" to before the "?", percent-escapes untouched; "*" for OPTIONS *.
  std::string_view target;
  // query is what follows the first "?", which may be nothing.
  std::string_view query;
  // raw_target is the request target as sent: in HTTP/1.1 it may be an absolute URI.
  std::string_view raw_target;
  // authority is the host and optional port of Host or :authority. Empty only if an HTTP/1.0
  // request named none.
  std::string_view authority;
  FieldList fields;
};

// ResponseHead is a response without its body.
struct ResponseHead {
  // status is 100 to 599, never 101. From 100 to 199 it is an interim response: the final one
  // follows on the same exchange.
  uint16_t status = 0;
  Version version = Version::h1_1;
  Framing framing = Framing::none;
  // keep_alive: the connection may be used again once the body has ended.
  bool keep_alive = false;
  // content_length is the declared length when framing is `length`, else 0.
  uint64_t content_length = 0;
  // reason is the reason phrase of HTTP/1.x; empty in HTTP/2.
  std::string_view reason;
  FieldList fields;

  bool informational() const { return status < 200; }
};

// is_valid_name says whether `name` may be sent as a field name: a token (RFC 9110 5.6.2).
[[nodiscard]] bool is_valid_name(std::string_view name);

// is_valid_value says whether `value` may be sent as a field value: no control characters but TAB
// (RFC 9110 5.5). Values taken from a provider or a configuration file are checked with it and
// dropped if it fails; the writer asserts it.
[[nodiscard]] bool is_valid_value(std::string_view value);

// is_valid_authority says whether `authority` is a host that flexd serves: a name of letters,
// digits, "-", "." and "_", an IPv4 address or a bracketed IPv6 address, with an optional port of
// 0 to 65535. No userinfo, no list, no percent-escapes.
[[nodiscard]] bool is_valid_authority(std::string_view authority);

// is_valid_path says whether `path` is a path of RFC 3986 3.3 that begins with "/": segments of
// pchar, where each "%" begins a whole escape.
[[nodiscard]] bool is_valid_path(std::string_view path);

// is_valid_query says whether `query` has only visible ASCII other than "#". That is more than
// RFC 3986 3.4 allows: clients do send "[]" there unescaped.
[[nodiscard]] bool is_valid_query(std::string_view query);

// split_target sets target and query from the path-and-query form. False if either is malformed.
[[nodiscard]] bool split_target(std::string_view path_and_query, RequestHead& head);

// parse_content_length reads a Content-Length value: 1 to 19 digits and nothing else (RFC
// 9110 8.6). False if it is anything else, a list of equal lengths included.
[[nodiscard]] bool parse_content_length(std::string_view value, uint64_t& length);

// has_token says whether a comma-separated list holds a token, without regard to case.
[[nodiscard]] bool has_token(std::string_view list, std::string_view token);

// reason_phrase is the phrase for a status code (RFC 9110 15); empty for one it does not know.
[[nodiscard]] std::string_view reason_phrase(unsigned status);

}  // namespace flexd::http
