// load.hpp: the load itself: connections, an epoll loop, and what was measured.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "histogram.hpp"
#include "options.hpp"
#include "response_reader.hpp"

namespace flexd::bench {

// AbortTime is the moment just before a connection was closed on purpose, by two clocks, so that it
// can be compared with what another process of the same machine saw.
struct AbortTime {
  std::uint64_t monotonic_ns = 0;
  std::uint64_t realtime_ns = 0;
};

// Report is the outcome of a run. Durations are nanoseconds.
struct Report {
  std::uint64_t requests = 0;  // answered as expected, or aborted on purpose
  std::uint64_t errors = 0;    // everything else that was sent
  std::map<int, std::uint64_t> statuses;
  std::map<std::string, std::uint64_t> error_kinds;
  std::string first_error;  // for a person: what the first wrong answer said
  std::uint64_t events = 0;
  std::uint64_t body_bytes = 0;
  std::uint64_t reconnects = 0;  // connections the peer closed between requests
  std::uint64_t elapsed_ns = 0;  // first send to last answer
  Histogram latency;             // to the last byte of an answer
  Histogram first_event;         // to the first event
  Histogram event_gap;           // between two events of one answer; 0 within one read
  Histogram send_delay;          // open loop: intended to actual send, the generator's own lateness
  std::vector<AbortTime> aborts;
};

// Load runs one load to its end. Use it once.
class Load {
 public:
  // `request` must outlive the Load. Throws std::runtime_error when the host cannot be resolved.
  Load(const Options& options, const std::string& request);
  ~Load();
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  // run connects, sends and measures. Throws std::runtime_error when a connection is refused.
  Report& run();

 private:
  struct Connection {
    int fd = -1;
    bool is_busy = false;
    bool wants_write = false;
    std::size_t sent_bytes = 0;
    std::uint64_t start_ns = 0;  // what latency is counted from: the intended send time
    std::uint64_t sent_ns = 0;
    std::uint64_t last_event_ns = 0;
    std::uint64_t events_seen = 0;
    ResponseReader reader;
  };

  void connect(Connection& connection);
  void reconnect(Connection& connection);
  void watch(Connection& connection, bool for_write, bool is_new);
  [[nodiscard]] bool may_send(std::uint64_t now_ns) const;
  [[nodiscard]] std::uint64_t due_ns(std::uint64_t index) const;
  void send_next(Connection& connection, std::uint64_t now_ns);
  void send_due(std::uint64_t now_ns);
  void begin(Connection& connection, std::uint64_t start_ns, std::uint64_t now_ns);
  void write(Connection& connection);
  void on_ready(Connection& connection, std::uint32_t events);
  void on_bytes(Connection& connection, std::string_view bytes);
  void on_closed(Connection& connection, int error);
  void note_events(Connection& connection, std::uint64_t now_ns);
  void finish(Connection& connection, std::uint64_t now_ns);
  void abort(Connection& connection, std::uint64_t now_ns);
  void fail(Connection& connection, const char* kind, const std::string& detail);
  void check_timeouts(std::uint64_t now_ns);
  void wait(std::uint64_t now_ns);

  // kErrorsMax ends a run that has gone wrong; every error already makes it fail.
  static constexpr std::uint64_t kErrorsMax = 100;

  const Options& options_;
  const std::string& request_;
  sockaddr_storage address_{};
  socklen_t address_bytes_ = 0;
  int epoll_fd_ = -1;
  std::vector<Connection> connections_;
  std::vector<std::uint32_t> idle_;
  std::vector<char> buffer_;
  std::uint64_t start_ns_ = 0;
  std::uint64_t stop_ns_ = UINT64_MAX;
  std::uint64_t last_check_ns_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t busy_ = 0;
  Report report_;
};

// now_ns reads CLOCK_MONOTONIC.
std::uint64_t now_ns();

}  // namespace flexd::bench
