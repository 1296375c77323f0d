#include "client_connection.hpp"

#include <algorithm>

#include "client_address.hpp"
#include "exchange.hpp"
#include "flexd/base/limits.hpp"
#include "flexd/http/proxy_header.hpp"
#include "request_words.hpp"
#include "worker.hpp"

namespace flexd::front {
namespace {

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

// kKeptInputMax bounds what is kept of a next request before receiving is paused; what the kernel
// had delivered by then may come on top, at most the receive buffers in flight.
constexpr size_t kKeptInputMax = 1U << 20U;
// kBodyProgressBytes within --body-timeout is what a sender must manage.
constexpr size_t kBodyProgressBytes = 1024;

}  // namespace

ClientConnection::ClientConnection(WorkerCore& worker, io::SocketId socket, const io::Address& peer)
    : worker_(worker),
      socket_(socket),
      peer_(peer),
      timer_(timer_callback<ClientConnection, &ClientConnection::on_timer>, this),
      input_(worker.reactor().blocks()) {}

ClientConnection::~ClientConnection() {
  FLEXD_ASSERT(exchange_ == nullptr);
}

void ClientConnection::open(bool shed) {
  if (!shed) {
    arm(worker_.settings().header_timeout_ns);
    if (worker_.settings().proxy_protocol) expect_preface();
    return;
  }
  keep_alive_ = false;
  exchange_ = worker_.open_exchange(*this);
  if (exchange_ == nullptr) {
    worker_.reactor().abort(socket_);
    state_ = State::closing;
    return;
  }
  exchange_->begin_refused(errors::Code::service_unavailable);
}

// expect_preface: the peer has to say whom it speaks for, and with --trusted-proxy may do so only
// as one of those: anyone else could name any address.
void ClientConnection::expect_preface() {
  const config::Settings& settings = worker_.settings();
  state_ = State::preface;
  if (settings.trusted_proxies.empty() || is_trusted_proxy(settings, peer_)) return;
  if (peer_.family() == AF_UNSPEC) {
    // It was reset before anyone could ask who it is, as HAProxy's health checks are.
    close(0);
    return;
  }
  refuse_preface(metrics::ProxyRefusal::untrusted);
}

void ClientConnection::drain() {
  draining_ = true;
  keep_alive_ = false;
  if (state_ == State::idle || state_ == State::preface) close();
}

void ClientConnection::cut() {
  if (state_ != State::closing) close();
}

void ClientConnection::abort_if_closing() {
  if (state_ == State::closing) worker_.reactor().abort(socket_);
}

void ClientConnection::on_data(std::string_view bytes) {
  worker_.reap();
  if (state_ == State::closing) return;
  if (!input_.empty() || state_ == State::busy || slow_) {
    keep_input(bytes);
    if (state_ != State::busy && !slow_) process_kept();
    return;
  }
  keep_input(process(bytes));
}

// process reads as much of `bytes` as the state allows and returns the rest, which is to be kept.
std::string_view ClientConnection::process(std::string_view bytes) {
  processing_ = true;
  while (!bytes.empty() && state_ != State::closing && state_ != State::busy) {
    const bool in_head = state_ == State::idle || state_ == State::head;
    if (in_head && is_slow_reader()) break;
    const std::string_view rest = in_head                    ? process_head(bytes)
                                  : state_ == State::preface ? process_preface(bytes)
                                                             : process_body(bytes);
    if (rest.size() == bytes.size()) break;  // more input is needed
    bytes = rest;
  }
  processing_ = false;
  return bytes;
}

// is_slow_reader: the caller has not read the answers to its last requests; it gets no more until
// it does.
bool ClientConnection::is_slow_reader() {
  if (worker_.reactor().out(socket_).size() <= io::kOutHighBytes) return false;
  slow_ = writer_waits_ = true;
  return true;
}

// process_kept reads what was kept. The buffer is moved out of the way, for what is left of it is
// kept again; what is only waiting for more stays where it is.
void ClientConnection::process_kept() {
  Buffer kept = std::move(input_);
  input_ = Buffer(worker_.reactor().blocks());
  const std::string_view rest = process(kept.view());
  if (rest.size() == kept.size() && input_.empty() && state_ != State::closing) {
    input_ = std::move(kept);
    pause_if_waiting();
  } else {
    keep_input(rest);
  }
}

void ClientConnection::keep_input(std::string_view bytes) {
  if (bytes.empty() || state_ == State::closing) return;
  // More than kKeptInputMax is more than a paused connection can deliver.
  if (input_.size() + bytes.size() > kKeptInputMax || !input_.append(bytes)) {
    if (exchange_ != nullptr) exchange_->on_client_gone();
    exchange_ = nullptr;
    worker_.reactor().abort(socket_);
    state_ = State::closing;
    return;
  }
  pause_if_waiting();
}

void ClientConnection::pause_if_waiting() {
  if (paused_ || (state_ != State::busy && !slow_)) return;
  paused_ = true;
  worker_.reactor().pause(socket_);
}

std::string_view ClientConnection::process_preface(std::string_view bytes) {
  const http::ProxyHeader header = http::parse_proxy_header(bytes);
  switch (header.state) {
    case http::ProxyHeader::State::incomplete:
      return bytes;
    case http::ProxyHeader::State::refused:
      refuse_preface(metrics::ProxyRefusal::malformed);
      return {};
    case http::ProxyHeader::State::complete:
      break;
  }
  if (header.has_source) peer_ = io::Address::from_ip(header.source, header.source_port);
  state_ = State::idle;  // the clock for the first head is running already
  return bytes.substr(header.consumed);
}

// refuse_preface closes without an answer: what the peer speaks is unknown.
void ClientConnection::refuse_preface(metrics::ProxyRefusal cause) {
  worker_.on_proxy_refusal(peer_, cause);
  close(0);
}

std::string_view ClientConnection::process_head(std::string_view bytes) {
  http::RequestHead head;
  const http::HeadResult result = http::parse_request_head(bytes, scanned_, head);
  if (result.incomplete()) {
    scanned_ = bytes.size();
    if (state_ == State::idle) {
      state_ = State::head;
      arm(worker_.settings().header_timeout_ns);
    }
    return bytes;
  }
  scanned_ = 0;
  if (result.refused()) {
    refuse_head(result.verdict);
    return {};
  }
  begin_request(head);
  return bytes.substr(result.consumed);
}

void ClientConnection::refuse_head(http::H1Verdict verdict) {
  count_protocol_error();
  keep_alive_ = false;
  version_ = http::Version::h1_1;
  framing_ = http::Framing::until_close;  // where the message ends is unknown
  answered_ = false;
  exchange_ = worker_.open_exchange(*this);
  state_ = State::body;
  if (exchange_ == nullptr) {
    close();
    return;
  }
  exchange_->begin_refused(code_of(http::refusal_of(verdict)), http::verdict_phrase(verdict));
}

void ClientConnection::begin_request(const http::RequestHead& head) {
  version_ = head.version;
  framing_ = head.framing;
  keep_alive_ = head.keep_alive && !draining_;
  expects_continue_ = head.expect_continue;
  is_head_ = head.method == http::Method::head;
  answered_ = false;
  writer_waits_ = false;
  body_left_ = head.content_length;
  chunks_.reset();
  discarded_bytes_ = body_progress_bytes_ = 0;
  state_ = State::body;
  timer_.cancel();
  exchange_ = worker_.open_exchange(*this);
  if (exchange_ == nullptr) {
    worker_.reactor().abort(socket_);
    state_ = State::closing;
    return;
  }
  exchange_->begin(head);
  if (state_ == State::closing) return;
  const bool has_body =
      framing_ == http::Framing::chunked || (framing_ == http::Framing::length && body_left_ > 0);
  if (!has_body) {
    // Answered or not: there is nothing to read away.
    request_complete();
    return;
  }
  if (state_ != State::body) return;
  if (exchange_ != nullptr) {
    if (expects_continue_) put(kContinue);
    expects_continue_ = false;  // the body comes now
    arm(worker_.settings().body_timeout_ns);
  }
}

std::string_view ClientConnection::process_body(std::string_view bytes) {
  std::string_view piece;
  bool done = false;
  if (framing_ == http::Framing::length) {
    piece = bytes.substr(0, std::min<uint64_t>(bytes.size(), body_left_));
    bytes.remove_prefix(piece.size());
    body_left_ -= piece.size();
    done = body_left_ == 0;
  } else {
    const http::ChunkEvent event = chunks_.next(bytes);
    if (event.kind == http::ChunkEvent::Kind::refused) {
      count_protocol_error();
      keep_alive_ = false;
      framing_ = http::Framing::until_close;
      if (exchange_ != nullptr) {
        exchange_->on_body_refused(code_of(http::refusal_of(event.verdict)),
                                   http::verdict_phrase(event.verdict));
      } else {
        close();
      }
      return {};
    }
    piece = event.data;
    done = event.kind == http::ChunkEvent::Kind::done;
  }
  if (state_ == State::discard) {
    discarded_bytes_ += piece.size();
    if (discarded_bytes_ > limits::kDrainBytesMax && !paused_) {
      // No more is read, but closing now would send RST, and a caller that is still writing could
      // lose the answer to it. Flow control makes it stop and look; the clock ends the wait.
      paused_ = true;
      worker_.reactor().pause(socket_);
    }
  } else if (exchange_ != nullptr && !piece.empty()) {
    note_body_progress(piece.size());
    exchange_->on_body(piece);
  }
  if (done && state_ != State::closing) request_complete();
  return bytes;
}

// note_body_progress moves the body's clock. A few bytes now and then are no progress.
void ClientConnection::note_body_progress(size_t count) {
  body_progress_bytes_ += count;
  if (body_progress_bytes_ < kBodyProgressBytes) return;
  body_progress_bytes_ = 0;
  arm(worker_.settings().body_timeout_ns);
}

void ClientConnection::count_protocol_error() {
  worker_.metrics().add(metrics::Counter::protocol_errors, metrics::at(metrics::Side::client));
}

// request_complete: the last byte of the request is in.
void ClientConnection::request_complete() {
  timer_.cancel();
  if (state_ == State::discard) {
    next_request();
    return;
  }
  state_ = State::busy;
  if (exchange_ != nullptr) exchange_->on_body_end();
}

// next_request: request and answer are both over.
void ClientConnection::next_request() {
  if (!keep_alive_) {
    close();
    return;
  }
  state_ = State::idle;
  arm(worker_.settings().keepalive_timeout_ns);
  if (paused_ && !slow_) {
    paused_ = false;
    worker_.reactor().resume(socket_);
  }
  // Inside `process` the loop there goes on with what is left.
  if (!processing_ && !input_.empty()) process_kept();
}

void ClientConnection::close(uint64_t linger_ns) {
  timer_.cancel();
  state_ = State::closing;
  input_.clear();
  worker_.reactor().close(socket_, linger_ns, limits::kDrainBytesMax);
}

void ClientConnection::on_peer_closed() {
  if (state_ == State::closing) return;
  if (exchange_ != nullptr) {
    exchange_->on_client_gone();
    exchange_ = nullptr;
    worker_.reactor().abort(socket_);
    state_ = State::closing;
    return;
  }
  // Balancers see whether a port is open by connecting to it, and leave again: that is no failure.
  if (state_ == State::preface && !input_.empty()) {
    refuse_preface(metrics::ProxyRefusal::malformed);
    return;
  }
  close();
}

void ClientConnection::on_closed(int /*error*/) {
  timer_.cancel();
  if (exchange_ != nullptr) {
    exchange_->on_client_gone();
    exchange_ = nullptr;
  }
  state_ = State::closing;
  worker_.release(*this);
}

void ClientConnection::arm(uint64_t duration_ns) {
  io::Reactor& reactor = worker_.reactor();
  reactor.timers().set(timer_, reactor.now_ns() + duration_ns);
}

void ClientConnection::on_timer() {
  switch (state_) {
    case State::preface:
      refuse_preface(metrics::ProxyRefusal::timeout);
      return;
    case State::idle:
    case State::discard:
      close();
      return;
    case State::head:
      keep_alive_ = false;
      framing_ = http::Framing::until_close;
      state_ = State::body;
      exchange_ = worker_.open_exchange(*this);
      if (exchange_ == nullptr) {
        close();
      } else {
        exchange_->begin_refused(errors::Code::request_timeout);
      }
      return;
    case State::body:
      keep_alive_ = false;
      framing_ = http::Framing::until_close;
      if (exchange_ != nullptr) exchange_->on_body_refused(errors::Code::request_timeout);
      return;
    case State::busy:
    case State::closing:
      return;
  }
}

}  // namespace flexd::front
