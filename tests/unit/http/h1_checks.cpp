#include "h1_checks.hpp"

#include <algorithm>
#include <memory>

#include "llhttp_oracle.hpp"

namespace flexd::http {
namespace {

// kBodyForOracleMax bounds the body that is made up to satisfy a Content-Length.
constexpr uint64_t kBodyForOracleMax = 4096;

// Exact holds a copy of some bytes with nothing after it, so that the address sanitizer sees a
// read past the end.
class Exact {
 public:
  explicit Exact(std::string_view bytes) : data_(new char[bytes.size()]), size_(bytes.size()) {
    std::copy(bytes.begin(), bytes.end(), data_.get());
  }
  std::string_view view() const { return {data_.get(), size_}; }

 private:
  std::unique_ptr<char[]> data_;
  size_t size_;
};

struct RequestKind {
  using Head = RequestHead;
  HeadResult parse(std::string_view bytes, size_t scanned, Head& head) const {
    return parse_request_head(bytes, scanned, head);
  }
};

struct ResponseKind {
  using Head = ResponseHead;
  Method method;
  HeadResult parse(std::string_view bytes, size_t scanned, Head& head) const {
    return parse_response_head(bytes, scanned, method, head);
  }
};

bool inside(std::string_view view, std::string_view whole) {
  if (view.data() == nullptr) return view.empty();
  return view.data() >= whole.data() && view.data() + view.size() <= whole.data() + whole.size();
}

bool views_inside(const FieldList& fields, std::string_view bytes) {
  return std::all_of(fields.begin(), fields.end(), [&](const Field& field) {
    return inside(field.name, bytes) && inside(field.value, bytes);
  });
}

bool views_inside(const RequestHead& head, std::string_view bytes) {
  return inside(head.method_text, bytes) && inside(head.target, bytes) &&
         inside(head.query, bytes) && inside(head.raw_target, bytes) &&
         inside(head.authority, bytes) && views_inside(head.fields, bytes);
}

bool views_inside(const ResponseHead& head, std::string_view bytes) {
  return inside(head.reason, bytes) && views_inside(head.fields, bytes);
}

bool same(const FieldList& a, const FieldList& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Field& x, const Field& y) {
    return x.name == y.name && x.value == y.value;
  });
}

bool same(const RequestHead& a, const RequestHead& b) {
  return a.method == b.method && a.version == b.version && a.framing == b.framing &&
         a.keep_alive == b.keep_alive && a.expect_continue == b.expect_continue &&
         a.content_length == b.content_length && a.method_text == b.method_text &&
         a.target == b.target && a.query == b.query && a.raw_target == b.raw_target &&
         a.authority == b.authority && same(a.fields, b.fields);
}

bool same(const ResponseHead& a, const ResponseHead& b) {
  return a.status == b.status && a.version == b.version && a.framing == b.framing &&
         a.keep_alive == b.keep_alive && a.content_length == b.content_length &&
         a.reason == b.reason && same(a.fields, b.fields);
}

// parse_in_pieces grows the input as a socket would: first `first` bytes, then one by one.
template <typename Kind>
HeadResult parse_in_pieces(const Kind& kind, std::string_view bytes, size_t first, size_t step,
                           typename Kind::Head& head) {
  size_t scanned = 0;
  size_t size = std::min(first, bytes.size());
  for (;;) {
    const HeadResult result = kind.parse(bytes.substr(0, size), scanned, head);
    if (!result.incomplete() || size == bytes.size()) return result;
    scanned = size;
    size = std::min(size + step, bytes.size());
  }
}

std::string name_of(const HeadResult& result) {
  return std::string(verdict_name(result.verdict)) + "/" + std::to_string(result.consumed);
}

template <typename Kind>
std::string check_pieces(const Kind& kind, std::string_view bytes, size_t split) {
  typename Kind::Head whole;
  const HeadResult expected = kind.parse(bytes, 0, whole);
  if (expected.complete() != (expected.consumed != 0)) return "consumed does not fit the verdict";
  if (expected.consumed > bytes.size()) return "consumed more than there is";
  if (expected.complete() && !views_inside(whole, bytes)) return "a view outside the input";
  typename Kind::Head head;
  const size_t steps[] = {1, bytes.size() + 1};
  for (const size_t step : steps) {
    const HeadResult result = parse_in_pieces(kind, bytes, step == 1 ? 1 : split, step, head);
    if (result.incomplete() && expected.refused()) {
      // In pieces, a refusal may wait for the end of its line.
      const std::string ended = std::string(bytes) + '\n';
      if (kind.parse(ended, bytes.size(), head).verdict == expected.verdict) continue;
    }
    if (result.verdict != expected.verdict || result.consumed != expected.consumed) {
      return "in pieces of " + std::to_string(step) + " after " + std::to_string(split) + ": " +
             name_of(result) + ", at once: " + name_of(expected);
    }
    if (result.complete() && !same(head, whole)) return "the head differs in pieces";
  }
  return {};
}

// With the framing of an accepted head, the body that follows it in `rest`, as it stands on the
// wire; `whole` says whether it is all there.
struct BodyOnWire {
  std::string wire;
  std::string data;
  bool whole = false;
};

BodyOnWire body_after(Framing framing, uint64_t content_length, std::string_view rest) {
  BodyOnWire body;
  switch (framing) {
    case Framing::none:
      body.whole = true;
      break;
    case Framing::until_close:
      body.wire = body.data = rest;
      body.whole = true;
      break;
    case Framing::length:
      if (content_length > kBodyForOracleMax) break;
      body.wire = rest.substr(0, static_cast<size_t>(content_length));
      body.wire.resize(static_cast<size_t>(content_length), 'x');
      body.data = body.wire;
      body.whole = true;
      break;
    case Framing::chunked: {
      const ChunkReading chunks = read_chunks(rest, rest.size(), rest.size());
      if (chunks.kind != ChunkEvent::Kind::done) break;
      body.wire = rest.substr(0, chunks.consumed);
      body.data = chunks.body;
      body.whole = true;
      break;
    }
  }
  return body;
}

std::string compare(const OracleReading& oracle, Framing framing, uint64_t content_length,
                    size_t fields, const BodyOnWire& body, size_t size) {
  if (oracle.failed && oracle.trailer_framing) return {};
  if (oracle.failed) return "llhttp refuses it: " + oracle.error;
  if (!oracle.head_complete) return "llhttp finds the head incomplete";
  if (oracle.fields != fields) {
    return "llhttp counts " + std::to_string(oracle.fields) + " fields, not " +
           std::to_string(fields);
  }
  if (framing == Framing::chunked && !oracle.chunked) return "llhttp sees no chunked coding";
  if (framing == Framing::length &&
      (oracle.chunked || !oracle.has_length || oracle.content_length != content_length)) {
    return "llhttp reads another length: " + std::to_string(oracle.content_length);
  }
  if (!body.whole) return {};
  if (!oracle.message_complete) return "llhttp waits for more of the body";
  if (oracle.body != body.data) return "llhttp reads another body";
  if (oracle.consumed != size) {
    return "llhttp ends the message at " + std::to_string(oracle.consumed) + ", not " +
           std::to_string(size);
  }
  return {};
}

// without_extensions copies a valid chunked body without its chunk extensions.
std::string without_extensions(std::string_view wire) {
  std::string out;
  for (;;) {
    const std::string_view line = wire.substr(0, wire.find("\r\n"));
    const std::string digits(line.substr(0, line.find(';')));
    const size_t size = std::stoul(digits, nullptr, 16);
    out += digits;
    wire.remove_prefix(line.size());
    // The last size line is followed by the trailers; the others by data between two CRLFs.
    const size_t rest = size == 0 ? wire.size() : size + 4;
    out += wire.substr(0, rest);
    wire.remove_prefix(rest);
    if (size == 0) return out;
  }
}

// with_spaces_at_ends copies a head with spaces for the tabs at the ends of its lines. RFC 9110
// 5.6.3 allows both after a value; llhttp 8.1.0 refuses a tab after a Content-Length.
std::string with_spaces_at_ends(std::string_view head) {
  std::string out(head);
  bool at_end = false;
  for (size_t at = out.size(); at-- > 0;) {
    char& c = out[at];
    if (c == '\n') {
      at_end = true;
    } else if (c == '\t' && at_end) {
      c = ' ';
    } else if (c != '\r' && c != ' ') {
      at_end = false;
    }
  }
  return out;
}

// ask gives a head and its body to llhttp and compares. llhttp 8.1.0 refuses two kinds of chunk
// extension that RFC 9112 7.1.1 allows: an escape in a quoted value, and a second extension after
// an unquoted value. So a chunked body that it refuses is tried again without extensions.
template <typename Oracle>
std::string ask(const Oracle& oracle, std::string_view sent_head, Framing framing,
                uint64_t content_length, size_t fields, const BodyOnWire& body,
                OracleReading& reading) {
  const std::string head = with_spaces_at_ends(sent_head);
  std::string message = head + body.wire;
  reading = oracle(message);
  if (reading.failed && framing == Framing::chunked && body.whole) {
    message = head + without_extensions(body.wire);
    reading = oracle(message);
  }
  return compare(reading, framing, content_length, fields, body, message.size());
}

// with_known_method replaces a method that llhttp has not got in its list.
std::string with_known_method(std::string_view message, const RequestHead& head) {
  if (head.method != Method::other) return std::string(message);
  const size_t skip = static_cast<size_t>(head.method_text.data() - message.data());
  return "POST" + std::string(message.substr(skip + head.method_text.size()));
}

std::string compare_request(std::string_view bytes) {
  RequestHead head;
  const HeadResult result = parse_request_head(bytes, 0, head);
  if (!result.complete()) return {};
  const BodyOnWire body =
      body_after(head.framing, head.content_length, bytes.substr(result.consumed));
  OracleReading oracle;
  std::string text = ask(oracle_request, with_known_method(bytes.substr(0, result.consumed), head),
                         head.framing, head.content_length, head.fields.size(), body, oracle);
  if (!text.empty() || !oracle.head_complete) return text;
  if (oracle.target != head.raw_target) return "llhttp reads another target: " + oracle.target;
  const std::string_view method = head.method == Method::other ? "POST" : head.method_text;
  if (oracle.method != method) return "llhttp reads another method: " + oracle.method;
  if (head.framing == Framing::none && (oracle.chunked || oracle.content_length != 0)) {
    return "llhttp sees a body";
  }
  return {};
}

std::string compare_response(std::string_view bytes, Method request_method) {
  ResponseHead head;
  const HeadResult result = parse_response_head(bytes, 0, request_method, head);
  if (!result.complete()) return {};
  const BodyOnWire body =
      body_after(head.framing, head.content_length, bytes.substr(result.consumed));
  const bool without_body = head.framing == Framing::none;
  OracleReading oracle;
  std::string text =
      ask([&](std::string_view message) { return oracle_response(message, without_body); },
          bytes.substr(0, result.consumed), head.framing, head.content_length, head.fields.size(),
          body, oracle);
  if (!text.empty() || !oracle.head_complete) return text;
  return oracle.status == head.status ? std::string() : "llhttp reads another status";
}

}  // namespace

std::string check_request(std::string_view bytes, size_t split) {
  const Exact exact(bytes);
  std::string text = check_pieces(RequestKind{}, exact.view(), split);
  return text.empty() ? compare_request(exact.view()) : text;
}

std::string check_response(std::string_view bytes, Method request_method, size_t split) {
  const Exact exact(bytes);
  std::string text = check_pieces(ResponseKind{request_method}, exact.view(), split);
  return text.empty() ? compare_response(exact.view(), request_method) : text;
}

ChunkReading read_chunks(std::string_view bytes, size_t first, size_t rest) {
  ChunkDecoder decoder;
  ChunkReading reading;
  size_t size = first;
  while (reading.kind == ChunkEvent::Kind::need_more && reading.consumed < bytes.size()) {
    std::string_view input = bytes.substr(reading.consumed, size);
    const std::string_view piece = input;
    size = std::max<size_t>(rest, 1);
    ChunkEvent event = decoder.next(input);
    for (; event.kind == ChunkEvent::Kind::data; event = decoder.next(input)) {
      reading.inside = reading.inside && inside(event.data, piece) && !event.data.empty();
      reading.body += event.data;
    }
    reading.kind = event.kind;
    reading.verdict = event.verdict;
    reading.consumed += piece.size() - input.size();
  }
  if (decoder.body_bytes() != reading.body.size()) reading.inside = false;
  return reading;
}

std::string check_chunks(std::string_view bytes, size_t split) {
  const Exact exact(bytes);
  const std::string_view whole = exact.view();
  const ChunkReading expected = read_chunks(whole, whole.size(), whole.size());
  if (!expected.inside) return "data outside the input, or miscounted";
  if (read_chunks(whole, 1, 1) != expected) return "another reading byte by byte";
  if (read_chunks(whole, split, whole.size()) != expected) return "another reading when split";
  if (expected.kind != ChunkEvent::Kind::done) return {};
  BodyOnWire body;
  body.wire = whole.substr(0, expected.consumed);
  body.data = expected.body;
  body.whole = true;
  OracleReading oracle;
  return ask(oracle_request, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
             Framing::chunked, 0, 2, body, oracle);
}

}  // namespace flexd::http
