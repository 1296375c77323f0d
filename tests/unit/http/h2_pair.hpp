// h2_pair.hpp: HTTP/2 sessions wired back to back, and handlers that write down what they hear.
#pragma once

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

#include "flexd/http/h2_client.hpp"
#include "flexd/http/h2_server.hpp"

namespace flexd::http::h2 {

struct StreamRecord final : StreamHandler {
  void on_head(const ResponseHead& head) override {
    ++heads;
    status = head.status;
    framing = head.framing;
    for (const Field& field : head.fields) {
      fields += std::string(field.name) + "=" + std::string(field.value) + ";";
    }
  }
  void on_data(std::string_view bytes) override {
    body += bytes;
    if (consumes && session != nullptr) session->consume(id, bytes.size());
  }
  void on_end() override {
    CHECK(closes == 0);
    ++ends;
  }
  void on_closed(Reset how) override {
    ++closes;
    reset = how;
  }

  ClientSession* session = nullptr;
  int32_t id = 0;
  bool consumes = true;
  int heads = 0, ends = 0, closes = 0;
  unsigned status = 0;
  Framing framing = Framing::none;
  std::string fields, body;
  Reset reset{ResetKind::reset, 999};
};

struct ConnectionRecord final : ConnectionHandler {
  void on_ping_ack(uint64_t payload) override { pings.push_back(payload); }
  void on_goaway(int32_t last, uint32_t error) override {
    ++goaways;
    last_stream = last;
    code = error;
  }
  void on_settings() override { ++settings; }

  std::vector<uint64_t> pings;
  int goaways = 0, settings = 0;
  int32_t last_stream = -1;
  uint32_t code = 0;
};

// ServerRecord answers nothing by itself unless `echo` is set.
struct ServerRecord final : ServerHandler {
  struct Exchange {
    std::string method, target, query, authority, fields, body;
    bool ended = false;
    int closes = 0;
    uint32_t code = 999;
    int drains = 0;
    Framing framing = Framing::none;
  };
  void on_request(int32_t id, const RequestHead& head) override {
    Exchange& exchange = exchanges[id];
    exchange.method = head.method_text;
    exchange.target = head.target;
    exchange.query = head.query;
    exchange.authority = head.authority;
    exchange.framing = head.framing;
    for (const Field& field : head.fields) {
      exchange.fields += std::string(field.name) + "=" + std::string(field.value) + ";";
    }
  }
  void on_data(int32_t id, std::string_view bytes) override {
    exchanges[id].body += bytes;
    if (consumes) session->consume(id, bytes.size());
  }
  void on_end(int32_t id) override {
    exchanges[id].ended = true;
    if (!echo) return;
    FieldList fields;
    REQUIRE(fields.push("content-type", "text/plain"));
    REQUIRE(session->respond(id, 200, fields, true));
    REQUIRE(session->send_data(id, exchanges[id].body));
    session->finish(id);
  }
  void on_drain(int32_t id) override { ++exchanges[id].drains; }
  void on_closed(int32_t id, uint32_t code) override {
    ++exchanges[id].closes;
    exchanges[id].code = code;
  }

  ServerSession* session = nullptr;
  bool consumes = true;
  bool echo = true;
  std::map<int32_t, Exchange> exchanges;
};

struct Pair {
  explicit Pair(ServerOptions server_options = {}, ClientOptions client_options = {})
      : client(resources, connection, client_options),
        server(resources, pool, server_record, server_options) {
    server_record.session = &server;
  }

  template <typename Session>
  static std::string drain(Session& session) {
    std::string bytes;
    for (;;) {
      const std::string_view piece = session.pull();
      if (piece.empty()) return bytes;
      bytes += piece;
    }
  }
  template <typename Session>
  static void feed(Session& session, std::string_view bytes, size_t piece_bytes) {
    for (size_t at = 0; at < bytes.size(); at += piece_bytes) {
      session.receive(bytes.substr(at, piece_bytes));
    }
  }
  // settle carries bytes in pieces until neither side has more.
  void settle(size_t piece_bytes = SIZE_MAX / 2) {
    for (;;) {
      const std::string up = drain(client);
      feed(server, up, piece_bytes);
      const std::string down = drain(server);
      feed(client, down, piece_bytes);
      if (up.empty() && down.empty()) return;
    }
  }
  // ask submits `body` (which the caller keeps) for `record`.
  bool ask(StreamRecord& record, std::string_view body, const FieldList* fields = nullptr,
           const SpliceList& splices = {}) {
    Request request;
    request.authority = "api.example.com";
    request.path = "/v1/responses?x=1";
    request.fields = fields;
    request.body = SplicedReader(body, splices);
    const auto id = client.submit(request, record);
    if (!id) return false;
    record.id = *id;
    record.session = &client;
    return true;
  }

  Resources resources;
  BlockPool pool{64U << 20U};
  ConnectionRecord connection;
  ServerRecord server_record;
  ClientSession client;
  ServerSession server;
};

}  // namespace flexd::http::h2
