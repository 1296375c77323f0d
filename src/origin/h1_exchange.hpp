// h1_exchange.hpp: attempts over an HTTP/1.1 connection, one after the other (RFC 9112).
#pragma once

#include <cstdint>
#include <string_view>

#include "flexd/base/buffer.hpp"
#include "flexd/base/splice.hpp"
#include "flexd/http/h1_chunks.hpp"
#include "flexd/http/h1_parser.hpp"
#include "flexd/origin/attempt.hpp"

namespace flexd::origin {

class Connection;

// kUnreadHighBytes and kUnreadLowBytes pause and resume receiving: HTTP/1.1 has no credit of its
// own.
inline constexpr size_t kUnreadHighBytes = 256U << 10U;
inline constexpr size_t kUnreadLowBytes = 64U << 10U;

class H1Exchange {
 public:
  H1Exchange(Connection& connection, BlockPool& pool);

  // is_idle: an attempt can be placed.
  bool is_idle() const { return attempt_ == nullptr && reusable_; }
  bool is_busy() const { return attempt_ != nullptr; }
  // is_paused: receiving waits for `consume`.
  bool is_paused() const { return paused_; }
  // place begins an attempt; its request goes out in the following flushes.
  void place(Attempt& attempt);
  // cancel forgets the attempt. The connection cannot be used again.
  void cancel();
  void consume(size_t count);
  // flush writes what fits; called once a turn.
  void flush();
  // receive takes bytes from the provider. False if the connection has to go.
  [[nodiscard]] bool receive(std::string_view bytes);
  // receive_end: the provider ended the connection.
  void receive_end(FailureKind kind);

 private:
  bool receive_head();
  std::string_view receive_body(std::string_view bytes);
  void write_head();
  void deliver(std::string_view data);
  void end(size_t extra_bytes);
  void fail(FailureKind kind);

  Connection& connection_;
  Attempt* attempt_ = nullptr;
  SplicedReader body_;
  Buffer input_;  // a head in pieces
  size_t scanned_ = 0;
  http::ChunkDecoder chunks_;
  http::Framing framing_ = http::Framing::none;
  uint64_t body_left_ = 0;
  size_t unread_bytes_ = 0;
  bool head_written_ = false;
  bool head_read_ = false;
  bool keep_alive_ = false;
  bool paused_ = false;
  bool reusable_ = true;
};

}  // namespace flexd::origin
