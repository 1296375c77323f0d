#include "connection.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "flexd/base/log.hpp"

namespace flexd::origin {
namespace {

// kCheckNs is how often a ready connection looks whether it is alive, old or idle.
constexpr uint64_t kCheckNs = 1'000'000'000;
// kEndNs is how long nothing has come when a connection that its peer ended is taken to be read.
constexpr uint64_t kEndNs = 100'000'000;
// kLingerNs bounds the goodbye of a connection that is given up.
constexpr uint64_t kLingerNs = 1'000'000'000;

}  // namespace

Connection::Connection(Pool& pool)
    : pool_(pool), timer_(timer_callback<Connection, &Connection::on_timer>, this) {}

Connection::~Connection() {
  pool_.reactor_.cancel_resolve(*this);
}

void Connection::open() {
  wished_ns_ = pool_.reactor_.now_ns();
  arm(pool_.options_.connect_timeout_ns);
  pool_.reactor_.resolve(pool_.options_.url.host, pool_.options_.url.port, *this);
}

void Connection::on_resolved(std::span<const io::Address> addresses, std::string_view error) {
  if (state_ != State::resolving) return;
  if (addresses.empty()) {
    fail_open(FailureKind::name, error);
    return;
  }
  address_count_ = std::min(addresses.size(), kAddressesMax);
  std::copy_n(addresses.begin(), address_count_, addresses_.begin());
  state_ = State::connecting;
  connect_next();
}

// connect_next tries the addresses in turn; the connect clock is for all of them together.
void Connection::connect_next() {
  while (address_next_ < address_count_) {
    socket_ = pool_.reactor_.connect(addresses_[address_next_++], *this);
    if (socket_) return;
  }
  fail_open(FailureKind::connect, "no address could be tried");
}

void Connection::on_connected() {
  if (state_ != State::connecting) return;
  if (pool_.options_.url.scheme == config::OriginUrl::Scheme::https) {
    start_tls();
  } else {
    become_ready();
    note_room();
  }
}

void Connection::start_tls() {
  state_ = State::handshaking;
  arm(pool_.options_.connect_timeout_ns);
  const tls::Endpoint endpoint{.host = pool_.options_.url.host, .port = pool_.options_.url.port};
  tls_.emplace(*pool_.tls_, endpoint, pool_.reactor_.out(socket_));
  tls_->start();
  pool_.reactor_.touch(socket_);
}

void Connection::become_ready() {
  using Scheme = config::OriginUrl::Scheme;
  const Scheme scheme = pool_.options_.url.scheme;
  const bool h2 = scheme == Scheme::h2c || (tls_ && tls_->alpn() == tls::Alpn::h2);
  state_ = State::ready;
  const uint64_t now = pool_.reactor_.now_ns();
  received_ns_ = idle_since_ns_ = now;
  // Up to a quarter earlier than the others, so that they do not all end together.
  const uint64_t age = pool_.options_.age_max_ns;
  retire_ns_ = now + age - pool_.reactor_.random_u64() % (age / 4 + 1);
  pool_.http1_ = !h2;
  if (h2) {
    h2_.emplace(pool_.resources_, *this,
                http::h2::ClientOptions{.streams_max = pool_.options_.streams_per_connection_max});
  } else {
    h1_.emplace(*this, pool_.reactor_.blocks());
  }
  count_connect(metrics::ConnectResult::ok);
  if (auto* metrics = pool_.reactor_.metrics()) {
    metrics->observe(metrics::Histogram::origin_connect, metrics::at(pool_.provider_),
                     now - wished_ns_);
    if (tls_ && tls_->resumed()) metrics->add(metrics::Counter::origin_tls_resumed);
  }
  arm(kCheckNs);
  pool_.reactor_.touch(socket_);
  room_changed_ = true;
}

void Connection::on_data(std::string_view bytes) {
  received_ns_ = pool_.reactor_.now_ns();
  if (state_ == State::closing) return;
  if (tls_) {
    tls_->receive(bytes, *this);
    if (!check_tls()) return;
  } else {
    on_plaintext(bytes);
  }
  after_input();
}

// check_tls acts on what the handshake came to. False if the connection is over.
bool Connection::check_tls() {
  pool_.reactor_.touch(socket_);
  if (tls_->state() == tls::State::handshake) return true;
  if (tls_->state() == tls::State::open) {
    if (state_ == State::handshaking) become_ready();
    return true;
  }
  if (tls_->state() == tls::State::closed) {
    lost_kind_ = FailureKind::truncated;
    close();
    return false;
  }
  const bool certificate = tls_->failure() == tls::FailureReason::certificate ||
                           tls_->failure() == tls::FailureReason::host_mismatch;
  if (state_ == State::handshaking) {
    fail_open(certificate ? FailureKind::certificate : FailureKind::tls, tls_->failure_detail());
  } else {
    lost_kind_ = FailureKind::protocol;
    close();
  }
  return false;
}

void Connection::on_plaintext(std::string_view bytes) {
  // Application data can follow the last handshake message in the same receive.
  if (state_ == State::handshaking && tls_->state() == tls::State::open) become_ready();
  if (state_ != State::ready) return;
  if (h2_) {
    if (!h2_->receive(bytes)) lost_kind_ = FailureKind::protocol;
  } else if (!h1_->receive(bytes)) {
    lost_kind_ = FailureKind::protocol;
    retiring_ = true;
  }
}

// after_input: what has come has been read; see what became of the connection.
void Connection::after_input() {
  if (state_ != State::ready) return;
  if (h2_) {
    if (h2_->wants_write()) pool_.reactor_.touch(socket_);
    if (h2_->is_failed()) {
      close();
      return;
    }
    if (h2_->is_closing()) retiring_ = true;
    room_changed_ = true;
  }
  if (retiring_ && stream_count() == 0) {
    close();
    return;
  }
  note_room();
}

// note_room lets attempts in that wait.
void Connection::note_room() {
  if (!std::exchange(room_changed_, false)) return;
  pool_.on_room();
}

uint32_t Connection::stream_count() const {
  if (h2_) return h2_->streams_open();
  return h1_ && h1_->is_busy() ? 1 : 0;
}

bool Connection::has_room() const {
  if (state_ != State::ready || retiring_) return false;
  if (h2_) {
    if (!h2_->can_submit() || h2_->resets_sent() >= pool_.options_.resets_max) return false;
    // What the peer allows is not known yet: more than it allowed last time it would refuse.
    return h2_->settings_received() || h2_->streams_open() < pool_.streams_each_;
  }
  return h1_->is_idle();
}

http::h2::Request Connection::h2_request(const Attempt& attempt) const {
  return {
      .method = "POST",
      .scheme = pool_.options_.url.scheme == config::OriginUrl::Scheme::https ? "https" : "http",
      .authority = pool_.authority_,
      .path = attempt.request_.path,
      .fields = attempt.request_.fields,
      .body = attempt.request_.body};
}

bool Connection::place(Attempt& attempt) {
  if (h2_) {
    const auto stream = h2_->submit(h2_request(attempt), attempt);
    if (!stream) return false;
    attempt.stream_ = *stream;
  } else {
    h1_->place(attempt);
  }
  attempt.connection_ = this;
  attempt.state_ = Attempt::State::sent;
  attempt.was_sent_ = true;
  pool_.reactor_.touch(socket_);
  return true;
}

void Connection::cancel(Attempt& attempt) {
  if (h2_) {
    h2_->cancel(attempt.stream_);
    if (state_ != State::ready) return;
    // Its place is free once the reset is written.
    room_changed_ = true;
    pool_.reactor_.touch(socket_);
  } else {
    h1_->cancel();
    abort();
  }
}

void Connection::release(Attempt& attempt) {
  // What was not sent of the request is of no use to anyone: its stream is reset then.
  if (h2_) h2_->cancel(attempt.stream_);
}

void Connection::consume(Attempt& attempt, size_t count) {
  if (h2_) {
    h2_->consume(attempt.stream_, count);
    if (state_ == State::ready && h2_->wants_write()) pool_.reactor_.touch(socket_);
  } else {
    h1_->consume(count);
  }
}

bool Connection::send(std::string_view plaintext) {
  if (tls_) return tls_->send(plaintext);
  return pool_.reactor_.out(socket_).append(plaintext);
}

void Connection::on_flush() {
  if (state_ != State::ready) return;
  if (h1_) {
    h1_->flush();
    return;
  }
  // What does not fit now goes out after on_drained, which comes only to who was above the mark.
  const ByteChain& out = pool_.reactor_.out(socket_);
  while (out.size() <= io::kOutHighBytes) {
    const std::string_view piece = h2_->pull();
    if (piece.empty()) break;
    if (!send(piece)) {
      abort();
      return;
    }
  }
  // A breach of HTTP/2 shows once the GOAWAY that names it has been pulled.
  if (h2_->is_failed() && state_ == State::ready) {
    lost_kind_ = FailureKind::protocol;
    if (tls_) tls_->close_notify();
    state_ = State::closing;
    timer_.cancel();
    pool_.reactor_.close(socket_, kLingerNs);
    return;
  }
  if (state_ == State::ready) note_room();
}

void Connection::on_drained() {
  pool_.reactor_.touch(socket_);
}

void Connection::on_peer_closed() {
  if (state_ == State::closing) return;
  if (state_ == State::handshaking) {
    tls_->receive_end();
    fail_open(FailureKind::tls, "the peer closed the connection during the handshake");
    return;
  }
  if (h1_ && h1_->is_paused()) {
    // What came before the end may still be unread.
    peer_ended_ = retiring_ = true;
    return;
  }
  end_input();
}

// on_resumed: the attempt takes bytes again. If some were unread, receiving tells of the end again
// behind them; if none were, nothing more comes, which check_liveness sees.
void Connection::on_resumed() {
  pool_.reactor_.resume(socket_);
  if (peer_ended_ && state_ == State::ready) arm(kEndNs);
}

// end_input: all that the peer sent was read.
void Connection::end_input() {
  lost_kind_ = FailureKind::truncated;
  // Without TLS a body may end with the connection; with it, only after close_notify.
  const bool clean = !tls_ || tls_->receive_end() == tls::State::closed;
  if (h1_) h1_->receive_end(clean ? FailureKind::truncated : FailureKind::reset);
  close();
}

void Connection::on_ping_ack(uint64_t /*payload*/) {
  ping_sent_ns_ = 0;
}

void Connection::on_settings() {
  pool_.streams_each_ = std::max(1U, h2_->streams_max());
}

void Connection::on_goaway(int32_t /*last_stream*/, uint32_t code) {
  retiring_ = true;
  if (auto* metrics = pool_.reactor_.metrics()) {
    metrics->add(metrics::Counter::origin_goaways, metrics::at(pool_.provider_));
  }
  log_line(LogLevel::debug, "origin_goaway",
           {{"provider", errors::provider_word(pool_.provider_)}, {"code", code}});
}

// fail_open gives a connection up that was never ready. It may be destroyed by the end of it.
void Connection::fail_open(FailureKind kind, std::string_view detail) {
  using metrics::ConnectResult;
  const bool timed_out = kind == FailureKind::connect_timeout || kind == FailureKind::tls_timeout;
  count_connect(timed_out                          ? ConnectResult::timeout
                : kind == FailureKind::name        ? ConnectResult::name
                : kind == FailureKind::certificate ? ConnectResult::certificate
                : kind == FailureKind::tls         ? ConnectResult::tls
                                                   : ConnectResult::connect);
  log_line(LogLevel::warn, "origin_connect_failed",
           {{"provider", errors::provider_word(pool_.provider_)},
            {"host", std::string_view(pool_.options_.url.host)},
            {"detail", detail}});
  pool_.on_open_failed({.kind = kind, .never_processed = false, .detail = detail});
  const bool connected = state_ == State::handshaking;
  state_ = State::closing;
  timer_.cancel();
  if (socket_ && connected) {
    // The alert that says why goes out before the end.
    pool_.reactor_.close(socket_, kLingerNs);
  } else if (socket_) {
    pool_.reactor_.abort(socket_);
  } else {
    arm(0);
  }
}

void Connection::retire() {
  retiring_ = true;
  if (state_ == State::ready) {
    // Not here: this may be called from inside a callback of the session's.
    if (stream_count() == 0) arm(0);
  } else if (state_ != State::closing) {
    state_ = State::closing;
    pool_.reactor_.cancel_resolve(*this);
    if (socket_) {
      pool_.reactor_.abort(socket_);
    } else {
      arm(0);
    }
  }
}

// close ends a ready connection; attempts still on it are told when the socket is gone.
void Connection::close() {
  if (state_ == State::closing) return;
  if (h2_) {
    h2_->shut_down();
    on_flush();
  }
  if (tls_) tls_->close_notify();
  state_ = State::closing;
  timer_.cancel();
  pool_.reactor_.close(socket_, kLingerNs);
}

void Connection::abort() {
  if (state_ == State::closing) return;
  state_ = State::closing;
  timer_.cancel();
  pool_.reactor_.abort(socket_);
}

void Connection::on_closed(int error) {
  socket_ = {};
  if (state_ == State::connecting) {
    if (address_next_ < address_count_) {
      connect_next();
      if (state_ != State::closing) return;
    } else {
      // The reactor's clock may be shorter than ours, and the kernel has one, too.
      const bool late = error == ETIMEDOUT;
      fail_open(late ? FailureKind::connect_timeout : FailureKind::connect, std::strerror(error));
    }
    return;
  }
  if (state_ == State::handshaking) {
    fail_open(FailureKind::tls, error == 0 ? "closed" : std::strerror(error));
    return;
  }
  timer_.cancel();
  state_ = State::closing;
  if (h2_) h2_->connection_lost();
  if (h1_) h1_->receive_end(lost_kind_);
  pool_.on_connection_closed(*this);
}

void Connection::arm(uint64_t duration_ns) {
  pool_.reactor_.timers().set(timer_, pool_.reactor_.now_ns() + duration_ns);
}

void Connection::on_timer() {
  switch (state_) {
    case State::resolving:
      pool_.reactor_.cancel_resolve(*this);
      fail_open(FailureKind::name, "the name was not resolved in time");
      return;
    case State::connecting:
      address_next_ = address_count_;
      fail_open(FailureKind::connect_timeout, "not connected in time");
      return;
    case State::handshaking:
      fail_open(FailureKind::tls_timeout, "the handshake took too long");
      return;
    case State::ready:
      check_liveness();
      return;
    case State::closing:
      pool_.on_connection_closed(*this);
      return;
  }
}

// check_liveness probes a silent connection, and lets old and idle ones go.
void Connection::check_liveness() {
  const uint64_t now = pool_.reactor_.now_ns();
  const PoolOptions& options = pool_.options_;
  const bool read_on = peer_ended_ && !h1_->is_paused();
  if (read_on && now - received_ns_ >= kEndNs) {
    end_input();
    return;
  }
  const bool busy = stream_count() > 0;
  if (busy) idle_since_ns_ = now;
  if (h2_ && busy) {
    // What came after the PING was sent before it arrived, perhaps: the clock starts again then.
    if (ping_sent_ns_ != 0 &&
        now - std::max(ping_sent_ns_, received_ns_) >= options.ping_timeout_ns) {
      lost_kind_ = FailureKind::unanswered_ping;
      abort();
      return;
    }
    if (ping_sent_ns_ == 0 && now - received_ns_ >= options.ping_after_ns) {
      ping_sent_ns_ = now;
      h2_->ping(now);
      pool_.reactor_.touch(socket_);
    }
  }
  // Many resets make a peer suspicious: take a fresh connection before it does.
  const bool worn = h2_ && h2_->resets_sent() >= options.resets_max;
  if (worn || now >= retire_ns_) retiring_ = true;
  const bool idle_too_long = h1_ && !busy && now - idle_since_ns_ >= options.h1_idle_ns;
  if (!busy && (retiring_ || idle_too_long)) {
    close();
    return;
  }
  arm(read_on ? kEndNs : kCheckNs);
}

void Connection::count_connect(metrics::ConnectResult result) {
  if (auto* metrics = pool_.reactor_.metrics()) {
    metrics->add(metrics::Counter::origin_connects, metrics::at(pool_.provider_, result));
  }
}

}  // namespace flexd::origin
