// attempt.hpp: one request to a provider, as one HTTP/2 stream (or one HTTP/1.1 exchange).
//
// The owner keeps an Attempt as a member, starts it on a Pool and is told what comes back. It is
// told nothing after `cancel`, and nothing after on_end or on_failure, of which exactly one comes
// unless it is cancelled. Callbacks never come from inside start, consume or cancel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "flexd/base/splice.hpp"
#include "flexd/http/h2_client.hpp"
#include "flexd/http/message.hpp"

namespace flexd::origin {

// FailureKind says at which stage an attempt failed, so that a user can be told.
enum class FailureKind : uint8_t {
  name,             // the host name could not be resolved
  connect,          // refused, no route
  connect_timeout,  // --connect-timeout passed
  tls,              // handshake failed
  tls_timeout,      // the handshake took longer than --connect-timeout
  certificate,      // the peer's certificate is not valid for the name
  protocol,         // the peer broke HTTP
  reset,            // the stream or connection was reset
  truncated,        // the connection ended before the answer was whole
  unanswered_ping,  // the connection is dead: a PING was not answered in time
  overloaded,       // more attempts wait for a connection than the pool holds
};

struct AttemptFailure {
  FailureKind kind = FailureKind::reset;
  // never_processed: the provider provably did nothing (no byte written, REFUSED_STREAM, above
  // GOAWAY): the attempt may be sent again.
  bool never_processed = false;
  bool head_seen = false;
  // detail is for a log line (X509 reason, errno text); valid during the call.
  std::string_view detail{};
};

// AttemptRequest describes what is sent. All views stay alive until the attempt is over.
struct AttemptRequest {
  std::string_view path;  // with the provider's prefix
  // fields beyond the pseudo ones, host and framing: allow-listed by the caller, the provider's
  // authentication included (marked never-indexed on HTTP/2). Names in lower case.
  const http::FieldList* fields = nullptr;
  SplicedReader body;
};

class AttemptHandler {
 public:
  // on_head: the final response head (1xx are skipped). Views are valid during the call.
  virtual void on_head(const http::ResponseHead& head) = 0;
  // on_body: bytes of the answer. Give credit back with Attempt::consume when they are dealt with:
  // what is withheld stops the provider by flow control.
  virtual void on_body(std::string_view bytes) = 0;
  virtual void on_end() = 0;
  virtual void on_failure(const AttemptFailure& failure) = 0;

 protected:
  ~AttemptHandler() = default;
};

class Pool;
class Connection;

class Attempt final : public http::h2::StreamHandler {
 public:
  explicit Attempt(AttemptHandler& handler) : handler_(&handler) {}
  // Destroying an open attempt cancels it.
  ~Attempt() { cancel(); }
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;

  // start sends `request` on a connection of `pool`, waiting for one if need be. The attempt must
  // not be open.
  void start(Pool& pool, const AttemptRequest& request);
  // cancel ends the attempt at once: RST_STREAM(CANCEL), or the connection on HTTP/1.1.
  void cancel();
  // consume gives `count` bytes of flow-control credit back.
  void consume(size_t count);

  bool is_open() const { return state_ != State::idle; }
  // is_sent: the request was given to a connection; before that nothing can be billed.
  bool is_sent() const { return state_ == State::sent; }
  // was_sent: likewise, also when it is over.
  bool was_sent() const { return was_sent_; }

 private:
  friend class Pool;
  friend class Connection;
  friend class H1Exchange;
  friend class WaitingList;
  enum class State : uint8_t { idle, waiting, sent };

  // http::h2::StreamHandler
  void on_head(const http::ResponseHead& head) override;
  void on_data(std::string_view bytes) override;
  void on_end() override;
  void on_closed(http::h2::Reset reset) override;

  void fail(const AttemptFailure& failure);

  AttemptHandler* handler_;
  State state_ = State::idle;
  AttemptRequest request_;
  Pool* pool_ = nullptr;
  Connection* connection_ = nullptr;
  int32_t stream_ = 0;
  bool was_sent_ = false;
  bool head_seen_ = false;
  Attempt* next_ = nullptr;
  Attempt* previous_ = nullptr;
};

}  // namespace flexd::origin
