// Setting up: the ring with its fallbacks, the provided buffers, listening sockets.
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "flexd/base/assert.hpp"
#include "flexd/base/log.hpp"
#include "flexd/base/poison.hpp"
#include "uring_backend.hpp"

namespace flexd::io {

namespace {

constexpr int kBacklog = 4096;
constexpr uint32_t kCompletionEntriesMin = 8192;
constexpr uint32_t kCompletionEntriesMax = 131'072;

// kRungs are the sets of flags tried, best first. The first is up to twice as fast as no flags at
// all, because completions then run only inside the one wait of a turn instead of interrupting it.
struct Rung {
  unsigned flags;
  const char* name;
};
constexpr std::array<Rung, 3> kRungs = {{
    {IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL |
         IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
     "full"},
    {IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE, "deferred"},
    {IORING_SETUP_COOP_TASKRUN | IORING_SETUP_CQSIZE, "cooperative"},
}};

std::string explain(int error) {
  switch (error) {
    case EPERM:
      return "io_uring is not permitted: the sysctl kernel.io_uring_disabled, or a seccomp profile "
             "(Docker's default one) forbids it";
    case ENOSYS:
      return "io_uring is not there: the kernel is older than 6.0 or a seccomp profile hides it";
    case ENOMEM:
      return "io_uring got no memory: raise the memlock limit (LimitMEMLOCK=64M)";
    case EINVAL:
      return "io_uring lacks features flexd needs: Linux 6.0 or newer is required";
    case EMFILE:
    case ENFILE:
      return "no file descriptor left for io_uring: raise the open files limit (LimitNOFILE=)";
    default:
      return std::string("io_uring cannot be set up: ") + std::strerror(error);
  }
}

int set_option(int fd, int level, int name, int value) {
  return ::setsockopt(fd, level, name, &value, sizeof(value));
}

// remove_stale unlinks a unix socket nobody listens on any more.
void remove_stale(const Address& address) {
  const std::string path = address.to_string().substr(5);
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0 || !S_ISSOCK(info.st_mode)) return;
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (probe < 0) return;
  const bool refused =
      ::connect(probe, address.data(), address.size()) != 0 && errno == ECONNREFUSED;
  ::close(probe);
  if (refused) ::unlink(path.c_str());
}

Failure listen_failure(const Address& address, const char* step, int error) {
  return Failure{"cannot listen on " + address.to_string() + ": " + step + ": " +
                 std::strerror(error)};
}

}  // namespace

ReceiveBuffers::~ReceiveBuffers() {
  if (memory_ != nullptr) {
    unpoison(memory_, memory_bytes_);
    ::munmap(memory_, memory_bytes_);
  }
  if (ring_ != nullptr) ::munmap(ring_, ring_bytes_);
}

int ReceiveBuffers::open(io_uring& ring, uint32_t count, uint32_t bytes) {
  FLEXD_ASSERT(std::has_single_bit(count) && count <= 32'768);
  count_ = count;
  bytes_ = bytes;
  ring_bytes_ = count * sizeof(io_uring_buf);
  memory_bytes_ = static_cast<size_t>(count) * bytes;
  constexpr int kProtection = PROT_READ | PROT_WRITE;
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS;
  void* descriptors = ::mmap(nullptr, ring_bytes_, kProtection, kFlags, -1, 0);
  if (descriptors == MAP_FAILED) return -ENOMEM;
  ring_ = static_cast<io_uring_buf_ring*>(descriptors);
  void* memory = ::mmap(nullptr, memory_bytes_, kProtection, kFlags, -1, 0);
  if (memory == MAP_FAILED) return -ENOMEM;
  memory_ = static_cast<char*>(memory);
  io_uring_buf_ring_init(ring_);
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<uint64_t>(ring_);
  registration.ring_entries = count;
  const int result = io_uring_register_buf_ring(&ring, &registration, 0);
  if (result != 0) return result;
  for (uint32_t i = 0; i < count; i++) give(i);
  return 0;
}

const char* ReceiveBuffers::taken(uint32_t index) {
  FLEXD_ASSERT(index < count_ && free_ > 0);
  free_--;
  unpoison(at(index), bytes_);
  return at(index);
}

void ReceiveBuffers::give(uint32_t index) {
  FLEXD_ASSERT(index < count_ && free_ < count_);
  free_++;
  poison(at(index), bytes_);
  io_uring_buf_ring_add(ring_, at(index), bytes_, static_cast<unsigned short>(index),
                        io_uring_buf_ring_mask(count_), 0);
  io_uring_buf_ring_advance(ring_, 1);
}

Result<std::unique_ptr<Backend>> Backend::create(const ReactorOptions& options) {
  auto backend = std::make_unique<UringBackend>();
  const Result<void> opened = backend->open(options);
  if (!opened) return fail(opened.error());
  return backend;
}

int UringBackend::open_ring(uint32_t completion_entries) {
  int first_error = 0;
  for (const Rung& rung : kRungs) {
    static_assert(
        ((kRungs[0].flags | kRungs[1].flags | kRungs[2].flags) & IORING_SETUP_NO_SQARRAY) == 0);
    io_uring_params params{};
    params.flags = rung.flags;
    params.cq_entries = completion_entries;
    system_calls_++;
    const int result = io_uring_queue_init_params(kQueueEntries, &ring_, &params);
    if (result == 0) {
      ring_open_ = true;
      log_line(LogLevel::debug, "ring_ready", {{"flags", rung.name}});
      return 0;
    }
    if (first_error == 0) first_error = result;
    // Only a flag that the kernel does not know makes a lower rung worth a try.
    if (result != -EINVAL) return result;
  }
  return first_error;
}

Result<void> UringBackend::open(const ReactorOptions& options) {
  yield_each_turn_ = options.yield_each_turn || options.yield_in_poll;
  waits_in_poll_ = options.yield_in_poll;
  // Multishot operations complete at any time, so the completion queue follows the sockets.
  const auto wanted = static_cast<uint32_t>(std::min<size_t>(options.sockets_max, 65'536) * 2);
  int result =
      open_ring(std::clamp(std::bit_ceil(wanted), kCompletionEntriesMin, kCompletionEntriesMax));
  if (result != 0) return fail_with(explain(-result));
  io_uring_register_ring_fd(&ring_);  // saves a look-up each turn; without it all works too
  result = buffers_.open(ring_, options.recv_buffers, options.recv_buffer_bytes);
  if (result != 0) return fail_with(explain(-result));
  send_headers_ = std::make_unique_for_overwrite<SendHeader[]>(kQueueEntries);
  stash_.reserve(kCompletionEntriesMin);
  wake_fd_ = ::eventfd(0, EFD_CLOEXEC);
  spare_fd_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (wake_fd_ < 0 || spare_fd_ < 0) return fail_with(explain(errno));
  inbox_ = std::make_shared<ResolveInbox>([this] { wake(); });
  arm_wake();
  return {};
}

UringBackend::~UringBackend() {
  if (inbox_ != nullptr) inbox_->close();
  if (ring_open_) io_uring_queue_exit(&ring_);
  if (wake_fd_ >= 0) ::close(wake_fd_);
  if (spare_fd_ >= 0) ::close(spare_fd_);
}

Result<int> UringBackend::open_listener(Address& address) {
  const bool is_unix = address.family() == AF_UNIX;
  const int fd = ::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail(listen_failure(address, "socket", errno));
  const auto give_up = [&](const char* step) {
    const int error = errno;
    ::close(fd);
    return fail(listen_failure(address, step, error));
  };
  if (is_unix) {
    remove_stale(address);
  } else {
    // Accepted sockets inherit TCP_NODELAY, which saves a call for each.
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1) != 0) return give_up("SO_REUSEPORT");
    if (address.family() == AF_INET6) set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  }
  if (::bind(fd, address.data(), address.size()) != 0) return give_up("bind");
  if (::listen(fd, kBacklog) != 0) return give_up("listen");
  if (!is_unix) {
    sockaddr_storage bound{};
    socklen_t length = sizeof(bound);
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &length) != 0) {
      return give_up("getsockname");
    }
    address = Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&bound), length);
  }
  return fd;
}

int UringBackend::open_socket(int family) {
  system_calls_++;
  const int fd = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  if (family != AF_UNIX) {
    system_calls_++;
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  }
  return fd;
}

}  // namespace flexd::io
