// worker.hpp: what the parts of a worker use of it. The public face is flexd/front/worker.hpp.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client_connection.hpp"
#include "exchange.hpp"
#include "flexd/account/usage.hpp"
#include "flexd/base/slab.hpp"
#include "flexd/front/worker.hpp"
#include "flexd/http/h2_resources.hpp"
#include "flexd/origin/pool.hpp"
#include "flexd/race/standard_start.hpp"
#include "flexd/tls/context.hpp"
#include "leases.hpp"

namespace flexd::front {

// kAdmissionReserve is the share of a worker's memory budget that new requests may not take, so
// that answers under way can still be written.
inline constexpr size_t kAdmissionReserveDivisor = 4;

class WorkerCore final : public io::AcceptHandler, public io::MailHandler {
 public:
  WorkerCore(Worker& owner, io::Reactor& reactor, Shared& shared, metrics::Core& metrics, Log& log);
  ~WorkerCore();
  WorkerCore(const WorkerCore&) = delete;
  WorkerCore& operator=(const WorkerCore&) = delete;

  io::Reactor& reactor() { return reactor_; }
  const config::Settings& settings() const { return *shared_.settings; }
  Shared& shared() { return shared_; }
  Leases& leases() { return leases_; }
  metrics::Core& metrics() { return metrics_; }
  Log& log() { return log_; }
  origin::Pool& pool(errors::Provider provider);
  bool serves(errors::Provider provider) const;
  // path is what a request to the provider names: the prefix of its URL and its API's own path.
  std::string_view path(errors::Provider provider) const {
    return paths_[static_cast<size_t>(provider)];
  }
  race::StandardStarts& standard_starts() { return standard_starts_; }
  // date is the Date field's value (RFC 9110 5.6.7), made once a second.
  std::string_view date();
  bool is_draining() const { return draining_; }
  // has_room: the byte budget admits another request.
  bool has_room() const;
  Fault fault() const { return fault_; }

  // open_exchange makes the exchange of a new request; nullptr if the slab is full.
  Exchange* open_exchange(ClientStream& client);
  // release has an object freed by the next `reap`.
  void release(Exchange& exchange);
  void release(ClientConnection& connection);
  // reap frees what was released; only for callbacks straight from the reactor.
  void reap();
  // on_proxy_refusal counts a connection that `peer` opened without a good PROXY header, and tells
  // the operator: a balancer that does not send one, or is not trusted, is silence to its callers.
  void on_proxy_refusal(const io::Address& peer, metrics::ProxyRefusal cause);
  // count_usage adds a request that has ended to what the control thread collects.
  void count_usage(const account::UsageEntry& entry);
  // count_answer: a request was answered (for --exit-after).
  void count_answer();

  // AcceptHandler
  io::SocketHandler* on_accept(io::SocketId socket, const io::Address& peer) override;
  // MailHandler
  void on_mail(const io::Mail& mail) override;

 private:
  friend class Worker;
  void drain();
  void cut();
  void check_drained();
  void hand_over_usage(account::UsageTable* empty);

  Worker& owner_;
  io::Reactor& reactor_;
  Shared& shared_;
  Leases leases_;
  // usage_ is null where nothing is counted. spare_usage_ is an empty table of the control
  // thread's, which becomes the worker's when the full one goes there.
  std::unique_ptr<account::UsageTable> usage_;
  account::UsageTable* spare_usage_ = nullptr;
  bool crowded_told_ = false;
  metrics::Core& metrics_;
  Log& log_;
  http::h2::Resources resources_;
  std::unique_ptr<tls::ClientContext> tls_;
  std::array<std::unique_ptr<origin::Pool>, errors::kProviderCount> pools_;
  std::array<std::string, errors::kProviderCount> paths_;
  race::StandardStarts standard_starts_;
  Slab<ClientConnection> connections_;
  Slab<Exchange> exchanges_;
  std::vector<SlabHandle> dead_exchanges_;
  std::vector<SlabHandle> dead_connections_;
  std::array<char, 32> date_;
  uint64_t date_s_ = 0;
  LogLimit proxy_refusal_limit_;
  uint64_t dropped_told_ = 0;  // log lines, as far as they are in the metrics
  bool draining_ = false;
  Fault fault_ = Fault::none;
  void (*on_drained_)(void*) = nullptr;
  void* on_drained_context_ = nullptr;
  void (*on_published_)(void*) = nullptr;
  void* on_published_context_ = nullptr;
  bool (*on_usage_)(void*, account::UsageTable*) = nullptr;
  void* on_usage_context_ = nullptr;
};

}  // namespace flexd::front
