// admin.hpp: the listener for operators: /healthz, /readyz and /metrics. Never the public one.
//
// It runs on the control thread's reactor and may allocate. HTTP/1.1, GET and HEAD, one request at
// a time, no bodies.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "flexd/base/result.hpp"
#include "flexd/io/reactor.hpp"

namespace flexd::front {

// AdminHooks is what the listener asks of the process.
struct AdminHooks {
  // is_ready: all listeners are open and no drain has begun.
  std::function<bool()> is_ready;
  // metrics_page makes the page and hands it over, now or in a later turn.
  std::function<void(std::function<void(std::string page)>)> metrics_page;
};

class Admin {
 public:
  // The reactor outlives the listener.
  Admin(io::Reactor& reactor, AdminHooks hooks);
  ~Admin();
  Admin(const Admin&) = delete;
  Admin& operator=(const Admin&) = delete;

  // listen opens `address` (ADDR:PORT or unix:PATH) and returns it with the port chosen.
  Result<io::Address> listen(const io::Address& address);
  // close ends all connections; is_quiet says when they are gone.
  void close();
  bool is_quiet() const;

 private:
  class Server;
  std::unique_ptr<Server> server_;
};

}  // namespace flexd::front
