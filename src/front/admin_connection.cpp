#include "admin_connection.hpp"

#include <algorithm>
#include <array>

#include "flexd/base/limits.hpp"
#include "flexd/crypto/bytes.hpp"
#include "flexd/http/h1_writer.hpp"
#include "request_words.hpp"

namespace flexd::front {
namespace {

constexpr uint64_t kAdminPatienceNs = 30'000'000'000;
// kAdminGoodbyeNs is how long a connection that ends may take to read its last answer.
constexpr uint64_t kAdminGoodbyeNs = 10'000'000'000;
constexpr uint64_t kAdminLingerNs = 1'000'000'000;

}  // namespace

AdminAnswer admin_error(const errors::Error& error, std::string_view request_id,
                        std::string_view doc_url_base) {
  std::array<char, errors::kErrorBytesMax> space;
  const errors::Target target{.request_id = request_id, .doc_url_base = doc_url_base};
  AdminAnswer answer{.status = error.status(),
                     .type = "application/json",
                     .body = std::string(errors::write_body(error, target, space))};
  const errors::Headers extra(error, 0);
  for (const errors::Header& header : extra.list()) {
    answer.fields.emplace_back(header.name, header.value);
  }
  return answer;
}

AdminConnection::AdminConnection(io::Reactor& reactor, io::SocketId socket, const io::Address& peer,
                                 uint64_t number, Owner owner)
    : reactor_(reactor),
      socket_(socket),
      peer_(peer),
      number_(number),
      owner_(std::move(owner)),
      input_(reactor.blocks()),
      timer_(timer_callback<AdminConnection, &AdminConnection::on_timer>, this) {
  arm();
}

void AdminConnection::on_data(std::string_view bytes) {
  if (state_ == State::closing) return;
  if (!input_.append(bytes)) {
    close();
    return;
  }
  read_requests();
  // The next requests wait with the kernel. Nobody makes flexd hold more than a head unasked.
  if (state_ == State::busy && !paused_ && input_.size() > http::kHeadBytesMax) {
    paused_ = true;
    reactor_.pause(socket_);
  }
}

void AdminConnection::on_peer_closed() {
  // Half of the connection is enough for the answer that is being made.
  if (state_ == State::busy) {
    keep_alive_ = false;
  } else {
    close();
  }
}

// read_requests goes through what is there, up to a request whose answer comes later.
void AdminConnection::read_requests() {
  if (reading_) return;
  reading_ = true;
  bool more = true;
  while (more && !input_.empty()) {
    more = false;
    if (state_ == State::head) {
      more = read_head();
    } else if (state_ == State::body) {
      more = read_body();
    }
  }
  reading_ = false;
}

bool AdminConnection::read_head() {
  http::RequestHead head;
  const http::HeadResult result = http::parse_request_head(input_.view(), 0, head);
  if (result.incomplete()) return false;
  request_ = {};
  if (result.refused()) {
    RequestIdSpace space;
    request_.request_id = make_request_id({}, reactor_, space);
    request_.peer = peer_;
    head_only_ = false;
    refuse(code_of(http::refusal_of(result.verdict)));
    return false;
  }
  begin_request(head);
  const bool waits = head.expect_continue;
  input_.consume(result.consumed);  // the head's views go with it
  if (framing_ == http::Framing::none || (framing_ == http::Framing::length && body_left_ == 0)) {
    finish_request();
    return true;
  }
  if (!wants_body()) return false;
  if (body_left_ > limits::kBodyBytesMax) {
    body_unread_ = true;
    refuse(errors::Code::request_too_large);
    return false;
  }
  state_ = State::body;
  if (waits) {
    if (!reactor_.out(socket_).append("HTTP/1.1 100 Continue\r\n\r\n")) close();
    reactor_.touch(socket_);
  }
  return true;
}

void AdminConnection::begin_request(const http::RequestHead& head) {
  request_.method = head.method;
  request_.path = head.target;
  request_.query = head.query;
  const size_t keys = head.fields.count("authorization");
  request_.has_authorization = keys > 0;
  // One that came twice is malformed: an empty value says so.
  if (keys == 1) request_.authorization = head.fields.value("authorization");
  RequestIdSpace space;
  request_.request_id = make_request_id(head.fields.value("x-request-id"), reactor_, space);
  request_.peer = peer_;
  head_only_ = head.method == http::Method::head;
  keep_alive_ = head.keep_alive;
  framing_ = head.framing;
  body_left_ = head.content_length;
  chunks_.reset();
}

// wants_body asks whether to read on behind the head. After a no the body is not told from the next
// request, so that none can follow.
bool AdminConnection::wants_body() {
  const bool keep_alive = std::exchange(keep_alive_, false);
  body_unread_ = true;
  state_ = State::busy;
  arm();
  if (!owner_.wants_body(number_, request_)) {
    crypto::wipe(request_.authorization.data(), request_.authorization.size());
    return false;
  }
  body_unread_ = false;
  keep_alive_ = keep_alive;
  return true;
}

bool AdminConnection::read_body() {
  if (framing_ == http::Framing::length) {
    const size_t count = std::min<uint64_t>(body_left_, input_.size());
    request_.body.append(input_.view().substr(0, count));
    input_.consume(count);
    body_left_ -= count;
    if (body_left_ == 0) finish_request();
    return true;
  }
  std::string_view left = input_.view();
  http::ChunkEvent event = chunks_.next(left);
  while (event.kind == http::ChunkEvent::Kind::data &&
         request_.body.size() + event.data.size() <= limits::kBodyBytesMax) {
    request_.body.append(event.data);
    event = chunks_.next(left);
  }
  input_.consume(input_.size() - left.size());
  if (event.kind == http::ChunkEvent::Kind::need_more) return false;
  if (event.kind == http::ChunkEvent::Kind::done) {
    finish_request();
    return true;
  }
  body_unread_ = true;
  refuse(event.kind == http::ChunkEvent::Kind::data ? errors::Code::request_too_large
                                                    : errors::Code::malformed_request);
  return false;
}

void AdminConnection::finish_request() {
  state_ = State::busy;
  arm();
  owner_.handle(number_, request_);
  crypto::wipe(request_.authorization.data(), request_.authorization.size());
}

void AdminConnection::refuse(errors::Code code) {
  keep_alive_ = false;
  state_ = State::busy;
  owner_.refuse(number_, request_, code);
  crypto::wipe(request_.authorization.data(), request_.authorization.size());
}

void AdminConnection::answer(const AdminAnswer& answer) {
  if (state_ != State::busy) return;
  std::vector<http::Field> fields = {{"content-type", answer.type}, {"cache-control", "no-store"}};
  for (const auto& [name, value] : answer.fields) fields.push_back({name, value});
  std::string text;
  const bool written = http::write_response_head(
      text, {.status = answer.status,
             .fields = fields,
             .framing = http::Framing::length,
             .content_length = answer.body.size(),
             .persistence = keep_alive_ ? http::Persistence::implied : http::Persistence::close});
  if (!head_only_) text += answer.body;
  if (!written || !reactor_.out(socket_).append(text)) {
    // Answers are bounded where they are made: here it is all connections together.
    state_ = State::closing;
    timer_.cancel();
    reactor_.abort(socket_);
    return;
  }
  // It may hold a key that was just made.
  crypto::wipe(text.data(), text.size());
  reactor_.touch(socket_);
  if (!keep_alive_) {
    close();
    return;
  }
  arm();
  state_ = State::head;
  if (std::exchange(paused_, false)) reactor_.resume(socket_);
  read_requests();
}

void AdminConnection::close() {
  if (state_ == State::closing) return;
  state_ = State::closing;
  reactor_.timers().set(timer_, reactor_.now_ns() + kAdminGoodbyeNs);
  // Who sends on what was refused must get to the answer. Nobody else is waited for so long: a few
  // silent connections would take all places.
  reactor_.close(socket_, body_unread_ ? limits::kDrainNs : kAdminLingerNs, limits::kDrainBytesMax);
}

// arm gives the next request, from now to its last byte, or the answer to one, so much time.
// Single bytes do not make it longer.
void AdminConnection::arm() {
  reactor_.timers().set(timer_, reactor_.now_ns() + kAdminPatienceNs);
}

void AdminConnection::on_timer() {
  if (state_ == State::closing) {
    reactor_.abort(socket_);  // a peer that does not read its answer
  } else {
    close();
  }
}

}  // namespace flexd::front
