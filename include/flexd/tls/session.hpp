// session.hpp: one TLS connection over bytes; it owns no socket (RFC 8446, RFC 5246).
//
// Ciphertext that came from the peer goes into `receive`; ciphertext for the peer is appended to
// the ByteChain given at construction, by every call. So after each call the owner sends what is in
// the chain, also when the session has failed: it then holds the alert that tells the peer why.
// A connection reset is the owner's to notice, and never a failure of the session.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "flexd/base/byte_chain.hpp"
#include "flexd/tls/context.hpp"

struct ssl_st;

namespace flexd::tls {

// State of a session. `closed` and `failed` are final for reading.
enum class State : uint8_t {
  handshake,  // not yet usable
  open,       // plaintext flows
  closed,     // the peer sent close_notify: a clean end; sending is still possible
  failed,     // see failure(); flush the chain, then close the connection
};

// Failure says why a session failed.
enum class FailureReason : uint8_t {
  none,
  certificate,    // the chain does not verify: expired, unknown issuer, incomplete, self-signed …
  host_mismatch,  // the chain verifies, but is for another name or address
  alpn,           // no application protocol in common
  protocol,       // the peer broke TLS, or no common version or cipher
  alert,          // the peer refused with a fatal alert
  truncated,      // the connection ended without close_notify
  no_memory,      // the chain's pool is exhausted
};

// PlaintextSink receives what the peer sent.
class PlaintextSink {
 public:
  // on_plaintext: at most one record. Valid during the call. The session must not be destroyed in
  // it; no other session of the same context may `receive` in it. send and close_notify may be
  // called.
  virtual void on_plaintext(std::string_view bytes) = 0;

 protected:
  ~PlaintextSink() = default;
};

// Endpoint is who a client session must be talking to.
struct Endpoint {
  // host is a DNS name or an IP literal (IPv6 without brackets). It is what the certificate is
  // checked against, and the SNI if it is a name.
  std::string_view host;
  uint16_t port = 443;
  AlpnPreference offer = AlpnPreference::h2_then_http1;
};

class Session {
 public:
  // A client session. `start` sends the first flight. Context and chain outlive the session.
  Session(ClientContext& context, const Endpoint& endpoint, ByteChain& out);
  // A server session. It waits for the client.
  Session(ServerContext& context, ByteChain& out);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // start sends the ClientHello. For a client, once, when the transport is connected.
  void start();
  // receive takes bytes from the peer: all of them are used. Drives the handshake, hands plaintext
  // to `sink`, and answers key updates. Returns the state after it.
  State receive(std::string_view ciphertext, PlaintextSink& sink);
  // receive_end says that the peer ended the connection (FIN). Without a close_notify before it the
  // session fails with `truncated`.
  State receive_end();
  // send encrypts, in records of at most kRecordBytesMax bytes. The session is open (or closed by
  // the peer). False if it failed.
  bool send(std::string_view plaintext);
  // close_notify tells the peer that no more comes. Does nothing during the handshake, after a
  // failure, or a second time.
  void close_notify();

  State state() const { return state_; }
  FailureReason failure() const { return failure_; }
  // failure_detail is one line for a log: the X509 reason or the library's. Empty without failure.
  const std::string& failure_detail() const { return failure_detail_; }
  // alpn is what was agreed on, once open.
  Alpn alpn() const { return alpn_; }
  // resumed: a ticket saved the certificate exchange.
  bool resumed() const { return resumed_; }

 private:
  friend struct SessionBio;
  friend class ClientContext;
  void create(ssl_ctx_st* context);
  bool expect_host(std::string_view host);
  void advance_handshake();
  void read_records(PlaintextSink& sink);
  void fail_from_error(int error);
  void fail(FailureReason reason, std::string detail);

  ssl_st* ssl_ = nullptr;
  ByteChain* out_;
  Scratch* scratch_;
  ClientContext* client_ = nullptr;
  std::string ticket_key_;
  std::string_view in_;  // what is left of the bytes of this receive
  std::string failure_detail_;
  State state_ = State::handshake;
  FailureReason failure_ = FailureReason::none;
  Alpn alpn_ = Alpn::none;
  bool resumed_ = false;
  bool out_failed_ = false;
};

}  // namespace flexd::tls
