// process.hpp: the whole of a running flexd: the control thread's reactor, its workers, the admin
// listener, signals, and the service manager.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "flexd/account/auth_failures.hpp"
#include "flexd/account/limits.hpp"
#include "flexd/base/log.hpp"
#include "flexd/base/timer_wheel.hpp"
#include "flexd/config/settings.hpp"
#include "flexd/front/admin.hpp"
#include "flexd/front/worker.hpp"
#include "flexd/io/reactor.hpp"
#include "worker_thread.hpp"

namespace flexd::app {

class Process final : public io::MailHandler {
 public:
  explicit Process(const config::Settings& settings);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // prepare reads the files that the settings name and the provider keys, and draws the dev key.
  // Nothing listens yet; --check-config ends here.
  Result<void> prepare();
  // start opens every listener and says so on stdout.
  Result<void> start();
  // run returns when the process is to end; signals say when.
  void run();

  void on_mail(const io::Mail& mail) override;

 private:
  Result<void> prepare_models();
  Result<void> prepare_keys();
  Result<void> prepare_roots() const;
  Result<void> check_ports_free() const;
  Result<void> start_control();
  Result<void> start_admin();
  Result<void> start_workers();
  void announce() const;
  void on_signal();
  void drain();
  void cut();
  void stop();
  void on_timer();
  void make_metrics_page(std::function<void(std::string)> done);
  void finish_metrics_pages();
  void post_all(front::MailKind kind);

  const config::Settings settings_;
  LogFormat log_format_ = LogFormat::json;
  LogWriter log_writer_;
  std::unique_ptr<Log> log_;
  account::LimitArena limit_arena_;
  std::unique_ptr<account::AuthFailures> auth_failures_;
  std::unique_ptr<surface::FlexModels> flex_models_;
  std::string dev_key_;
  front::Shared shared_;
  std::unique_ptr<io::Reactor> control_;
  std::unique_ptr<front::Admin> admin_;
  std::unique_ptr<metrics::Core> control_metrics_;
  std::vector<std::unique_ptr<WorkerThread>> workers_;
  std::vector<io::Address> addresses_;
  io::Address admin_address_;
  int signal_fd_ = -1;
  Timer timer_;       // of the drain
  Timer page_timer_;  // of a metrics page whose workers do not answer
  std::vector<std::function<void(std::string)>> pages_;
  uint32_t unpublished_ = 0;
  uint32_t undrained_ = 0;
  uint32_t running_ = 0;
  enum class Phase : uint8_t { serving, draining, cutting, stopping } phase_ = Phase::serving;
};

}  // namespace flexd::app
