#include <openssl/pem.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "flexd/tls/context.hpp"
#include "flexd/tls/session.hpp"
#include "ssl.hpp"

namespace flexd::tls {
namespace {

// A worker talks to a handful of providers; more keys than this means the oldest goes.
constexpr size_t kTicketsMax = 64;

// add_roots puts every certificate of `pem` into the store; the number that the store then holds.
size_t add_roots(X509_STORE* store, std::string_view pem) {
  const bssl::UniquePtr<BIO> bio = memory_bio(pem);
  for (;;) {
    const bssl::UniquePtr<X509> root(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (root == nullptr) break;
    X509_STORE_add_cert(store, root.get());
  }
  ERR_clear_error();  // the end of the file is reported as an error
  return sk_X509_OBJECT_num(X509_STORE_get0_objects(store));
}

}  // namespace

std::string default_ca_file() {
  // Read before any worker starts, and nothing in flexd writes the environment.
  const char* path = std::getenv("SSL_CERT_FILE");  // NOLINT(concurrency-mt-unsafe)
  return path != nullptr && *path != '\0' ? path : "/etc/ssl/certs/ca-certificates.crt";
}

Result<std::unique_ptr<ClientContext>> ClientContext::create(const std::string& ca_file) {
  const std::string path = ca_file.empty() ? default_ca_file() : ca_file;
  const Result<std::string> pem = read_file(path);
  if (!pem) return fail_with("root certificates: " + pem.error().message);
  auto context = create_from_pem(*pem);
  if (!context) return fail_with("root certificates: " + path + ": " + context.error().message);
  return context;
}

Result<std::unique_ptr<ClientContext>> ClientContext::create_from_pem(std::string_view ca_pem) {
  install_memory_hook();
  std::unique_ptr<ClientContext> self(new ClientContext);
  self->context_ = SSL_CTX_new(TLS_method());
  if (self->context_ == nullptr) return fail_with(last_error());
  SSL_CTX* context = self->context_;
  self->root_count_ = add_roots(SSL_CTX_get_cert_store(context), ca_pem);
  if (self->root_count_ == 0) return fail_with("no certificate in it");
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // Tickets are kept by keep_ticket alone: the library's own cache locks, and knows no host.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, [](SSL* ssl, SSL_SESSION* ticket) -> int {
    const auto* session = static_cast<const Session*>(SSL_get_app_data(ssl));
    session->client_->keep_ticket(session->ticket_key_, ticket);
    return 1;  // the ticket is ours now
  });
  return self;
}

ClientContext::~ClientContext() {
  for (const Ticket& ticket : tickets_) SSL_SESSION_free(ticket.session);
  SSL_CTX_free(context_);
}

void ClientContext::keep_ticket(const std::string& key, ssl_session_st* session) {
  const auto same = [&key](const Ticket& ticket) { return ticket.key == key; };
  auto found = std::find_if(tickets_.begin(), tickets_.end(), same);
  if (found == tickets_.end() && tickets_.size() >= kTicketsMax) found = tickets_.begin();
  if (found != tickets_.end()) {
    SSL_SESSION_free(found->session);
    tickets_.erase(found);
  }
  tickets_.push_back({key, session});
}

ssl_session_st* ClientContext::take_ticket(const std::string& key) {
  const auto same = [&key](const Ticket& ticket) { return ticket.key == key; };
  const auto found = std::find_if(tickets_.begin(), tickets_.end(), same);
  if (found == tickets_.end()) return nullptr;
  // A TLS 1.3 ticket that is used twice lets an observer link the connections (RFC 8446 C.4).
  if (SSL_SESSION_should_be_single_use(found->session) == 0) {
    SSL_SESSION_up_ref(found->session);
    return found->session;
  }
  SSL_SESSION* session = found->session;
  tickets_.erase(found);
  return session;
}

}  // namespace flexd::tls
