// The tests in a simulated world, and those that take minutes of its time.
#include <doctest/doctest.h>

#include "client.hpp"
#include "flexd/io/sim.hpp"

namespace flexd::flexsim {
namespace {

io::sim::World& world() {
  static io::sim::World made(20261121);
  return made;
}

}  // namespace

std::unique_ptr<io::Reactor> make_reactor() {
  const io::sim::World::Scope scope(world());
  return std::move(io::Reactor::create({.sockets_max = 64, .recv_buffers = 64}).value());
}

TEST_CASE("queue waits for minutes with keepalives every five seconds, then starts") {
  Provider provider;
  Client& client = provider.connect();
  Answer& answer = client.post(request("[flexsim:queue 2m]"));
  Client::wait_on(*provider.reactor, [&] { return answer.closed(); }, 200'000'000'000);
  REQUIRE(answer.ended);
  CHECK(answer.count("event: keepalive\n") == 23);
  const Record record = provider.record();
  CHECK(record.start_ns - record.arrival_ns >= 120'000'000'000);
  CHECK(record.start_ns - record.arrival_ns < 120'100'000'000);
}

TEST_CASE("queue-forever never starts, and keepalives go on being numbered") {
  Provider provider;
  Client& client = provider.connect();
  Answer& answer = client.post(request("[flexsim:queue-forever]"));
  Client::wait_on(*provider.reactor, [&] { return answer.closed(); }, 62'000'000'000);
  CHECK_FALSE(answer.closed());
  CHECK(answer.count("event: keepalive\n") == 12);
  CHECK(answer.has("\"type\":\"keepalive\",\"sequence_number\":13}"));
  CHECK_FALSE(answer.has("in_progress"));
}

TEST_CASE("slow-standard holds back even the head") {
  Provider provider;
  Client& client = provider.connect();
  Answer& answer = client.post(request("[flexsim:slow-standard 30s]", false, "default"));
  Client::wait_on(*provider.reactor, [&] { return answer.closed(); }, 60'000'000'000);
  REQUIRE(answer.ended);
  const Record record = provider.record();
  CHECK(record.head_ns - record.arrival_ns >= 30'000'000'000);
}

}  // namespace flexd::flexsim
