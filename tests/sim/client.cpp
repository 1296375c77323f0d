#include "client.hpp"

#include <algorithm>
#include <cstdlib>

#include "flexd/base/assert.hpp"

namespace flexd::sim_test {

std::string Reply::field(std::string_view name) const {
  for (const auto& [key, value] : fields) {
    if (key == name) return value;
  }
  return "";
}

size_t Reply::count(std::string_view name) const {
  return static_cast<size_t>(std::count_if(fields.begin(), fields.end(),
                                           [name](const auto& f) { return f.first == name; }));
}

std::string Reply::code() const {
  return json_text(body, "code");
}

std::string json_text(std::string_view json, std::string_view name) {
  const std::string begin = "\"" + std::string(name) + "\":\"";
  const size_t found = json.find(begin);
  if (found == std::string_view::npos) return "";
  const size_t from = found + begin.size();
  size_t to = from;
  while (to < json.size() && json[to] != '"') to += json[to] == '\\' ? 2 : 1;
  return std::string(json.substr(from, to - from));
}

Client::Client(io::Reactor& reactor, const io::Address& gateway) : reactor_(reactor) {
  socket_ = reactor_.connect(gateway, *this);
  if (!socket_) closed_ = true;
}

void Client::send(std::string_view bytes) {
  if (closed_) return;
  if (!connected_) {
    unsent_ += bytes;
    return;
  }
  const bool taken = reactor_.out(socket_).append(bytes);
  FLEXD_ASSERT(taken);
  reactor_.touch(socket_);
}

void Client::close() {
  if (!closed_) reactor_.close(socket_);
}

void Client::abort() {
  if (!closed_) reactor_.abort(socket_);
}

void Client::pause() {
  if (!closed_) reactor_.pause(socket_);
}

void Client::resume() {
  if (!closed_) reactor_.resume(socket_);
}

const Reply& Client::reply(size_t index) const {
  static const Reply kNone;
  return index < replies_.size() ? replies_[index] : kNone;
}

size_t Client::whole_replies() const {
  return static_cast<size_t>(
      std::count_if(replies_.begin(), replies_.end(), [](const Reply& r) { return r.whole; }));
}

void Client::on_connected() {
  connected_ = true;
  send(unsent_);
  unsent_.clear();
}

void Client::on_data(std::string_view bytes) {
  input_ += bytes;
  parse();
}

void Client::on_peer_closed() {
  peer_closed_ = true;
  if (in_body_ && framing_ == Framing::until_close) end_reply();
  reactor_.close(socket_);
}

void Client::on_closed(int error) {
  closed_ = true;
  error_ = error;
  closed_ns_ = reactor_.now_ns();
}

void Client::parse() {
  while (!broken_ && (in_body_ ? parse_body() : parse_head())) {
  }
}

// parse_head reads a head if it is there; true if there may be more to read.
bool Client::parse_head() {
  const size_t end = input_.find("\r\n\r\n");
  if (end == std::string::npos) return false;
  const std::string head = input_.substr(0, end + 2);
  input_.erase(0, end + 4);
  if (!head.starts_with("HTTP/1.1 ") || head.size() < 14) {
    broken_ = true;
    return false;
  }
  Reply reply;
  reply.status = static_cast<unsigned>(std::atoi(head.c_str() + 9));
  size_t at = head.find("\r\n") + 2;
  while (at < head.size()) {
    const size_t line_end = head.find("\r\n", at);
    const std::string line = head.substr(at, line_end - at);
    const size_t colon = line.find(':');
    if (colon == std::string::npos || colon == 0) {
      broken_ = true;
      return false;
    }
    std::string name = line.substr(0, colon);
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    const size_t value = line.find_first_not_of(' ', colon + 1);
    reply.fields.emplace_back(name, value == std::string::npos ? "" : line.substr(value));
    at = line_end + 2;
  }
  if (reply.status < 200) {
    ++interims_;
    return true;
  }
  reply.head_ns = reactor_.now_ns();
  // A message is framed in one way only.
  if (reply.count("content-length") + reply.count("transfer-encoding") > 1) broken_ = true;
  if (reply.has("transfer-encoding")) {
    framing_ = Framing::chunked;
    broken_ = broken_ || reply.field("transfer-encoding") != "chunked";
  } else if (reply.has("content-length")) {
    framing_ = Framing::length;
    left_ = std::strtoull(reply.field("content-length").c_str(), nullptr, 10);
  } else {
    framing_ = Framing::until_close;
  }
  replies_.push_back(std::move(reply));
  in_body_ = true;
  if (framing_ == Framing::length && left_ == 0) end_reply();
  return true;
}

bool Client::parse_body() {
  if (framing_ == Framing::chunked) return parse_chunk();
  if (input_.empty()) return false;
  const size_t take = framing_ == Framing::length
                          ? std::min<size_t>(input_.size(), static_cast<size_t>(left_))
                          : input_.size();
  add_body(std::string_view(input_).substr(0, take));
  input_.erase(0, take);
  if (framing_ == Framing::length) {
    left_ -= take;
    if (left_ == 0) end_reply();
  }
  return true;
}

// parse_chunk takes one whole chunk.
bool Client::parse_chunk() {
  const size_t line = input_.find("\r\n");
  if (line == std::string::npos) return false;
  char* end = nullptr;
  const uint64_t size = std::strtoull(input_.c_str(), &end, 16);
  if (end != input_.c_str() + line || line == 0) {
    broken_ = true;
    return false;
  }
  if (input_.size() < line + 2 + size + 2) return false;
  if (input_.compare(line + 2 + size, 2, "\r\n") != 0) {
    broken_ = true;
    return false;
  }
  add_body(std::string_view(input_).substr(line + 2, size));
  input_.erase(0, line + 2 + size + 2);
  if (size == 0) end_reply();
  return true;
}

void Client::add_body(std::string_view bytes) {
  Reply& reply = replies_.back();
  reply.body += bytes;
  if (!bytes.empty()) reply.arrivals.push_back({reactor_.now_ns(), reply.body.size()});
}

void Client::end_reply() {
  replies_.back().whole = true;
  replies_.back().end_ns = reactor_.now_ns();
  in_body_ = false;
}

}  // namespace flexd::sim_test
