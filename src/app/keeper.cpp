#include "keeper.hpp"

#include <pthread.h>

#include <utility>

#include "flexd/crypto/seal.hpp"

namespace flexd::app {

Keeper::Keeper(std::unique_ptr<store::Store> store, const KeeperOptions& options,
               account::LimitArena& arena)
    : options_(options),
      store_(std::move(store)),
      arena_(arena),
      builder_(arena, options.defaults, options.master_key_file) {}

Keeper::~Keeper() {
  stop();
}

Result<std::unique_ptr<Keeper>> Keeper::open(const KeeperOptions& options,
                                             account::LimitArena& arena) {
  auto store = store::open_store(options.store, store::OpenMode::existing);
  if (!store) {
    const bool missing = store.error().kind == store::Error::Kind::not_found;
    return fail_with("--store: " + store.error().message +
                     (missing ? "; `flexctl init` makes one, --dev serves without" : ""));
  }
  return open(std::move(*store), options, arena);
}

Result<std::unique_ptr<Keeper>> Keeper::open(std::unique_ptr<store::Store> store,
                                             const KeeperOptions& options,
                                             account::LimitArena& arena) {
  // The builder reads the file again each time; here its absence is still an error to exit with.
  if (const auto keys = crypto::MasterKeys::read(options.master_key_file); !keys) {
    return fail_with("--master-key-file: " + keys.error().message);
  }
  std::unique_ptr<Keeper> keeper(new Keeper(std::move(store), options, arena));
  const auto contents = keeper->store_->load();
  if (!contents) return fail_with("--store: " + contents.error().message);
  for (const store::SealedProviderKey& key : contents->provider_keys) {
    for (size_t i = 0; i < errors::kProviderCount; ++i) {
      const auto provider = static_cast<errors::Provider>(i);
      if (key.provider == errors::provider_word(provider)) keeper->had_keys_[i] = true;
    }
  }
  keeper->news_ = keeper->build(*contents);
  return keeper;
}

account::SnapshotPointer Keeper::build(const store::Contents& contents) {
  version_ = contents.version;
  spending_revision_ = contents.spending_revision;
  spending_month_ = store::month_of(options_.unix_s());
  metrics_.add(metrics::Counter::snapshots);
  return builder_.build(contents, spending_month_);
}

void Keeper::start(Log* log, std::function<bool()> on_news) {
  outbox_.open(std::move(on_news));
  thread_ = std::thread([this, log] {
    pthread_setname_np(pthread_self(), "flexd-keeper");
    set_thread_log(log);
    run();
    set_thread_log(nullptr);
  });
}

void Keeper::stop(Job last) {
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_) {
      stopping_ = true;
      last_ = std::move(last);
      drop_at_ = std::chrono::steady_clock::now() + std::chrono::nanoseconds(options_.stop_ns);
    }
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Keeper::run() {
  const auto poll = std::chrono::nanoseconds(options_.poll_ns);
  auto next = std::chrono::steady_clock::now() + poll;
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait_until(lock, next, [this] { return stopping_ || !jobs_.empty(); });
    if (stopping_) break;
    Job job;
    if (!jobs_.empty()) {
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    lock.unlock();
    if (job) job(*store_);
    // What it holds may take a while to free: not under the lock.
    job = nullptr;
    if (std::chrono::steady_clock::now() >= next) {
      look();
      next = std::chrono::steady_clock::now() + poll;
    }
    if (outbox_.is_untold()) outbox_.tell();
    lock.lock();
  }
  lock.unlock();
  wind_up();
}

// wind_up does what is left when the keeper is told to stop. Nobody submits any more.
void Keeper::wind_up() {
  if (last_) last_(*store_);
  std::deque<Job> jobs;
  {
    const std::lock_guard lock(mutex_);
    jobs.swap(jobs_);
  }
  for (; !jobs.empty() && std::chrono::steady_clock::now() < drop_at_; jobs.pop_front()) {
    jobs.front()(*store_);
  }
  if (!jobs.empty()) log_line(LogLevel::warn, "store_jobs_dropped", {{"jobs", jobs.size()}});
}

// look takes over what has changed in the store.
void Keeper::look() {
  const auto version = store_->version();
  if (!version) {
    note(&version.error());
    return;
  }
  const auto done = *version == version_ ? learn() : renew();
  note(done ? nullptr : &done.error());
}

// renew builds a new snapshot.
store::StoreResult<void> Keeper::renew() {
  const auto contents = store_->load();
  if (!contents) return fail(contents.error());
  account::SnapshotPointer snapshot = build(*contents);
  {
    const std::lock_guard lock(mutex_);
    std::swap(news_, snapshot);
  }
  // One that nobody had collected yet is freed here, on this thread.
  snapshot.reset();
  outbox_.tell();
  return {};
}

// learn has the arena know what other gateways have spent since the last time. In a new month it is
// everything: what a gateway wrote whose clock was ahead was passed over before.
store::StoreResult<void> Keeper::learn() {
  const int32_t month = store::month_of(options_.unix_s());
  const auto spending = store_->spending(month == spending_month_ ? spending_revision_ : 0);
  if (!spending) return fail(spending.error());
  for (const store::KeyUse& use : spending->keys) arena_.learn(use, month);
  for (const store::OrganizationSpending& spent : spending->organizations) arena_.learn(spent);
  spending_revision_ = spending->revision;
  spending_month_ = month;
  return {};
}

// note keeps the state of the store: well, or failing with an error.
void Keeper::note(const store::Error* error) {
  if (error != nullptr) metrics_.add(metrics::Counter::store_errors);
  const bool failing = error != nullptr;
  if (failing == failing_) return;
  failing_ = failing;
  metrics_.set(metrics::Gauge::store_failing, failing ? 1 : 0);
  if (failing) {
    log_line(LogLevel::warn, "store_failing",
             {{"store", options_.store}, {"error", error->message}});
  } else {
    log_line(LogLevel::info, "store_recovered", {{"store", options_.store}});
  }
}

bool Keeper::submit(Job job) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || jobs_.size() >= kJobsMax) return false;
    jobs_.push_back(std::move(job));
  }
  wake_.notify_one();
  return true;
}

account::SnapshotPointer Keeper::collect() {
  outbox_.collect();
  account::SnapshotPointer news;
  const std::lock_guard lock(mutex_);
  news.swap(news_);
  return news;
}

void Keeper::retire(account::SnapshotPointer snapshot) {
  // Where the queue is full or the keeper has ended, it is freed here.
  static_cast<void>(submit([kept = std::move(snapshot)](store::Store&) {}));
}

}  // namespace flexd::app
