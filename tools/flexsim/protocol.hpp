// protocol.hpp: what an exchange asks of its connection, whatever HTTP version it speaks, and what
// the connection asks of the protocol.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "flexd/http/message.hpp"
#include "scenario.hpp"

namespace flexd::flexsim {

class Protocol {
 public:
  virtual ~Protocol() = default;

  // For the connection.
  // receive takes decrypted bytes.
  virtual void receive(std::string_view bytes) = 0;
  // flush hands what is to be sent to the connection; called once a turn, and when there is room
  // again.
  virtual void flush() = 0;
  // lost: the transport is gone; every exchange ends.
  virtual void lost() = 0;

  // For exchanges. `stream` is 0 over HTTP/1.1.
  // respond sends a response head; a body of `length` follows, or one of unknown length.
  virtual void respond(int32_t stream, unsigned status, http::FieldList& fields,
                       std::optional<uint64_t> length) = 0;
  virtual void write(int32_t stream, std::string_view bytes) = 0;
  virtual void finish(int32_t stream) = 0;
  // waiting_bytes is what `write` took and flow control did not let go yet. When it has become 0,
  // Exchange::resume is called.
  [[nodiscard]] virtual size_t waiting_bytes(int32_t stream) const = 0;
  // die cuts the exchange off, with this code if it is by RST_STREAM.
  virtual void die(int32_t stream, Death death, uint32_t code) = 0;
  // goaway_below refuses this stream and later ones; goaway_notice and goaway are the two steps of
  // a graceful end. HTTP/1.1 closes the connection for the first and ignores the others.
  virtual void goaway_below(int32_t stream) = 0;
  virtual void goaway_notice() = 0;
  virtual void goaway() = 0;
  [[nodiscard]] virtual uint32_t streams_open() const = 0;
};

}  // namespace flexd::flexsim
