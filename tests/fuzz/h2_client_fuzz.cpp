// Bytes of a hostile server go into an HTTP/2 client session with two streams open. The first byte
// says how the rest is cut into reads. Every stream must end exactly once.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "flexd/http/h2_client.hpp"

using namespace flexd;
using namespace flexd::http;
using namespace flexd::http::h2;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

struct Stream final : StreamHandler {
  void on_head(const ResponseHead& head) override {
    require(closes == 0 && heads == 0 && head.status >= 200 && head.status <= 599);
    require(head.fields.size() <= kFieldsMax);
    ++heads;
  }
  void on_data(std::string_view bytes) override {
    require(closes == 0 && heads == 1 && ends == 0);
    received += bytes.size();
    require(received <= consumed + static_cast<size_t>(kStreamWindowBytes));
    if (received % 3 != 0) return;
    session->consume(id, bytes.size());
    consumed += bytes.size();
  }
  void on_end() override {
    require(closes == 0 && heads == 1 && ends == 0);
    ++ends;
  }
  void on_closed(Reset reset) override {
    require(closes == 0 && (reset.kind == ResetKind::ok) == (ends == 1));
    ++closes;
  }
  ClientSession* session = nullptr;
  int32_t id = 0;
  int heads = 0, ends = 0, closes = 0;
  size_t received = 0, consumed = 0;
};

struct Connection final : ConnectionHandler {
  void on_ping_ack(uint64_t /*payload*/) override {}
  void on_goaway(int32_t /*last*/, uint32_t /*code*/) override {}
  void on_settings() override {}
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const size_t piece = data[0] == 0 ? size : data[0];
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  static const std::string body(100'000, 'b');
  Resources resources;
  Connection connection;
  ClientSession session(resources, connection);
  Stream streams[2];
  for (Stream& stream : streams) {
    Request request;
    request.authority = "a.test";
    request.path = "/";
    // The second stream is still sending its body when the answer comes.
    request.body = SplicedReader(&stream == streams ? std::string_view() : body, {});
    const auto id = session.submit(request, stream);
    require(id.has_value());
    stream.id = *id;
    stream.session = &session;
  }
  while (!session.pull().empty()) {
  }
  for (size_t at = 0; at < bytes.size(); at += piece) {
    if (!session.receive(bytes.substr(at, piece))) break;
    while (!session.pull().empty()) {
    }
    require(session.glitches() <= kGlitchesMax);
  }
  session.connection_lost();
  for (const Stream& stream : streams) require(stream.closes == 1);
  return 0;
}
