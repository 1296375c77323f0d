#include <openssl/pem.h>

#include <array>

#include "alpn.hpp"
#include "flexd/base/assert.hpp"
#include "flexd/tls/context.hpp"
#include "ssl.hpp"

namespace flexd::tls {
namespace {

// select_alpn takes the first protocol of ours that the client offers. A client that offers others
// only is refused: talking HTTP to it would let its bytes be replayed to another service.
int select_alpn(SSL* /*ssl*/, const uint8_t** out, uint8_t* out_length, const uint8_t* in,
                unsigned in_length, void* argument) {
  const std::string_view ours = alpn_wire(*static_cast<const AlpnPreference*>(argument));
  uint8_t* selected = nullptr;
  const int found = SSL_select_next_proto(&selected, out_length, as_bytes(ours),
                                          static_cast<unsigned>(ours.size()), in, in_length);
  if (found != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = selected;
  return SSL_TLSEXT_ERR_OK;
}

Result<void> use_chain(SSL_CTX* context, std::string_view pem) {
  const bssl::UniquePtr<BIO> bio = memory_bio(pem);
  const bssl::UniquePtr<X509> leaf(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  if (leaf == nullptr) {
    ERR_clear_error();
    return fail_with("no certificate in it");
  }
  if (SSL_CTX_use_certificate(context, leaf.get()) != 1) return fail_with(last_error());
  for (;;) {
    bssl::UniquePtr<X509> issuer(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (issuer == nullptr) break;
    if (SSL_CTX_add1_chain_cert(context, issuer.get()) != 1) return fail_with(last_error());
  }
  ERR_clear_error();
  return {};
}

Result<void> use_key(SSL_CTX* context, std::string_view pem) {
  const bssl::UniquePtr<BIO> bio = memory_bio(pem);
  // A passphrase cannot be asked for: the callback offers none.
  const auto no_passphrase = [](char*, int, int, void*) { return 0; };
  const bssl::UniquePtr<EVP_PKEY> key(
      PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
  if (key == nullptr) {
    ERR_clear_error();
    return fail_with("no private key in it, or one with a passphrase");
  }
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1) {
    ERR_clear_error();
    return fail_with("the key does not belong to the certificate");
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<ServerContext>> ServerContext::create(const std::string& cert_file,
                                                             const std::string& key_file,
                                                             AlpnPreference preference) {
  const Result<std::string> chain = read_file(cert_file);
  if (!chain) return fail_with("certificate: " + chain.error().message);
  const Result<std::string> key = read_file(key_file);
  if (!key) return fail_with("private key: " + key.error().message);
  auto context = create_from_pem(*chain, *key, preference);
  if (!context) {
    return fail_with(cert_file + ", " + key_file + ": " + context.error().message);
  }
  return context;
}

Result<std::unique_ptr<ServerContext>> ServerContext::create_from_pem(std::string_view chain_pem,
                                                                      std::string_view key_pem,
                                                                      AlpnPreference preference) {
  install_memory_hook();
  std::unique_ptr<ServerContext> self(new ServerContext);
  self->preference_ = preference;
  self->context_ = SSL_CTX_new(TLS_method());
  if (self->context_ == nullptr) return fail_with(last_error());
  SSL_CTX* context = self->context_;
  if (auto done = use_chain(context, chain_pem); !done) {
    return fail_with("certificate: " + done.error().message);
  }
  if (auto done = use_key(context, key_pem); !done) {
    return fail_with("private key: " + done.error().message);
  }
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // Tickets carry the state; a cache in memory would be one more thing to bound.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_alpn_select_cb(context, select_alpn, &self->preference_);
  return self;
}

ServerContext::~ServerContext() {
  SSL_CTX_free(context_);
}

void ServerContext::set_ticket_keys(std::span<const uint8_t, kTicketKeyBytes> keys) {
  const int done = SSL_CTX_set_tlsext_ticket_keys(context_, keys.data(), keys.size());
  FLEXD_ASSERT(done == 1);
}

}  // namespace flexd::tls
