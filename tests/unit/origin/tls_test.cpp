// TLS to a provider over real sockets: ALPN, certificates, resumption.
#include <doctest/doctest.h>

#include <deque>
#include <memory>
#include <string>

#include "call.hpp"
#include "flexd/http/h2_server.hpp"
#include "flexd/io/reactor.hpp"
#include "flexd/tls/certgen.hpp"
#include "flexd/tls/context.hpp"
#include "flexd/tls/session.hpp"

namespace flexd::origin::test {
namespace {

using tls::AlpnPreference;

constexpr std::string_view kHead = "HTTP/1.1 200 OK\r\n";

tls::Identity make(const tls::CertificateSpec& spec, const tls::Identity* issuer = nullptr) {
  auto made = tls::make_identity(spec, issuer);
  REQUIRE(made.has_value());
  return *made;
}

// TlsProvider answers every request "ok" over what ALPN chose, on a port of its own.
class TlsProvider final : public io::AcceptHandler {
 public:
  TlsProvider(io::Reactor& reactor, const tls::Identity& identity, AlpnPreference preference)
      : reactor(reactor) {
    auto made =
        tls::ServerContext::create_from_pem(identity.certificate_pem, identity.key_pem, preference);
    REQUIRE(made.has_value());
    context = std::move(*made);
    const auto bound = reactor.listen(*io::Address::parse("127.0.0.1:0"), *this);
    REQUIRE(bound.has_value());
    port = bound->port();
  }

  class Link;
  io::SocketHandler* on_accept(io::SocketId socket, const io::Address& peer) override;

  io::Reactor& reactor;
  std::unique_ptr<tls::ServerContext> context;
  http::h2::Resources resources;
  std::deque<Link> links;
  uint16_t port = 0;
  size_t body_bytes = 2;  // of an answer
  bool until_close = false;
  bool says_goodbye = true;  // by close_notify
};

class TlsProvider::Link final : public io::SocketHandler,
                                public tls::PlaintextSink,
                                public http::h2::ServerHandler {
 public:
  Link(TlsProvider& owner, io::SocketId socket)
      : provider(owner), id(socket), session(*owner.context, owner.reactor.out(socket)) {}

  TlsProvider& provider;
  io::SocketId id;
  tls::Session session;
  std::unique_ptr<http::h2::ServerSession> h2;
  std::string input;
  size_t requests = 0;
  std::vector<uint32_t> codes;
  bool open = true;

  void close() {
    if (open) provider.reactor.close(id);
    open = false;
  }

 private:
  void on_data(std::string_view bytes) override {
    if (!open) return;
    session.receive(bytes, *this);
    if (session.state() == tls::State::open) begin();
    provider.reactor.touch(id);
    if (session.state() == tls::State::failed) close();
  }
  void begin() {
    if (h2 != nullptr || session.alpn() != tls::Alpn::h2) return;
    h2 = std::make_unique<http::h2::ServerSession>(provider.resources, provider.reactor.blocks(),
                                                   *this);
  }
  void on_plaintext(std::string_view bytes) override {
    begin();
    if (h2 != nullptr) {
      h2->receive(bytes);
      return;
    }
    input += bytes;
    if (!input.ends_with("{}")) return;
    input.clear();
    requests++;
    std::string answer(kHead);
    const std::string body = make_body();
    if (!provider.until_close) answer += "content-length: " + std::to_string(body.size()) + "\r\n";
    session.send(answer + "\r\n" + body);
    if (!provider.until_close) return;
    if (provider.says_goodbye) session.close_notify();
    close();
  }
  void on_flush() override {
    if (!open || h2 == nullptr) return;
    for (;;) {
      const std::string_view piece = h2->pull();
      if (piece.empty()) break;
      session.send(piece);
    }
  }
  void on_peer_closed() override { close(); }
  void on_closed(int /*error*/) override { open = false; }
  std::string make_body() const {
    return provider.body_bytes == 2 ? "ok" : std::string(provider.body_bytes, 'b');
  }

  void on_request(int32_t /*stream*/, const http::RequestHead& /*head*/) override { requests++; }
  void on_data(int32_t stream, std::string_view bytes) override {
    h2->consume(stream, bytes.size());
  }
  void on_end(int32_t stream) override {
    h2->respond(stream, 200, {}, true);
    h2->send_data(stream, make_body());
    h2->finish(stream);
  }
  void on_drain(int32_t /*stream*/) override {}
  void on_closed(int32_t /*stream*/, uint32_t code) override { codes.push_back(code); }
};

io::SocketHandler* TlsProvider::on_accept(io::SocketId socket, const io::Address& /*peer*/) {
  return &links.emplace_back(*this, socket);
}

// Setup is a provider with a certificate and a pool that trusts `roots`, in one reactor.
struct Setup {
  explicit Setup(const tls::Identity& leaf, std::string_view roots,
                 AlpnPreference preference = AlpnPreference::h2_then_http1,
                 std::string host = "127.0.0.1") {
    auto made = io::Reactor::create({.sockets_max = 64, .recv_buffers = 64});
    REQUIRE(made.has_value());
    reactor = std::move(*made);
    auto trust = tls::ClientContext::create_from_pem(roots);
    REQUIRE(trust.has_value());
    context = std::move(*trust);
    provider = std::make_unique<TlsProvider>(*reactor, leaf, preference);
    PoolOptions options;
    options.url = {config::OriginUrl::Scheme::https, std::move(host), provider->port, ""};
    options.streams_per_connection_max = 8;
    pool = std::make_unique<Pool>(*reactor, resources, context.get(), errors::Provider::openai,
                                  options);
  }
  ~Setup() {
    pool->shut_down();
    until([this] { return pool->is_quiet(); });
    pool.reset();
    for (auto& link : provider->links) link.close();
    reactor->stop_listening();
    until([this] { return reactor->live_sockets() == 0; });
    provider.reset();
  }
  template <typename Done>
  void until(Done done) {
    bool late = false;
    Timer guard([](void* flag) { *static_cast<bool*>(flag) = true; }, &late);
    reactor->timers().set(guard, reactor->now_ns() + 20'000'000'000);
    while (!done()) {
      REQUIRE_FALSE(late);
      reactor->turn(true);
    }
  }
  // renew lets go of all connections of the pool, and makes a new one of the same context.
  void renew() {
    const PoolOptions options = pool->options();
    pool->shut_down();
    until([this] { return pool->is_quiet(); });
    pool = std::make_unique<Pool>(*reactor, resources, context.get(), errors::Provider::openai,
                                  options);
  }
  void get(Call& call) {
    call.start(*pool);
    until([&] { return call.endings() == 1; });
  }

  std::unique_ptr<io::Reactor> reactor;
  std::unique_ptr<tls::ClientContext> context;
  http::h2::Resources resources;
  std::unique_ptr<TlsProvider> provider;
  std::unique_ptr<Pool> pool;
};

struct Certificates {
  tls::Identity root = make({.common_name = "Test Root", .is_authority = true});
  tls::Identity leaf =
      make({.common_name = "provider", .dns_names = {"localhost"}, .ip_addresses = {"127.0.0.1"}},
           &root);
};

}  // namespace

TEST_CASE("ALPN h2: many attempts share one connection") {
  const Certificates made;
  Setup setup(made.leaf, made.root.certificate_pem);
  std::deque<Call> calls(8);
  for (Call& call : calls) call.start(*setup.pool);
  setup.until([&] {
    size_t endings = 0;
    for (const Call& call : calls) endings += call.endings();
    return endings == calls.size();
  });
  for (const Call& call : calls) CHECK(call.body == "ok");
  REQUIRE(setup.provider->links.size() == 1);
  CHECK(setup.provider->links[0].session.alpn() == tls::Alpn::h2);
  CHECK(setup.provider->links[0].requests == 8);
}

TEST_CASE("ALPN http/1.1: one attempt a connection, kept alive") {
  const Certificates made;
  Setup setup(made.leaf, made.root.certificate_pem, AlpnPreference::http1_only);
  std::deque<Call> calls(3);
  for (Call& call : calls) call.start(*setup.pool);
  setup.until([&] {
    size_t endings = 0;
    for (const Call& call : calls) endings += call.endings();
    return endings == calls.size();
  });
  for (const Call& call : calls) CHECK(call.body == "ok");
  const size_t links = setup.provider->links.size();
  CHECK(links <= 3);
  Call next;
  setup.get(next);
  CHECK(next.body == "ok");
  CHECK(setup.provider->links.size() == links);
  CHECK(setup.provider->links[0].session.alpn() == tls::Alpn::http1);
}

TEST_CASE("1 MB comes whole over TLS") {
  const Certificates made;
  for (const AlpnPreference preference :
       {AlpnPreference::h2_then_http1, AlpnPreference::http1_only}) {
    Setup setup(made.leaf, made.root.certificate_pem, preference);
    setup.provider->body_bytes = 1'000'000;
    Call call(std::string(999'998, ' ') + "{}");
    setup.get(call);
    CHECK(call.body == std::string(1'000'000, 'b'));
  }
}

TEST_CASE("a body until the end of the connection needs the peer's goodbye") {
  const Certificates made;
  Setup setup(made.leaf, made.root.certificate_pem, AlpnPreference::http1_only);
  setup.provider->until_close = true;
  Call whole, cut;
  setup.get(whole);
  CHECK(whole.ends == 1);
  CHECK(whole.body == "ok");
  // Anyone on the path can send a FIN.
  setup.provider->says_goodbye = false;
  setup.get(cut);
  CHECK(cut.failure().kind == FailureKind::reset);
  CHECK(cut.failure().head_seen);
}

TEST_CASE("a certificate that is not trusted, or not for the host, or not valid now") {
  const Certificates made;
  const tls::Identity other = make({.common_name = "Other Root", .is_authority = true});
  tls::Identity leaf = made.leaf;
  std::string roots = made.root.certificate_pem;
  SUBCASE("another issuer") {
    roots = other.certificate_pem;
  }
  SUBCASE("another name") {
    leaf = make({.common_name = "provider", .dns_names = {"example.com"}}, &made.root);
  }
  SUBCASE("another address") {
    leaf = make({.common_name = "provider", .ip_addresses = {"127.0.0.2"}}, &made.root);
  }
  SUBCASE("expired") {
    leaf = make({.common_name = "provider",
                 .ip_addresses = {"127.0.0.1"},
                 .valid_from_s = -7200,
                 .valid_until_s = -3600},
                &made.root);
  }
  SUBCASE("self-signed") {
    leaf = make({.common_name = "provider", .ip_addresses = {"127.0.0.1"}});
  }
  Setup setup(leaf, roots);
  Call call;
  setup.get(call);
  CHECK(call.failure().kind == FailureKind::certificate);
  CHECK_FALSE(call.failure().detail.empty());
  CHECK_FALSE(call.failure().head_seen);
  CHECK(setup.provider->links[0].requests == 0);
}

TEST_CASE("a host name is checked, too") {
  const Certificates made;
  Setup setup(made.leaf, made.root.certificate_pem, AlpnPreference::h2_then_http1, "localhost");
  Call call;
  setup.get(call);
  CHECK(call.body == "ok");
}

TEST_CASE("a next connection resumes the TLS session") {
  const Certificates made;
  Setup setup(made.leaf, made.root.certificate_pem);
  Call first, second;
  setup.get(first);
  CHECK(setup.context->ticket_count() == 1);
  setup.renew();
  setup.get(second);
  CHECK(second.body == "ok");
  REQUIRE(setup.provider->links.size() == 2);
  CHECK_FALSE(setup.provider->links[0].session.resumed());
  CHECK(setup.provider->links[1].session.resumed());
}

TEST_CASE("a cancelled attempt is reset over TLS, its neighbor is not") {
  const Certificates made;
  Setup setup(made.leaf, made.root.certificate_pem);
  setup.provider->body_bytes = 1'000'000;
  Call slow, other;
  slow.consumes = false;
  slow.start(*setup.pool);
  other.start(*setup.pool);
  setup.until([&] { return other.endings() == 1 && slow.heads == 1; });
  CHECK(other.body.size() == 1'000'000);
  CHECK(slow.body.size() < 1'000'000);
  slow.cancel();
  auto& link = setup.provider->links[0];
  setup.until([&] { return link.codes.size() == 2; });
  CHECK(link.codes == std::vector<uint32_t>{0, 8});
}

}  // namespace flexd::origin::test
