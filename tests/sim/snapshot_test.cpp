// New snapshots while requests are under way: who sees which, and when the old one goes.
#include <doctest/doctest.h>

#include "accounts.hpp"
#include "harness.hpp"

using namespace flexd;
using namespace flexd::sim_test;

namespace {

// World is a Sim whose keys come from an Office.
struct World {
  explicit World(const SimOptions& options = {}) : sim(options) {
    office.serve(0, *sim.worker, sim.gateway());
  }
  void publish(const Plan& plan) {
    office.publish(plan, sim.key());
    sim.run(kMs);
  }
  Office office;  // outlives the worker
  Sim sim;
};

const std::string kDirect = R"("start_within":"default")";
const std::string kDirectStream = R"("start_within":"default","stream":true)";

}  // namespace

TEST_CASE("snapshot: a revoked key is refused at once, and its answer under way goes on") {
  World world;
  Sim& sim = world.sim;
  Plan plan;
  world.publish(plan);
  Events events("default");
  Play& play = sim.provider.standard_play;
  play.sse().send(events.opening()).wait(kSecond).send(events.start()).wait(kSecond);
  play.send(events.completed()).finish();
  Client& client = sim.send(body(kDirectStream));
  sim.run(500 * kMs);
  plan.has_key = false;
  world.publish(plan);
  CHECK(sim.ask(body(kDirect)).code() == "invalid_api_key");
  CHECK(world.office.lease_count() == 2);
  CHECK(world.office.is_alive(0));
  const Reply& reply = sim.wait(client);
  CHECK(reply.status == 200);
  CHECK(difference(reply.body, play.sent()) == "");
  // The same connection, whose next request begins now.
  client.send(sim.post(body(kDirect)));
  CHECK(sim.wait(client, 2).code() == "invalid_api_key");
  sim.run(kMs);
  CHECK(world.office.lease_count() == 1);
  CHECK(!world.office.is_alive(0));
  CHECK(world.office.is_alive(1));
  CHECK(sim.line_of(reply.field("x-flexinference-request-id")).find("key_sim") !=
        std::string::npos);
}

TEST_CASE("snapshot: the attempts of a request send the provider's key it began with") {
  World world;
  Sim& sim = world.sim;
  Plan plan;
  plan.openai_key = "sk-first";
  world.publish(plan);
  Events standard("default");
  sim.provider.flex_play.sse().wait(60 * kSecond);
  sim.provider.standard_play.sse().send(standard.whole()).finish();
  Client& client = sim.send(race_body(10, true));
  sim.run(kSecond);
  plan.openai_key = "sk-second";
  world.publish(plan);
  CHECK(sim.wait(client).reason() == "flex_deadline");
  CHECK(sim.provider.only("flex").field("authorization") == "Bearer sk-first");
  CHECK(sim.provider.only("default").field("authorization") == "Bearer sk-first");
  sim.provider.standard_play = Play();
  sim.provider.standard_play.json(200, "{}");
  CHECK(sim.ask(body(kDirect)).status == 200);
  CHECK(sim.provider.of("default").back()->field("authorization") == "Bearer sk-second");
  CHECK(!world.office.is_alive(0));
}

TEST_CASE("snapshot: a lease lasts until the attempts are over, not only the answer") {
  World world;
  Sim& sim = world.sim;
  world.publish({});
  Events events("default");
  // The provider's own end comes half a second after the answer's.
  sim.provider.standard_play.sse().send(events.whole()).wait(500 * kMs).finish();
  Client& client = sim.send(body(kDirectStream));
  sim.run(100 * kMs);
  world.publish({});
  CHECK(sim.open_attempts() == 1);
  CHECK(world.office.is_alive(0));
  sim.wait(client);
  sim.run(kSecond);
  CHECK(!world.office.is_alive(0));
  CHECK(world.office.lease_count() == 1);
}

TEST_CASE("snapshot: of many, each goes with its last request") {
  World world;
  Sim& sim = world.sim;
  sim.provider.choose = [](const Seen& seen) {
    Play play;
    play.wait(std::stoul(seen.trace) * kSecond).json(200, "{}");
    return play;
  };
  std::vector<Client*> clients;
  for (const char* const seconds : {"5", "1", "3"}) {
    world.publish({});
    clients.push_back(&sim.send(body(kDirect, std::string("trace:") + seconds)));
    sim.run(10 * kMs);
  }
  world.publish({});
  CHECK(world.office.lease_count() == 4);
  const auto alive = [&world] {
    std::string text;
    for (size_t i = 0; i < 4; ++i) text += world.office.is_alive(i) ? '1' : '0';
    return text;
  };
  CHECK(alive() == "1111");
  sim.run(2 * kSecond);
  CHECK(alive() == "1011");
  sim.run(2 * kSecond);
  CHECK(alive() == "1001");
  sim.run(2 * kSecond);
  CHECK(alive() == "0001");
  for (Client* const client : clients) CHECK(sim.wait(*client).status == 200);
}

TEST_CASE("snapshot: a client that leaves, and a request that is refused, hold nothing") {
  World world;
  Sim& sim = world.sim;
  world.publish({});
  sim.provider.standard_play.wait(60 * kSecond).json(200, "{}");
  Client& client = sim.send(body(kDirect));
  sim.run(100 * kMs);
  Client& halfway = sim.connect();
  halfway.send(sim.head_of("Content-Length: 100\r\n\r\n"));
  sim.run(100 * kMs);
  world.publish({});
  CHECK(world.office.is_alive(0));
  client.abort();
  sim.run(100 * kMs);
  CHECK(world.office.is_alive(0));
  halfway.abort();
  sim.run(100 * kMs);
  CHECK(!world.office.is_alive(0));
  CHECK(sim.ask(body("")).code() == "missing_start_within");
  CHECK(sim.ask("{").code() == "invalid_json");
  world.publish({});
  CHECK(!world.office.is_alive(1));
}

TEST_CASE("snapshot: a full mailbox loses no lease") {
  World world;
  Sim& sim = world.sim;
  world.publish({});
  world.office.refuse(true);
  for (int i = 0; i < 3; ++i) world.publish({});
  CHECK(world.office.lease_count() == 4);
  world.office.refuse(false);
  // Any mail is an occasion.
  REQUIRE(sim.gateway().post({.kind = static_cast<uint32_t>(front::MailKind::publish)}));
  sim.run(kMs);
  CHECK(world.office.lease_count() == 1);
  // What waits when the worker ends is its owner's.
  world.office.refuse(true);
  world.publish({});
  sim.shut_down();
  CHECK(world.office.lease_count() == 2);
}

TEST_CASE("snapshot: two workers each have their own, and share the limits") {
  Office office(2);
  Sim sim;
  office.serve(0, *sim.worker, sim.gateway());
  metrics::Core metrics;
  std::unique_ptr<io::Reactor> reactor;
  {
    const io::sim::World::Scope scope(sim.world, "10.0.0.2");
    auto made = io::Reactor::create(
        {.sockets_max = 100, .memory_budget_bytes = 64U << 20U, .recv_buffers = 64});
    REQUIRE(made.has_value());
    reactor = std::move(*made);
    sim.world.add(*reactor);
  }
  const LogPipe pipe;
  LogWriter writer(pipe.write_fd(), false);
  Log log(writer.add_ring(), LogFormat::json, LogLevel::info);
  auto second = std::make_unique<front::Worker>(*reactor, sim.shared, metrics, log);
  REQUIRE(second->open_origins().has_value());
  const auto address = second->listen(io::Address::from_ip("10.0.0.2", 8081).value());
  REQUIRE(address.has_value());
  office.serve(1, *second, *reactor);
  Plan plan;
  plan.key.requests_per_minute = 5;
  office.publish(plan, sim.key());
  sim.run(kMs);
  CHECK(office.lease_count() == 2);
  sim.provider.standard_play.json(200, "{}");
  const io::Address first = sim.address;
  size_t good = 0;
  for (int i = 0; i < 12; ++i) {
    sim.address = i % 2 == 0 ? first : *address;
    const Reply& reply = sim.ask(body(kDirect));
    good += reply.status == 200 ? 1 : 0;
    if (reply.status != 200) CHECK(reply.code() == "rate_limit_exceeded");
  }
  CHECK(good == 5);
  plan.has_key = false;
  office.publish(plan, sim.key());
  sim.run(kMs);
  CHECK(office.lease_count() == 2);
  CHECK(!office.is_alive(0));
  for (const io::Address& where : {first, *address}) {
    sim.address = where;
    CHECK(sim.ask(body(kDirect)).code() == "invalid_api_key");
  }
  second->drain();
  CHECK(sim.world.run_until_true([&] { return second->is_quiet(); }, 60 * kSecond));
  second.reset();
  reactor.reset();
}
