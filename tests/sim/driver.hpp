// driver.hpp: a minimal program over a bare Backend, to test the simulated kernel without a
// reactor.
//
// A Driver owns one backend and some ends of connections. Each end sends a text, shuts down, and
// receives until the stream ends; it re-arms what ends early, as any program has to.
#pragma once

#include <doctest/doctest.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "flexd/io/backend.hpp"
#include "flexd/io/sim.hpp"

namespace flexd::io::sim {

struct End {
  int fd = -1;
  uint32_t slot = 0;
  Address target;
  bool connected = false;
  std::string to_send;
  size_t sent = 0;
  bool sending = false;
  bool shut = false;
  bool receiving = false;
  bool wants_receive = true;
  bool starved = false;
  std::string received;
  bool ended = false;  // FIN or an error was received
  int receive_error = 0;
  int send_error = 0;
  int connect_result = 1;  // 1: not yet
  int hang_up = 0;         // events of the poll
  size_t sends = 0;
};

class Driver {
 public:
  explicit Driver(World& world, std::string_view host = "127.0.0.1", uint32_t buffers = 64,
                  uint32_t buffer_bytes = 4096) {
    const World::Scope scope(world, host);
    ReactorOptions options;
    options.recv_buffers = buffers;
    options.recv_buffer_bytes = buffer_bytes;
    backend_ = std::move(Backend::create(options).value());
  }

  Backend& backend() { return *backend_; }
  std::vector<std::unique_ptr<End>>& ends() { return ends_; }
  End& end(size_t index) { return *ends_[index]; }

  Address listen(uint16_t port = 0) {
    Address address = Address::from_ip("127.0.0.1", port).value();
    listener_ = backend_->open_listener(address).value();
    backend_->accept_multishot(listener_, {Operation::accept, 1, kListenerSlot});
    return address;
  }
  void stop_listening() {
    backend_->cancel({Operation::accept, 1, kListenerSlot}, {Operation::cancel, 1, kListenerSlot});
    closing_ = true;
  }
  // What accepted ends send.
  void set_answer(std::string answer) { answer_ = std::move(answer); }
  void accept_paused() { accept_paused_ = true; }

  // connect gives nullptr if there is no socket.
  End* connect(const Address& target, std::string to_send) {
    const int fd = backend_->open_socket(AF_INET);
    if (fd < 0) return nullptr;
    End& made = add_end(fd);
    made.target = target;
    made.to_send = std::move(to_send);
    backend_->connect(fd, made.target, {Operation::connect, 1, made.slot});
    return &made;
  }
  void poll_hang_up(End& end) { backend_->poll_hang_up(end.fd, {Operation::hang_up, 1, end.slot}); }
  void close(End& end) {
    backend_->close(end.fd);
    end.fd = -1;
  }

  // turn waits once and acts; true if there was anything to do.
  bool turn() {
    std::array<Completion, 16> out;
    const size_t count = backend_->wait(0, out);
    for (size_t i = 0; i < count; i++) handle(out[i]);
    bool acted = count > 0;
    for (const auto& end : ends_) acted = act(*end) || acted;
    return acted;
  }
  // finished: every end is closed and the listener too.
  bool finished() const {
    for (const auto& end : ends_) {
      if (end->fd >= 0) return false;
    }
    return listener_ < 0;
  }
  bool shut_when_sent = true;
  bool close_when_done = true;
  size_t accept_errors = 0;
  size_t cancels_seen = 0;

 private:
  static constexpr uint32_t kListenerSlot = 0xffff;

  End& add_end(int fd) {
    ends_.push_back(std::make_unique<End>());
    ends_.back()->fd = fd;
    ends_.back()->slot = static_cast<uint32_t>(ends_.size() - 1);
    return *ends_.back();
  }

  bool act(End& end) {
    if (end.fd < 0 || !end.connected) return false;
    bool acted = false;
    if (!end.receiving && end.wants_receive && !end.ended && backend_->buffers_available()) {
      backend_->receive_multishot(end.fd, {Operation::receive, 1, end.slot});
      end.receiving = acted = true;
    }
    if (!end.sending && end.send_error == 0 && end.sent < end.to_send.size()) {
      // Two pieces, so that gathering is tested.
      const size_t half = (end.to_send.size() - end.sent) / 2;
      char* from = end.to_send.data() + end.sent;
      const std::array<iovec, 2> parts = {iovec{from, half},
                                          iovec{from + half, end.to_send.size() - end.sent - half}};
      backend_->send(end.fd, parts, {Operation::send, 1, end.slot});
      end.sending = acted = true;
    }
    const bool sent_all = end.sent == end.to_send.size() || end.send_error != 0;
    if (shut_when_sent && sent_all && !end.sending && !end.shut) {
      backend_->shutdown_write(end.fd);
      end.shut = acted = true;
    }
    if (close_when_done && end.shut && end.ended && !end.receiving) {
      close(end);
      acted = true;
    }
    return acted;
  }

  void handle(const Completion& completion) {
    if (completion.token.slot == kListenerSlot) {
      handle_listener(completion);
      return;
    }
    End& end = *ends_[completion.token.slot];
    switch (completion.token.operation) {
      case Operation::connect:
        end.connect_result = completion.result;
        end.connected = completion.result == 0;
        if (completion.result != 0) close(end);
        break;
      case Operation::receive:
        handle_receive(end, completion);
        break;
      case Operation::send:
        end.sending = false;
        end.sends++;
        if (completion.result < 0) end.send_error = -completion.result;
        if (completion.result > 0) end.sent += static_cast<size_t>(completion.result);
        break;
      case Operation::hang_up:
        end.hang_up = completion.result;
        break;
      case Operation::cancel:
        cancels_seen++;
        break;
      default:
        FAIL("unexpected completion");
    }
  }

  void handle_receive(End& end, const Completion& completion) {
    if (!completion.more) end.receiving = false;
    if (completion.result > 0) {
      end.received.append(completion.bytes);
      backend_->return_buffer(completion.buffer);
    } else if (completion.result == 0) {
      end.ended = true;
    } else if (completion.result == -ENOBUFS) {
      end.starved = true;
    } else if (completion.result != -ECANCELED) {
      end.ended = true;
      end.receive_error = -completion.result;
    }
  }

  void handle_listener(const Completion& completion) {
    if (completion.token.operation == Operation::cancel) {
      cancels_seen++;
      return;
    }
    if (completion.result >= 0) {
      End& end = add_end(completion.result);
      end.connected = true;
      end.to_send = answer_;
      end.wants_receive = !accept_paused_;
    } else if (completion.result != -ECANCELED) {
      accept_errors++;
    }
    if (completion.more) return;
    if (closing_) {
      backend_->close(listener_);
      listener_ = -1;
    } else {
      backend_->accept_multishot(listener_, {Operation::accept, 1, kListenerSlot});
    }
  }

  std::unique_ptr<Backend> backend_;
  std::vector<std::unique_ptr<End>> ends_;
  int listener_ = -1;
  bool closing_ = false;
  bool accept_paused_ = false;
  std::string answer_;
};

// drive turns the drivers and moves time until nothing happens before `limit_ns` from now.
inline void drive(World& world, std::initializer_list<Driver*> drivers, uint64_t limit_ns) {
  const uint64_t end_ns = world.now_ns() + limit_ns;
  for (;;) {
    bool acted = false;
    for (Driver* driver : drivers) acted = driver->turn() || acted;
    if (!acted && !world.advance(end_ns)) return;
  }
}

// seeds_max is how many seeds a test tries; FLEXD_SIM_SEEDS asks for a longer run.
inline uint64_t seeds_max() {
  const char* asked = std::getenv("FLEXD_SIM_SEEDS");
  return asked == nullptr ? 200 : std::strtoull(asked, nullptr, 10);
}

// text makes `size` bytes that differ at each place.
inline std::string text(size_t size, uint64_t seed) {
  std::string made(size, '\0');
  uint64_t value = seed * 2 + 1;
  for (char& byte : made) {
    value = value * 6364136223846793005U + 1442695040888963407U;
    byte = static_cast<char>(value >> 56U);
  }
  return made;
}

inline std::string join(const std::vector<std::string>& lines) {
  std::string all;
  for (const std::string& line : lines) all += line + "\n";
  return all;
}

}  // namespace flexd::io::sim
