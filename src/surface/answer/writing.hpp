// writing.hpp: what the writers of the four dialects share.
//
// Whatever is written for a caller is written whole or not at all: what could not be finished,
// because the pool had no room, is taken back, so that a failure event can follow it.
//
// A frame of an event is written in two ways:
//
//   append_parts(out, {"event: x\ndata: {\"delta\":\"", raw, "\"}\n\n"})   many small ones, quickly
//   WholeSink sink(out); begin_frame(sink, "x"); ... end_frame(sink);      anything else
//   if (!sink.finish()) ...
//
// Its data has no line ends: a raw value from elsewhere goes through append_single_line.
#pragma once

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "flexd/base/assert.hpp"
#include "flexd/base/buffer.hpp"
#include "flexd/base/copy.hpp"
#include "flexd/surface/answer.hpp"

namespace flexd::surface {

using Parts = std::initializer_list<std::string_view>;

inline size_t bytes_of(Parts parts) {
  size_t bytes = 0;
  for (const std::string_view part : parts) bytes += part.size();
  return bytes;
}

// append_parts appends all parts; false (and nothing changed) if the pool has no room. No part may
// point into `out`.
[[nodiscard]] bool append_parts(Buffer& out, Parts parts);

// WholeSink collects text in a Buffer for whatever wants append(std::string_view). Without a
// finish that succeeds, nothing of it stays.
class WholeSink {
 public:
  explicit WholeSink(Buffer& out) : out_(out), begin_(out.size()) {}
  ~WholeSink() {
    if (!finished_) out_.truncate(begin_);
  }
  WholeSink(const WholeSink&) = delete;
  WholeSink& operator=(const WholeSink&) = delete;

  void append(std::string_view text) {
    if (!failed_ && !out_.append(text)) failed_ = true;
  }
  // finish keeps the text; false if the pool had no room for it.
  [[nodiscard]] bool finish() {
    finished_ = !failed_;
    return finished_;
  }

 private:
  Buffer& out_;
  const size_t begin_;
  bool failed_ = false;
  bool finished_ = false;
};

// begin_frame opens a frame up to where its data begins. An empty `event` leaves its line out.
template <typename Sink>
void begin_frame(Sink& sink, std::string_view event) {
  if (!event.empty()) {
    sink.append("event: ");
    sink.append(event);
    sink.append("\n");
  }
  sink.append("data: ");
}

template <typename Sink>
void end_frame(Sink& sink) {
  sink.append("\n\n");
}

// append_single_line appends a raw JSON value without its line ends, which are but white space.
template <typename Sink>
void append_single_line(Sink& sink, std::string_view json) {
  while (!json.empty()) {
    const size_t lf = json.find('\n');
    std::string_view line = json.substr(0, lf);
    json.remove_prefix(lf == std::string_view::npos ? json.size() : lf + 1);
    for (size_t cr = line.find('\r'); cr != std::string_view::npos; cr = line.find('\r')) {
      sink.append(line.substr(0, cr));
      line.remove_prefix(cr + 1);
    }
    sink.append(line);
  }
}

// Decimal is a number as text.
class Decimal {
 public:
  explicit Decimal(uint64_t number) {
    const auto done = std::to_chars(digits_.data(), digits_.data() + digits_.size(), number);
    size_ = static_cast<size_t>(done.ptr - digits_.data());
  }
  std::string_view view() const { return {digits_.data(), size_}; }

 private:
  std::array<char, 20> digits_;
  size_t size_;
};

// ShortText holds a text of at most kMax bytes that is put together of parts.
template <size_t kMax>
class ShortText {
 public:
  ShortText() = default;
  explicit ShortText(Parts parts) { set(parts); }
  void set(Parts parts) {
    size_ = 0;
    for (const std::string_view part : parts) {
      FLEXD_ASSERT(part.size() <= kMax - size_);
      copy_text(part, bytes_.data() + size_);
      size_ += part.size();
    }
  }
  std::string_view view() const { return {bytes_.data(), size_}; }

 private:
  std::array<char, kMax> bytes_;
  size_t size_ = 0;
};

// kUniqueBytesMax bounds AnswerContext::unique.
inline constexpr size_t kUniqueBytesMax = 64;

// Id is an id made of a prefix and the answer's unique letters. They need no escapes.
using Id = ShortText<kUniqueBytesMax + 32>;

// answer_id is `resp_gw`, `chatcmpl-gw`, `msg_gw` or `v1_gw` and the unique letters.
inline Id answer_id(std::string_view prefix, std::string_view unique) {
  return Id({prefix, unique});
}
// numbered_id is PREFIX UNIQUE _ NUMBER: of items, and of calls for which the provider had none.
inline Id numbered_id(std::string_view prefix, std::string_view unique, uint64_t number) {
  return Id({prefix, unique, "_", Decimal(number).view()});
}

// code_of and message_of are a failure's, raw, or what stands for those that the provider left out.
std::string_view code_of(const AnswerFailure& failure);
std::string_view message_of(const AnswerFailure& failure);

// append_arguments appends the arguments of a call as an object, given the JSON string, quotes and
// all, in which their text was streamed. What is no JSON object becomes `{}`. False (and nothing
// changed) if the pool has no room. `string` may not point into `out`.
[[nodiscard]] bool append_arguments(Buffer& out, std::string_view string);

// kTimeBytes is the length of a time as format_time writes it.
inline constexpr size_t kTimeBytes = 20;
// format_time is a Unix time in RFC 3339, UTC: 2026-11-21T03:00:00Z. Times after the year 9999 are
// the last second of it.
std::array<char, kTimeBytes> format_time(uint64_t unix_s);

}  // namespace flexd::surface
