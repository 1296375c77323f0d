// A worker that has something to say to a control thread that does not turn.
#include "worker_thread.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>

#include <chrono>
#include <map>
#include <thread>

using namespace flexd;
using app::ControlMail;
using app::WorkerThread;

namespace {

constexpr uint32_t kNoise = 1'000;

void give_time() {
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
}

// Control is the control thread's end; it turns only in `wait_for`.
struct Control final : io::MailHandler {
  Control() {
    reactor->set_mail_handler(*this);
    settings.openai = settings.gemini = settings.anthropic =
        config::parse_origin_url("http://127.0.0.1:1").value();
    shared.settings = &settings;
    shared.counts_usage = false;
  }
  void on_mail(const io::Mail& mail) override { ++got[mail.kind]; }
  void fill() {
    while (reactor->post({.kind = kNoise})) continue;
  }
  // wait_for turns until this mail has come.
  bool wait_for(ControlMail mail) {
    for (int i = 0; i < 500; ++i) {
      reactor->turn(false);
      if (got[static_cast<uint32_t>(mail)] > 0) return true;
      give_time();
    }
    return false;
  }
  std::unique_ptr<WorkerThread> start_worker() {
    auto worker = std::make_unique<WorkerThread>(
        app::WorkerThreadOptions{.memory_budget_bytes = 64U << 20U}, shared, log_writer, *reactor);
    std::vector<io::Address> none;
    REQUIRE(worker->start(none).has_value());
    return worker;
  }
  std::unique_ptr<io::Reactor> reactor = std::move(io::Reactor::create({}).value());
  LogWriter log_writer{::open("/dev/null", O_WRONLY | O_CLOEXEC)};
  config::Settings settings;
  front::Shared shared;
  std::map<uint32_t, int> got;
};

}  // namespace

TEST_CASE("worker thread: a full mailbox loses neither `drained` nor `ended`") {
  Control control;
  const auto worker = control.start_worker();
  control.fill();
  REQUIRE(worker->post(front::MailKind::drain));
  give_time();
  CHECK(control.wait_for(ControlMail::drained));
  control.fill();
  REQUIRE(worker->post(front::MailKind::stop));
  give_time();
  CHECK(control.wait_for(ControlMail::ended));
  control.reactor->turn(false);
  CHECK(control.got[static_cast<uint32_t>(ControlMail::drained)] == 1);
  CHECK(control.got[static_cast<uint32_t>(ControlMail::ended)] == 1);
  worker->join();
}

TEST_CASE("worker thread: it can be destroyed while nobody reads its mail") {
  for (const bool told : {true, false}) {
    Control control;
    auto worker = control.start_worker();
    control.fill();
    if (told) {
      REQUIRE(worker->post(front::MailKind::drain));
      REQUIRE(worker->post(front::MailKind::stop));
      give_time();
    }
    worker.reset();
    CHECK(control.got.empty());
  }
}
