// Who is accepted and who is not: real handshakes against certificates made here.
#include <doctest/doctest.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <unistd.h>

#include <filesystem>

#include "pair.hpp"

using namespace flexd;
using namespace flexd::tls;

namespace {

struct Outcome {
  State client;
  FailureReason failure;
  std::string detail;
  State server;
  FailureReason server_failure;
};

Outcome shake(std::string_view roots, std::string_view chain, std::string_view key,
              std::string_view host) {
  const auto client = client_context(roots);
  const auto server = server_context(chain, key);
  Pair pair(*client, *server, {.host = host});
  pair.settle();
  return {pair.client.state(), pair.client.failure(), pair.client.failure_detail(),
          pair.server.state(), pair.server.failure()};
}

Outcome shake_with_leaf(const CertificateSpec& spec, std::string_view host) {
  const Identity root = make_root();
  const Identity leaf = make(spec, &root);
  return shake(root.certificate_pem, leaf.certificate_pem, leaf.key_pem, host);
}

struct TemporaryFolder {
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "flexd-tls-XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    path = pattern;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path); }
  std::string path;
};

}  // namespace

TEST_CASE("a good certificate is accepted and ALPN chooses h2") {
  const Identity root = make_root();
  const Identity leaf = make({.common_name = "x", .dns_names = {"api.example.com"}}, &root);
  const auto client = client_context(root.certificate_pem);
  const auto server = server_context(leaf.certificate_pem, leaf.key_pem);
  for (const std::string_view host : {"api.example.com", "API.example.COM", "api.example.com."}) {
    Pair pair(*client, *server, {.host = host});
    pair.settle();
    CHECK(pair.client.state() == State::open);
    CHECK(pair.server.state() == State::open);
    CHECK(pair.client.failure_detail() == "");
    CHECK(pair.client.alpn() == Alpn::h2);
    CHECK(pair.server.alpn() == Alpn::h2);
  }
}

TEST_CASE("another name is a host mismatch, told apart from a bad chain") {
  for (const std::string_view host :
       {"other.example.com", "example.com", "a.api.example.com", "127.0.0.1", "::1"}) {
    const Outcome outcome =
        shake_with_leaf({.common_name = "x", .dns_names = {"api.example.com"}}, host);
    CHECK(outcome.client == State::failed);
    CHECK(outcome.failure == FailureReason::host_mismatch);
    CHECK(outcome.detail != "");
    CHECK(outcome.server == State::failed);
    CHECK(outcome.server_failure == FailureReason::alert);
  }
}

TEST_CASE("the common name is not looked at") {
  CHECK(shake_with_leaf({.common_name = "api.example.com"}, "api.example.com").failure ==
        FailureReason::host_mismatch);
}

TEST_CASE("wildcards stand for one whole label") {
  const CertificateSpec whole{.common_name = "x", .dns_names = {"*.example.com"}};
  CHECK(shake_with_leaf(whole, "api.example.com").client == State::open);
  CHECK(shake_with_leaf(whole, "example.com").failure == FailureReason::host_mismatch);
  CHECK(shake_with_leaf(whole, "a.api.example.com").failure == FailureReason::host_mismatch);
  const CertificateSpec partial{.common_name = "x", .dns_names = {"a*.example.com"}};
  CHECK(shake_with_leaf(partial, "api.example.com").failure == FailureReason::host_mismatch);
}

TEST_CASE("addresses match IP entries and nothing else") {
  const CertificateSpec addresses{.common_name = "x", .ip_addresses = {"127.0.0.1", "::1"}};
  CHECK(shake_with_leaf(addresses, "127.0.0.1").client == State::open);
  CHECK(shake_with_leaf(addresses, "::1").client == State::open);
  CHECK(shake_with_leaf(addresses, "127.0.0.2").failure == FailureReason::host_mismatch);
  const CertificateSpec as_name{.common_name = "x", .dns_names = {"127.0.0.1"}};
  CHECK(shake_with_leaf(as_name, "127.0.0.1").failure == FailureReason::host_mismatch);
}

TEST_CASE("certificates out of their time are refused") {
  const Outcome expired = shake_with_leaf(
      {.common_name = "x", .dns_names = {"a.test"}, .valid_from_s = -7200, .valid_until_s = -60},
      "a.test");
  CHECK(expired.failure == FailureReason::certificate);
  CHECK(expired.detail == "certificate has expired");
  const Outcome early = shake_with_leaf(
      {.common_name = "x", .dns_names = {"a.test"}, .valid_from_s = 3600, .valid_until_s = 7200},
      "a.test");
  CHECK(early.failure == FailureReason::certificate);
  CHECK(early.detail == "certificate is not yet valid");
}

TEST_CASE("unknown issuers are refused") {
  const Identity root = make_root();
  const Identity other = make_root("Other Root");
  const Identity leaf = make({.common_name = "x", .dns_names = {"a.test"}}, &other);
  const Outcome unknown = shake(root.certificate_pem, leaf.certificate_pem, leaf.key_pem, "a.test");
  CHECK(unknown.failure == FailureReason::certificate);
  // A root of the same name with another key.
  const Identity twin = make_root();
  const Identity forged = make({.common_name = "x", .dns_names = {"a.test"}}, &twin);
  CHECK(shake(root.certificate_pem, forged.certificate_pem, forged.key_pem, "a.test").failure ==
        FailureReason::certificate);
  const Identity self = make({.common_name = "x", .dns_names = {"a.test"}});
  const Outcome self_signed =
      shake(root.certificate_pem, self.certificate_pem, self.key_pem, "a.test");
  CHECK(self_signed.failure == FailureReason::certificate);
}

TEST_CASE("a chain needs its intermediate, and the intermediate to be an authority") {
  const Identity root = make_root();
  const Identity middle = make({.common_name = "Middle", .is_authority = true}, &root);
  const Identity leaf = make({.common_name = "x", .dns_names = {"a.test"}}, &middle);
  const std::string chain = leaf.certificate_pem + middle.certificate_pem;
  CHECK(shake(root.certificate_pem, chain, leaf.key_pem, "a.test").client == State::open);
  const Outcome missing = shake(root.certificate_pem, leaf.certificate_pem, leaf.key_pem, "a.test");
  CHECK(missing.failure == FailureReason::certificate);
  CHECK(missing.detail == "unable to get local issuer certificate");

  const Identity user = make({.common_name = "User", .dns_names = {"b.test"}}, &root);
  const Identity forged = make({.common_name = "x", .dns_names = {"a.test"}}, &user);
  CHECK(shake(root.certificate_pem, forged.certificate_pem + user.certificate_pem, forged.key_pem,
              "a.test")
            .failure == FailureReason::certificate);
}

TEST_CASE("ALPN: http/1.1 where it is preferred or alone, refusal where nothing is common") {
  const Identity root = make_root();
  const Identity leaf = make({.common_name = "x", .dns_names = {"a.test"}}, &root);
  const auto client = client_context(root.certificate_pem);
  const auto http1 = server_context(leaf.certificate_pem, leaf.key_pem, AlpnPreference::http1_only);
  Pair agreed(*client, *http1, {.host = "a.test"});
  agreed.settle();
  CHECK(agreed.client.alpn() == Alpn::http1);
  Pair refused(*client, *http1, {.host = "a.test", .offer = AlpnPreference::h2_only});
  refused.settle();
  CHECK(refused.client.state() == State::failed);
  CHECK(refused.client.failure() == FailureReason::alpn);
  CHECK(refused.server.failure() == FailureReason::alpn);
}

namespace {

// old_peer answers a ClientHello as a server without ALPN whose newest version is `version_max`.
FailureReason meet_old_peer(uint16_t version_max, Alpn& alpn, State& state) {
  const Identity root = make_root();
  const Identity leaf = make({.common_name = "x", .dns_names = {"a.test"}}, &root);
  const auto context = client_context(root.certificate_pem);
  BlockPool pool(1U << 20U);
  ByteChain out(pool);
  Session client(*context, {.host = "a.test"}, out);

  const bssl::UniquePtr<SSL_CTX> server_context(SSL_CTX_new(TLS_method()));
  SSL_CTX_set_min_proto_version(server_context.get(), TLS1_VERSION);
  SSL_CTX_set_max_proto_version(server_context.get(), version_max);
  const auto pem = [](const std::string& text) {
    return bssl::UniquePtr<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  };
  const bssl::UniquePtr<X509> certificate(
      PEM_read_bio_X509(pem(leaf.certificate_pem).get(), nullptr, nullptr, nullptr));
  const bssl::UniquePtr<EVP_PKEY> key(
      PEM_read_bio_PrivateKey(pem(leaf.key_pem).get(), nullptr, nullptr, nullptr));
  SSL_CTX_use_certificate(server_context.get(), certificate.get());
  SSL_CTX_use_PrivateKey(server_context.get(), key.get());
  const bssl::UniquePtr<SSL> server(SSL_new(server_context.get()));
  BIO* const to_server = BIO_new(BIO_s_mem());
  BIO* const from_server = BIO_new(BIO_s_mem());
  SSL_set_bio(server.get(), to_server, from_server);
  SSL_set_accept_state(server.get());

  Collector sink;
  client.start();
  for (int round = 0; round < 6; ++round) {
    const std::string flight = take_all(out);
    BIO_write(to_server, flight.data(), static_cast<int>(flight.size()));
    SSL_do_handshake(server.get());
    char answer[16384];
    const int count = BIO_read(from_server, answer, sizeof answer);
    if (count > 0) client.receive({answer, static_cast<size_t>(count)}, sink);
  }
  alpn = client.alpn();
  state = client.state();
  return client.failure();
}

}  // namespace

TEST_CASE("TLS 1.1 is refused; TLS 1.2 without ALPN means HTTP/1.1") {
  Alpn alpn = Alpn::h2;
  State state = State::handshake;
  CHECK(meet_old_peer(TLS1_1_VERSION, alpn, state) == FailureReason::alert);
  CHECK(state == State::failed);
  CHECK(meet_old_peer(TLS1_2_VERSION, alpn, state) == FailureReason::none);
  CHECK(state == State::open);
  CHECK(alpn == Alpn::none);
}

TEST_CASE("what is not TLS is a protocol failure") {
  const Identity root = make_root();
  const auto context = client_context(root.certificate_pem);
  BlockPool pool(1U << 20U);
  ByteChain out(pool);
  Collector sink;
  Session client(*context, {.host = "a.test"}, out);
  client.start();
  CHECK(client.receive("HTTP/1.1 400 Bad Request\r\n\r\n", sink) == State::failed);
  CHECK(client.failure() == FailureReason::protocol);
  Session nameless(*context, {.host = ""}, out);
  CHECK(nameless.state() == State::failed);
  nameless.start();
  CHECK(nameless.receive("x", sink) == State::failed);
}

TEST_CASE("contexts say what is wrong with their files") {
  const TemporaryFolder folder;
  const auto client = ClientContext::create(folder.path + "/none.pem");
  REQUIRE_FALSE(client.has_value());
  CHECK(client.error().message ==
        "root certificates: " + folder.path + "/none.pem: No such file or directory");
  REQUIRE(write_pem(folder.path + "/empty.pem", "no roots here\n").has_value());
  const auto empty = ClientContext::create(folder.path + "/empty.pem");
  REQUIRE_FALSE(empty.has_value());
  CHECK(empty.error().message ==
        "root certificates: " + folder.path + "/empty.pem: no certificate in it");

  const Identity root = make_root();
  const Identity leaf = make({.common_name = "x", .dns_names = {"a.test"}}, &root);
  const std::string cert = folder.path + "/cert.pem";
  const std::string key = folder.path + "/key.pem";
  REQUIRE(write_pem(cert, leaf.certificate_pem).has_value());
  REQUIRE(write_pem(key, root.key_pem).has_value());
  const auto mismatch = ServerContext::create(cert, key);
  REQUIRE_FALSE(mismatch.has_value());
  CHECK(mismatch.error().message ==
        cert + ", " + key + ": private key: the key does not belong to the certificate");
  const auto swapped = ServerContext::create(key, cert);
  REQUIRE_FALSE(swapped.has_value());
  CHECK(swapped.error().message == key + ", " + cert + ": certificate: no certificate in it");
  REQUIRE(write_pem(key, leaf.key_pem).has_value());
  CHECK(ServerContext::create(cert, key).has_value());
  const auto roots = ClientContext::create(cert);
  REQUIRE(roots.has_value());
  CHECK((*roots)->root_count() == 1);
  CHECK_FALSE(write_pem(folder.path + "/no/such", "x").has_value());
}
