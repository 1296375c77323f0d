#include "connection.hpp"

#include <algorithm>

#include "h1_protocol.hpp"
#include "h2_protocol.hpp"
#include "server.hpp"

namespace flexd::flexsim {
namespace {

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n";

}  // namespace

Connection::Connection(Server& server, io::SocketId socket, tls::ServerContext* tls, bool may_be_h2,
                       uint64_t number)
    : server_(server), socket_(socket), may_be_h2_(may_be_h2), number_(number) {
  if (tls != nullptr) tls_.emplace(*tls, server.reactor().out(socket));
}

Connection::~Connection() = default;

void Connection::put(std::string_view bytes) {
  if (over_ || bytes.empty()) return;
  const bool taken = tls_ ? tls_->send(bytes) : server_.reactor().out(socket_).append(bytes);
  if (!taken) end(Death::abort);
}

bool Connection::has_room() {
  return !over_ && server_.reactor().out(socket_).size() <= io::kOutHighBytes;
}

void Connection::touch() {
  if (!over_) server_.reactor().touch(socket_);
}

void Connection::pause() {
  server_.reactor().pause(socket_);
}

void Connection::resume() {
  server_.reactor().resume(socket_);
}

void Connection::end(Death how) {
  if (!ending_) ending_ = how;
  touch();
}

void Connection::drop() {
  over_ = true;
  server_.reactor().abort(socket_);
}

void Connection::on_data(std::string_view bytes) {
  if (over_ || ending_) return;
  if (!tls_) {
    on_plaintext(bytes);
    return;
  }
  const tls::State state = tls_->receive(bytes, *this);
  touch();
  if (state == tls::State::failed) end(Death::close);
  if (state == tls::State::closed) on_peer_closed();
}

void Connection::on_plaintext(std::string_view bytes) {
  if (over_ || ending_) return;
  touch();
  if (!protocol_ && tls_) choose_protocol(tls_->alpn() == tls::Alpn::h2);
  if (protocol_) {
    protocol_->receive(bytes);
    return;
  }
  first_bytes_.append(bytes);
  const size_t looked_at = std::min(first_bytes_.size(), kPreface.size());
  const bool like_h2 =
      may_be_h2_ && kPreface.starts_with(std::string_view(first_bytes_).substr(0, looked_at));
  if (like_h2 && first_bytes_.size() < kPreface.size()) return;
  choose_protocol(like_h2);
  const std::string first = std::move(first_bytes_);
  first_bytes_.clear();
  protocol_->receive(first);
}

void Connection::choose_protocol(bool is_h2) {
  if (is_h2) {
    protocol_ = std::make_unique<H2Protocol>(*this);
  } else {
    protocol_ = std::make_unique<H1Protocol>(*this);
  }
}

void Connection::on_peer_closed() {
  if (over_) return;
  if (protocol_) protocol_->lost();
  over_ = true;
  server_.reactor().close(socket_);
}

void Connection::on_flush() {
  if (over_) return;
  // The server's SETTINGS go out before the client has sent anything.
  if (tls_ && !protocol_ && tls_->state() == tls::State::open) {
    choose_protocol(tls_->alpn() == tls::Alpn::h2);
  }
  if (protocol_) protocol_->flush();
  if (ending_) finish_end();
}

void Connection::finish_end() {
  if (tls_ && *ending_ == Death::reset) tls_->close_notify();
  over_ = true;
  if (*ending_ == Death::abort) {
    server_.reactor().abort(socket_);
  } else {
    server_.reactor().close(socket_);
  }
  if (protocol_) protocol_->lost();
}

void Connection::on_drained() {
  touch();
}

void Connection::on_closed(int /*error*/) {
  over_ = true;
  if (protocol_) protocol_->lost();
  server_.remove_and_release(*this);
}

}  // namespace flexd::flexsim
