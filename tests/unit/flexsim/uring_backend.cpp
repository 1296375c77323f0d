// The tests on real sockets.
#include "client.hpp"

namespace flexd::flexsim {

std::unique_ptr<io::Reactor> make_reactor() {
  return std::move(io::Reactor::create({.sockets_max = 64, .recv_buffers = 64}).value());
}

}  // namespace flexd::flexsim
