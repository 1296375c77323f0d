// admin_connection.hpp: one operator's connection on the admin listener: HTTP/1.1, a request at a
// time, with small bodies. It runs on the control thread and may allocate.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "flexd/base/buffer.hpp"
#include "flexd/base/timer_wheel.hpp"
#include "flexd/errors/render.hpp"
#include "flexd/http/h1_chunks.hpp"
#include "flexd/http/h1_parser.hpp"
#include "flexd/io/reactor.hpp"

namespace flexd::front {

// AdminRequest is a whole request. It owns what it says, because its answer may come much later.
struct AdminRequest {
  http::Method method = http::Method::other;
  std::string path;
  std::string query;
  std::string authorization;  // the field's value
  bool has_authorization = false;
  std::string request_id;  // ours, or a sane one that the caller sent
  std::string body;
  io::Address peer;
};

struct AdminAnswer {
  unsigned status = 200;
  std::string_view type = "text/plain; charset=utf-8";  // static
  std::string body;
  std::vector<std::pair<std::string, std::string>> fields;  // more header fields
};

// admin_error is the answer for an error of flexd's own, in its usual envelope.
AdminAnswer admin_error(const errors::Error& error, std::string_view request_id,
                        std::string_view doc_url_base);

// AdminConnection reads requests and writes the answers. Its number names it to whoever answers
// late.
class AdminConnection final : public io::SocketHandler {
 public:
  // Owner is told of a connection by its number.
  struct Owner {
    std::function<void(uint64_t number, const AdminRequest& request)> handle;
    // wants_body looks at a request whose body is still to come. False: it is answered, now or
    // later, without the body, which is then read away unseen, and the connection ends.
    std::function<bool(uint64_t number, const AdminRequest& request)> wants_body;
    // refuse answers at once what cannot be read on, and the connection ends. Of a head that could
    // not be read the request has an id and the peer alone.
    std::function<void(uint64_t number, const AdminRequest& request, errors::Code code)> refuse;
    std::function<void(uint64_t number)> gone;
  };

  AdminConnection(io::Reactor& reactor, io::SocketId socket, const io::Address& peer,
                  uint64_t number, Owner owner);

  void on_data(std::string_view bytes) override;
  void on_peer_closed() override;
  void on_closed(int /*error*/) override { owner_.gone(number_); }

  // answer answers the request that was handed out last.
  void answer(const AdminAnswer& answer);
  void close();
  // is_waiting: no request of it is being answered.
  bool is_waiting() const { return state_ == State::head || state_ == State::body; }

 private:
  enum class State : uint8_t {
    head,     // the next request's head is awaited
    body,     // its body is
    busy,     // its answer is
    closing,  // nothing more is read; what was written may still be on its way
  };

  void read_requests();
  // read_head and read_body make one step and return whether there may be another.
  bool read_head();
  bool read_body();
  void begin_request(const http::RequestHead& head);
  bool wants_body();
  void refuse(errors::Code code);
  void finish_request();
  void arm();
  void on_timer();

  io::Reactor& reactor_;
  io::SocketId socket_;
  io::Address peer_;
  uint64_t number_;
  Owner owner_;
  Buffer input_;
  Timer timer_;
  AdminRequest request_;
  http::ChunkDecoder chunks_;
  http::Framing framing_ = http::Framing::none;
  uint64_t body_left_ = 0;
  State state_ = State::head;
  bool reading_ = false;
  bool paused_ = false;  // nothing is received while an answer is awaited and enough has come
  bool keep_alive_ = true;
  bool head_only_ = false;
  bool body_unread_ = false;  // the caller may still be sending a body that nobody wants
};

}  // namespace flexd::front
