#include "h2_provider.hpp"

#include "flexd/base/assert.hpp"

namespace flexd::origin::test {

H2Link::H2Link(H2Provider& provider, io::SocketId socket, size_t index)
    : provider_(provider),
      socket_(socket),
      index_(index),
      session_(provider.resources, provider.reactor.blocks(), *this, provider.options) {
  touch();
}

void H2Link::touch() {
  if (open_) provider_.reactor.touch(socket_);
}

void H2Link::head(int32_t stream, unsigned status) {
  http::FieldList fields;
  REQUIRE(fields.push("content-type", "text/plain"));
  session_.respond(stream, status, fields, true);
  touch();
}

void H2Link::send(int32_t stream, std::string_view bytes) {
  session_.send_data(stream, bytes);
  touch();
}

void H2Link::finish(int32_t stream) {
  session_.finish(stream);
  touch();
}

void H2Link::answer(int32_t stream, std::string_view body) {
  head(stream);
  send(stream, body);
  finish(stream);
}

void H2Link::reset(int32_t stream, uint32_t code) {
  session_.reset(stream, code);
  touch();
}

void H2Link::goaway(int32_t last_stream, uint32_t code) {
  session_.goaway(last_stream, code);
  touch();
}

void H2Link::close() {
  close_wanted_ = true;
  touch();
}

void H2Link::abort() {
  if (open_) provider_.reactor.abort(socket_);
  open_ = false;
}

void H2Link::on_data(std::string_view bytes) {
  if (!open_) return;
  session_.receive(bytes);
  touch();
}

void H2Link::on_peer_closed() {
  peer_closed = true;
  if (open_) session_.connection_lost();
  close();
}

void H2Link::on_flush() {
  if (!open_) return;
  ByteChain& out = provider_.reactor.out(socket_);
  while (out.size() < io::kOutHighBytes) {
    const std::string_view piece = session_.pull();
    if (piece.empty()) break;
    FLEXD_ASSERT(out.append(piece));
  }
  if (close_wanted_ || session_.is_failed()) {
    open_ = false;
    provider_.reactor.close(socket_);
  }
}

void H2Link::on_closed(int /*error*/) {
  open_ = false;
  session_.connection_lost();
}

Seen& H2Link::find(int32_t stream) {
  for (Seen& each : seen) {
    if (each.stream == stream) return each;
  }
  FAIL("no such stream: ", stream);
  return seen.front();
}

void H2Link::on_request(int32_t stream, const http::RequestHead& head) {
  seen.push_back({.link = index_,
                  .stream = stream,
                  .path = std::string(head.target),
                  .authority = std::string(head.authority)});
  if (provider_.when_request) provider_.when_request(*this, stream);
}

void H2Link::on_data(int32_t stream, std::string_view bytes) {
  find(stream).body_bytes += bytes.size();
  if (provider_.consumes) session_.consume(stream, bytes.size());
}

void H2Link::on_end(int32_t stream) {
  find(stream).whole = true;
  if (provider_.when_whole) provider_.when_whole(*this, stream);
}

void H2Link::on_drain(int32_t /*stream*/) {}

void H2Link::on_closed(int32_t stream, uint32_t code) {
  Seen& one = find(stream);
  CHECK_FALSE(one.closed);
  one.closed = true;
  one.code = code;
  one.closed_ns = provider_.reactor.now_ns();
}

io::SocketHandler* H2Provider::on_accept(io::SocketId socket, const io::Address& /*peer*/) {
  links.push_back(std::make_unique<H2Link>(*this, socket, links.size()));
  return links.back().get();
}

void H2Provider::abort_all() {
  for (const auto& each : links) each->abort();
}

size_t H2Provider::seen_count() const {
  size_t count = 0;
  for (const auto& each : links) count += each->seen.size();
  return count;
}

size_t H2Provider::open_links() const {
  size_t count = 0;
  for (const auto& each : links) count += each->is_open() ? 1 : 0;
  return count;
}

}  // namespace flexd::origin::test
