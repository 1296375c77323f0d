// h1_writer.hpp: writes HTTP/1.1 heads (RFC 9112 3 to 6).
//
// A sink is anything with append(std::string_view), answering void or bool (false: no room): a
// Buffer, a std::string, or the SpanSink below. Where it has Buffer's extend, a field is written at
// once. The writer never looks back, so a head that did not
// fit leaves the sink with a torn prefix: check the result before sending.
//
// Names, values and targets that cannot be sent are bugs of the caller and are asserted
// (is_valid_name, is_valid_value). A Date field is the caller's business, like every other field
// than Content-Length, Transfer-Encoding, Connection and the Host of a request.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

#include "flexd/base/ascii.hpp"
#include "flexd/base/assert.hpp"
#include "flexd/base/copy.hpp"
#include "flexd/http/message.hpp"

namespace flexd::http {

// SpanSink writes into memory of a fixed size.
class SpanSink {
 public:
  explicit SpanSink(std::span<char> out) : out_(out) {}

  // append copies `bytes`; false (and nothing copied) if they do not fit.
  [[nodiscard]] bool append(std::string_view bytes) {
    if (bytes.size() > out_.size() - size_) return false;
    copy_text(bytes, out_.data() + size_);
    size_ += bytes.size();
    return true;
  }
  // extend makes the text `count` bytes longer and returns where they are to be written; nullptr
  // (and nothing changed) if they do not fit.
  [[nodiscard]] char* extend(size_t count) {
    if (count > out_.size() - size_) return nullptr;
    char* const at = out_.data() + size_;
    size_ += count;
    return at;
  }
  size_t size() const { return size_; }
  std::string_view view() const { return {out_.data(), size_}; }

 private:
  std::span<char> out_;
  size_t size_ = 0;
};

// Persistence is what a head says about the connection.
enum class Persistence : uint8_t {
  implied,     // nothing: HTTP/1.1 keeps it open
  close,       // Connection: close
  keep_alive,  // Connection: keep-alive, the answer to an HTTP/1.0 client that asked for it
};

// HeadWriter writes a head line by line.
template <typename Sink>
class HeadWriter {
 public:
  // The sink must outlive the writer.
  explicit HeadWriter(Sink& sink) : sink_(sink) {}

  // status_line begins a response. An empty reason stands for the usual one of the status.
  void status_line(unsigned status, std::string_view reason = {}) {
    FLEXD_ASSERT(status >= 100 && status <= 599 && is_valid_value(reason));
    put("HTTP/1.1 ");
    put_decimal(status);
    put(" ");
    put(reason.empty() ? reason_phrase(status) : reason);
    put("\r\n");
  }

  // request_line begins a request for `path`, and for `query` if it is not empty.
  void request_line(std::string_view method, std::string_view path, std::string_view query = {}) {
    FLEXD_ASSERT(is_valid_name(method) && is_valid_path(path) && is_valid_query(query));
    put(method);
    put(" ");
    put(path);
    if (!query.empty()) {
      put("?");
      put(query);
    }
    put(" HTTP/1.1\r\n");
  }

  void field(std::string_view name, std::string_view value) {
    FLEXD_ASSERT(is_valid_name(name) && is_valid_value(value));
    checked_field(name, value);
  }

  // checked_field is `field` for a name and a value that were checked when they came in.
  void checked_field(std::string_view name, std::string_view value) {
    if constexpr (requires(Sink& sink) { sink.extend(size_t{}); }) {
      char* at = ok_ ? sink_.extend(name.size() + value.size() + 4) : nullptr;
      ok_ = at != nullptr;
      if (ok_) copy_text("\r\n", copy_text(value, copy_text(": ", copy_text(name, at))));
    } else {
      put(name);
      put(": ");
      put(value);
      put("\r\n");
    }
  }

  void number_field(std::string_view name, uint64_t value) {
    FLEXD_ASSERT(is_valid_name(name));
    put(name);
    put(": ");
    put_decimal(value);
    put("\r\n");
  }

  // framing writes the field that says how the body ends, if there is one to write.
  void framing(Framing framing, uint64_t content_length) {
    if (framing == Framing::length) number_field("content-length", content_length);
    if (framing == Framing::chunked) put("transfer-encoding: chunked\r\n");
  }

  void persistence(Persistence persistence) {
    if (persistence == Persistence::close) put("connection: close\r\n");
    if (persistence == Persistence::keep_alive) put("connection: keep-alive\r\n");
  }

  // end writes the empty line; true if everything went into the sink.
  [[nodiscard]] bool end() {
    put("\r\n");
    return ok_;
  }

 private:
  void put(std::string_view text) {
    if constexpr (std::is_same_v<decltype(sink_.append(text)), bool>) {
      ok_ = ok_ && sink_.append(text);
    } else {
      sink_.append(text);
    }
  }

  void put_decimal(uint64_t value) { put(DecimalText(value).view()); }

  Sink& sink_;
  bool ok_ = true;
};

// ResponseOut is a response head to be written. An until_close body needs Persistence::close.
// Framing::none is for 1xx, 204, 304 and answers to HEAD alone: elsewhere an empty body is a length
// of 0, or the client would wait for the connection to end.
struct ResponseOut {
  unsigned status = 200;
  std::string_view reason = {};  // empty: the usual one
  std::span<const Field> fields = {};
  Framing framing = Framing::none;
  uint64_t content_length = 0;
  Persistence persistence = Persistence::implied;
};

// write_response_head writes a whole response head; false if the sink had no room.
template <typename Sink>
[[nodiscard]] bool write_response_head(Sink& sink, const ResponseOut& out) {
  FLEXD_ASSERT(out.framing != Framing::until_close || out.persistence == Persistence::close);
  HeadWriter<Sink> writer(sink);
  writer.status_line(out.status, out.reason);
  for (const Field& field : out.fields) writer.field(field.name, field.value);
  writer.framing(out.framing, out.content_length);
  writer.persistence(out.persistence);
  return writer.end();
}

// RequestOut is a request head to be written.
struct RequestOut {
  std::string_view method = "POST";
  std::string_view path = "/";
  std::string_view query = {};
  std::string_view authority = {};  // becomes Host, which goes first
  std::span<const Field> fields = {};
  Framing framing = Framing::none;
  uint64_t content_length = 0;
  Persistence persistence = Persistence::implied;
};

// write_request_head writes a whole request head; false if the sink had no room.
template <typename Sink>
[[nodiscard]] bool write_request_head(Sink& sink, const RequestOut& out) {
  FLEXD_ASSERT(is_valid_authority(out.authority) && out.framing != Framing::until_close);
  HeadWriter<Sink> writer(sink);
  writer.request_line(out.method, out.path, out.query);
  writer.field("host", out.authority);
  for (const Field& field : out.fields) writer.field(field.name, field.value);
  writer.framing(out.framing, out.content_length);
  writer.persistence(out.persistence);
  return writer.end();
}

}  // namespace flexd::http
