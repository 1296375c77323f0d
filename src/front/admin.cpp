#include "flexd/front/admin.hpp"

#include <unordered_map>
#include <utility>

#include "admin_api.hpp"
#include "admin_connection.hpp"
#include "flexd/metrics/exposition.hpp"

namespace flexd::front {
namespace {

constexpr size_t kAdminConnectionsMax = 64;

bool is_page(std::string_view path) {
  return path == "/healthz" || path == "/readyz" || path == "/metrics" || path == "/version";
}

}  // namespace

class Admin::Server final : public io::AcceptHandler {
 public:
  Server(io::Reactor& reactor, AdminHooks hooks)
      : reactor_(reactor), hooks_(std::move(hooks)), api_(hooks_) {}

  io::SocketHandler* on_accept(io::SocketId socket, const io::Address& peer) override {
    if (connections_.size() >= kAdminConnectionsMax && !make_room()) return nullptr;
    const uint64_t number = ++last_number_;
    auto connection = std::make_unique<AdminConnection>(
        reactor_, socket, peer, number,
        AdminConnection::Owner{
            .handle = [this](uint64_t which,
                             const AdminRequest& request) { handle(which, request); },
            .wants_body = [this](
                              uint64_t which,
                              const AdminRequest& request) { return wants_body(which, request); },
            .refuse = [this](uint64_t which, const AdminRequest& request,
                             errors::Code code) { refuse(which, request, code); },
            .gone = [this](uint64_t which) { connections_.erase(which); }});
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
  // make_room ends the connection that has waited longest with nothing to answer, so that whoever
  // holds many open does not keep the health checks out. Those that are ending or being answered
  // stay a moment; false if there are too many of them.
  bool make_room() {
    if (connections_.size() >= 2 * kAdminConnectionsMax) return false;
    AdminConnection* oldest = nullptr;
    uint64_t oldest_number = UINT64_MAX;
    for (const auto& [number, connection] : connections_) {
      if (!connection->is_waiting() || number >= oldest_number) continue;
      oldest = connection.get();
      oldest_number = number;
    }
    if (oldest != nullptr) oldest->close();
    return true;
  }

  void answer(uint64_t number, const AdminAnswer& answer) {
    const auto found = connections_.find(number);
    if (found != connections_.end()) found->second->answer(answer);
  }

  void handle(uint64_t number, const AdminRequest& request) {
    if (is_api_path(request.path)) {
      api_.handle(request,
                  [this, number](const AdminAnswer& answer) { this->answer(number, answer); });
    } else if (!is_page(request.path)) {
      answer(number,
             {.status = 404, .body = "try /healthz, /readyz, /version, /metrics or /api\n"});
    } else if (request.method != http::Method::get && request.method != http::Method::head) {
      answer(number, {.status = 405, .body = "only GET\n", .fields = {{"allow", "GET, HEAD"}}});
    } else {
      page(number, request.path);
    }
  }

  // wants_body: no page has one, and the API takes none of a caller whom it refuses anyway.
  bool wants_body(uint64_t number, const AdminRequest& request) {
    if (is_api_path(request.path)) {
      return !api_.refuse(
          request, [this, number](const AdminAnswer& answer) { this->answer(number, answer); });
    }
    handle(number, request);
    return false;
  }

  // refuse: only the API takes bodies, so that there is no path or it is the API's.
  void refuse(uint64_t number, const AdminRequest& request, errors::Code code) {
    api_.refuse_unread(request, code,
                       [this, number](const AdminAnswer& answer) { this->answer(number, answer); });
  }

  void page(uint64_t number, std::string_view path) {
    if (path == "/healthz") {
      answer(number, {.body = "ok\n"});
    } else if (path == "/version") {
      answer(number, {.type = "application/json",
                      .body = "{\"name\":\"flexd\",\"version\":\"" FLEXD_VERSION "\"}\n"});
    } else if (path == "/readyz") {
      const bool ready = hooks_.is_ready();
      answer(number, {.status = ready ? 200U : 503U, .body = ready ? "ready\n" : "draining\n"});
    } else {
      hooks_.metrics_page([this, number](std::string page) {
        answer(number, {.type = metrics::kContentType, .body = std::move(page)});
      });
    }
  }

  io::Reactor& reactor_;
  const AdminHooks hooks_;
  AdminApi api_;
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
