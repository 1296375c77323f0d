#include "worker.hpp"

#include <algorithm>
#include <ctime>
#include <iterator>
#include <utility>

#include "flexd/base/assert.hpp"

namespace flexd::front {
namespace {

// kExchangesExtra: exchanges outlive their connection's next request while they settle.
constexpr size_t kExchangesExtra = 2;
// kConnectionsExtra: connections above the limit that are being told so.
constexpr size_t kConnectionsExtra = 64;

origin::PoolOptions pool_options(const config::Settings& settings, const config::OriginUrl& url) {
  return {.url = url, .connect_timeout_ns = settings.connect_timeout_ns};
}

}  // namespace

WorkerCore::WorkerCore(Worker& owner, io::Reactor& reactor, Shared& shared, metrics::Core& metrics,
                       Log& log)
    : owner_(owner),
      reactor_(reactor),
      shared_(shared),
      leases_(shared.snapshot),
      usage_(shared.counts_usage ? std::make_unique<account::UsageTable>() : nullptr),
      metrics_(metrics),
      log_(log),
      connections_(shared.settings->max_clients + kConnectionsExtra),
      exchanges_((shared.settings->max_clients + kConnectionsExtra) * kExchangesExtra) {
  dead_exchanges_.reserve(1024);
  dead_connections_.reserve(1024);
  reactor_.set_mail_handler(*this);
  date_s_ = UINT64_MAX;
}

WorkerCore::~WorkerCore() {
  reap();
  FLEXD_ASSERT(connections_.count() == 0);
  FLEXD_ASSERT(exchanges_.count() == 0);
}

origin::Pool& WorkerCore::pool(errors::Provider provider) {
  FLEXD_ASSERT(serves(provider));
  return *pools_[static_cast<size_t>(provider)];
}

bool WorkerCore::serves(errors::Provider provider) const {
  return pools_[static_cast<size_t>(provider)] != nullptr;
}

std::string_view WorkerCore::date() {
  const uint64_t now_s = reactor_.unix_ms() / 1000;
  constexpr size_t kDateBytes = 29;
  if (now_s != date_s_) {
    date_s_ = now_s;
    const auto seconds = static_cast<time_t>(now_s);
    tm parts{};
    gmtime_r(&seconds, &parts);
    // The C locale's names are the ones of RFC 9110; flexd sets no other.
    const size_t written =
        std::strftime(date_.data(), date_.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    FLEXD_ASSERT(written == kDateBytes);
  }
  return {date_.data(), kDateBytes};
}

bool WorkerCore::has_room() const {
  const BlockPool& blocks = reactor_.blocks();
  return blocks.in_use_bytes() <
         blocks.budget_bytes() - blocks.budget_bytes() / kAdmissionReserveDivisor;
}

Exchange* WorkerCore::open_exchange(ClientStream& client) {
  const SlabHandle handle = exchanges_.create(*this, client);
  if (!handle) return nullptr;
  Exchange* const exchange = exchanges_.get(handle);
  exchange->handle = handle;
  return exchange;
}

void WorkerCore::release(Exchange& exchange) {
  dead_exchanges_.push_back(exchange.handle);
}

void WorkerCore::release(ClientConnection& connection) {
  dead_connections_.push_back(connection.handle);
  shared_.clients.fetch_sub(1, std::memory_order_relaxed);
  check_drained();
}

// reap frees what was released earlier. It is called where the reactor calls in, so that no
// function of those objects can be on the stack.
void WorkerCore::reap() {
  for (const SlabHandle handle : dead_exchanges_) exchanges_.destroy(handle);
  dead_exchanges_.clear();
  for (const SlabHandle handle : dead_connections_) connections_.destroy(handle);
  dead_connections_.clear();
}

void WorkerCore::on_proxy_refusal(const io::Address& peer, metrics::ProxyRefusal cause) {
  metrics_.add(metrics::Counter::proxy_headers_refused, metrics::at(cause));
  if (!proxy_refusal_limit_.allow(reactor_.now_ns())) return;
  const IpText ip(peer.ip());
  log_.write(LogLevel::warn, "proxy_header_refused",
             {{"peer", peer.family() == AF_UNIX ? "unix" : ip.view()},
              {"cause", metrics::kProxyRefusals[static_cast<size_t>(cause)]},
              {"suppressed", proxy_refusal_limit_.suppressed()}});
}

void WorkerCore::count_usage(const account::UsageEntry& entry) {
  if (usage_ == nullptr) return;
  usage_->add(entry);
  if (crowded_told_ || on_usage_ == nullptr || !usage_->is_crowded()) return;
  crowded_told_ = on_usage_(on_usage_context_, nullptr);
}

// hand_over_usage gives the control thread what was counted and takes an empty table for it. Where
// nothing was counted, or the mailbox there is full, the empty one waits for the next time.
void WorkerCore::hand_over_usage(account::UsageTable* empty) {
  if (empty != nullptr) spare_usage_ = empty;
  if (spare_usage_ == nullptr || usage_->empty()) return;
  // Once it is taken it may be gone before this function ends.
  account::UsageTable* const full = usage_.release();
  if (!on_usage_(on_usage_context_, full)) {
    usage_.reset(full);
    return;
  }
  usage_.reset(std::exchange(spare_usage_, nullptr));
  crowded_told_ = false;
}

void WorkerCore::count_answer() {
  const uint64_t exit_after = settings().exit_after;
  if (exit_after == 0) return;
  if (shared_.answered.fetch_add(1, std::memory_order_relaxed) + 1 == exit_after) reactor_.stop();
}

io::SocketHandler* WorkerCore::on_accept(io::SocketId socket, const io::Address& peer) {
  reap();
  metrics_.add(metrics::Counter::accepted_connections);
  const SlabHandle handle = connections_.create(*this, socket, peer);
  if (!handle) return nullptr;
  ClientConnection* const connection = connections_.get(handle);
  connection->handle = handle;
  const uint32_t clients = shared_.clients.fetch_add(1, std::memory_order_relaxed) + 1;
  const bool shed = clients > settings().max_clients;
  if (shed) metrics_.add(metrics::Counter::limited, metrics::at(metrics::Limit::clients));
  connection->open(shed);
  return connection;
}

void WorkerCore::on_mail(const io::Mail& mail) {
  leases_.give_back_rest();
  switch (static_cast<MailKind>(mail.kind)) {
    case MailKind::drain:
      drain();
      return;
    case MailKind::cut:
      cut();
      return;
    case MailKind::stop:
      reactor_.stop();
      return;
    case MailKind::publish:
      owner_.publish_gauges();
      if (on_published_ != nullptr) on_published_(on_published_context_);
      return;
    case MailKind::snapshot:
      leases_.renew(*static_cast<SnapshotLease*>(mail.pointer));
      return;
    case MailKind::usage:
      hand_over_usage(static_cast<account::UsageTable*>(mail.pointer));
      return;
  }
}

void WorkerCore::drain() {
  if (draining_) return;
  draining_ = true;
  reactor_.stop_listening();
  connections_.for_each(
      [](SlabHandle /*handle*/, ClientConnection& connection) { connection.drain(); });
  check_drained();
}

void WorkerCore::cut() {
  drain();
  connections_.for_each(
      [](SlabHandle /*handle*/, ClientConnection& connection) { connection.abort_if_closing(); });
  exchanges_.for_each([](SlabHandle /*handle*/, Exchange& exchange) { exchange.cut(); });
  connections_.for_each(
      [](SlabHandle /*handle*/, ClientConnection& connection) { connection.cut(); });
  for (const auto& pool : pools_) {
    if (pool != nullptr) pool->shut_down();
  }
}

// check_drained tells the owner once the last caller has gone, and lets the providers go.
void WorkerCore::check_drained() {
  if (!draining_ || connections_.count() > dead_connections_.size()) return;
  for (const auto& pool : pools_) {
    if (pool != nullptr) pool->shut_down();
  }
  if (on_drained_ != nullptr) on_drained_(on_drained_context_);
  on_drained_ = nullptr;
}

Worker::Worker(io::Reactor& reactor, Shared& shared, metrics::Core& metrics, Log& log)
    : core_(std::make_unique<WorkerCore>(*this, reactor, shared, metrics, log)) {}

Worker::~Worker() = default;

// open_origins makes a pool for each provider. Nothing is resolved or connected before a request
// wants it, so that a provider nobody uses costs nothing.
Result<void> Worker::open_origins() {
  WorkerCore& core = *core_;
  const config::Settings& settings = core.settings();
  struct Origin {
    errors::Provider provider;
    const config::OriginUrl& url;
    std::string_view path;
  };
  const Origin origins[] = {
      {errors::Provider::openai, settings.openai, "/v1/responses"},
      {errors::Provider::gemini, settings.gemini, "/v1beta/interactions"},
      {errors::Provider::anthropic, settings.anthropic, "/v1/messages"},
  };
  const bool uses_tls = std::any_of(std::begin(origins), std::end(origins), [](const Origin& o) {
    return o.url.scheme == config::OriginUrl::Scheme::https;
  });
  if (uses_tls) {
    auto context = tls::ClientContext::create(settings.origin_ca_file);
    if (context) {
      core.tls_ = std::move(*context);
    } else if (!settings.origin_ca_file.empty()) {
      return fail(context.error());
    }
    // A system without roots can still ask a provider that needs none.
  }
  for (const Origin& origin : origins) {
    if (origin.url.scheme == config::OriginUrl::Scheme::https && core.tls_ == nullptr) continue;
    const auto index = static_cast<size_t>(origin.provider);
    core.paths_[index] = origin.url.path_prefix + std::string(origin.path);
    core.pools_[index] =
        std::make_unique<origin::Pool>(core.reactor_, core.resources_, core.tls_.get(),
                                       origin.provider, pool_options(settings, origin.url));
  }
  return {};
}

Result<io::Address> Worker::listen(const io::Address& address) {
  return core_->reactor_.listen(address, *core_);
}

void Worker::drain() {
  core_->drain();
}
void Worker::cut() {
  core_->cut();
}

bool Worker::is_quiet() const {
  core_->reap();
  if (core_->connections_.count() > 0 || core_->exchanges_.count() > 0) return false;
  for (const auto& pool : core_->pools_) {
    if (pool != nullptr && !pool->is_quiet()) return false;
  }
  return true;
}

void Worker::set_on_drained(void (*callback)(void*), void* context) {
  core_->on_drained_ = callback;
  core_->on_drained_context_ = context;
}

void Worker::set_on_published(void (*callback)(void*), void* context) {
  core_->on_published_ = callback;
  core_->on_published_context_ = context;
}

void Worker::set_on_lease_done(bool (*callback)(void*, SnapshotLease&), void* context) {
  core_->leases_.set_give_back(callback, context);
}

void Worker::set_on_usage(bool (*callback)(void*, account::UsageTable*), void* context) {
  core_->on_usage_ = callback;
  core_->on_usage_context_ = context;
}

std::unique_ptr<account::UsageTable> Worker::take_usage() {
  return std::move(core_->usage_);
}

void Worker::set_fault(Fault fault) {
  core_->fault_ = fault;
}

const http::h2::MemoryCounters& Worker::h2_memory() const {
  return core_->resources_.counters();
}

void Worker::publish_gauges() {
  WorkerCore& core = *core_;
  metrics::Core& metrics = core.metrics_;
  using metrics::Gauge;
  const auto count = [](size_t value) { return static_cast<int64_t>(value); };
  metrics.set(Gauge::client_connections,
              count(core.connections_.count() - core.dead_connections_.size()));
  metrics.set(Gauge::requests_in_flight,
              count(core.exchanges_.count() - core.dead_exchanges_.size()));
  const BlockPool& blocks = core.reactor_.blocks();
  metrics.set(Gauge::block_bytes_in_use, count(blocks.in_use_bytes()));
  metrics.set(Gauge::block_bytes_budget, count(blocks.budget_bytes()));
  metrics.set(Gauge::block_system_takes, count(blocks.system_takes()));
  const uint64_t dropped = core.log_.ring().dropped();
  metrics.add(metrics::Counter::log_lines_dropped, dropped - core.dropped_told_);
  core.dropped_told_ = dropped;
  for (const auto& pool : core.pools_) {
    if (pool == nullptr) continue;
    metrics.set(Gauge::origin_connections, metrics::at(pool->provider()),
                count(pool->connection_count()));
    metrics.set(Gauge::origin_streams, metrics::at(pool->provider()), count(pool->stream_count()));
  }
}

}  // namespace flexd::front
