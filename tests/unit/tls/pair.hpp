// pair.hpp: a client and a server session wired back to back for the tests of tls.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <string_view>

#include "flexd/base/block_pool.hpp"
#include "flexd/base/byte_chain.hpp"
#include "flexd/tls/certgen.hpp"
#include "flexd/tls/context.hpp"
#include "flexd/tls/session.hpp"

namespace flexd::tls {

struct Collector final : PlaintextSink {
  void on_plaintext(std::string_view bytes) override {
    text += bytes;
    record_bytes_max = std::max(record_bytes_max, bytes.size());
  }
  std::string text;
  size_t record_bytes_max = 0;
};

// take_all empties a chain into a string.
inline std::string take_all(ByteChain& chain) {
  std::string bytes(chain.size(), '\0');
  chain.copy_out(0, bytes);
  chain.consume(bytes.size());
  return bytes;
}

inline Identity make(const CertificateSpec& spec, const Identity* issuer = nullptr) {
  Result<Identity> made = make_identity(spec, issuer);
  REQUIRE_MESSAGE(made.has_value(), made.error().message);
  return *made;
}

inline Identity make_root(const std::string& name = "Test Root") {
  return make({.common_name = name, .is_authority = true});
}

inline std::unique_ptr<ClientContext> client_context(std::string_view roots) {
  auto made = ClientContext::create_from_pem(roots);
  REQUIRE(made.has_value());
  return std::move(*made);
}

inline std::unique_ptr<ServerContext> server_context(
    std::string_view chain, std::string_view key,
    AlpnPreference preference = AlpnPreference::h2_then_http1) {
  auto made = ServerContext::create_from_pem(chain, key, preference);
  REQUIRE_MESSAGE(made.has_value(), made.error().message);
  return std::move(*made);
}

// Pair carries bytes between two sessions in pieces of at most `piece_bytes`.
struct Pair {
  Pair(ClientContext& client_side, ServerContext& server_side, const Endpoint& endpoint)
      : client(client_side, endpoint, client_out), server(server_side, server_out) {
    client.start();
  }

  static void feed(ByteChain& from, Session& to, PlaintextSink& sink, size_t piece_bytes) {
    const std::string bytes = take_all(from);
    for (size_t at = 0; at < bytes.size(); at += piece_bytes) {
      to.receive(std::string_view(bytes).substr(at, piece_bytes), sink);
    }
  }
  // settle carries bytes until neither side has more.
  void settle(size_t piece_bytes = SIZE_MAX / 2) {
    while (!client_out.empty() || !server_out.empty()) {
      feed(client_out, server, to_server, piece_bytes);
      feed(server_out, client, to_client, piece_bytes);
    }
  }

  BlockPool pool{64U << 20U};
  ByteChain client_out{pool};
  ByteChain server_out{pool};
  Session client;
  Session server;
  Collector to_client;
  Collector to_server;
};

}  // namespace flexd::tls
