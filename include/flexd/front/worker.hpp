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
#include "flexd/account/snapshot.hpp"
#include "flexd/base/log.hpp"
#include "flexd/base/result.hpp"
#include "flexd/config/settings.hpp"
#include "flexd/errors/dialect.hpp"
#include "flexd/http/h2_resources.hpp"
#include "flexd/io/reactor.hpp"
#include "flexd/metrics/core.hpp"
#include "flexd/surface/provider.hpp"

namespace flexd::front {

// Shared is what all workers of a process read, and the few words they all write.
struct Shared {
  const config::Settings* settings = nullptr;
  const surface::FlexModels* flex_models = nullptr;
  account::SnapshotPointer snapshot;  // of start-up; later ones come by mail
  account::AuthFailures* auth_failures = nullptr;
  std::atomic<uint32_t> clients{0};   // connections, against --max-clients
  std::atomic<uint64_t> answered{0};  // requests, against --exit-after
  std::atomic<bool> draining{false};
};

// MailKind is what a worker can be told by the control thread.
enum class MailKind : uint32_t {
  drain,    // stop accepting, let answers end
  cut,      // end what is left
  stop,     // leave the loop
  publish,  // write the gauges, then call back (see Worker::set_on_published)
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
