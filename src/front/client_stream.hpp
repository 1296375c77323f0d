// client_stream.hpp: the way an answer takes to its caller, whatever the HTTP version.
//
// One ClientStream carries one request and its answer. The exchange (exchange.hpp) writes to it;
// the connection (client_connection.hpp) implements it and tells the exchange what the caller does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "flexd/http/message.hpp"
#include "flexd/io/address.hpp"

namespace flexd::front {

// AnswerHead is a response head without framing and connection fields, which the stream adds.
struct AnswerHead {
  unsigned status = 200;
  std::span<const http::Field> fields;
  // has_length: content_length is known; otherwise the body ends with `finish`.
  bool has_length = false;
  uint64_t content_length = 0;
  // no_body: the status forbids one.
  bool no_body = false;
  // close: the connection cannot be used after this answer.
  bool close = false;
};

class ClientStream {
 public:
  // begin_answer sends the head. Once per request.
  virtual void begin_answer(const AnswerHead& head) = 0;
  // write sends a piece of the body; false means that the caller reads slowly: what is written is
  // kept, and on_drained of the exchange says when to go on.
  virtual bool write(std::string_view bytes) = 0;
  // finish ends the answer. The stream must not be used after it.
  virtual void finish() = 0;
  // abort_answer cuts the connection, so that a begun answer cannot look whole. The stream must not
  // be used after it.
  virtual void abort_answer() = 0;

  // is_broken: something that was written could not be kept, and the connection is being cut.
  virtual bool is_broken() const = 0;
  // peer is the caller's address, or that of the proxy before it.
  virtual const io::Address& peer() const = 0;

 protected:
  ~ClientStream() = default;
};

}  // namespace flexd::front
