// h1_checks.hpp: properties that hold for any bytes given to the HTTP/1.x parsers.
//
// Shared by the unit tests and the fuzz targets. Each check answers with an empty text, or with a
// sentence about what does not hold.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "flexd/http/h1_chunks.hpp"
#include "flexd/http/h1_parser.hpp"

namespace flexd::http {

// check_request: the verdict is the same byte by byte, and after a first piece of `split` bytes;
// all views are inside the input; and llhttp accepts what flexd accepts and reads the same,
// including the body that follows.
std::string check_request(std::string_view bytes, size_t split);

// check_response is the same for an answer to `request_method`.
std::string check_response(std::string_view bytes, Method request_method, size_t split);

// check_chunks is the same for a chunked body.
std::string check_chunks(std::string_view bytes, size_t split);

// ChunkReading is all that a ChunkDecoder makes of some input.
struct ChunkReading {
  ChunkEvent::Kind kind = ChunkEvent::Kind::need_more;
  H1Verdict verdict = H1Verdict::incomplete;
  std::string body;
  size_t consumed = 0;
  bool inside = true;  // every piece of data pointed into the input

  bool operator==(const ChunkReading&) const = default;
};

// read_chunks decodes `bytes` handed over in pieces: one of `first` bytes, then of `rest` each.
ChunkReading read_chunks(std::string_view bytes, size_t first, size_t rest);

}  // namespace flexd::http
