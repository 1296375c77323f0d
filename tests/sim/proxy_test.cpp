// Behind a balancer: PROXY headers in pieces, late, broken and from strangers; X-Forwarded-For;
// and by whose address failed authentications count.
#include <doctest/doctest.h>

#include <string>

#include "flexd/http/proxy_header.hpp"
#include "harness.hpp"

using namespace flexd;
using namespace flexd::sim_test;
using metrics::ProxyRefusal;

namespace {

const std::string kLine = "PROXY TCP4 192.0.2.7 10.0.0.2 56324 8080\r\n";
const std::string kBlockStart("\r\n\r\n\0\r\nQUIT\n\x21", 13);
const std::string kBlock = kBlockStart + std::string("\x21\x00\x27\x20\x01\x0d\xb8", 7) +
                           std::string(11, '\0') + "\x07" + std::string(15, '\0') +
                           std::string("\x01\x12\x34\x01\xbb\x04\x00\x00", 8);
const std::string kLocal("\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00", 16);
const std::string kGood = body(R"("start_within":"default")");

// proxied are options with --proxy-protocol and a --trusted-proxy for each network.
SimOptions proxied(std::initializer_list<const char*> networks = {}) {
  SimOptions options;
  options.settings.proxy_protocol = true;
  for (const char* network : networks) {
    options.settings.trusted_proxies.push_back(*Network::parse(network));
  }
  return options;
}

SimOptions trusting(std::initializer_list<const char*> networks) {
  SimOptions options = proxied(networks);
  options.settings.proxy_protocol = false;
  return options;
}

uint64_t refused(const Sim& sim, ProxyRefusal cause) {
  return sim.metrics.value(metrics::Counter::proxy_headers_refused, metrics::at(cause));
}

// client_of is who the access log says that the last request came from.
std::string client_of(Sim& sim) {
  return json_text(sim.last_line(), "client");
}

// check_closed: the connection is closed without a byte of an answer, and counted.
void check_closed(Sim& sim, Client& client, ProxyRefusal cause) {
  CHECK(sim.run_until_true([&] { return client.is_closed(); }, 30 * kSecond));
  CHECK(client.replies().empty());
  CHECK(refused(sim, cause) == 1);
  CHECK(sim.requests_total() == 0);
}

}  // namespace

TEST_CASE("proxy: a header before the request names its client") {
  for (const auto& [header, client_ip] : {std::pair{kLine, "192.0.2.7"},
                                          {kBlock, "2001:db8::7"},
                                          {kLocal, "10.0.0.1"},
                                          {std::string("PROXY UNKNOWN\r\n"), "10.0.0.1"}}) {
    CAPTURE(header);
    Sim sim(proxied());
    sim.provider.standard_play.json(200, "{}");
    Client& client = sim.connect();
    client.send(header + sim.post(kGood) + sim.post(kGood));
    CHECK(sim.wait(client).status == 200);
    CHECK(client_of(sim) == client_ip);
    // It comes once a connection.
    CHECK(sim.wait(client, 2).status == 200);
    client.send(sim.post(kGood));
    CHECK(sim.wait(client, 3).status == 200);
    CHECK(client_of(sim) == client_ip);
    client.send(header);
    CHECK(sim.wait(client, 4).code() == "malformed_request");
    CHECK(sim.lines().size() == 4);
  }
}

TEST_CASE("proxy: a header may come byte by byte, and the request with its end") {
  for (const std::string& header : {kLine, kBlock, kLocal}) {
    Sim sim(proxied());
    sim.provider.standard_play.json(200, "{}");
    Client& client = sim.connect();
    for (const char byte : header + sim.post(kGood)) {
      client.send({&byte, 1});
      sim.run(kMs);
    }
    CHECK(sim.wait(client).status == 200);
    // Two packets, cut at each place.
    const std::string all = header + sim.post(kGood);
    for (size_t cut = 1; cut < header.size() + 4; ++cut) {
      Client& two = sim.connect();
      two.send(all.substr(0, cut));
      sim.run(kMs);
      two.send(all.substr(cut));
      CHECK(sim.wait(two).status == 200);
    }
    CHECK(refused(sim, ProxyRefusal::malformed) == 0);
  }
}

TEST_CASE("proxy: a connection without a good header is closed without an answer") {
  const std::string block_too_long = kBlockStart + std::string("\x11\x0f\xf1", 3);
  for (const std::string& bytes :
       {std::string("POST /v1/responses HTTP/1.1\r\nHost: g\r\n\r\n"), std::string("x"),
        std::string("PROXY TCP4 192.0.2.7 10.0.0.2 56324\r\n"), std::string("PROXY nonsense\r\n"),
        "PROXY " + std::string(101, 'x'), block_too_long,
        kBlockStart + std::string("\x99\0\0", 3)}) {
    CAPTURE(bytes);
    Sim sim(proxied());
    Client& client = sim.connect();
    const uint64_t begun_ns = sim.world.now_ns();
    client.send(bytes);
    check_closed(sim, client, ProxyRefusal::malformed);
    CHECK(client.error() == 0);
    CHECK(client.closed_ns() < begun_ns + kSecond);  // at once
  }
}

TEST_CASE("proxy: the header has the time of a request head, however it trickles") {
  Sim sim(proxied());
  Client& silent = sim.connect();
  Client& slow = sim.connect();
  for (const char byte : kLine.substr(0, 30)) {
    slow.send({&byte, 1});
    sim.run(300 * kMs);
  }
  CHECK(!silent.is_closed());
  CHECK(!slow.is_closed());
  sim.run(1'100 * kMs);
  CHECK(silent.is_closed());
  CHECK(slow.is_closed());
  CHECK(silent.replies().empty());
  CHECK(slow.replies().empty());
  CHECK(refused(sim, ProxyRefusal::timeout) == 2);
  // With the header alone the clock of the first head goes on, and its end is no refusal.
  Client& header_alone = sim.connect();
  header_alone.send(kLine);
  sim.run(11 * kSecond);
  CHECK(header_alone.is_closed());
  CHECK(header_alone.replies().empty());
  CHECK(refused(sim, ProxyRefusal::timeout) == 2);
  Client& half_a_head = sim.connect();
  half_a_head.send(kLine + "POST /v1/resp");
  CHECK(sim.wait(half_a_head).status == 408);
  CHECK(client_of(sim) == "192.0.2.7");
}

TEST_CASE("proxy: who connects only to see the port open is no failure, who leaves halfway is") {
  Sim sim(proxied());
  Client& probe = sim.connect();
  sim.run(kMs);
  probe.close();
  sim.run(kSecond);
  CHECK(probe.is_closed());
  CHECK(refused(sim, ProxyRefusal::malformed) == 0);
  Client& half = sim.connect();
  half.send(kLine.substr(0, 20));
  sim.run(kMs);
  half.close();
  sim.run(kSecond);
  CHECK(half.is_closed());
  CHECK(refused(sim, ProxyRefusal::malformed) == 1);
  CHECK(refused(sim, ProxyRefusal::timeout) == 0);
}

TEST_CASE("proxy: with trusted proxies only they may send a header") {
  {
    Sim sim(proxied({"10.0.0.2/32", "2001:db8::/32"}));
    Client& stranger = sim.connect();
    stranger.send(kLine + sim.post(kGood));
    check_closed(sim, stranger, ProxyRefusal::untrusted);
  }
  Sim sim(proxied({"10.0.0.0/24"}));
  sim.provider.standard_play.json(200, "{}");
  Client& balancer = sim.connect();
  balancer.send(kLine + sim.post(kGood, "X-Forwarded-For: 6.6.6.6\r\n"));
  CHECK(sim.wait(balancer).status == 200);
  // Whom it spoke for is no proxy: what that one says of itself is ignored.
  CHECK(client_of(sim) == "192.0.2.7");
  // A chain: the balancer speaks for another proxy, which speaks for the client.
  Client& chain = sim.connect();
  chain.send("PROXY TCP4 10.0.0.9 10.0.0.2 1 2\r\n" +
             sim.post(kGood, "X-Forwarded-For: 6.6.6.6, 203.0.113.5\r\n"));
  CHECK(sim.wait(chain).status == 200);
  CHECK(client_of(sim) == "203.0.113.5");
}

TEST_CASE("proxy: waiting for a header does not keep a worker from stopping") {
  Sim sim(proxied());
  Client& waiting = sim.connect();
  waiting.send(kLine.substr(0, 10));
  sim.run(kMs);
  sim.worker->drain();
  sim.run(kMs * 10);
  CHECK(waiting.peer_closed());
  CHECK(refused(sim, ProxyRefusal::malformed) == 0);
}

TEST_CASE("proxy: a connection too many is told so before its header is read") {
  SimOptions options = proxied();
  options.settings.max_clients = 1;
  Sim sim(options);
  sim.connect();
  sim.run(kMs);
  Client& second = sim.connect();
  CHECK(sim.wait(second).code() == "service_unavailable");
}

TEST_CASE("forwarded: a trusted peer's X-Forwarded-For names the client of each request") {
  Sim sim(trusting({"10.0.0.1"}));
  sim.provider.standard_play.json(200, "{}");
  Client& client = sim.connect();
  const std::pair<const char*, const char*> cases[] = {
      {"X-Forwarded-For: 6.6.6.6, 192.0.2.1\r\n", "192.0.2.1"},
      {"X-Forwarded-For: 192.0.2.2\r\nX-Forwarded-For: 10.0.0.1\r\n", "192.0.2.2"},
      {"x-forwarded-for: [2001:db8::7]:5678\r\n", "2001:db8::7"},
      {"x-forwarded-for: ::ffff:192.0.2.3\r\n", "192.0.2.3"},
      {"x-forwarded-for: unknown\r\n", "10.0.0.1"},
      {"", "10.0.0.1"},
  };
  size_t count = 0;
  for (const auto& [lines, expected] : cases) {
    client.send(sim.post(kGood, lines));
    CHECK(sim.wait(client, ++count).status == 200);
    CHECK(client_of(sim) == expected);
  }
  // It is not for providers.
  for (const Seen& seen : sim.provider.seen()) {
    CHECK(seen.field("x-forwarded-for").empty());
  }
}

TEST_CASE("forwarded: a stranger's X-Forwarded-For is ignored") {
  for (const SimOptions& options : {SimOptions(), trusting({"192.0.2.0/24", "::/0"})}) {
    Sim sim(options);
    sim.provider.standard_play.json(200, "{}");
    CHECK(sim.ask(kGood, "X-Forwarded-For: 6.6.6.6\r\n").status == 200);
    CHECK(client_of(sim) == "10.0.0.1");
  }
}

TEST_CASE("forwarded: failed authentications count by client, not by balancer") {
  for (const bool by_header : {false, true}) {
    CAPTURE(by_header);
    SimOptions options = by_header ? proxied() : trusting({"10.0.0.1"});
    options.settings.auth_failures_per_minute = 2;
    Sim sim(options);
    sim.provider.standard_play.json(200, "{}");
    const auto try_key = [&](const std::string& ip, const std::string& key) {
      Client& client = sim.connect();
      const std::string field = by_header ? "" : "X-Forwarded-For: " + ip + "\r\n";
      if (by_header) client.send("PROXY TCP4 " + ip + " 10.0.0.2 1 2\r\n");
      client.send("POST /v1/responses HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer " + key +
                  "\r\nContent-Type: application/json\r\n" + field +
                  "Content-Length: " + std::to_string(kGood.size()) + "\r\n\r\n" + kGood);
      return sim.wait(client).status;
    };
    const std::string wrong = "flex_live_" + std::string(30, '0');
    CHECK(try_key("192.0.2.1", wrong) == 401);
    CHECK(try_key("192.0.2.1", wrong) == 401);
    CHECK(try_key("192.0.2.1", wrong) == 429);
    CHECK(try_key("192.0.2.2", wrong) == 401);
    CHECK(try_key("192.0.2.1", sim.key()) == 200);
    // An offender cannot get out of it by a list of its own.
    if (!by_header) CHECK(try_key("9.9.9.9, 192.0.2.1", wrong) == 429);
  }
}
