// writer.hpp: writes JSON text into a bounded span or any other sink, without allocating.
//
//   SpanSink sink(buffer);
//   Writer writer(sink);
//   writer.begin_object().key("code").string(code).key("param").null().end_object();
//
// The writer puts the commas; the caller keeps brackets, keys and values in order.
#pragma once

#include <array>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "flexd/json/text.hpp"

namespace flexd::json {

// SpanSink collects text in a span. What does not fit is dropped, all of it from there on.
class SpanSink {
 public:
  explicit SpanSink(std::span<char> space) : space_(space) {}

  void append(std::string_view text) {
    if (overflowed_ || text.size() > space_.size() - size_) {
      overflowed_ = true;
      return;
    }
    if (!text.empty()) std::memcpy(space_.data() + size_, text.data(), text.size());
    size_ += text.size();
  }
  // overflowed tells that text was dropped: view is then not to be used.
  bool overflowed() const { return overflowed_; }
  std::string_view view() const { return {space_.data(), size_}; }

 private:
  std::span<char> space_;
  size_t size_ = 0;
  bool overflowed_ = false;
};

// EscapedPiece is the next part of a text on its way into a JSON string.
struct EscapedPiece {
  std::string_view plain;   // bytes that stand for themselves
  std::string_view escape;  // what is written for the bytes after them; empty at the end
  size_t taken = 0;         // bytes of the text that both parts stand for
};

// next_escaped_piece looks at the front of `text`. `space` is where an escape is put together.
EscapedPiece next_escaped_piece(std::string_view text, std::array<char, 6>& space);

// write_escaped writes UTF-8 text as the inside of a JSON string. Each ill-formed byte becomes
// U+FFFD.
template <typename Sink>
void write_escaped(Sink& sink, std::string_view text) {
  std::array<char, 6> space;
  while (!text.empty()) {
    const EscapedPiece piece = next_escaped_piece(text, space);
    if (!piece.plain.empty()) sink.append(piece.plain);
    if (!piece.escape.empty()) sink.append(piece.escape);
    text.remove_prefix(piece.taken);
  }
}

// Writer writes to a sink that has append(std::string_view). It holds only a reference and a flag.
template <typename Sink>
class Writer {
 public:
  explicit Writer(Sink& sink) : sink_(sink) {}

  Writer& begin_object() { return open("{"); }
  Writer& end_object() { return close("}"); }
  Writer& begin_array() { return open("["); }
  Writer& end_array() { return close("]"); }
  // key begins a member; its value comes next.
  Writer& key(std::string_view name) {
    string(name);
    sink_.append(":");
    comma_due_ = false;
    return *this;
  }
  // string writes UTF-8 text, escaped.
  Writer& string(std::string_view text) {
    separate();
    sink_.append("\"");
    write_escaped(sink_, text);
    sink_.append("\"");
    return *this;
  }
  // raw writes text that is a JSON value already.
  Writer& raw(std::string_view json) {
    separate();
    sink_.append(json);
    return *this;
  }
  template <std::integral Integer>
    requires(!std::same_as<Integer, bool> && !std::same_as<Integer, char>)
  Writer& integer(Integer number) {
    std::array<char, 24> digits;
    const auto done = std::to_chars(digits.data(), digits.data() + digits.size(), number);
    return raw({digits.data(), static_cast<size_t>(done.ptr - digits.data())});
  }
  Writer& boolean(bool value) { return raw(value ? "true" : "false"); }
  Writer& null() { return raw("null"); }

 private:
  void separate() {
    if (comma_due_) sink_.append(",");
    comma_due_ = true;
  }
  Writer& open(std::string_view bracket) {
    raw(bracket);
    comma_due_ = false;
    return *this;
  }
  Writer& close(std::string_view bracket) {
    sink_.append(bracket);
    comma_due_ = true;
    return *this;
  }

  Sink& sink_;
  bool comma_due_ = false;
};

}  // namespace flexd::json
