// h1_chunks.hpp: the chunked transfer coding (RFC 9112 7.1), both ways.
//
// The decoder takes bytes in any pieces and hands out the data in place, without copying. It keeps
// no pointers and buffers nothing: between calls its state is a few counters.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "flexd/http/h1_parser.hpp"

namespace flexd::http {

// kChunkSizeDigitsMax bounds a chunk size, leading zeros included.
inline constexpr unsigned kChunkSizeDigitsMax = 16;
// kChunkExtensionBytesMax bounds the extensions of all chunks of a body together.
inline constexpr uint32_t kChunkExtensionBytesMax = 1024;
// kTrailerBytesMax and kTrailersMax bound the trailer section.
inline constexpr uint32_t kTrailerBytesMax = 8192;
inline constexpr uint32_t kTrailersMax = 32;

// ChunkEvent is one step of decoding.
struct ChunkEvent {
  enum class Kind : uint8_t {
    need_more,  // the input is used up
    data,       // `data` is a piece of the body, in place
    done,       // the body has ended; what is left of the input belongs to the next message
    refused,    // `verdict` says why; the connection is of no more use
  };
  Kind kind = Kind::need_more;
  H1Verdict verdict = H1Verdict::incomplete;
  std::string_view data;
};

// ChunkDecoder decodes one chunked body.
//
// Chunk sizes are hexadecimal digits alone. Extensions are checked against the grammar, without the
// optional whitespace, and ignored. Trailer fields are checked like those of a head, and dropped:
// nothing a client sends after its body may pass for a header field.
//
//   ChunkDecoder decoder;
//   for (;;) {
//     const ChunkEvent event = decoder.next(input);   // input shrinks from the front
//     if (event.kind != ChunkEvent::Kind::data) break;
//     use(event.data);
//   }
class ChunkDecoder {
 public:
  // next takes bytes from the front of `input` up to the next event. After `done` or `refused` it
  // takes nothing and answers the same again.
  [[nodiscard]] ChunkEvent next(std::string_view& input);

  // body_bytes is how much data has been handed out so far.
  uint64_t body_bytes() const { return body_bytes_; }
  bool done() const { return state_ == State::done; }
  // reset makes the decoder ready for another body.
  void reset() { *this = ChunkDecoder(); }

 private:
  enum class State : uint8_t {
    size_first,
    size,
    extension_name_first,
    extension_name,
    extension_value_first,
    extension_token,
    extension_quoted,
    extension_escaped,
    extension_quoted_end,
    size_lf,
    data,
    data_cr,
    data_lf,
    trailer_first,
    trailer_name,
    trailer_value,
    trailer_lf,
    last_lf,
    done,
    refused,
  };

  H1Verdict step(char c);
  H1Verdict step_size(char c);
  H1Verdict step_extension(char c);
  H1Verdict step_extension_end(char c);
  H1Verdict step_trailer(char c);
  H1Verdict step_line_feed(char c);

  State state_ = State::size_first;
  H1Verdict verdict_ = H1Verdict::incomplete;
  uint8_t size_digits_ = 0;
  uint32_t extension_bytes_ = 0;
  uint32_t trailer_bytes_ = 0;
  uint32_t trailers_ = 0;
  uint64_t chunk_left_ = 0;
  uint64_t body_bytes_ = 0;
};

// ChunkHead is the size line of a chunk, made in place: "1a\r\n".
class ChunkHead {
 public:
  // The size must not be 0: that would end the body (kLastChunk).
  explicit ChunkHead(uint64_t data_bytes);
  // view is valid as long as the object is.
  std::string_view view() const { return {text_ + begin_, sizeof text_ - begin_}; }

 private:
  char text_[kChunkSizeDigitsMax + 2];
  size_t begin_;
};

// kChunkEnd follows the data of each chunk.
inline constexpr std::string_view kChunkEnd = "\r\n";
// kLastChunk ends the body, without trailers.
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace flexd::http
