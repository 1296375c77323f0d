#include "process.hpp"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

#include "flexd/crypto/bytes.hpp"
#include "flexd/metrics/exposition.hpp"
#include "notify.hpp"

namespace flexd::app {
namespace {

// kCutNs is how long workers have to end what is left once the drain time is over.
constexpr uint64_t kCutNs = 5'000'000'000;
// kPublishNs is how long a metrics page waits for its workers.
constexpr uint64_t kPublishNs = 200'000'000;
// kRetryNs is how soon a worker whose mailbox was full is told again.
constexpr uint64_t kRetryNs = 10'000'000;

// Probe is a socket that holds an address for a moment.
class Probe {
 public:
  Probe() = default;
  ~Probe() {
    if (fd_ >= 0) ::close(fd_);
  }
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;

  // bind_to is true if the address is free, or is no port of its own; else errno says why.
  bool bind_to(const io::Address& address) {
    if (address.family() == AF_UNIX || address.port() == 0) return true;
    fd_ = socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int one = 1;
    return fd_ >= 0 && setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
           bind(fd_, address.data(), address.size()) == 0;
  }

 private:
  int fd_ = -1;
};

LogFormat log_format(config::LogShape shape) {
  if (shape == config::LogShape::automatic) {
    return isatty(STDERR_FILENO) != 0 ? LogFormat::text : LogFormat::json;
  }
  return shape == config::LogShape::json ? LogFormat::json : LogFormat::text;
}

}  // namespace

Process::Process(const config::Settings& settings)
    : settings_(settings),
      log_format_(log_format(settings.log_format)),
      log_writer_(STDERR_FILENO),
      timer_(timer_callback<Process, &Process::on_timer>, this),
      page_timer_(timer_callback<Process, &Process::finish_metrics_pages>, this),
      snapshot_timer_(timer_callback<Process, &Process::retry_snapshot>, this),
      usage_timer_(timer_callback<Process, &Process::collect_usage>, this),
      orders_timer_(timer_callback<Process, &Process::retry_orders>, this) {
  log_ = std::make_unique<Log>(log_writer_.add_ring(), log_format_, settings_.log_level);
  set_thread_log(log_.get());
}

Process::~Process() {
  // All at once where possible; the end of each makes sure of it.
  post_all(front::MailKind::stop);
  workers_.clear();
  // They tell the control thread's reactor of their news.
  clerk_.reset();
  keeper_.reset();
  publisher_.reset();
  timer_.cancel();
  page_timer_.cancel();
  snapshot_timer_.cancel();
  usage_timer_.cancel();
  orders_timer_.cancel();
  admin_.reset();
  control_.reset();
  if (signal_fd_ >= 0) ::close(signal_fd_);
  set_thread_log(nullptr);
  log_writer_.stop();
  crypto::wipe(dev_key_.data(), dev_key_.size());
}

Result<void> Process::start() {
  shared_.settings = &settings_;
  shared_.flex_models = flex_models_.get();
  shared_.prices = prices_.get();
  shared_.counts_usage = keeper_ != nullptr;
  shared_.auth_failures = auth_failures_.get();
  if (auto free = check_ports_free(); !free) return free;
  if (auto started = start_control(); !started) return started;
  if (auto started = start_workers(); !started) return started;
  if (keeper_ != nullptr) start_keeper();
  if (auto started = start_admin(); !started) return started;
  announce();
  notify("READY=1");
  log_line(LogLevel::info, "started",
           {{"version", FLEXD_VERSION},
            {"workers", workers_.size()},
            {"dev", settings_.dev},
            {"store", settings_.store}});
  return {};
}

// check_ports_free binds each address once without sharing it: SO_REUSEPORT would let a second
// gateway of the same user take half of the first one's callers without a word.
Result<void> Process::check_ports_free() const {
  std::vector<std::pair<const char*, io::Address>> wanted;
  wanted.reserve(addresses_.size() + 1);
  for (const io::Address& address : addresses_) wanted.emplace_back("--listen ", address);
  if (!settings_.admin_listen.empty()) wanted.emplace_back("--admin-listen ", admin_address_);
  for (size_t i = 0; i < wanted.size(); ++i) {
    const auto& [flag, address] = wanted[i];
    for (size_t before = 0; before < i; ++before) {
      if (address.port() != 0 && wanted[before].second == address) {
        return fail_with(flag + address.to_string() + ": this address is given twice");
      }
    }
    if (!Probe().bind_to(address)) {
      return fail_with(flag + address.to_string() + ": " + std::strerror(errno));
    }
  }
  return {};
}

Result<void> Process::start_control() {
  control_metrics_ = std::make_unique<metrics::Core>();
  auto reactor = io::Reactor::create({.sockets_max = 256,
                                      .memory_budget_bytes = 16U << 20U,
                                      .recv_buffers = 64,
                                      .yield_in_poll = settings_.yield_each_turn,
                                      .metrics = control_metrics_.get()});
  if (!reactor) return fail(reactor.error());
  control_ = std::move(*reactor);
  control_->set_mail_handler(*this);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  signal_fd_ = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
  if (signal_fd_ < 0) return fail_with("signals cannot be received");
  control_->watch_fd(signal_fd_, [this] { on_signal(); });
  return {};
}

Result<void> Process::start_workers() {
  const uint32_t cores = std::max(1U, std::thread::hardware_concurrency());
  const uint32_t count = settings_.workers == 0 ? cores : settings_.workers;
  for (uint32_t i = 0; i < count; ++i) {
    const WorkerThreadOptions options{.index = i,
                                      .cpu = settings_.pin ? static_cast<int>(i % cores) : -1,
                                      .yield_each_turn = settings_.yield_each_turn,
                                      .memory_budget_bytes = settings_.memory_budget_bytes,
                                      .log_format = log_format_,
                                      .log_level = settings_.log_level};
    auto worker = std::make_unique<WorkerThread>(options, shared_, log_writer_, *control_);
    // One after the other: the first takes the ports where they are left to chance.
    if (auto started = worker->start(addresses_); !started) {
      return fail_with("--listen: " + started.error().message);
    }
    workers_.push_back(std::move(worker));
  }
  running_ = undrained_ = count;
  orders_ = std::make_unique<WorkerOrders>(count, [this](size_t worker, front::MailKind order) {
    return workers_[worker]->post(order);
  });
  return {};
}

// start_keeper hands the first snapshot to the workers like any other, and watches for newer ones.
void Process::start_keeper() {
  publisher_ = std::make_unique<SnapshotPublisher>(
      workers_.size(),
      [this](size_t worker, front::SnapshotLease& lease) { return workers_[worker]->lend(lease); },
      [this](account::SnapshotPointer snapshot) { keeper_->retire(std::move(snapshot)); });
  publish(std::move(shared_.snapshot));
  keeper_log_ = std::make_unique<Log>(log_writer_.add_ring(), log_format_, settings_.log_level);
  keeper_->start(keeper_log_.get(), [this] {
    return control_->post({.kind = static_cast<uint32_t>(ControlMail::keeper)});
  });
  usage_ = std::make_unique<UsageCollector>(
      workers_.size(),
      [this](size_t worker, account::UsageTable* empty) {
        return workers_[worker]->ask_usage(empty);
      },
      *keeper_);
  collect_usage();
}

void Process::collect_usage() {
  usage_->ask_all();
  control_->timers().set(usage_timer_, control_->now_ns() + UsageCollector::kPeriodNs);
}

// finish_usage writes what the workers, who have ended, had counted last. The time it takes has a
// bound (Keeper::stop), since signals are not read any more.
void Process::finish_usage() {
  for (const auto& worker : workers_) usage_->take_last(worker->take_last_usage());
  keeper_->stop(usage_->last_write());
  static_cast<void>(keeper_->collect());
  usage_->report_rest();
}

void Process::publish(account::SnapshotPointer snapshot) {
  if (!publisher_->publish(std::move(snapshot))) {
    control_->timers().set(snapshot_timer_, control_->now_ns() + kRetryNs);
  }
}

void Process::retry_snapshot() {
  if (!publisher_->retry()) {
    control_->timers().set(snapshot_timer_, control_->now_ns() + kRetryNs);
  }
}

void Process::collect() {
  if (auto snapshot = keeper_->collect()) publish(std::move(snapshot));
}

Result<void> Process::start_admin() {
  if (settings_.admin_listen.empty()) return {};
  if (keeper_ != nullptr) {
    if (auto started = start_clerk(); !started) return started;
  }
  front::AdminHooks hooks;
  hooks.is_ready = [this] { return phase_ == Phase::serving; };
  hooks.metrics_page = [this](std::function<void(std::string)> done) {
    make_metrics_page(std::move(done));
  };
  hooks.snapshot = [this] {
    return publisher_ != nullptr ? publisher_->current() : shared_.snapshot;
  };
  hooks.with_store = [this](store::Number owner, Clerk::Job job, Clerk::Done done) {
    return clerk_ != nullptr && clerk_->submit(owner, std::move(job), std::move(done));
  };
  hooks.clock = [this] {
    return account::Clock{.monotonic_ns = control_->now_ns(), .unix_s = control_->unix_ms() / 1000};
  };
  hooks.auth_failures = auth_failures_.get();
  hooks.doc_url_base = settings_.doc_url_base;
  admin_ = std::make_unique<front::Admin>(*control_, std::move(hooks));
  const Result<io::Address> bound = admin_->listen(admin_address_);
  if (!bound) return fail_with("--admin-listen: " + bound.error().message);
  admin_address_ = *bound;
  return {};
}

// start_clerk opens the store once more, for the admin listener alone.
Result<void> Process::start_clerk() {
  auto store = store::open_store(settings_.store, store::OpenMode::existing);
  if (!store) return fail_with("--store: " + store.error().message);
  clerk_ = std::make_unique<Clerk>(std::move(*store));
  clerk_log_ = std::make_unique<Log>(log_writer_.add_ring(), log_format_, settings_.log_level);
  clerk_->start(clerk_log_.get(), [this] {
    return control_->post({.kind = static_cast<uint32_t>(ControlMail::clerk)});
  });
  return {};
}

void Process::announce() const {
  for (const io::Address& address : addresses_) {
    std::printf("flexd: listening on http://%s\n", address.to_string().c_str());
  }
  if (admin_ != nullptr) {
    const std::string text = admin_address_.to_string();
    std::printf("flexd: admin on %s%s\n", text.starts_with("unix:") ? "" : "http://", text.c_str());
  }
  if (settings_.dev) std::printf("flexd: dev key %s\n", dev_key_.c_str());
  std::fflush(stdout);
}

void Process::run() {
  control_->run();
  for (const auto& worker : workers_) worker->join();
  if (clerk_ != nullptr) {
    // Whoever waits for it is told that flexd ends.
    clerk_->stop();
    clerk_->collect();
  }
  if (keeper_ != nullptr) finish_usage();
  if (admin_ != nullptr) finish_admin();
  log_line(LogLevel::info, "stopped");
}

// finish_admin ends the admin listener, with a moment for its last answers.
void Process::finish_admin() {
  admin_->close();
  const uint64_t give_up_ns = control_->now_ns() + kPublishNs;
  while (!admin_->is_quiet() && control_->now_ns() < give_up_ns) {
    control_->timers().set(timer_, control_->now_ns() + 10'000'000);
    control_->turn(true);
  }
}

void Process::on_signal() {
  signalfd_siginfo info{};
  while (read(signal_fd_, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    log_line(LogLevel::info, "signal", {{"number", info.ssi_signo}});
    if (phase_ == Phase::serving) {
      drain();
    } else if (phase_ == Phase::draining) {
      cut();  // the second one means now
    }
  }
}

// post_all tells those whose mailbox has room.
void Process::post_all(front::MailKind kind) {
  for (const auto& worker : workers_) static_cast<void>(worker->post(kind));
}

// order tells every worker, now or later.
void Process::order(front::MailKind kind) {
  if (!orders_->give(kind)) control_->timers().set(orders_timer_, control_->now_ns() + kRetryNs);
}

void Process::retry_orders() {
  if (!orders_->retry()) control_->timers().set(orders_timer_, control_->now_ns() + kRetryNs);
}

void Process::drain() {
  phase_ = Phase::draining;
  shared_.draining = true;
  notify("STOPPING=1\nSTATUS=waiting for answers under way");
  control_->timers().set(timer_, control_->now_ns() + settings_.drain_timeout_ns);
  order(front::MailKind::drain);
}

void Process::cut() {
  phase_ = Phase::cutting;
  control_->timers().set(timer_, control_->now_ns() + kCutNs);
  order(front::MailKind::cut);
}

void Process::stop() {
  if (phase_ == Phase::stopping) return;
  phase_ = Phase::stopping;
  timer_.cancel();
  order(front::MailKind::stop);
}

void Process::on_timer() {
  if (phase_ == Phase::draining) {
    log_line(LogLevel::warn, "drain_timeout", {{"workers", undrained_}});
    cut();
  } else if (phase_ == Phase::cutting) {
    stop();
  }
}

void Process::on_mail(const io::Mail& mail) {
  switch (static_cast<ControlMail>(mail.kind)) {
    case ControlMail::drained:
      if (undrained_ == 0) return;
      undrained_--;
      if (undrained_ == 0) stop();
      return;
    case ControlMail::published:
      if (unpublished_ == 0) return;
      unpublished_--;
      if (unpublished_ == 0) finish_metrics_pages();
      return;
    case ControlMail::lease_done:
      publisher_->take_back(*static_cast<front::SnapshotLease*>(mail.pointer));
      return;
    case ControlMail::keeper:
      collect();
      return;
    case ControlMail::clerk:
      clerk_->collect();
      return;
    case ControlMail::usage:
      usage_->take(mail.number, std::unique_ptr<account::UsageTable>(
                                    static_cast<account::UsageTable*>(mail.pointer)));
      return;
    case ControlMail::usage_crowded:
      usage_->ask(mail.number);
      return;
    case ControlMail::ended:
      if (--running_ == 0) control_->stop();
      return;
  }
}

// make_metrics_page asks the workers for their gauges first.
void Process::make_metrics_page(std::function<void(std::string)> done) {
  pages_.push_back(std::move(done));
  if (pages_.size() > 1) return;
  unpublished_ = static_cast<uint32_t>(workers_.size());
  control_->timers().set(page_timer_, control_->now_ns() + kPublishNs);
  post_all(front::MailKind::publish);
}

void Process::finish_metrics_pages() {
  page_timer_.cancel();
  unpublished_ = 0;
  std::vector<const metrics::Core*> cores;
  cores.reserve(workers_.size() + 2);
  for (const auto& worker : workers_) cores.push_back(&worker->metrics());
  if (keeper_ != nullptr) cores.push_back(&keeper_->metrics());
  if (usage_ != nullptr) cores.push_back(&usage_->metrics());
  std::string page;
  metrics::write_text(cores, FLEXD_VERSION, page);
  const auto pages = std::move(pages_);
  pages_.clear();
  for (const auto& done : pages) done(page);
}

}  // namespace flexd::app
