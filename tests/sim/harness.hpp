// harness.hpp: a whole gateway in a simulated world, with clients before it and providers behind.
//
//   Sim sim;
//   sim.provider.flex_play.sse().send(text).finish();
//   const Reply& reply = sim.ask(body(R"("start_within":"00h-00m-30s")"));
//
// Hosts: clients 10.0.0.1, the gateway 10.0.0.2, the providers 10.0.0.3, each on a port of its own
// (port_of). They play what a test wrote (provider.hpp), or are flexsim's (tools/flexsim), which
// knows each vendor's API. When a Sim goes out of scope it drains the gateway and checks that
// nothing is left of anything.
#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "client.hpp"
#include "flexd/account/auth_failures.hpp"
#include "flexd/account/snapshot.hpp"
#include "flexd/base/log.hpp"
#include "flexd/config/settings.hpp"
#include "flexd/front/worker.hpp"
#include "flexd/io/sim.hpp"
#include "flexd/metrics/core.hpp"
#include "flexd/surface/provider.hpp"
#include "flexsim/server.hpp"
#include "flexsim/simulator.hpp"
#include "provider.hpp"
#include "responses.hpp"

namespace flexd::sim_test {

inline constexpr std::string_view kDigits = "0123456789abcdef01234567";

struct SimOptions {
  SimOptions();
  uint64_t seed = 1;
  io::sim::WorldOptions world;
  config::Settings settings;
  account::DevSettings account;
  std::string origin_ip = "10.0.0.3";  // where the gateway looks for the providers
  bool flexsim = false;                // the providers are flexsim's, not sim.provider
};

// three_providers are options with a key for each provider.
SimOptions three_providers();

// read_lines drains a pipe's read end.
class LogPipe {
 public:
  LogPipe();
  ~LogPipe();
  LogPipe(const LogPipe&) = delete;
  LogPipe& operator=(const LogPipe&) = delete;
  int write_fd() const { return fds_[1]; }
  std::string read();

 private:
  std::array<int, 2> fds_{-1, -1};
};

class Sim {
 public:
  explicit Sim(const SimOptions& options = {});
  ~Sim();
  Sim(const Sim&) = delete;
  Sim& operator=(const Sim&) = delete;

  // connect opens a client; it lives as long as the Sim.
  Client& connect();
  // head_of is a POST /v1/responses with the right key, up to the blank line; `extra` are further
  // lines, each with its end. Without a length it has no framing.
  std::string head_of(std::string_view extra = "") const;
  std::string post(std::string_view body, std::string_view extra = "") const;
  // send posts a body on a new client; ask also waits for the reply's end.
  Client& send(std::string_view body, std::string_view extra = "");
  const Reply& ask(std::string_view body, std::string_view extra = "");
  // post_to, send_to and ask_at are the same for any path.
  std::string post_to(std::string_view path, std::string_view body,
                      std::string_view extra = "") const;
  Client& send_to(std::string_view path, std::string_view body, std::string_view extra = "");
  const Reply& ask_at(std::string_view path, std::string_view body, std::string_view extra = "");
  // wait runs until the client's last request is answered or its connection is over.
  const Reply& wait(Client& client, size_t replies = 1);

  void run(uint64_t duration_ns) { world.run_for(duration_ns); }
  void run_until(uint64_t time_ns) { world.run_until(time_ns); }
  template <typename Done>
  bool run_until_true(Done done, uint64_t limit_ns = 3600 * kSecond) {
    return world.run_until_true(done, limit_ns);
  }
  // lines are the access log's, oldest first.
  const std::vector<std::string>& lines();
  // line_of is the line of a request id.
  std::string line_of(std::string_view request_id);
  std::string last_line() { return lines().empty() ? "" : lines().back(); }
  uint64_t requests(metrics::Outcome outcome, metrics::Reason reason) const;
  uint64_t requests_total() const;
  // attempts_total counts attempts that have ended, however they did.
  uint64_t attempts_total() const;
  uint64_t attempts(metrics::AttemptResult result) const;
  uint64_t attempts(errors::Provider of, metrics::AttemptResult result) const;
  uint64_t possible_double_bills(errors::Provider of) const;
  // open_attempts counts those that the providers have not seen the end of.
  size_t open_attempts() const;
  const std::string& key() const { return key_; }
  // report is flexsim's.
  flexsim::Report report() const;
  uint32_t race_slots_in_use();
  // shut_down drains everything and checks that nothing is left; the destructor does it otherwise.
  void shut_down();

  SimOptions options;
  io::sim::World world;

 private:
  std::string key_;
  LogPipe pipe_;
  std::vector<std::string> lines_;
  std::string unread_;
  account::LimitArena arena_;
  std::unique_ptr<account::AuthFailures> auth_failures_;
  surface::FlexModels flex_models_ = surface::FlexModels::built_in();
  std::unique_ptr<LogWriter> writer_;
  std::unique_ptr<Log> log_;
  std::unique_ptr<io::Reactor> client_reactor_;
  std::unique_ptr<io::Reactor> gateway_reactor_;
  std::unique_ptr<io::Reactor> provider_reactor_;
  std::unique_ptr<Provider> provider_;
  std::unique_ptr<flexsim::Server> flexsim_;
  std::vector<std::unique_ptr<Client>> clients_;
  bool over_ = false;

 public:
  metrics::Core metrics;
  front::Shared shared;
  std::unique_ptr<front::Worker> worker;
  io::Address address;
  Provider& provider;
  io::Reactor& gateway() { return *gateway_reactor_; }
};

}  // namespace flexd::sim_test
