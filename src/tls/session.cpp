#include "flexd/tls/session.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "alpn.hpp"
#include "flexd/base/assert.hpp"
#include "ssl.hpp"

namespace flexd::tls {

// SessionBio is the library's view of the transport: it reads what is left of the bytes in hand and
// writes to the chain, so no buffer stands between.
struct SessionBio {
  static Session& session(BIO* bio) { return *static_cast<Session*>(BIO_get_data(bio)); }

  static int read(BIO* bio, char* out, int size) {
    BIO_clear_retry_flags(bio);
    std::string_view& in = session(bio).in_;
    if (in.empty()) {
      BIO_set_retry_read(bio);
      return -1;
    }
    const size_t count = std::min(in.size(), static_cast<size_t>(size));
    std::memcpy(out, in.data(), count);
    in.remove_prefix(count);
    return static_cast<int>(count);
  }

  static int write(BIO* bio, const char* bytes, int size) {
    BIO_clear_retry_flags(bio);
    Session& self = session(bio);
    if (!self.out_failed_ && self.out_->append({bytes, static_cast<size_t>(size)})) return size;
    self.out_failed_ = true;
    return -1;
  }

  static long control(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
    return command == BIO_CTRL_FLUSH ? 1 : 0;
  }

  // method is made once and never freed.
  static const BIO_METHOD* method() {
    static const BIO_METHOD* const made = [] {
      BIO_METHOD* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "flexd");
      FLEXD_ASSERT(method != nullptr);
      BIO_meth_set_read(method, read);
      BIO_meth_set_write(method, write);
      BIO_meth_set_ctrl(method, control);
      return method;
    }();
    return made;
  }
};

namespace {

bool is_address(const std::string& host) {
  unsigned char address[sizeof(in6_addr)];
  return inet_pton(AF_INET, host.c_str(), address) == 1 ||
         inet_pton(AF_INET6, host.c_str(), address) == 1;
}

FailureReason reason_of_error(uint32_t packed) {
  const int reason = ERR_GET_LIB(packed) == ERR_LIB_SSL ? ERR_GET_REASON(packed) : 0;
  if (reason == SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL ||
      reason == SSL_R_NO_APPLICATION_PROTOCOL || reason == SSL_R_INVALID_ALPN_PROTOCOL) {
    return FailureReason::alpn;
  }
  // Errors for alerts received are the alert's number above this offset.
  if (reason >= SSL_AD_REASON_OFFSET) return FailureReason::alert;
  return FailureReason::protocol;
}

}  // namespace

Session::Session(ClientContext& context, const Endpoint& endpoint, ByteChain& out)
    : out_(&out), scratch_(&context.scratch_), client_(&context) {
  create(context.context_);
  if (!expect_host(endpoint.host)) {
    fail(FailureReason::host_mismatch, "not a host name: " + std::string(endpoint.host));
    return;
  }
  const std::string_view protocols = alpn_wire(endpoint.offer);
  // This one function of the library returns 0 for success.
  const int refused =
      SSL_set_alpn_protos(ssl_, as_bytes(protocols), static_cast<unsigned>(protocols.size()));
  FLEXD_ASSERT(refused == 0);
  ticket_key_ = std::string(endpoint.host) + ' ' + std::to_string(endpoint.port) + ' ' +
                std::to_string(static_cast<int>(endpoint.offer));
  const bssl::UniquePtr<SSL_SESSION> ticket(context.take_ticket(ticket_key_));
  if (ticket != nullptr) SSL_set_session(ssl_, ticket.get());
  SSL_set_connect_state(ssl_);
}

Session::Session(ServerContext& context, ByteChain& out) : out_(&out), scratch_(&context.scratch_) {
  create(context.context_);
  SSL_set_accept_state(ssl_);
}

Session::~Session() {
  SSL_free(ssl_);
}

void Session::create(ssl_ctx_st* context) {
  ssl_ = SSL_new(context);
  FLEXD_ASSERT(ssl_ != nullptr);  // only if malloc fails, which flexd does not survive
  BIO* bio = BIO_new(SessionBio::method());
  FLEXD_ASSERT(bio != nullptr);
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_, bio, bio);
  SSL_set_app_data(ssl_, this);
}

bool Session::expect_host(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  const std::string name(host);
  if (name.empty() || name.find('\0') != std::string::npos) return false;
  X509_VERIFY_PARAM* wanted = SSL_get0_param(ssl_);
  if (is_address(name)) return X509_VERIFY_PARAM_set1_ip_asc(wanted, name.c_str()) == 1;
  X509_VERIFY_PARAM_set_hostflags(
      wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  return SSL_set1_host(ssl_, name.c_str()) == 1 &&
         SSL_set_tlsext_host_name(ssl_, name.c_str()) == 1;
}

void Session::start() {
  FLEXD_ASSERT(client_ != nullptr);
  if (state_ == State::handshake) advance_handshake();
}

void Session::advance_handshake() {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_);
  if (result != 1) {
    fail_from_error(SSL_get_error(ssl_, result));
    return;
  }
  const uint8_t* name = nullptr;
  unsigned length = 0;
  SSL_get0_alpn_selected(ssl_, &name, &length);
  const std::string_view selected(reinterpret_cast<const char*>(name), length);
  alpn_ = selected == "h2" ? Alpn::h2 : selected.empty() ? Alpn::none : Alpn::http1;
  resumed_ = SSL_session_reused(ssl_) == 1;
  state_ = State::open;
}

State Session::receive(std::string_view ciphertext, PlaintextSink& sink) {
  in_ = ciphertext;
  if (state_ == State::handshake && !in_.empty()) advance_handshake();
  if (state_ == State::open) read_records(sink);
  in_ = {};
  return state_;
}

void Session::read_records(PlaintextSink& sink) {
  FLEXD_ASSERT(!scratch_->in_use_);
  scratch_->in_use_ = true;
  const std::span<char> scratch = scratch_->bytes();
  while (state_ == State::open) {
    // The library clears its queue of errors itself at the beginning of reads and writes.
    const int count = SSL_read(ssl_, scratch.data(), static_cast<int>(scratch.size()));
    if (count <= 0) {
      const int error = SSL_get_error(ssl_, count);
      if (error != SSL_ERROR_WANT_READ) fail_from_error(error);
      break;
    }
    sink.on_plaintext({scratch.data(), static_cast<size_t>(count)});
    // Everything is read: another try would only find that out at length.
    if (in_.empty() && SSL_has_pending(ssl_) == 0) break;
  }
  scratch_->in_use_ = false;
  if (out_failed_) fail(FailureReason::no_memory, "no memory for output");
}

State Session::receive_end() {
  if (state_ == State::handshake || state_ == State::open) {
    fail(FailureReason::truncated, state_ == State::open
                                       ? "the connection ended without close_notify"
                                       : "the connection ended during the handshake");
  }
  return state_;
}

bool Session::send(std::string_view plaintext) {
  if (state_ == State::failed) return false;
  FLEXD_ASSERT(state_ != State::handshake);
  while (!plaintext.empty()) {
    const size_t size = std::min(plaintext.size(), kRecordBytesMax);
    const int written = SSL_write(ssl_, plaintext.data(), static_cast<int>(size));
    if (written <= 0) {
      fail_from_error(SSL_get_error(ssl_, written));
      if (state_ != State::failed) fail(FailureReason::protocol, "a record could not be written");
      return false;
    }
    plaintext.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

void Session::close_notify() {
  if (state_ != State::open && state_ != State::closed) return;
  if ((SSL_get_shutdown(ssl_) & SSL_SENT_SHUTDOWN) != 0) return;
  ERR_clear_error();
  SSL_shutdown(ssl_);
}

void Session::fail_from_error(int error) {
  if (out_failed_) return fail(FailureReason::no_memory, "no memory for output");
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return;
  if (error == SSL_ERROR_ZERO_RETURN) {
    if (state_ == State::handshake) {
      return fail(FailureReason::truncated, "the peer closed during the handshake");
    }
    state_ = State::closed;
    return;
  }
  const uint32_t packed = ERR_peek_error();
  const long verified = SSL_get_verify_result(ssl_);
  // The cause of a bad signature is queued before the verdict, so the verdict is the last error.
  if (client_ != nullptr && verified != X509_V_OK &&
      ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_CERTIFICATE_VERIFY_FAILED) {
    const bool other_host =
        verified == X509_V_ERR_HOSTNAME_MISMATCH || verified == X509_V_ERR_IP_ADDRESS_MISMATCH;
    ERR_clear_error();
    return fail(other_host ? FailureReason::host_mismatch : FailureReason::certificate,
                X509_verify_cert_error_string(verified));
  }
  fail(reason_of_error(packed), last_error());
}

void Session::fail(FailureReason reason, std::string detail) {
  if (state_ == State::failed) return;
  state_ = State::failed;
  failure_ = reason;
  failure_detail_ = std::move(detail);
}

}  // namespace flexd::tls
