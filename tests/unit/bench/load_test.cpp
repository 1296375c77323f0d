// Runs the load generator against a small scripted server on a socket of its own.
#include "load.hpp"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "report.hpp"

using namespace flexd::bench;

namespace {

const std::string kHello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

// Server answers every request (recognized by its length) on every connection with the same bytes,
// one thread a connection, and leaves when it is destroyed.
class Server {
 public:
  Server(std::string answer, std::size_t request_bytes, bool closes = false)
      : answer_(std::move(answer)), request_bytes_(request_bytes), closes_(closes) {
    fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(::bind(fd_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(fd_, 128) == 0);
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = std::to_string(ntohs(address.sin_port));
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ~Server() {
    ::shutdown(fd_, SHUT_RDWR);
    acceptor_.join();
    for (std::thread& thread : threads_) thread.join();
    ::close(fd_);
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  [[nodiscard]] const std::string& port() const { return port_; }
  [[nodiscard]] int answered() const { return answered_; }

 private:
  void accept_all() {
    for (int client = ::accept(fd_, nullptr, nullptr); client >= 0;
         client = ::accept(fd_, nullptr, nullptr)) {
      threads_.emplace_back([this, client] { serve(client); });
    }
  }

  void serve(int client) {
    std::string buffer(65536, '\0');
    std::size_t held = 0;
    for (ssize_t got = ::recv(client, buffer.data(), buffer.size(), 0); got > 0;
         got = ::recv(client, buffer.data(), buffer.size(), 0)) {
      held += static_cast<std::size_t>(got);
      if (held < request_bytes_) continue;
      held -= request_bytes_;
      ++answered_;
      ::send(client, answer_.data(), answer_.size(), MSG_NOSIGNAL);
      if (closes_) break;
    }
    ::close(client);
  }

  std::string answer_;
  std::size_t request_bytes_;
  bool closes_;
  int fd_ = -1;
  std::string port_;
  std::atomic<int> answered_ = 0;
  std::thread acceptor_;
  std::vector<std::thread> threads_;
};

Options options_for(std::uint64_t count, std::uint32_t connections) {
  Options options;
  options.host = "127.0.0.1";
  options.headers = {"Host: test"};
  options.count = count;
  options.connections = connections;
  return options;
}

struct Outcome {
  std::unique_ptr<Report> report;
  int answered = 0;
};

Outcome run(Options options, const std::string& answer, bool closes = false) {
  const std::string request = build_request(options, build_body(options));
  Outcome outcome;
  Server server(answer, request.size(), closes);
  options.port = server.port();
  {
    Load load(options, request);
    outcome.report = std::make_unique<Report>(load.run());
  }
  outcome.answered = server.answered();
  return outcome;
}

}  // namespace

TEST_CASE("load: a closed loop sends exactly the count") {
  const Outcome outcome = run(options_for(500, 7), kHello);
  CHECK(outcome.report->requests == 500);
  CHECK(outcome.report->errors == 0);
  CHECK(outcome.report->latency.count() == 500);
  CHECK(outcome.report->body_bytes == 2500);
  CHECK(outcome.answered == 500);
}

TEST_CASE("load: an open loop keeps its schedule and counts from it") {
  Options options = options_for(200, 4);
  options.rate_per_s = 10000;
  const Outcome outcome = run(options, kHello);
  CHECK(outcome.report->requests == 200);
  CHECK(outcome.report->send_delay.count() == 200);
  // The last of 200 requests is due 19.9 ms after the first: none can be sent before its time.
  CHECK(outcome.report->elapsed_ns >= 19'900'000);
}

TEST_CASE("load: a peer that closes after each answer is followed") {
  const Outcome outcome =
      run(options_for(20, 2), "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
          true);
  CHECK(outcome.report->requests == 20);
  CHECK(outcome.report->errors == 0);
  CHECK(outcome.report->reconnects == 20);
}

TEST_CASE("load: every wrong answer is an error, and too many end the run") {
  struct Wrong {
    const char* answer;
    const char* kind;
  };
  for (const Wrong wrong : {
           Wrong{"HTTP/1.1 502 Bad\r\nContent-Length: 4\r\n\r\noops", "status"},
           Wrong{"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\noops", "bytes"},
           Wrong{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello again", "excess"},
           Wrong{"HTTP/9.9 200 OK\r\n\r\n", "malformed"},
           Wrong{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", "cut"},
       }) {
    CAPTURE(wrong.kind);
    Options options = options_for(1000, 2);
    options.expect_bytes = 5;
    const Outcome outcome = run(options, wrong.answer, true);
    CHECK(outcome.report->requests == 0);
    CHECK(outcome.report->error_kinds[wrong.kind] >= 100);
    CHECK(outcome.report->errors < 1000);
    CHECK(outcome.report->first_error.starts_with(wrong.kind));
  }
}

TEST_CASE("load: events are counted, missed ones are errors, and an abort is noted") {
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: ";
  std::string body;
  for (int i = 0; i < 10; ++i) body += "data: {}\n\n";
  const std::string answer = head + std::to_string(body.size()) + "\r\n\r\n" + body;
  Options options = options_for(5, 1);
  options.expect_events = 10;
  const Outcome whole = run(options, answer);
  CHECK(whole.report->requests == 5);
  CHECK(whole.report->events == 50);
  CHECK(whole.report->first_event.count() == 5);
  CHECK(whole.report->event_gap.count() == 45);

  options.expect_events = 11;
  CHECK(run(options, answer).report->error_kinds["events"] == 5);

  options.expect_events = 0;
  options.abort_after = 3;
  const std::uint64_t before_ns = now_ns();
  const Outcome aborted = run(options, answer);
  CHECK(aborted.report->requests == 5);
  REQUIRE(aborted.report->aborts.size() == 5);
  CHECK(aborted.report->aborts.front().monotonic_ns >= before_ns);
  CHECK(aborted.report->aborts.back().monotonic_ns <= now_ns());

  options.abort_after = 11;
  CHECK(run(options, answer).report->error_kinds["events"] == 5);
}

TEST_CASE("request: the filler brings a body to its size") {
  Options options = options_for(1, 1);
  CHECK(build_body(options).size() == 1024);
  options.body_bytes = 10;
  CHECK(build_body(options).find('@') == std::string::npos);
  options.port = "80";
  options.headers = {"X-A: b", "content-type: text/plain"};
  options.path = "/v1/x?y";
  const std::string request = build_request(options, "{}");
  CHECK(request ==
        "POST /v1/x?y HTTP/1.1\r\nX-A: b\r\ncontent-type: text/plain\r\nHost: 127.0.0.1:80\r\n"
        "Content-Length: 2\r\n\r\n{}");
  options.method = "GET";
  options.headers = {"Host: h"};
  CHECK(build_request(options, "{}") == "GET /v1/x?y HTTP/1.1\r\nHost: h\r\n\r\n");
  options.body_file = "/nonexistent/body";
  CHECK_THROWS(build_body(options));
}

TEST_CASE("report: JSON carries the numbers and stays JSON") {
  Options options = options_for(3, 1);
  Report report;
  report.requests = 3;
  report.errors = 1;
  report.elapsed_ns = 1'500'000'000;
  report.statuses[200] = 3;
  report.first_error = "status: \"quoted\"\n\x01";
  report.latency.record_many(2000, 3);
  report.aborts.push_back({11, 22});
  const std::string json = render_json(options, report);
  CHECK(json.find(R"("requests":3,"errors":1,"statuses":{"200":3})") != std::string::npos);
  CHECK(json.find(R"("first_error":"status: \"quoted\"??")") != std::string::npos);
  CHECK(json.find(R"("requests_per_s":2.0)") != std::string::npos);
  CHECK(json.find(R"("aborts":[{"monotonic_ns":11,"realtime_ns":22}])") != std::string::npos);
  CHECK(render_text(options, report).find("first error: status") != std::string::npos);
}
