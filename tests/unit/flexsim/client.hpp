// client.hpp: a client of one connection, for tests of the simulated provider: HTTP/2 by flexd's
// own session, over TLS or plain, and HTTP/1.1 as raw bytes.
//
// Client, provider and test run in one thread on one reactor, which is io_uring's or the simulated
// one: each test program links one of them and defines make_reactor.
#pragma once

#include <doctest/doctest.h>

#include <cerrno>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "flexd/http/h2_client.hpp"
#include "flexd/io/reactor.hpp"
#include "flexd/tls/session.hpp"
#include "flexsim/server.hpp"
#include "flexsim/simulator.hpp"

namespace flexd::flexsim {

// make_reactor is defined by the program's backend.
std::unique_ptr<io::Reactor> make_reactor();

// Answer is what came on one stream.
class Answer final : public http::h2::StreamHandler {
 public:
  explicit Answer(io::Reactor& reactor) : reactor_(reactor), sent_ns(reactor.now_ns()) {}

  void on_head(const http::ResponseHead& head) override {
    status = head.status;
    head_ns = reactor_.now_ns();
    for (const http::Field& field : head.fields) fields.emplace(field.name, field.value);
  }
  void on_data(std::string_view bytes) override {
    body += bytes;
    pieces++;
    session->consume(stream, bytes.size());
  }
  void on_end() override { ended = true; }
  void on_closed(http::h2::Reset how) override {
    reset = how;
    end_ns = reactor_.now_ns();
  }

  bool closed() const { return reset.has_value(); }
  bool has(std::string_view text) const { return body.find(text) != std::string::npos; }
  size_t count(std::string_view text) const {
    size_t found = 0;
    for (size_t at = body.find(text); at != std::string::npos; at = body.find(text, at + 1)) {
      found++;
    }
    return found;
  }
  std::string field(const std::string& name) const {
    const auto found = fields.find(name);
    return found == fields.end() ? "" : found->second;
  }

 private:
  io::Reactor& reactor_;

 public:
  unsigned status = 0;
  std::multimap<std::string, std::string> fields;
  std::string body;
  size_t pieces = 0;
  bool ended = false;
  std::optional<http::h2::Reset> reset;
  uint64_t sent_ns;
  uint64_t head_ns = 0;
  uint64_t end_ns = 0;
  http::h2::ClientSession* session = nullptr;
  int32_t stream = 0;
  std::string request_body;
  std::string path;
  std::vector<std::pair<std::string, std::string>> headers;
  http::FieldList request_fields;
};

class Client final : public io::SocketHandler,
                     public http::h2::ConnectionHandler,
                     public tls::PlaintextSink {
 public:
  // Without `tls` the connection is plain. With `raw` it speaks what `send_raw` gives it.
  Client(io::Reactor& reactor, const io::Address& address, tls::ClientContext* tls,
         bool raw = false)
      : reactor_(reactor), raw_(raw), tls_context_(tls) {
    if (!raw) session_.emplace(resources_, *this);
    socket_ = reactor.connect(address, *this);
    port_ = address.port();
    REQUIRE(socket_);
  }
  ~Client() { FLEXD_ASSERT(closed_); }

  // post sends a request; what comes back lives as long as the client.
  Answer& post(std::string body, std::string key = "sk-test") {
    return send("POST", "/v1/responses", std::move(body), std::move(key));
  }
  Answer& send(std::string_view method, std::string path, std::string body, std::string key) {
    return submit(method, std::move(path), std::move(body), {{"authorization", "Bearer " + key}});
  }
  // post_to sends a request to one of the providers; an empty key is a good one.
  Answer& post_to(Vendor vendor, std::string body, std::string key = "",
                  std::string version = "2023-06-01") {
    switch (vendor) {
      case Vendor::openai:
        break;
      case Vendor::gemini:
        return submit("POST", "/v1beta/interactions", std::move(body),
                      {{"x-goog-api-key", key.empty() ? "AIza-test" : key}});
      case Vendor::anthropic:
        return submit("POST", "/v1/messages?beta=true", std::move(body),
                      {{"x-api-key", key.empty() ? "sk-ant-test" : key},
                       {"anthropic-version", std::move(version)}});
    }
    return post(std::move(body), key.empty() ? "sk-test" : key);
  }
  using Headers = std::vector<std::pair<std::string, std::string>>;
  Answer& submit(std::string_view method, std::string path, std::string body, Headers headers) {
    answers_.push_back(std::make_unique<Answer>(reactor_));
    Answer& answer = *answers_.back();
    answer.session = &*session_;
    answer.request_body = std::move(body);
    answer.path = std::move(path);
    answer.headers = std::move(headers);
    for (const auto& [name, value] : answer.headers) {
      if (!value.empty()) REQUIRE(answer.request_fields.push(name, value));
    }
    REQUIRE(answer.request_fields.push("content-type", "application/json"));
    const auto stream = session_->submit({.method = method,
                                          .authority = "localhost",
                                          .path = answer.path,
                                          .fields = &answer.request_fields,
                                          .body = SplicedReader(answer.request_body, SpliceList())},
                                         answer);
    REQUIRE(stream.has_value());
    answer.stream = *stream;
    reactor_.touch(socket_);
    return answer;
  }
  void cancel(Answer& answer) {
    session_->cancel(answer.stream);
    reactor_.touch(socket_);
  }
  void send_raw(std::string_view bytes) {
    raw_out_ += bytes;
    reactor_.touch(socket_);
  }
  void abort() { reactor_.abort(socket_); }

  // wait turns the reactor until `done` holds, for 20 seconds of its time.
  bool wait(const std::function<bool()>& done) { return wait_on(reactor_, done); }
  static bool wait_on(io::Reactor& reactor, const std::function<bool()>& done,
                      uint64_t limit_ns = 20'000'000'000) {
    bool late = false;
    Timer timer([](void* flag) { *static_cast<bool*>(flag) = true; }, &late);
    reactor.timers().set(timer, reactor.now_ns() + limit_ns);
    while (!done() && !late) reactor.turn(true);
    return done();
  }
  bool wait_closed(const Answer& answer) {
    return wait([&] { return answer.closed(); });
  }

  void on_connected() override {
    connected_ = true;
    if (tls_context_ != nullptr) {
      tls_.emplace(*tls_context_,
                   tls::Endpoint{.host = "localhost",
                                 .port = port_,
                                 .offer = raw_ ? tls::AlpnPreference::http1_only
                                               : tls::AlpnPreference::h2_then_http1},
                   reactor_.out(socket_));
      tls_->start();
    }
    reactor_.touch(socket_);
  }
  void on_data(std::string_view bytes) override {
    if (tls_) {
      tls_->receive(bytes, *this);
    } else {
      on_plaintext(bytes);
    }
    reactor_.touch(socket_);
  }
  void on_plaintext(std::string_view bytes) override {
    if (raw_) {
      raw_in += bytes;
    } else {
      session_->receive(bytes);
    }
  }
  void on_peer_closed() override {
    peer_closed = true;
    if (session_) session_->connection_lost();
    reactor_.close(socket_);
  }
  void on_flush() override {
    if (!connected_ || (tls_ && tls_->state() != tls::State::open)) return;
    if (raw_) {
      put(raw_out_);
      raw_out_.clear();
      return;
    }
    for (;;) {
      const std::string_view piece = session_->pull();
      if (piece.empty()) break;
      put(piece);
    }
  }
  void on_closed(int error) override {
    closed_ = true;
    socket_error = error;
    if (session_) session_->connection_lost();
  }
  void on_ping_ack(uint64_t /*payload*/) override {}
  void on_goaway(int32_t last_stream, uint32_t /*code*/) override {
    goaways.push_back(last_stream);
  }
  void on_settings() override {}
  bool is_closed() const { return closed_; }
  tls::Alpn alpn() const { return tls_->alpn(); }

  std::string raw_in;
  std::vector<int32_t> goaways;
  bool peer_closed = false;
  int socket_error = 0;

 private:
  void put(std::string_view bytes) {
    if (bytes.empty()) return;
    REQUIRE((tls_ ? tls_->send(bytes) : reactor_.out(socket_).append(bytes)));
  }

  io::Reactor& reactor_;
  bool raw_;
  tls::ClientContext* tls_context_;
  http::h2::Resources resources_;
  std::optional<http::h2::ClientSession> session_;
  std::optional<tls::Session> tls_;
  io::SocketId socket_;
  uint16_t port_ = 0;
  bool connected_ = false;
  bool closed_ = false;
  std::string raw_out_;
  std::vector<std::unique_ptr<Answer>> answers_;
};

// Provider is a simulator with one server, and clients that trust it.
class Provider {
 public:
  explicit Provider(Transport transport = Transport::tls, std::string default_scenario = "ok")
      : reactor(make_reactor()) {
    simulator =
        std::move(Simulator::create({.default_scenario = std::move(default_scenario)}).value());
    server = std::move(Server::create(*simulator, 0, *reactor).value());
    address = server->listen(io::Address::parse("127.0.0.1:0").value(), transport).value();
    has_tls = transport == Transport::tls || transport == Transport::tls_http1;
    if (has_tls) {
      context = std::move(tls::ClientContext::create_from_pem(simulator->authority_pem()).value());
    }
  }
  ~Provider() {
    for (const auto& client : clients) client->abort();
    server->stop();
    Client::wait_on(*reactor, [&] {
      bool done = server->is_idle();
      for (const auto& client : clients) done = done && client->is_closed();
      return done;
    });
    clients.clear();
    server.reset();
  }
  Client& connect(bool raw = false) {
    clients.push_back(std::make_unique<Client>(*reactor, address, context.get(), raw));
    return *clients.back();
  }
  // record is the newest entry of the ledger.
  Record record() const { return simulator->report().records.back(); }

  std::unique_ptr<io::Reactor> reactor;
  std::unique_ptr<Simulator> simulator;
  std::unique_ptr<Server> server;
  io::Address address;
  bool has_tls = false;
  std::unique_ptr<tls::ClientContext> context;
  std::vector<std::unique_ptr<Client>> clients;
};

// request makes a body whose input is `text`.
inline std::string request(std::string_view text, bool stream = true,
                           std::string_view tier = "flex") {
  return "{\"model\":\"gpt-5.4\",\"input\":\"" + std::string(text) +
         "\",\"stream\":" + (stream ? "true" : "false") + ",\"service_tier\":\"" +
         std::string(tier) + "\",\"metadata\":{\"trace\":\"t1\"}}";
}

}  // namespace flexd::flexsim
