// worker.hpp: one core's gateway: its callers, their requests and its connections to providers.
//
// A Worker lives on one reactor and shares nothing mutable with other workers but the few atomics
// in Shared. It is built on the thread that runs the reactor.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>

#include "flexd/account/auth_failures.hpp"
#include "flexd/account/prices.hpp"
#include "flexd/account/snapshot.hpp"
#include "flexd/account/usage.hpp"
#include "flexd/base/log.hpp"
#include "flexd/base/result.hpp"
#include "flexd/config/settings.hpp"
#include "flexd/errors/dialect.hpp"
#include "flexd/front/snapshot_lease.hpp"
#include "flexd/http/h2_resources.hpp"
#include "flexd/io/reactor.hpp"
#include "flexd/metrics/core.hpp"
#include "flexd/surface/provider.hpp"

namespace flexd::front {

// Shared is what all workers of a process read, and the few words they all write.
struct Shared {
  const config::Settings* settings = nullptr;
  const surface::FlexModels* flex_models = nullptr;
  const account::Prices* prices = nullptr;  // null: no model has a price
  account::SnapshotPointer snapshot;        // of start-up; later ones come by mail
  account::AuthFailures* auth_failures = nullptr;
  bool counts_usage = true;           // there is a store for it
  std::atomic<uint32_t> clients{0};   // connections, against --max-clients
  std::atomic<uint64_t> answered{0};  // requests, against --exit-after
  std::atomic<bool> draining{false};
};

// MailKind is what a worker can be told by the control thread.
enum class MailKind : uint32_t {
  drain,     // stop accepting, let answers end
  cut,       // end what is left
  stop,      // leave the loop
  publish,   // write the gauges, then call back (see Worker::set_on_published)
  snapshot,  // `pointer` is a SnapshotLease for the requests from now on
  usage,  // hand over what was counted for `pointer`, an empty UsageTable; null: for the one that
          // came before and is still empty (see Worker::set_on_usage)
};

// Fault is something broken on purpose, for tests: flexd answers internal_error.
enum class Fault : uint8_t { none, routing };

class WorkerCore;

class Worker {
 public:
  // The reactor, `shared`, the metrics and the log outlive the worker.
  Worker(io::Reactor& reactor, Shared& shared, metrics::Core& metrics, Log& log);
  // Every caller and attempt must be gone: see is_quiet.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // open_origins prepares the connections to providers; fails if the roots cannot be loaded.
  Result<void> open_origins();
  // listen accepts callers on `address` and returns it with the port chosen.
  Result<io::Address> listen(const io::Address& address);

  // drain stops accepting; idle callers are closed, the others after their answers.
  void drain();
  // cut ends every request at once.
  void cut();
  // is_quiet: no caller, no request and no connection to a provider is left.
  bool is_quiet() const;
  // set_on_drained has `callback` called once the last caller is gone while draining.
  void set_on_drained(void (*callback)(void*), void* context);
  // set_on_published has `callback` called after each `publish`, on the worker's thread.
  void set_on_published(void (*callback)(void*), void* context);
  // set_on_lease_done has `callback` called with each lease that came by mail, on the worker's
  // thread, once a newer one has come and the requests under it are over. It returns false if it
  // cannot take it; then it is called again in a later turn.
  void set_on_lease_done(bool (*callback)(void*, SnapshotLease&), void* context);
  // set_on_usage has `callback` called, on the worker's thread, with a table of what was counted,
  // after a `usage`: by returning true it takes it, and the empty table becomes the worker's own.
  // With nullptr it is asked to send a `usage` soon, because the table fills up.
  void set_on_usage(bool (*callback)(void*, account::UsageTable*), void* context);
  // take_usage is what was counted since; for the end, when no request is left. May be null.
  std::unique_ptr<account::UsageTable> take_usage();
  // set_fault makes the next requests fail on purpose.
  void set_fault(Fault fault);
  // publish_gauges writes the sizes of things into the metrics.
  void publish_gauges();
  // h2_memory counts what the HTTP/2 sessions to providers asked for.
  const http::h2::MemoryCounters& h2_memory() const;

 private:
  std::unique_ptr<WorkerCore> core_;
};

}  // namespace flexd::front
