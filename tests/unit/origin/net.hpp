// net.hpp: a pool and the providers it reaches, in one simulated world.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <string>

#include "call.hpp"
#include "flexd/http/h2_resources.hpp"
#include "flexd/io/sim.hpp"
#include "flexd/tls/context.hpp"
#include "h1_provider.hpp"
#include "h2_provider.hpp"

namespace flexd::origin::test {

inline constexpr uint64_t kMs = 1'000'000;
inline constexpr uint64_t kSecond = 1'000'000'000;
inline constexpr const char* kClientIp = "10.0.0.2";
inline constexpr const char* kProviderIp = "10.0.0.3";
inline constexpr uint16_t kPort = 80;

using Scheme = config::OriginUrl::Scheme;

struct NetOptions {
  uint64_t seed = 1;
  Scheme scheme = Scheme::h2c;
  // The pool's options; `url` is filled in.
  PoolOptions pool;
  bool listens = true;  // the provider
  tls::ClientContext* tls = nullptr;
  uint32_t recv_buffer_bytes = 4096;
};

// Net is torn down as a worker is: the pool is shut down, and by the end nothing may be left over.
class Net {
 public:
  explicit Net(const NetOptions& options = {});
  ~Net();
  Net(const Net&) = delete;
  Net& operator=(const Net&) = delete;

  // until runs until `done`; the test fails if that does not come.
  void until(const std::function<bool()>& done, uint64_t limit_ns = 10 * kSecond) {
    REQUIRE(world.run_until_true(done, limit_ns));
  }
  void run(uint64_t duration_ns) { world.run_for(duration_ns); }
  // finish shuts the pool down and checks what is left; the destructor does it otherwise.
  void finish();
  io::Address address() const { return io::Address::from_ip(kProviderIp, kPort).value(); }

  io::sim::World world;
  std::unique_ptr<io::Reactor> client;
  std::unique_ptr<io::Reactor> provider;
  http::h2::Resources resources;
  H2Provider h2;
  H1Provider h1;
  std::unique_ptr<Pool> pool;

 private:
  bool finished_ = false;
};

}  // namespace flexd::origin::test
