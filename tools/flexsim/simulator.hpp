// simulator.hpp: what all workers of one simulated provider share.
//
//   auto simulator = Simulator::create({.workers = 1});
//   auto server = Server::create(**simulator, 0, reactor);       // server.hpp, one a worker
//   const auto address = (*server)->listen(any_port, Transport::tls);
//   ... requests, with a client that trusts (*simulator)->authority_pem() ...
//   const Report report = (*simulator)->report();
//
// It runs on either backend of the reactor: it reads no clock, and draws its ids from the reactor.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "flexd/base/result.hpp"
#include "flexd/tls/certgen.hpp"
#include "ledger.hpp"

namespace flexd::flexsim {

struct SimulatorOptions {
  size_t workers = 1;
  // default_scenario is a marker's inside ("ok bytes=1000"), for requests that have none.
  std::string default_scenario = "ok";
};

class Simulator {
 public:
  // create makes a certificate authority and a certificate for localhost, 127.0.0.1 and ::1.
  [[nodiscard]] static Result<std::unique_ptr<Simulator>> create(SimulatorOptions options);

  const SimulatorOptions& options() const { return options_; }
  // authority_pem is the certificate that clients have to trust.
  const std::string& authority_pem() const { return authority_pem_; }
  const tls::Identity& identity() const { return identity_; }

  // report and reset may be called from any thread.
  [[nodiscard]] Report report() const;
  void reset();

  // The rest is for the servers.
  Ledger& ledger(size_t worker) { return *ledgers_[worker]; }
  // count_try counts how often a request has come, this time included.
  uint32_t count_try(uint64_t key);
  uint64_t next_connection() { return ++connections_; }

 private:
  explicit Simulator(SimulatorOptions options);

  SimulatorOptions options_;
  std::string authority_pem_;
  tls::Identity identity_;
  std::vector<std::unique_ptr<Ledger>> ledgers_;
  std::atomic<uint64_t> connections_{0};
  std::mutex tries_mutex_;
  std::unordered_map<uint64_t, uint32_t> tries_;
};

}  // namespace flexd::flexsim
