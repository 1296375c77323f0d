// Walks tests/conformance/h2.tsv: hostile servers, and hostile behavior that takes many frames.
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "h2_pair.hpp"

using namespace flexd;
using namespace flexd::http;
using namespace flexd::http::h2;

namespace {

constexpr uint32_t kEnhanceYourCalm = 11;

std::string from_hex(std::string_view text) {
  std::string bytes;
  int high = -1;
  for (const char c : text) {
    if (c == ' ') continue;
    const int digit = c <= '9' ? c - '0' : c - 'a' + 10;
    if (high < 0) {
      high = digit;
    } else {
      bytes += static_cast<char>(high * 16 + digit);
      high = -1;
    }
  }
  REQUIRE(high == -1);
  return bytes;
}

std::vector<std::string> split(const std::string& line) {
  std::vector<std::string> parts;
  std::istringstream in(line);
  for (std::string part; std::getline(in, part, '\t');) parts.push_back(part);
  return parts;
}

// Client is a session with streams 1 and 3 open, their requests written.
struct Client {
  Client() {
    for (StreamRecord* record : {&first, &second}) {
      Request request;
      request.authority = "a.test";
      request.path = "/";
      const auto id = session.submit(request, *record);
      REQUIRE(id.has_value());
      record->id = *id;
      record->session = &session;
    }
    Pair::drain(session);
  }
  std::string stream_outcome() const {
    if (first.closes == 0) return "open";
    CHECK(first.closes == 1);
    switch (first.reset.kind) {
      case ResetKind::ok:
        CHECK(first.ends == 1);
        return "ended";
      case ResetKind::refused:
        return "refused";
      case ResetKind::reset:
        return "reset";
      case ResetKind::protocol_error:
        return "protocol_error";
      case ResetKind::connection_lost:
        break;
    }
    return "connection_lost";
  }

  Resources resources;
  ConnectionRecord connection;
  StreamRecord first, second;
  ClientSession session{resources, connection};
};

void check_row(const std::vector<std::string>& row, size_t piece) {
  const std::string bytes = from_hex(row[3]);
  Client client;
  for (size_t at = 0; at < bytes.size(); at += piece) {
    client.session.receive(std::string_view(bytes).substr(at, piece));
  }
  Pair::drain(client.session);
  CAPTURE(row[0]);
  CAPTURE(piece);
  const std::string connection =
      client.session.is_failed() ? std::to_string(client.session.failure_code()) : "ok";
  if (row[1] == "any") {
    CHECK(connection != "ok");
  } else {
    CHECK(connection == row[1]);
  }
  CHECK(client.stream_outcome() == row[2]);
  // What is wrong with one stream alone leaves the other open.
  const bool others_closed = row[1] != "ok" || row[0] == "GOAWAY-ZERO" || row[0] == "GOAWAY-ONE";
  CHECK(client.second.closes == (others_closed ? 1 : 0));
}

// frame writes one frame.
std::string frame(uint8_t type, uint8_t flags, uint32_t stream, std::string_view payload) {
  std::string bytes;
  for (const uint32_t shift : {16U, 8U, 0U}) bytes += static_cast<char>(payload.size() >> shift);
  bytes += static_cast<char>(type);
  bytes += static_cast<char>(flags);
  for (const uint32_t shift : {24U, 16U, 8U, 0U}) bytes += static_cast<char>(stream >> shift);
  return bytes.append(payload);
}

}  // namespace

TEST_CASE("every row of h2.tsv, whole and byte by byte") {
  const char* folder = std::getenv("FLEXD_CONFORMANCE_DIR");
  REQUIRE(folder != nullptr);
  std::ifstream file(std::string(folder) + "/h2.tsv");
  size_t rows = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    const std::vector<std::string> row = split(line);
    REQUIRE(row.size() == 5);
    ++rows;
    check_row(row, SIZE_MAX / 2);
    check_row(row, 1);
  }
  CHECK(rows >= 100);
}

TEST_CASE("useless frames end a connection, useful ones between them do not let it come to that") {
  const std::string settings = frame(4, 0, 0, "");
  const std::string ping = frame(6, 0, 0, "12345678");
  const std::string tiny_window = frame(8, 0, 0, std::string_view("\0\0\0\1", 4));
  const std::string empty_data = frame(0, 0, 1, "");
  const std::string interim = frame(1, 4, 1, std::string("\x08\x03") + "100");
  const std::string data = frame(0, 0, 1, "x");
  for (const std::string& useless : {ping, tiny_window, empty_data, settings, interim}) {
    Client client;
    client.session.receive(settings);
    if (useless == empty_data) client.session.receive(frame(1, 4, 1, "\x88"));
    size_t count = 0;
    while (count < 3000 && client.session.receive(useless)) {
      ++count;
      Pair::drain(client.session);
    }
    CHECK(count < kGlitchesMax);
    CHECK(client.session.failure_code() == kEnhanceYourCalm);
    CHECK(client.first.reset.kind == ResetKind::protocol_error);
    CHECK(client.second.closes == 1);
  }
  Client client;
  client.session.receive(settings + frame(1, 4, 1, "\x88"));
  for (int count = 0; count < 5000; ++count) {
    REQUIRE(client.session.receive(ping));
    REQUIRE(client.session.receive(data));
    Pair::drain(client.session);
  }
  CHECK(client.session.glitches() < 10);
}

TEST_CASE("acknowledgments that nobody takes are bounded") {
  Client client;
  client.session.receive(frame(4, 0, 0, ""));
  size_t count = 0;
  while (count < 5000 && client.session.receive(frame(6, 0, 0, "12345678"))) ++count;
  CHECK(count < 1100);
  CHECK(client.session.is_failed());
}

TEST_CASE("a server ends a connection of opened and reset streams") {
  Resources resources;
  BlockPool pool(1U << 20U);
  ServerRecord record;
  record.echo = false;
  ServerSession server(resources, pool, record);
  record.session = &server;
  server.receive("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, ""));
  const std::string head = "\x83\x87\x84" + std::string("\x41\x06") + "a.test";
  uint32_t id = 1;
  while (id < 9000 && server.receive(frame(1, 4, id, head) +
                                     frame(3, 0, id, std::string_view("\0\0\0\x08", 4)))) {
    Pair::drain(server);
    id += 2;
  }
  CHECK(id < 2 * kGlitchesMax);
  CHECK(server.failure_code() == kEnhanceYourCalm);
  CHECK(record.exchanges.at(1).code == 8);
}

TEST_CASE("a server refuses what is not HTTP/2 and requests without a host") {
  Resources resources;
  BlockPool pool(1U << 20U);
  ServerRecord record;
  ServerSession text(resources, pool, record);
  CHECK_FALSE(text.receive("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"));
  CHECK(text.is_failed());
  ServerSession server(resources, pool, record);
  record.session = &server;
  const std::string preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, "");
  CHECK(server.receive(preface + frame(1, 5, 1, "\x83\x87\x84")));
  CHECK(server.receive(frame(1, 5, 3, "\x83\x87\x84" + std::string("\x41\x05") + "a b c")));
  Pair::drain(server);
  CHECK(record.exchanges.empty());
  CHECK(server.streams_open() == 0);
  CHECK_FALSE(server.is_failed());
}
