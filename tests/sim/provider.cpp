#include "provider.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "client.hpp"
#include "flexd/base/assert.hpp"

namespace flexd::sim_test {

Play& Play::answer(unsigned status, Fields fields, std::string body) {
  fields.emplace_back("content-length", std::to_string(body.size()));
  head(status, std::move(fields));
  if (!body.empty()) send(std::move(body));
  return finish();
}

std::string Play::sent() const {
  std::string all;
  for (const Step& step : steps_) {
    if (step.op == Op::send) all += step.text;
  }
  return all;
}

std::string Seen::field(std::string_view name) const {
  for (const auto& [key, value] : fields) {
    if (key == name) return value;
  }
  return "";
}

// Stream plays one request.
class Provider::Stream {
 public:
  Stream(Link& link, int32_t id, Seen& seen)
      : seen(seen), link_(link), id_(id), timer_(timer_callback<Stream, &Stream::play>, this) {}

  void start(Play play) {
    play_ = std::move(play);
    this->play();
  }
  void stop() { timer_.cancel(); }
  Seen& seen;

 private:
  void play();
  void perform(const Play::Step& step);

  Link& link_;
  int32_t id_;
  Timer timer_;
  Play play_;
  size_t next_ = 0;
};

// Link is one connection.
class Provider::Link final : public io::SocketHandler, public http::h2::ServerHandler {
 public:
  Link(Provider& provider, errors::Provider of, io::SocketId socket, size_t index)
      : provider_(provider),
        of_(of),
        socket_(socket),
        index_(index),
        session_(provider.resources_, provider.reactor_.blocks(), *this, provider.options_) {}

  io::Reactor& reactor() { return provider_.reactor_; }
  http::h2::ServerSession& session() { return session_; }
  bool is_open() const { return open_; }
  void touch() {
    if (open_) reactor().touch(socket_);
  }
  // close sends what is queued first: at the end of the turn, outside of the session's callbacks.
  void close() {
    close_wanted_ = true;
    touch();
  }
  void abort() {
    if (open_) reactor().abort(socket_);
    open_ = false;
  }

 private:
  // SocketHandler
  void on_data(std::string_view bytes) override {
    if (!open_) return;
    session_.receive(bytes);
    after();
  }
  void on_peer_closed() override {
    if (!open_) return;
    session_.connection_lost();
    close();
  }
  void on_flush() override {
    if (!open_) return;
    ByteChain& out = reactor().out(socket_);
    while (out.size() < io::kOutHighBytes) {
      const std::string_view piece = session_.pull();
      if (piece.empty()) break;
      const bool taken = out.append(piece);
      FLEXD_ASSERT(taken);
    }
    if (close_wanted_) {
      open_ = false;
      reactor().close(socket_);
      return;
    }
    after();
  }
  void on_drained() override { touch(); }
  void on_closed(int /*error*/) override {
    open_ = false;
    session_.connection_lost();
  }
  void after() {
    if (session_.is_failed() || session_.is_done()) {
      close();
    } else if (session_.wants_write()) {
      touch();
    }
  }

  // ServerHandler
  void on_request(int32_t id, const http::RequestHead& head) override {
    Seen& seen = provider_.seen_.emplace_back();
    seen.provider = of_;
    seen.connection = index_;
    seen.stream = id;
    seen.path = head.raw_target;
    seen.head_ns = reactor().now_ns();
    for (const http::Field& field : head.fields) {
      seen.fields.emplace_back(std::string(field.name), std::string(field.value));
    }
    streams_[id] = std::make_unique<Stream>(*this, id, seen);
  }
  void on_data(int32_t id, std::string_view bytes) override {
    streams_[id]->seen.body += bytes;
    session_.consume(id, bytes.size());
  }
  void on_end(int32_t id) override {
    Stream& stream = *streams_[id];
    Seen& seen = stream.seen;
    seen.whole_ns = reactor().now_ns();
    seen.tier = json_text(seen.body, "service_tier");
    seen.streamed = seen.body.find("\"stream\":true") != std::string::npos;
    const size_t trace = seen.body.find("trace:");
    if (trace != std::string::npos) {
      seen.trace = seen.body.substr(trace + 6, seen.body.find('"', trace) - trace - 6);
    }
    stream.start(provider_.choose      ? provider_.choose(seen)
                 : seen.tier == "flex" ? provider_.flex_play
                                       : provider_.standard_play);
  }
  void on_drain(int32_t /*id*/) override {}
  void on_closed(int32_t id, uint32_t code) override {
    Stream& stream = *streams_[id];
    stream.stop();
    stream.seen.closed_ns = reactor().now_ns();
    stream.seen.close_code = code;
  }

  Provider& provider_;
  errors::Provider of_;
  io::SocketId socket_;
  size_t index_;
  http::h2::ServerSession session_;
  std::map<int32_t, std::unique_ptr<Stream>> streams_;
  bool open_ = true;
  bool close_wanted_ = false;
};

// play performs the steps until one waits.
void Provider::Stream::play() {
  while (next_ < play_.steps().size() && seen.is_open()) {
    const Play::Step& step = play_.steps()[next_++];
    if (step.op == Play::Op::wait) {
      link_.reactor().timers().set(timer_, link_.reactor().now_ns() + step.number);
      break;
    }
    perform(step);
  }
  link_.touch();
}

void Provider::Stream::perform(const Play::Step& step) {
  http::h2::ServerSession& session = link_.session();
  switch (step.op) {
    case Play::Op::head: {
      http::FieldList fields;
      for (const auto& [name, value] : step.fields) {
        const bool pushed = fields.push(name, value);
        FLEXD_ASSERT(pushed);
      }
      session.respond(id_, static_cast<unsigned>(step.number), fields, true);
      break;
    }
    case Play::Op::send:
      if (session.send_data(id_, step.text)) seen.sent_bytes += step.text.size();
      break;
    case Play::Op::finish:
      seen.finished = true;
      session.finish(id_);
      break;
    case Play::Op::reset:
      session.reset(id_, static_cast<uint32_t>(step.number));
      break;
    case Play::Op::goaway:
      session.goaway(std::max(0, id_ - 2), 0);
      break;
    case Play::Op::abort:
      link_.abort();
      break;
    case Play::Op::close:
      link_.close();
      break;
    case Play::Op::wait:
      break;
  }
}

Provider::Provider(io::Reactor& reactor)
    : reactor_(reactor),
      doors_{Door{*this, kProviders[0]}, Door{*this, kProviders[1]}, Door{*this, kProviders[2]}} {}

Provider::~Provider() = default;

io::Address Provider::listen() {
  io::Address first;
  for (Door& door : doors_) {
    const auto wanted = io::Address::from_ip("10.0.0.3", port_of(door.of)).value();
    const auto address = reactor_.listen(wanted, door);
    REQUIRE(address.has_value());
    if (door.of == errors::Provider::openai) first = *address;
  }
  return first;
}

io::SocketHandler* Provider::Door::on_accept(io::SocketId socket, const io::Address& /*peer*/) {
  owner.links_.push_back(std::make_unique<Link>(owner, of, socket, owner.links_.size()));
  owner.reactor_.touch(socket);
  return owner.links_.back().get();
}

std::vector<const Seen*> Provider::of(std::string_view tier) const {
  std::vector<const Seen*> found;
  for (const Seen& seen : seen_) {
    if (seen.tier == tier && seen.whole_ns != 0) found.push_back(&seen);
  }
  return found;
}

const Seen& Provider::only(std::string_view tier) const {
  const auto found = of(tier);
  REQUIRE(found.size() == 1);
  return *found.front();
}

size_t Provider::open_streams() const {
  return static_cast<size_t>(
      std::count_if(seen_.begin(), seen_.end(), [](const Seen& s) { return s.is_open(); }));
}

size_t Provider::open_connections() const {
  return static_cast<size_t>(std::count_if(links_.begin(), links_.end(),
                                           [](const auto& link) { return link->is_open(); }));
}

size_t Provider::queued_bytes(const Seen& seen) const {
  return links_[seen.connection]->session().queued_bytes(seen.stream);
}

void Provider::close() {
  for (const auto& link : links_) link->close();
}

}  // namespace flexd::sim_test
