// process.hpp: the whole of a running flexd: the control thread's reactor, its workers, the keeper
// of the store, the admin listener and its clerk, signals, and the service manager.
//
//   process.cpp          start to end
//   process_prepare.cpp  what is read and checked before anything listens
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "clerk.hpp"
#include "flexd/account/auth_failures.hpp"
#include "flexd/account/limits.hpp"
#include "flexd/base/log.hpp"
#include "flexd/base/timer_wheel.hpp"
#include "flexd/config/settings.hpp"
#include "flexd/front/admin.hpp"
#include "flexd/front/worker.hpp"
#include "flexd/io/reactor.hpp"
#include "keeper.hpp"
#include "snapshot_publisher.hpp"
#include "usage_collector.hpp"
#include "worker_orders.hpp"
#include "worker_thread.hpp"

namespace flexd::app {

class Process final : public io::MailHandler {
 public:
  explicit Process(const config::Settings& settings);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // prepare reads the files that the settings name, and the store's keys or those of --dev. Nothing
  // listens yet; --check-config ends here.
  Result<void> prepare();
  // start opens every listener and says so on stdout.
  Result<void> start();
  // run returns when the process is to end; signals say when.
  void run();

  void on_mail(const io::Mail& mail) override;

 private:
  Result<void> prepare_models();
  Result<void> prepare_prices();
  Result<void> prepare_store();
  Result<void> prepare_dev_key();
  Result<void> prepare_roots() const;
  Result<void> check_ports_free() const;
  Result<void> start_control();
  Result<void> start_admin();
  Result<void> start_workers();
  void start_keeper();
  Result<void> start_clerk();
  void publish(account::SnapshotPointer snapshot);
  void retry_snapshot();
  void collect();
  void collect_usage();
  void finish_usage();
  void finish_admin();
  void announce() const;
  void on_signal();
  void drain();
  void cut();
  void stop();
  void on_timer();
  void make_metrics_page(std::function<void(std::string)> done);
  void finish_metrics_pages();
  void post_all(front::MailKind kind);
  void order(front::MailKind kind);
  void retry_orders();

  const config::Settings settings_;
  LogFormat log_format_ = LogFormat::json;
  LogWriter log_writer_;
  std::unique_ptr<Log> log_;
  account::LimitArena limit_arena_;
  std::unique_ptr<account::AuthFailures> auth_failures_;
  std::unique_ptr<surface::FlexModels> flex_models_;
  std::unique_ptr<account::Prices> prices_;
  std::string dev_key_;
  std::unique_ptr<Log> keeper_log_;
  std::unique_ptr<Keeper> keeper_;  // null with --dev
  std::unique_ptr<SnapshotPublisher> publisher_;
  std::unique_ptr<UsageCollector> usage_;  // null with --dev
  front::Shared shared_;
  std::unique_ptr<io::Reactor> control_;
  std::unique_ptr<front::Admin> admin_;
  std::unique_ptr<Log> clerk_log_;
  std::unique_ptr<Clerk> clerk_;  // null with --dev, and without an admin listener
  std::unique_ptr<metrics::Core> control_metrics_;
  std::vector<std::unique_ptr<WorkerThread>> workers_;
  std::unique_ptr<WorkerOrders> orders_;
  std::vector<io::Address> addresses_;
  io::Address admin_address_;
  int signal_fd_ = -1;
  Timer timer_;           // of the drain
  Timer page_timer_;      // of a metrics page whose workers do not answer
  Timer snapshot_timer_;  // of a snapshot that a full mailbox did not take
  Timer usage_timer_;     // of the next round of what was counted
  Timer orders_timer_;    // of orders that a full mailbox did not take
  std::vector<std::function<void(std::string)>> pages_;
  uint32_t unpublished_ = 0;
  uint32_t undrained_ = 0;
  uint32_t running_ = 0;
  enum class Phase : uint8_t { serving, draining, cutting, stopping } phase_ = Phase::serving;
};

}  // namespace flexd::app
