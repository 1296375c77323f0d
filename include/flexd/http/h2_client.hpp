// h2_client.hpp: the client side of one HTTP/2 connection, without its socket (RFC 9113).
//
// Bytes from the origin go into `receive`; bytes for it come out of `pull`, which is called once a
// turn after all input, so that frames of many streams share records and sends. The session reads
// no clock: timeouts of SETTINGS, PING and streams are its owner's.
//
// Flow control: the connection window is as large as it gets and its credit is returned at receipt;
// a stream's window is kStreamWindowBytes, and its credit is returned by `consume`. So a stream
// that is not consumed stalls alone.
//
// Callbacks come from receive, pull and connection_lost only, never from submit, consume or cancel.
// In a callback any of submit, consume, cancel and ping may be called; receive, pull,
// connection_lost and the destructor may not.
#pragma once

#include <cstdint>
#include <expected>
#include <string_view>

#include "flexd/base/splice.hpp"
#include "flexd/http/h2_resources.hpp"
#include "flexd/http/message.hpp"

struct nghttp2_session;

namespace flexd::http::h2 {

// ResetKind says how a stream ended.
enum class ResetKind : uint8_t {
  ok,              // the answer was whole: on_end came before
  refused,         // provably not processed: REFUSED_STREAM before any answer, above the last id of
                   // a GOAWAY, or never written. It may be sent again elsewhere
  reset,           // the peer reset the stream, with `code`
  protocol_error,  // the peer broke HTTP or HTTP/2 on this stream or on the connection
  connection_lost,  // the connection ended first
};

// Reset is how and why a stream ended. `code` is an error code of RFC 9113 7.
struct Reset {
  ResetKind kind = ResetKind::ok;
  uint32_t code = 0;
};

// StreamHandler is told what happens on one stream. After on_closed, or after cancel, it is told
// nothing more, and neither it nor the request's memory is touched.
class StreamHandler {
 public:
  // on_head: the final response head; 1xx are skipped. Views are valid during the call.
  virtual void on_head(const ResponseHead& head) = 0;
  // on_data: give credit back with ClientSession::consume.
  virtual void on_data(std::string_view bytes) = 0;
  // on_end: the answer is whole. on_closed(ok) follows.
  virtual void on_end() = 0;
  virtual void on_closed(Reset reset) = 0;

 protected:
  ~StreamHandler() = default;
};

// ConnectionHandler is told what concerns no single stream.
class ConnectionHandler {
 public:
  // on_ping_ack: the peer answered a `ping` of ours.
  virtual void on_ping_ack(uint64_t payload) = 0;
  // on_goaway: the peer takes no new streams; those above `last_stream` end as refused.
  virtual void on_goaway(int32_t last_stream, uint32_t code) = 0;
  // on_settings: the peer's first SETTINGS frame came: the connection is HTTP/2 indeed.
  virtual void on_settings() = 0;

 protected:
  ~ConnectionHandler() = default;
};

// Request is what `submit` sends. All views stay alive until on_closed or cancel.
struct Request {
  std::string_view method = "POST";
  std::string_view scheme = "https";
  std::string_view authority;
  std::string_view path;
  // fields: lower-case names, no pseudo, connection or framing fields. content-length is added.
  // Those that hold a secret go out never-indexed (RFC 7541 7.1.3), as do x-request-id and the
  // like, which would only push others out of the table.
  const FieldList* fields = nullptr;
  SplicedReader body;
};

// Refusal says why `submit` did nothing.
enum class Refusal : uint8_t {
  closing,    // GOAWAY, failure, or out of stream ids: use another connection
  full,       // as many streams are open as the peer or the owner allows
  no_memory,  // nghttp2 could not allocate
};

struct ClientOptions {
  uint32_t streams_max = 100;  // open at a time, whatever the peer allows
  uint32_t glitches_max = kGlitchesMax;
};

class ClientSession {
 public:
  // The preface and SETTINGS are ready to be pulled at once. `handler` and `resources` outlive the
  // session.
  ClientSession(Resources& resources, ConnectionHandler& handler, ClientOptions options = {});
  // Streams still open are dropped without a callback.
  ~ClientSession();
  ClientSession(const ClientSession&) = delete;
  ClientSession& operator=(const ClientSession&) = delete;

  // receive takes bytes from the peer: all of them are used. False if the session has failed: pull
  // what is left (a GOAWAY), send it, close. A broken rule of HTTP/2 fails the session in the pull
  // that follows, when the GOAWAY is written.
  bool receive(std::string_view plaintext);
  // pull returns the next bytes for the peer, at most kPieceBytes and contiguous; empty if there
  // are none now. Valid until the next pull of any session of the same Resources.
  [[nodiscard]] std::string_view pull();
  // wants_write says whether pull may have something.
  [[nodiscard]] bool wants_write() const;

  // submit opens a stream and returns its id.
  [[nodiscard]] std::expected<int32_t, Refusal> submit(const Request& request,
                                                       StreamHandler& handler);
  // consume gives back `count` bytes of a stream's credit. Ids of closed streams are ignored.
  void consume(int32_t stream, size_t count);
  // cancel sends RST_STREAM(CANCEL), or nothing if the request was not written yet. There is no
  // on_closed. Ids of closed streams are ignored.
  void cancel(int32_t stream);
  // ping sends a PING; on_ping_ack brings `payload` back.
  void ping(uint64_t payload);
  // shut_down sends GOAWAY(NO_ERROR): open streams go on, new ones are refused.
  void shut_down();
  // connection_lost says that the transport is gone: every open stream is told so, and pull has
  // nothing more.
  void connection_lost();

  // can_submit: a stream could be opened now.
  [[nodiscard]] bool can_submit() const;
  // is_failed: the connection broke and is to be closed once pull is empty.
  bool is_failed() const { return failed_; }
  // is_closing: no new stream can be opened, ever.
  [[nodiscard]] bool is_closing() const { return failed_ || goaway_received_ || goaway_sent_; }
  // failure_code is the error code of the GOAWAY sent or 0.
  uint32_t failure_code() const { return failure_code_; }
  // settings_received: the peer's SETTINGS came.
  bool settings_received() const { return settings_received_; }
  // streams_open counts streams that have a handler, and cancelled ones not yet off the wire.
  uint32_t streams_open() const { return streams_open_; }
  // streams_max is how many may be open: the smaller of the peer's and the owner's limit.
  [[nodiscard]] uint32_t streams_max() const;
  // resets_sent counts RST_STREAM frames sent, for whatever reason: a connection with many of them
  // is to be retired, for origins count them too.
  uint32_t resets_sent() const { return resets_sent_; }
  // glitches counts what is legal but useless: PINGs, SETTINGS, empty DATA, tiny WINDOW_UPDATEs,
  // PRIORITYs, 1xx answers. Each useful frame takes one off. At glitches_max the connection
  // fails with ENHANCE_YOUR_CALM.
  uint32_t glitches() const { return glitches_; }

 private:
  friend struct ClientCallbacks;
  ClientStream* find(int32_t id) const;
  void count_glitch(uint32_t weight);
  void forgive_glitch() { glitches_ -= glitches_ > 0 ? 1 : 0; }
  void mark_closed(ClientStream& stream, Reset reset);
  void mark_gone(ClientStream& stream, Reset reset);
  void finish(ClientStream& stream);
  void head_received(ClientStream& stream, bool ended);
  void fail(uint32_t code);
  void reap();
  void drop_head();

  Resources* resources_;
  ConnectionHandler* handler_;
  ClientOptions options_;
  nghttp2_session* session_ = nullptr;
  ClientStream* open_ = nullptr;  // all streams known to nghttp2 or waiting for on_closed
  HeadBlock* head_ = nullptr;     // of the header block being received
  std::string_view pending_;      // of a frame that did not fit into the last piece
  uint32_t streams_open_ = 0;
  uint32_t to_reap_ = 0;  // streams that wait for on_closed or for their end
  uint32_t pings_open_ = 0;
  uint32_t resets_sent_ = 0;
  uint32_t glitches_ = 0;
  uint32_t failure_code_ = 0;
  bool failed_ = false;
  bool lost_ = false;
  bool goaway_received_ = false;
  bool goaway_sent_ = false;
  bool settings_received_ = false;
  bool in_call_ = false;
};

}  // namespace flexd::http::h2
