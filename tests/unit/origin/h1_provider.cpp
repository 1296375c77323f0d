#include "h1_provider.hpp"

#include <cstdlib>

#include "flexd/base/assert.hpp"

namespace flexd::origin::test {

void H1Link::send(std::string_view bytes) {
  if (!open_) return;
  FLEXD_ASSERT(provider_.reactor.out(socket_).append(bytes));
  provider_.reactor.touch(socket_);
}

void H1Link::close() {
  if (open_) provider_.reactor.close(socket_);
  open_ = false;
}

void H1Link::abort() {
  // Also of a socket that is closing and waits for its reader.
  if (error == -1) provider_.reactor.abort(socket_);
  open_ = false;
}

void H1Link::pause() {
  provider_.reactor.pause(socket_);
}

void H1Link::resume() {
  provider_.reactor.resume(socket_);
}

size_t H1Link::unsent() {
  return error == -1 ? provider_.reactor.out(socket_).size() : 0;
}

void H1Link::on_data(std::string_view bytes) {
  received_bytes += bytes.size();
  input += bytes;
  if (provider_.when_bytes) provider_.when_bytes(*this);
  for (;;) {
    const size_t end = input.find("\r\n\r\n");
    if (end == std::string::npos) return;
    const size_t length_at = input.find("content-length: ");
    if (length_at > end) return;  // not HTTP/1.1
    const size_t length = std::strtoul(input.c_str() + length_at + 16, nullptr, 10);
    if (input.size() < end + 4 + length) return;
    requests.push_back(input.substr(0, end + 4 + length));
    input.erase(0, end + 4 + length);
    if (provider_.when_whole) provider_.when_whole(*this);
  }
}

void H1Link::on_peer_closed() {
  peer_closed = true;
  close();
}

void H1Link::on_closed(int code) {
  open_ = false;
  error = code;
}

void H1Provider::abort_all() {
  for (const auto& each : links) each->abort();
}

size_t H1Provider::open_links() const {
  size_t count = 0;
  for (const auto& each : links) count += each->is_open() ? 1 : 0;
  return count;
}

io::SocketHandler* H1Provider::on_accept(io::SocketId socket, const io::Address& /*peer*/) {
  links.push_back(std::make_unique<H1Link>(*this, socket, links.size()));
  if (when_accepted) when_accepted(*links.back());
  return links.back().get();
}

}  // namespace flexd::origin::test
