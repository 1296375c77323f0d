#include "net.hpp"

namespace flexd::origin::test {
namespace {

std::unique_ptr<io::Reactor> make_reactor(io::sim::World& world, std::string_view ip,
                                          uint32_t recv_buffer_bytes) {
  const io::sim::World::Scope scope(world, ip);
  io::ReactorOptions options;
  options.sockets_max = 1000;
  options.recv_buffers = 64;
  options.recv_buffer_bytes = recv_buffer_bytes;
  auto reactor = io::Reactor::create(options);
  REQUIRE(reactor.has_value());
  world.add(**reactor);
  return std::move(*reactor);
}

PoolOptions pool_options(const NetOptions& options) {
  PoolOptions pool = options.pool;
  pool.url = {options.scheme, "api.test", kPort, ""};
  return pool;
}

}  // namespace

Net::Net(const NetOptions& options)
    : world(options.seed),
      client(make_reactor(world, kClientIp, options.recv_buffer_bytes)),
      provider(make_reactor(world, kProviderIp, 4096)),
      h2(*provider),
      h1(*provider),
      pool(std::make_unique<Pool>(*client, resources, options.tls, errors::Provider::openai,
                                  pool_options(options))) {
  world.set_name("api.test", {.ips = {kProviderIp}});
  if (!options.listens) return;
  if (options.scheme == Scheme::h2c) {
    h2.listen(address());
  } else {
    h1.listen(address());
  }
}

Net::~Net() {
  finish();
}

void Net::finish() {
  if (finished_) return;
  finished_ = true;
  world.faults() = {};
  pool->shut_down();
  const bool quiet = world.run_until_true([this] { return pool->is_quiet(); }, 60 * kSecond);
  // Attempts still open would keep it; a test that failed half-way leaves some behind.
  REQUIRE(quiet);
  CHECK(pool->stream_count() == 0);
  CHECK(pool->waiting_count() == 0);
  pool.reset();
  h1.abort_all();
  h2.abort_all();
  provider->stop_listening();
  world.run_for(40 * kSecond);
  CHECK(client->blocks().in_use_bytes() == 0);
  CHECK(client->live_sockets() == 0);
  h1.links.clear();
  h2.links.clear();
  client.reset();
  provider.reset();
  for (const std::string& left : world.check_quiescent()) FAIL_CHECK(left);
}

}  // namespace flexd::origin::test
