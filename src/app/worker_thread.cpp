#include "worker_thread.hpp"

#include <pthread.h>
#include <sched.h>

#include <chrono>

#include "flexd/base/limits.hpp"

namespace flexd::app {
namespace {

// kGoodbyeNs bounds how long a stopped worker waits for its connections' last words.
constexpr uint64_t kGoodbyeNs = 2'000'000'000;
// kRetryNs is how soon a word that a full mailbox did not take is said again.
constexpr uint64_t kRetryNs = 1'000'000;

void nap() {
  std::this_thread::sleep_for(std::chrono::nanoseconds(kRetryNs));
}

}  // namespace

WorkerThread::WorkerThread(const WorkerThreadOptions& options, front::Shared& shared,
                           LogWriter& log_writer, io::Reactor& control)
    : options_(options),
      shared_(shared),
      log_writer_(log_writer),
      control_(control),
      metrics_(std::make_unique<metrics::Core>()),
      drained_timer_(timer_callback<WorkerThread, &WorkerThread::tell_drained>, this) {}

WorkerThread::~WorkerThread() {
  deaf_ = true;
  while (thread_.joinable() && !over_ && !post(front::MailKind::stop)) nap();
  join();
}

Result<void> WorkerThread::start(std::vector<io::Address>& addresses) {
  thread_ = std::thread([this, &addresses] { main(addresses); });
  state_.wait(0);
  if (state_ == 2) {
    join();
    return fail_with(error_);
  }
  return {};
}

bool WorkerThread::post(front::MailKind kind) {
  return mailbox_->post({.kind = static_cast<uint32_t>(kind)});
}

bool WorkerThread::lend(front::SnapshotLease& lease) {
  return mailbox_->post(
      {.kind = static_cast<uint32_t>(front::MailKind::snapshot), .pointer = &lease});
}

bool WorkerThread::ask_usage(account::UsageTable* empty) {
  return mailbox_->post({.kind = static_cast<uint32_t>(front::MailKind::usage), .pointer = empty});
}

void WorkerThread::join() {
  if (thread_.joinable()) thread_.join();
}

bool WorkerThread::tell(ControlMail mail, void* pointer) {
  return control_.post(
      {.kind = static_cast<uint32_t>(mail), .number = options_.index, .pointer = pointer});
}

void WorkerThread::tell_drained() {
  if (tell(ControlMail::drained)) return;
  reactor_->timers().set(drained_timer_, reactor_->now_ns() + kRetryNs);
}

void WorkerThread::main(std::vector<io::Address>& addresses) {
  const Result<void> ready = set_up(addresses);
  if (!ready) {
    error_ = ready.error().message;
    // Listeners may be open already, and only this thread may end what its ring does.
    worker_.reset();
    reactor_.reset();
  }
  state_ = ready ? 1 : 2;
  state_.notify_all();
  if (ready) {
    run();
    over_ = true;
    // The process ends by this word. The mailbox has room again as long as its thread turns.
    while (!tell(ControlMail::ended) && !deaf_) nap();
  }
  set_thread_log(nullptr);
}

Result<void> WorkerThread::set_up(std::vector<io::Address>& addresses) {
  const std::string name = "flexd-w" + std::to_string(options_.index);
  pthread_setname_np(pthread_self(), name.c_str());
  if (options_.cpu >= 0) {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(static_cast<size_t>(options_.cpu), &cpus);
    if (sched_setaffinity(0, sizeof(cpus), &cpus) != 0) {
      return fail_with("--pin: the worker could not be bound to its core");
    }
  }
  log_ = std::make_unique<Log>(log_writer_.add_ring(), options_.log_format, options_.log_level);
  set_thread_log(log_.get());
  auto reactor = io::Reactor::create({.sockets_max = 2 * size_t{shared_.settings->max_clients},
                                      .memory_budget_bytes = options_.memory_budget_bytes,
                                      .yield_each_turn = options_.yield_each_turn,
                                      .metrics = metrics_.get()});
  if (!reactor) return fail(reactor.error());
  reactor_ = std::move(*reactor);
  mailbox_ = reactor_.get();
  worker_ = std::make_unique<front::Worker>(*reactor_, shared_, *metrics_, *log_);
  worker_->set_on_drained([](void* self) { static_cast<WorkerThread*>(self)->tell_drained(); },
                          this);
  worker_->set_on_published(
      [](void* self) { static_cast<WorkerThread*>(self)->tell(ControlMail::published); }, this);
  worker_->set_on_lease_done(
      [](void* self, front::SnapshotLease& lease) {
        return static_cast<WorkerThread*>(self)->tell(ControlMail::lease_done, &lease);
      },
      this);
  worker_->set_on_usage(
      [](void* self, account::UsageTable* table) {
        return static_cast<WorkerThread*>(self)->tell(
            table == nullptr ? ControlMail::usage_crowded : ControlMail::usage, table);
      },
      this);
  if (auto opened = worker_->open_origins(); !opened) return opened;
  for (io::Address& address : addresses) {
    const Result<io::Address> bound = worker_->listen(address);
    if (!bound) return fail(bound.error());
    address = *bound;
  }
  return {};
}

void WorkerThread::run() {
  reactor_->run();
  worker_->cut();
  // The listener's last operation has to end here too: no other thread may touch the ring.
  const auto is_over = [this] {
    return worker_->is_quiet() && reactor_->operations_in_flight() == 0;
  };
  const uint64_t give_up_ns = reactor_->now_ns() + kGoodbyeNs;
  while (!is_over() && reactor_->now_ns() < give_up_ns) {
    Timer pause([](void*) {}, nullptr);
    reactor_->timers().set(pause, reactor_->now_ns() + 10'000'000);
    reactor_->turn(true);
  }
  drained_timer_.cancel();
  last_usage_ = worker_->take_usage();
  // Whoever still holds on now holds on to a process that ends.
  if (!is_over()) {
    left_worker_ = worker_.release();
    left_reactor_ = reactor_.release();
    return;
  }
  worker_.reset();
}

}  // namespace flexd::app
