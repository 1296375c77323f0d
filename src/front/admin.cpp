#include "flexd/front/admin.hpp"

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "flexd/base/buffer.hpp"
#include "flexd/http/h1_parser.hpp"
#include "flexd/http/h1_writer.hpp"
#include "flexd/metrics/exposition.hpp"

namespace flexd::front {
namespace {

constexpr size_t kAdminConnectionsMax = 64;
constexpr uint64_t kAdminIdleNs = 30'000'000'000;

struct Answer {
  unsigned status = 200;
  std::string_view type = "text/plain; charset=utf-8";
  std::string body;
  std::string_view allow;
};

}  // namespace

// Connection is one operator's connection. Its number names it in answers that come later.
class AdminConnection final : public io::SocketHandler {
 public:
  using Handle = std::function<void(uint64_t number, const http::RequestHead& head)>;
  using Gone = std::function<void(uint64_t number)>;

  AdminConnection(io::Reactor& reactor, io::SocketId socket, uint64_t number, Handle handle,
                  Gone gone)
      : reactor_(reactor),
        socket_(socket),
        number_(number),
        handle_(std::move(handle)),
        gone_(std::move(gone)),
        input_(reactor.blocks()),
        timer_(timer_callback<AdminConnection, &AdminConnection::on_timer>, this) {
    arm();
  }

  void on_data(std::string_view bytes) override {
    if (closing_) return;
    if (!input_.append(bytes) || input_.size() > 2 * http::kHeadBytesMax) {
      close();
      return;
    }
    arm();
    if (!busy_) read_requests();
  }
  void on_peer_closed() override { close(); }
  void on_closed(int /*error*/) override { gone_(number_); }

  void answer(const Answer& answer) {
    if (closing_) return;
    std::vector<http::Field> fields = {{"content-type", answer.type},
                                       {"cache-control", "no-store"}};
    if (!answer.allow.empty()) fields.push_back({"allow", answer.allow});
    std::string text;
    const bool written = http::write_response_head(
        text, {.status = answer.status,
               .fields = fields,
               .framing = http::Framing::length,
               .content_length = answer.body.size(),
               .persistence = keep_alive_ ? http::Persistence::implied : http::Persistence::close});
    if (!head_only_) text += answer.body;
    if (!written || !reactor_.out(socket_).append(text)) {
      closing_ = true;
      reactor_.abort(socket_);
      return;
    }
    reactor_.touch(socket_);
    busy_ = false;
    if (!keep_alive_) {
      close();
    } else if (!reading_) {
      read_requests();
    }
  }

  void close() {
    if (closing_) return;
    closing_ = true;
    timer_.cancel();
    reactor_.close(socket_);
  }

 private:
  // read_requests answers what is there, up to a request whose answer comes later.
  void read_requests() {
    reading_ = true;
    while (!busy_ && !closing_ && !input_.empty()) {
      const size_t before = input_.size();
      read_request();
      if (input_.size() == before) break;
    }
    reading_ = false;
  }
  void read_request() {
    http::RequestHead head;
    const http::HeadResult result = http::parse_request_head(input_.view(), 0, head);
    if (result.incomplete()) return;
    busy_ = true;
    head_only_ = result.complete() && head.method == http::Method::head;
    const bool has_body = head.framing == http::Framing::chunked || head.content_length > 0;
    keep_alive_ = result.complete() && head.keep_alive && !has_body;
    if (result.refused() || has_body) {
      answer({.status = 400, .body = "bad request\n"});
      return;
    }
    // The head's views go with the input; what answers later keeps none of them.
    handle_(number_, head);
    input_.consume(std::min(input_.size(), result.consumed));
  }
  void arm() { reactor_.timers().set(timer_, reactor_.now_ns() + kAdminIdleNs); }
  void on_timer() { close(); }

  io::Reactor& reactor_;
  io::SocketId socket_;
  uint64_t number_;
  Handle handle_;
  Gone gone_;
  Buffer input_;
  Timer timer_;
  bool busy_ = false;
  bool reading_ = false;
  bool keep_alive_ = true;
  bool head_only_ = false;
  bool closing_ = false;
};

class Admin::Server final : public io::AcceptHandler {
 public:
  Server(io::Reactor& reactor, AdminHooks hooks) : reactor_(reactor), hooks_(std::move(hooks)) {}

  io::SocketHandler* on_accept(io::SocketId socket, const io::Address& /*peer*/) override {
    if (connections_.size() >= kAdminConnectionsMax) return nullptr;
    const uint64_t number = ++last_number_;
    auto connection = std::make_unique<AdminConnection>(
        reactor_, socket, number,
        [this](uint64_t which, const http::RequestHead& head) { handle(which, head); },
        [this](uint64_t which) { connections_.erase(which); });
    AdminConnection* const handler = connection.get();
    connections_.emplace(number, std::move(connection));
    return handler;
  }

  void close() {
    for (const auto& [number, connection] : connections_) connection->close();
  }
  bool is_quiet() const { return connections_.empty(); }
  io::Reactor& reactor() { return reactor_; }

 private:
  void answer(uint64_t number, const Answer& answer) {
    const auto found = connections_.find(number);
    if (found != connections_.end()) found->second->answer(answer);
  }

  void handle(uint64_t number, const http::RequestHead& head) {
    const bool known =
        head.target == "/healthz" || head.target == "/readyz" || head.target == "/metrics";
    if (!known) {
      answer(number, {.status = 404, .body = "try /healthz, /readyz or /metrics\n"});
    } else if (head.method != http::Method::get && head.method != http::Method::head) {
      answer(number, {.status = 405, .body = "only GET\n", .allow = "GET, HEAD"});
    } else if (head.target == "/healthz") {
      answer(number, {.body = "ok\n"});
    } else if (head.target == "/readyz") {
      const bool ready = hooks_.is_ready();
      answer(number, {.status = ready ? 200U : 503U, .body = ready ? "ready\n" : "draining\n"});
    } else {
      hooks_.metrics_page([this, number](std::string page) {
        answer(number, {.type = metrics::kContentType, .body = std::move(page)});
      });
    }
  }

  io::Reactor& reactor_;
  AdminHooks hooks_;
  std::unordered_map<uint64_t, std::unique_ptr<AdminConnection>> connections_;
  uint64_t last_number_ = 0;
};

Admin::Admin(io::Reactor& reactor, AdminHooks hooks)
    : server_(std::make_unique<Server>(reactor, std::move(hooks))) {}

Admin::~Admin() = default;

Result<io::Address> Admin::listen(const io::Address& address) {
  return server_->reactor().listen(address, *server_);
}

void Admin::close() {
  server_->close();
}
bool Admin::is_quiet() const {
  return server_->is_quiet();
}

}  // namespace flexd::front
