// pool.hpp: one worker's connections to one provider.
//
// Few connections, many streams: an attempt goes to the fullest connection that has room, so that
// frames of many attempts share TLS records and sends, and both attempts of a race travel on one
// connection. A connection is opened when attempts wait that the ones being opened cannot take.
// Names are resolved again when a connection is opened; connections are retired by age, by GOAWAY
// and after many resets of ours. A connection whose streams are silent is probed by PING.
// Where the peer chooses HTTP/1.1, a connection carries one attempt at a time and idle ones are
// reused, the latest first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "flexd/base/timer_wheel.hpp"
#include "flexd/config/settings.hpp"
#include "flexd/errors/dialect.hpp"
#include "flexd/io/reactor.hpp"
#include "flexd/origin/attempt.hpp"

namespace flexd::http::h2 {
class Resources;
}
namespace flexd::tls {
class ClientContext;
}

namespace flexd::origin {

class Connection;

// WaitingList is a queue of attempts, linked through themselves.
class WaitingList {
 public:
  void push(Attempt& attempt);
  void remove(Attempt& attempt);
  Attempt* front() const { return head_; }
  size_t size() const { return size_; }

 private:
  Attempt* head_ = nullptr;
  Attempt* tail_ = nullptr;
  size_t size_ = 0;
};

struct PoolOptions {
  config::OriginUrl url;
  uint64_t connect_timeout_ns = 5'000'000'000;
  uint32_t streams_per_connection_max = 64;
  uint32_t connections_max = 256;
  uint32_t waiting_max = 20'000;
  uint64_t ping_after_ns = 20'000'000'000;  // of silence with streams open
  uint64_t ping_timeout_ns = 5'000'000'000;
  uint64_t age_max_ns = 600'000'000'000;
  uint64_t h1_idle_ns = 30'000'000'000;
  uint32_t resets_max = 500;
};

class Pool {
 public:
  // `tls` may be null for a URL without TLS. Reactor, resources and tls outlive the pool.
  Pool(io::Reactor& reactor, http::h2::Resources& resources, tls::ClientContext* tls,
       errors::Provider provider, PoolOptions options);
  // A pool is destroyed when it is quiet.
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  const PoolOptions& options() const { return options_; }
  errors::Provider provider() const { return provider_; }
  // authority is what Host or :authority says.
  const std::string& authority() const { return authority_; }

  // shut_down lets idle connections go, and the others when their last attempt ends. Attempts that
  // wait for a connection, or are started later, fail as overloaded in a later turn.
  void shut_down();
  // is_quiet: no connection is left, and no attempt that is still to be told its end.
  bool is_quiet() const {
    return connections_.empty() && waiting_.size() == 0 && doomed_.size() == 0;
  }
  size_t connection_count() const { return connections_.size(); }
  // stream_count is how many attempts are on a connection.
  size_t stream_count() const;
  size_t waiting_count() const { return waiting_.size(); }

 private:
  friend class Attempt;
  friend class Connection;
  friend class H1Exchange;

  // For attempts.
  void add(Attempt& attempt);
  void forget(Attempt& attempt);
  void count_refused();
  // For connections: ready to take attempts (again); closed for good; and, while it was still being
  // opened, why it could not be.
  void on_room();
  void on_connection_closed(Connection& connection);
  void on_open_failed(const AttemptFailure& failure);

  bool place(Attempt& attempt);
  void doom(Attempt& attempt);
  void dispatch();
  void open_connections();
  void on_timer();
  size_t opening_count() const;

  io::Reactor& reactor_;
  http::h2::Resources& resources_;
  tls::ClientContext* tls_;
  errors::Provider provider_;
  PoolOptions options_;
  std::string authority_;
  std::vector<std::unique_ptr<Connection>> connections_;
  WaitingList waiting_;
  WaitingList doomed_;  // found the pool full; told so in the next turn
  Timer timer_;
  bool http1_ = false;  // what the peer chose last
  // streams_each_ is what a new connection is taken to carry: as many as the last one did.
  uint32_t streams_each_;
  bool shut_down_ = false;
};

}  // namespace flexd::origin
