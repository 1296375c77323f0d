// h2_server.hpp: the server side of one HTTP/2 connection, without its socket (RFC 9113).
//
// As in h2_client.hpp: bytes in by `receive`, bytes out by `pull` once a turn, no clock, callbacks
// from receive and pull only. Body bytes of an answer wait in the stream's own queue until flow
// control lets them go.
#pragma once

#include <cstdint>
#include <string_view>

#include "flexd/base/block_pool.hpp"
#include "flexd/http/h2_resources.hpp"
#include "flexd/http/message.hpp"

struct nghttp2_session;

namespace flexd::http::h2 {

// ServerHandler is told what clients do on one connection. Views are valid during the call. In a
// callback every method of the session may be called but receive, pull and the destructor.
class ServerHandler {
 public:
  // on_request: a request head. Its framing is `none` if no body follows, and on_end comes next.
  virtual void on_request(int32_t stream, const RequestHead& head) = 0;
  // on_data: give credit back with ServerSession::consume.
  virtual void on_data(int32_t stream, std::string_view bytes) = 0;
  // on_end: the request is whole.
  virtual void on_end(int32_t stream) = 0;
  // on_drain: the last byte queued by send_data has left the stream's queue.
  virtual void on_drain(int32_t stream) = 0;
  // on_closed: nothing more happens on the stream. `code` is 0 if both sides ended it, else that of
  // the RST_STREAM (RFC 9113 7): 8, CANCEL, where a client gave up.
  virtual void on_closed(int32_t stream, uint32_t code) = 0;

 protected:
  ~ServerHandler() = default;
};

struct ServerOptions {
  uint32_t streams_max = 128;  // SETTINGS_MAX_CONCURRENT_STREAMS
  int32_t connection_window_bytes = 1U << 20U;
  uint32_t glitches_max = kGlitchesMax;
};

class ServerSession {
 public:
  // `pool` is for the queues of answers. Handler, pool and resources outlive the session.
  ServerSession(Resources& resources, BlockPool& pool, ServerHandler& handler,
                ServerOptions options = {});
  // Streams still open are dropped without a callback.
  ~ServerSession();
  ServerSession(const ServerSession&) = delete;
  ServerSession& operator=(const ServerSession&) = delete;

  // receive, pull, wants_write, connection_lost, is_failed: as in ClientSession. After
  // connection_lost every open stream gets on_closed with code 2, INTERNAL_ERROR.
  bool receive(std::string_view plaintext);
  [[nodiscard]] std::string_view pull();
  [[nodiscard]] bool wants_write() const;
  void connection_lost();
  bool is_failed() const { return failed_; }
  uint32_t failure_code() const { return failure_code_; }
  // is_done: GOAWAY was sent or received and no stream is left.
  [[nodiscard]] bool is_done() const;

  // respond sends a response head; without `has_body` it ends the stream. `fields` have lower-case
  // names and are copied. An interim head (1xx) may be sent before. False if the stream is gone.
  bool respond(int32_t stream, unsigned status, const FieldList& fields, bool has_body);
  // send_data queues body bytes after respond. False if the stream is gone, has ended, or the pool
  // is exhausted (then reset it).
  bool send_data(int32_t stream, std::string_view bytes);
  // finish ends the body once the queue is empty.
  void finish(int32_t stream);
  // queued_bytes is what send_data has queued and flow control has not let go yet.
  [[nodiscard]] size_t queued_bytes(int32_t stream) const;
  // reset sends RST_STREAM with an error code of RFC 9113 7; 7 is REFUSED_STREAM.
  void reset(int32_t stream, uint32_t code);
  // consume gives back `count` bytes of request body credit of a stream and its connection.
  void consume(int32_t stream, size_t count);
  // user, set_user: one pointer of the owner's for each stream; null at first or if it is gone.
  void set_user(int32_t stream, void* user);
  [[nodiscard]] void* user(int32_t stream) const;

  // goaway sends GOAWAY: streams above `last_stream` are ignored, the others finish.
  void goaway(int32_t last_stream, uint32_t code);
  // shutdown_notice sends the first GOAWAY of a graceful end, with the largest id (RFC 9113 6.8).
  void shutdown_notice();
  // last_stream is the highest stream id that was processed.
  [[nodiscard]] int32_t last_stream() const;
  uint32_t streams_open() const { return streams_open_; }
  uint32_t glitches() const { return glitches_; }

 private:
  friend struct ServerCallbacks;
  ServerStream* find(int32_t id) const;
  void count_glitch(uint32_t weight);
  void forgive_glitch(uint32_t weight) { glitches_ -= glitches_ > weight ? weight : glitches_; }
  void fail(uint32_t code);
  void reap();
  void wake(ServerStream& stream);
  void head_received(ServerStream& stream, bool ended);
  void drop_head();

  Resources* resources_;
  BlockPool* pool_;
  ServerHandler* handler_;
  ServerOptions options_;
  nghttp2_session* session_ = nullptr;
  ServerStream* open_ = nullptr;
  HeadBlock* head_ = nullptr;
  std::string_view pending_;
  uint32_t streams_open_ = 0;
  uint32_t to_reap_ = 0;      // streams that wait for on_drain or on_closed
  uint32_t goaway_code_ = 0;  // of a goaway by the owner
  uint32_t glitches_ = 0;
  uint32_t failure_code_ = 0;
  bool failed_ = false;
  bool goaway_sent_ = false;
  bool in_call_ = false;
};

}  // namespace flexd::http::h2
