// context.hpp: what the TLS sessions of one worker share: roots or certificate, tickets, scratch.
//
// ClientContext is for connections to providers: it verifies the chain against its roots and the
// host name or address against the certificate's subjectAltName (RFC 6125, RFC 9525), offers ALPN
// and keeps tickets for resumption. ServerContext presents a certificate. TLS 1.2 and 1.3 only; no
// renegotiation, no early data.
//
// A context belongs to one worker: nothing in it is locked. It outlives its sessions.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "flexd/base/result.hpp"

struct ssl_ctx_st;
struct ssl_session_st;

namespace flexd::tls {

// Alpn is the protocol that both sides agreed on; `none` where the peer does not speak ALPN, which
// means HTTP/1.1.
enum class Alpn : uint8_t { none, http1, h2 };

// AlpnPreference is what a side offers or accepts, the preferred one first.
enum class AlpnPreference : uint8_t { h2_then_http1, h2_only, http1_only };

// kRecordBytesMax is the most plaintext that one record carries (RFC 8446 5.1).
inline constexpr size_t kRecordBytesMax = 16384;
// kTicketKeyBytes is the size of the key material for set_ticket_keys.
inline constexpr size_t kTicketKeyBytes = 48;

// default_ca_file is $SSL_CERT_FILE, or Debian's /etc/ssl/certs/ca-certificates.crt.
[[nodiscard]] std::string default_ca_file();

// Scratch is where records of all sessions of one context are decrypted, one at a time.
class Scratch {
 public:
  Scratch() : bytes_(kRecordBytesMax + 1024) {}
  std::span<char> bytes() { return bytes_; }

 private:
  friend class Session;
  std::vector<char> bytes_;
  bool in_use_ = false;
};

class ClientContext {
 public:
  // create reads the roots in `ca_file` (PEM), or the system's if it is empty. Fails with one line
  // that names the file and the cause: unreadable, or no certificate in it.
  [[nodiscard]] static Result<std::unique_ptr<ClientContext>> create(const std::string& ca_file);
  // create_from_pem takes the roots themselves.
  [[nodiscard]] static Result<std::unique_ptr<ClientContext>> create_from_pem(
      std::string_view ca_pem);
  ~ClientContext();
  ClientContext(const ClientContext&) = delete;
  ClientContext& operator=(const ClientContext&) = delete;

  // root_count is how many distinct roots were loaded.
  size_t root_count() const { return root_count_; }
  // ticket_count is how many tickets are kept: the newest for each host, port and ALPN offer.
  size_t ticket_count() const { return tickets_.size(); }

 private:
  friend class Session;
  struct Ticket {
    std::string key;
    ssl_session_st* session;
  };
  ClientContext() = default;
  // keep_ticket takes ownership of `session`, replacing the older one of that key.
  void keep_ticket(const std::string& key, ssl_session_st* session);
  // take_ticket returns a ticket that the caller owns, or nullptr.
  ssl_session_st* take_ticket(const std::string& key);

  ssl_ctx_st* context_ = nullptr;
  size_t root_count_ = 0;
  std::vector<Ticket> tickets_;
  Scratch scratch_;
};

class ServerContext {
 public:
  // create reads a certificate chain, leaf first, and its private key (PEM, without a passphrase).
  // Fails with one line that names the file and the cause.
  [[nodiscard]] static Result<std::unique_ptr<ServerContext>> create(
      const std::string& cert_file, const std::string& key_file,
      AlpnPreference preference = AlpnPreference::h2_then_http1);
  // create_from_pem takes the texts themselves.
  [[nodiscard]] static Result<std::unique_ptr<ServerContext>> create_from_pem(
      std::string_view chain_pem, std::string_view key_pem,
      AlpnPreference preference = AlpnPreference::h2_then_http1);
  ~ServerContext();
  ServerContext(const ServerContext&) = delete;
  ServerContext& operator=(const ServerContext&) = delete;

  // set_ticket_keys makes contexts of several workers accept each other's tickets. Without it each
  // context draws its own keys. `keys` is random, kTicketKeyBytes long.
  void set_ticket_keys(std::span<const uint8_t, kTicketKeyBytes> keys);

 private:
  friend class Session;
  ServerContext() = default;

  ssl_ctx_st* context_ = nullptr;
  AlpnPreference preference_ = AlpnPreference::h2_then_http1;
  Scratch scratch_;
};

}  // namespace flexd::tls
