// server.hpp: one worker of the simulated provider, on one reactor.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "connection.hpp"
#include "exchange.hpp"
#include "fields.hpp"
#include "flexd/base/result.hpp"
#include "flexd/http/h2_resources.hpp"
#include "flexd/io/reactor.hpp"
#include "flexd/tls/context.hpp"
#include "plays.hpp"
#include "simulator.hpp"

namespace flexd::flexsim {

// Transport is what a listener speaks.
enum class Transport : uint8_t {
  tls,        // ALPN chooses between HTTP/2 and HTTP/1.1
  tls_http1,  // HTTP/1.1 only
  plain,      // HTTP/2 with prior knowledge, or HTTP/1.1
  plain_http1,
};

class Server {
 public:
  // create makes worker number `index` of a simulator; both it and the reactor outlive the server.
  [[nodiscard]] static Result<std::unique_ptr<Server>> create(Simulator& simulator, size_t index,
                                                              io::Reactor& reactor);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // listen returns the address with the port chosen.
  [[nodiscard]] Result<io::Address> listen(const io::Address& address, Transport transport);
  // stop closes the reactor's listeners and all connections; the reactor needs some turns after it.
  void stop();
  // is_idle: no connection is left; the server may be destroyed.
  bool is_idle() const { return connections_.empty(); }

  // For connections and exchanges.
  Simulator& simulator() { return simulator_; }
  io::Reactor& reactor() { return reactor_; }
  Ledger& ledger() { return simulator_.ledger(index_); }
  http::h2::Resources& h2_resources() { return h2_resources_; }
  Plays& plays() { return plays_; }
  std::string_view date();
  // next_id is 48 hexadecimal digits; valid until the next call.
  std::string_view next_id();
  Exchange* take_exchange();
  // give_exchange tells an exchange that its stream is gone, and takes it back.
  void give_exchange(Exchange* exchange, uint32_t code, bool lost);
  // remove_and_release destroys the connection.
  void remove_and_release(Connection& connection);

 private:
  struct Listener final : io::AcceptHandler {
    Listener(Server& owner, Transport chosen) : server(owner), transport(chosen) {}
    io::SocketHandler* on_accept(io::SocketId socket, const io::Address& peer) override;
    Server& server;
    Transport transport;
  };

  Server(Simulator& simulator, size_t index, io::Reactor& reactor)
      : simulator_(simulator), index_(index), reactor_(reactor) {}
  tls::ServerContext* context_of(Transport transport);

  Simulator& simulator_;
  size_t index_;
  io::Reactor& reactor_;
  std::unique_ptr<tls::ServerContext> tls_;
  std::unique_ptr<tls::ServerContext> tls_http1_;
  http::h2::Resources h2_resources_;
  Plays plays_;
  DateText date_;
  std::array<char, 48> id_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::vector<std::unique_ptr<Exchange>> exchanges_;
  std::vector<Exchange*> free_exchanges_;
  std::vector<std::unique_ptr<Connection>> connections_;
};

}  // namespace flexd::flexsim
