#include "server.hpp"

#include <cstring>
#include <utility>

#include "flexd/base/ascii.hpp"

namespace flexd::flexsim {

Result<std::unique_ptr<Server>> Server::create(Simulator& simulator, size_t index,
                                               io::Reactor& reactor) {
  std::unique_ptr<Server> made(new Server(simulator, index, reactor));
  const tls::Identity& identity = simulator.identity();
  auto tls = tls::ServerContext::create_from_pem(identity.certificate_pem, identity.key_pem);
  if (!tls) return fail(tls.error());
  auto tls_http1 = tls::ServerContext::create_from_pem(identity.certificate_pem, identity.key_pem,
                                                       tls::AlpnPreference::http1_only);
  if (!tls_http1) return fail(tls_http1.error());
  made->tls_ = std::move(*tls);
  made->tls_http1_ = std::move(*tls_http1);
  return made;
}

Server::~Server() {
  // Protocols hold exchanges: they go first.
  connections_.clear();
}

Result<io::Address> Server::listen(const io::Address& address, Transport transport) {
  listeners_.push_back(std::make_unique<Listener>(*this, transport));
  return reactor_.listen(address, *listeners_.back());
}

void Server::stop() {
  reactor_.stop_listening();
  for (const auto& connection : connections_) connection->drop();
}

tls::ServerContext* Server::context_of(Transport transport) {
  if (transport == Transport::tls) return tls_.get();
  return transport == Transport::tls_http1 ? tls_http1_.get() : nullptr;
}

io::SocketHandler* Server::Listener::on_accept(io::SocketId socket, const io::Address& /*peer*/) {
  const bool may_be_h2 = transport == Transport::plain;
  auto made = std::make_unique<Connection>(server, socket, server.context_of(transport), may_be_h2,
                                           server.simulator_.next_connection());
  made->index = server.connections_.size();
  server.connections_.push_back(std::move(made));
  server.ledger().connection_opened();
  return server.connections_.back().get();
}

void Server::remove_and_release(Connection& connection) {
  ledger().connection_closed();
  const size_t index = connection.index;
  std::swap(connections_[index], connections_.back());
  connections_[index]->index = index;
  connections_.pop_back();
}

std::string_view Server::date() {
  return date_.at(reactor_.unix_ms() / 1000);
}

std::string_view Server::next_id() {
  const std::array<uint64_t, 3> words = {reactor_.random_u64(), reactor_.random_u64(),
                                         reactor_.random_u64()};
  std::array<uint8_t, 24> bytes;
  std::memcpy(bytes.data(), words.data(), bytes.size());
  write_hex(bytes, id_.data());
  return {id_.data(), id_.size()};
}

Exchange* Server::take_exchange() {
  if (free_exchanges_.empty()) {
    exchanges_.push_back(std::make_unique<Exchange>(*this));
    return exchanges_.back().get();
  }
  Exchange* exchange = free_exchanges_.back();
  free_exchanges_.pop_back();
  return exchange;
}

void Server::give_exchange(Exchange* exchange, uint32_t code, bool lost) {
  exchange->closed(code, lost);
  free_exchanges_.push_back(exchange);
}

}  // namespace flexd::flexsim
