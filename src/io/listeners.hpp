// listeners.hpp: the listening sockets of one reactor.
#pragma once

#include <memory>
#include <vector>

#include "flexd/base/log.hpp"
#include "flexd/base/timer_wheel.hpp"
#include "flexd/io/backend.hpp"
#include "sockets.hpp"

namespace flexd::io {

class Listeners {
 public:
  // What is referred to outlives the listeners.
  Listeners(Backend& backend, Sockets& sockets, TimerWheel& timers, ReactorStats& stats,
            const uint64_t& now_ns)
      : backend_(backend), sockets_(sockets), timers_(timers), stats_(stats), now_ns_(now_ns) {}

  Result<Address> listen(const Address& address, AcceptHandler& handler);
  // stop asks every listener to end; what is queued on it is accepted first, in `finish`.
  void stop();
  // on_completion takes completions of accept operations.
  void on_completion(const Completion& completion);
  // finish closes the listeners that were stopped and have nothing in flight; true if any was.
  bool finish();
  // abandon ends all listeners without telling anybody of new connections.
  void abandon();
  size_t in_flight() const { return in_flight_; }
  bool has_work() const;

 private:
  struct Listener {
    Listener(Listeners& listeners, int descriptor, AcceptHandler& accept_handler, uint32_t number);
    void on_retry();

    Listeners& owner;
    int fd;
    AcceptHandler* handler;
    uint32_t index;
    Timer retry;  // accepting pauses until then
    bool armed = false;
    bool stopping = false;
  };
  void arm(Listener& listener);
  void admit(Listener& listener, int fd);
  void on_error(Listener& listener, int error);

  Backend& backend_;
  Sockets& sockets_;
  TimerWheel& timers_;
  ReactorStats& stats_;
  const uint64_t& now_ns_;
  LogLimit error_limit_;
  std::vector<std::unique_ptr<Listener>> listeners_;  // by index; closed ones have fd -1
  size_t in_flight_ = 0;
};

}  // namespace flexd::io
