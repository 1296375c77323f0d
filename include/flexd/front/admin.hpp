// admin.hpp: the listener for operators and managers, never the public one: /healthz, /readyz,
// /version and /metrics for anyone who reaches it, and the management API (src/front/admin_api.hpp)
// for holders of a management key.
//
// It runs on the control thread's reactor and may allocate. HTTP/1.1, one request at a time on a
// connection, bodies of at most limits::kBodyBytesMax.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "flexd/account/auth_failures.hpp"
#include "flexd/account/authenticate.hpp"
#include "flexd/account/snapshot.hpp"
#include "flexd/base/result.hpp"
#include "flexd/io/reactor.hpp"
#include "flexd/store/store.hpp"

namespace flexd::front {

// AdminHooks is what the listener asks of the process. All are called on the control thread.
struct AdminHooks {
  // is_ready: all listeners are open and no drain has begun.
  std::function<bool()> is_ready;
  // metrics_page makes the page and hands it over, now or in a later turn.
  std::function<void(std::function<void(std::string page)>)> metrics_page;
  // snapshot is the one that stands now. nullptr before there is one.
  std::function<account::SnapshotPointer()> snapshot;
  // with_store runs `job` on the thread that has a store for this and then `done` on the control
  // thread; for an `owner` (an organization), whose jobs run in turn with those of others. A job
  // that does not run because the process ends has `done` called with `ran` false. False (and
  // neither is called) where there is no store, or too much waits for it.
  std::function<bool(store::Number owner, std::function<void(store::Store&)> job,
                     std::function<void(bool ran)> done)>
      with_store;
  // clock is the time, of both kinds.
  std::function<account::Clock()> clock;
  account::AuthFailures* auth_failures = nullptr;
  std::string doc_url_base;
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
