// llhttp_oracle.hpp: what llhttp 8.1.0 in strict mode, the parser of Node.js, makes of a message.
//
// A second opinion for the tests of the HTTP/1.x parsers. It is the more lenient of the two (a bare
// CR, a request without Host), so it is asked one way only: what flexd accepts, llhttp must accept,
// and read the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace flexd::http {

struct OracleReading {
  bool failed = false;
  std::string error;  // llhttp's reason, if it failed
  bool head_complete = false;
  bool message_complete = false;
  std::string method;
  std::string target;
  unsigned status = 0;
  size_t fields = 0;
  bool chunked = false;
  bool has_length = false;
  uint64_t content_length = 0;
  std::string body;
  size_t consumed = 0;  // where the message ended, if it is complete
  // trailer_framing: it refused a Content-Length or Transfer-Encoding that came as a trailer, which
  // flexd drops like every other trailer.
  bool trailer_framing = false;
};

// oracle_request and oracle_response read one message from the beginning of `bytes`. A response
// whose body ends with the connection is taken to end with `bytes`.
OracleReading oracle_request(std::string_view bytes);
OracleReading oracle_response(std::string_view bytes, bool without_body);

}  // namespace flexd::http
