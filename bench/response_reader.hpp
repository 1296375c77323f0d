// response_reader.hpp: reads HTTP/1.1 answers for the load generator, and counts their events.
//
// It is made to cost little, not to police: the peer is a proxy under test on the same machine.
// Framing (Content-Length, chunked, until close; RFC 9112 section 6) is still followed exactly,
// because a miscounted byte would turn into a wrong measurement. Server-sent events are counted in
// bodies of type text/event-stream: an event is a blank line after at least one `data:` line, and
// lines end in LF or CRLF.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace flexd::bench {

// EventCounter counts the events of a byte stream that arrives in arbitrary pieces.
class EventCounter {
 public:
  void feed(std::string_view bytes);
  void reset() { *this = EventCounter{}; }
  [[nodiscard]] std::uint64_t events() const { return events_; }

 private:
  void line_part(std::string_view part);
  void line_end();

  std::uint64_t events_ = 0;
  std::size_t line_bytes_ = 0;
  std::array<char, 5> prefix_{};
  bool last_is_cr_ = false;
  bool has_data_ = false;
};

// ResponseReader reads one answer at a time; reset() makes it ready for the next.
class ResponseReader {
 public:
  enum class State : std::uint8_t {
    kReading,  // more bytes are needed
    kDone,     // the answer is whole
    kBroken,   // not an HTTP/1.1 answer; the connection is of no more use
  };

  // kHeadBytesMax bounds a head that arrives in pieces.
  static constexpr std::size_t kHeadBytesMax = 65536;
  // kSampleBytesMax bounds what is kept of the body of a failed answer.
  static constexpr std::size_t kSampleBytesMax = 300;

  // feed takes bytes as they arrived and returns how many belong to this answer: fewer than all
  // only when the state is no longer kReading.
  std::size_t feed(std::string_view bytes);

  // on_eof says that the peer closed, which ends an answer that has no other length.
  void on_eof();

  void reset();

  [[nodiscard]] State state() const { return state_; }
  // has_begun is true from the first byte of the answer.
  [[nodiscard]] bool has_begun() const { return has_begun_; }
  // status is 0 until the head is complete.
  [[nodiscard]] int status() const { return status_; }
  [[nodiscard]] std::uint64_t body_bytes() const { return body_bytes_; }
  [[nodiscard]] std::uint64_t events() const { return counter_.events(); }
  // wants_close is true when the peer will not serve another request on this connection.
  [[nodiscard]] bool wants_close() const { return wants_close_; }
  // sample is the beginning of the body of an answer whose status is 300 or more.
  [[nodiscard]] const std::string& sample() const { return sample_; }

 private:
  enum class Phase : std::uint8_t {
    kHead,
    kBody,  // remaining_ bytes, the last part of the answer
    kUntilClose,
    kChunkSize,
    kChunkExtension,
    kChunkData,
    kChunkDataEnd,
    kTrailer,
  };

  std::size_t feed_head(std::string_view bytes);
  std::size_t feed_body(std::string_view bytes);
  std::size_t feed_chunked(std::string_view bytes);
  void chunk_size_end();
  void chunk_byte(char byte);
  void trailer_byte(char byte);
  void parse_head(std::string_view head);
  void parse_field(std::string_view line);
  void head_end();
  void take_body(std::string_view bytes);
  void broken() { state_ = State::kBroken; }

  State state_ = State::kReading;
  Phase phase_ = Phase::kHead;
  int status_ = 0;
  std::uint64_t remaining_ = 0;
  std::uint64_t body_bytes_ = 0;
  std::size_t size_digits_ = 0;
  std::size_t trailer_line_bytes_ = 0;
  bool has_begun_ = false;
  bool has_length_ = false;
  bool is_chunked_ = false;
  bool is_event_stream_ = false;
  bool wants_close_ = false;
  EventCounter counter_;
  std::string head_;
  std::string sample_;
};

}  // namespace flexd::bench
