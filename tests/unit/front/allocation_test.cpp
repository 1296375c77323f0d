// After warm-up no request makes flexd allocate. A worker on real sockets, with the simulated
// provider behind it over TLS and HTTP/2, answers requests of each kind; what its thread asks the
// heap for is counted (allocation_hook.hpp). The TLS library's share is counted apart, and so is
// what nghttp2 asks h2::Resources for: both are printed.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "allocation_hook.hpp"
#include "flexd/account/auth_failures.hpp"
#include "flexd/account/key.hpp"
#include "flexd/account/snapshot.hpp"
#include "flexd/base/log.hpp"
#include "flexd/front/worker.hpp"
#include "flexd/metrics/core.hpp"
#include "flexd/tls/certgen.hpp"
#include "flexsim/server.hpp"
#include "flexsim/simulator.hpp"

using namespace flexd;

namespace {

constexpr int kWarmUp = 200;
constexpr int kMeasured = 500;
constexpr int kLargeWarmUp = 5;
constexpr int kReceiveSeconds = 60;

// Provider is the simulated provider on a thread of its own.
class Provider final : public io::MailHandler {
 public:
  Provider() : simulator_(std::move(flexsim::Simulator::create({}).value())) {
    thread_ = std::thread([this] { main(); });
    ready_.wait(false);
  }
  ~Provider() {
    CHECK(reactor_->post({}));
    thread_.join();
  }
  Provider(const Provider&) = delete;
  Provider& operator=(const Provider&) = delete;
  const std::string& authority_pem() const { return simulator_->authority_pem(); }
  uint16_t port() const { return address_.port(); }
  void on_mail(const io::Mail& /*mail*/) override { stopping_ = true; }

 private:
  void main() {
    reactor_ = std::move(io::Reactor::create({.sockets_max = 64, .recv_buffers = 256}).value());
    reactor_->set_mail_handler(*this);
    auto server = std::move(flexsim::Server::create(*simulator_, 0, *reactor_).value());
    const io::Address any = io::Address::parse("127.0.0.1:0").value();
    address_ = server->listen(any, flexsim::Transport::tls).value();
    ready_ = true;
    ready_.notify_all();
    while (!stopping_) reactor_->turn(true);
    server->stop();
    while (!server->is_idle() || reactor_->operations_in_flight() > 0) {
      Timer nap([](void*) {}, nullptr);
      reactor_->timers().set(nap, reactor_->now_ns() + 1'000'000);
      reactor_->turn(true);
    }
    server.reset();
    reactor_.reset();
  }

  std::unique_ptr<flexsim::Simulator> simulator_;
  std::unique_ptr<io::Reactor> reactor_;
  io::Address address_;
  std::atomic<bool> ready_{false};
  bool stopping_ = false;
  std::thread thread_;
};

// Counts are of the worker's thread since it began.
struct Counts {
  uint64_t all = 0;  // without the TLS library's
  allocation_test::TlsAllocations tls;
  http::h2::MemoryCounters h2;
  uint64_t block_takes = 0;

  // own is flexd's: what h2::Resources fetches from the heap is for nghttp2. (A sanitizer's hook
  // does not see it.)
  uint64_t own() const { return all - (allocation_test::kCountsMalloc ? h2.system_takes : 0); }
};

// Gateway is one worker on a thread of its own.
class Gateway {
 public:
  Gateway(uint16_t provider_port, const std::string& ca_file, const std::string& key)
      : null_(::open("/dev/null", O_WRONLY | O_CLOEXEC)), writer_(null_) {
    settings_.max_clients = 16;
    settings_.auth_failures_per_minute = 0;
    settings_.openai = {config::OriginUrl::Scheme::https, "127.0.0.1", provider_port, ""};
    settings_.origin_ca_file = ca_file;
    shared_.settings = &settings_;
    shared_.flex_models = &flex_models_;
    shared_.auth_failures = &auth_failures_;
    shared_.snapshot = account::make_dev_snapshot({.key = key, .openai_key = "sk-test"}, arena_);
    thread_ = std::thread([this] { main(); });
    ready_.wait(false);
  }
  ~Gateway() {
    post(front::MailKind::stop);
    thread_.join();
    ::close(null_);
  }
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;
  const io::Address& address() const { return address_; }

  Counts counts() {
    const uint32_t before = published_;
    post(front::MailKind::publish);
    published_.wait(before);
    return counts_;
  }

 private:
  void post(front::MailKind kind) {
    REQUIRE(reactor_->post({.kind = static_cast<uint32_t>(kind)}));
  }
  void main() {
    Log log(writer_.add_ring(), LogFormat::json, LogLevel::info);
    reactor_ = std::move(io::Reactor::create({.sockets_max = 64, .metrics = &metrics_}).value());
    worker_ = std::make_unique<front::Worker>(*reactor_, shared_, metrics_, log);
    worker_->set_on_published([](void* self) { static_cast<Gateway*>(self)->publish(); }, this);
    if (!worker_->open_origins()) std::abort();
    address_ = worker_->listen(io::Address::parse("127.0.0.1:0").value()).value();
    ready_ = true;
    ready_.notify_all();
    allocation_test::start_counting();
    reactor_->run();
    worker_->cut();
    while (!worker_->is_quiet() || reactor_->operations_in_flight() > 0) {
      Timer nap([](void*) {}, nullptr);
      reactor_->timers().set(nap, reactor_->now_ns() + 1'000'000);
      reactor_->turn(true);
    }
    worker_.reset();
    reactor_.reset();
  }
  void publish() {
    counts_ = {allocation_test::allocations(), allocation_test::tls_allocations(),
               worker_->h2_memory(), reactor_->blocks().system_takes()};
    ++published_;
    published_.notify_all();
  }

  int null_;
  LogWriter writer_;
  config::Settings settings_;
  account::LimitArena arena_;
  account::AuthFailures auth_failures_{0, 1};
  surface::FlexModels flex_models_ = surface::FlexModels::built_in();
  metrics::Core metrics_;
  front::Shared shared_;
  std::unique_ptr<io::Reactor> reactor_;
  std::unique_ptr<front::Worker> worker_;
  io::Address address_;
  std::atomic<bool> ready_{false};
  std::atomic<uint32_t> published_{0};
  Counts counts_;
  std::thread thread_;
};

// Caller is a blocking connection kept alive.
class Caller {
 public:
  explicit Caller(const io::Address& address)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval limit{kReceiveSeconds, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    REQUIRE(::connect(fd_, address.data(), address.size()) == 0);
  }
  ~Caller() { ::close(fd_); }
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;

  // ask sends a request and returns the whole reply.
  const std::string& ask(const std::string& request) {
    REQUIRE(::send(fd_, request.data(), request.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(request.size()));
    reply_.clear();
    while (!is_whole()) {
      std::array<char, 16384> space;
      const ssize_t size = ::recv(fd_, space.data(), space.size(), 0);
      REQUIRE(size > 0);
      reply_.append(space.data(), static_cast<size_t>(size));
    }
    return reply_;
  }

 private:
  bool is_whole() const {
    const size_t head = reply_.find("\r\n\r\n");
    if (head == std::string::npos) return false;
    const size_t length = reply_.find("ontent-length: ");
    if (length > head) return reply_.ends_with("\r\n0\r\n\r\n");
    return reply_.size() == head + 4 + std::strtoull(reply_.c_str() + length + 15, nullptr, 10);
  }
  int fd_;
  std::string reply_;
};

std::string make_key() {
  constexpr std::string_view kDigits = "0123456789abcdef01234567";
  const auto checksum = account::key_checksum(kDigits);
  return std::string(account::kInferencePrefix) + std::string(kDigits) +
         std::string(checksum.data(), checksum.size());
}

std::string post(const std::string& key, const std::string& body,
                 const std::string& path = "/v1/responses") {
  return "POST " + path + " HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer " + key +
         "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

std::string body(const std::string& start_within, bool stream, const std::string& input) {
  return R"({"model":"gpt-5.4","start_within":")" + start_within + "\"" +
         (stream ? R"(,"stream":true)" : "") + R"(,"input":")" + input + "\"}";
}

// translated is a request whose `messages` are no Responses input, in chat or in messages.
std::string translated(const std::string& start_within, bool stream, const std::string& text) {
  return R"({"model":"gpt-5.4","max_tokens":100,"start_within":")" + start_within + "\"" +
         (stream ? R"(,"stream":true)" : "") + R"(,"messages":[{"role":"user","content":")" + text +
         "\"}]}";
}

// Kind is a kind of request and what its reply has to hold.
struct Kind {
  const char* name;
  std::string request;
  const char* status;
  const char* holds;
  bool reconnects = false;  // each request has a connection of its own
};

std::vector<Kind> kinds(const std::string& key) {
  const std::string race = "00h-00m-30s";
  const std::string chat = "/v1/chat/completions";
  const std::string messages = "/v1/messages";
  const std::string wrong = std::string(account::kInferencePrefix) + std::string(30, '0');
  return {
      {"direct", post(key, body("default", false, "Hi")), "200", "tier_direct"},
      {"direct, streamed", post(key, body("default", true, "Hi")), "200", "response.completed"},
      {"race won", post(key, body(race, false, "Hi")), "200", "flex_won"},
      {"race won, streamed", post(key, body(race, true, "Hi")), "200", "flex_won"},
      {"race lost", post(key, body(race, false, "[flexsim:refuse]")), "200", "flex_capacity"},
      {"race lost, streamed", post(key, body(race, true, "[flexsim:refuse]")), "200",
       "flex_capacity"},
      {"60 KB in, 100 KB out",
       post(key, body(race, true, "[flexsim:ok bytes=100000]" + std::string(60'000, 'i'))), "200",
       "flex_won"},
      {"chat", post(key, translated("default", false, "Hi"), chat), "200", "chat.completion"},
      {"chat, streamed", post(key, translated("default", true, "Hi"), chat), "200", "[DONE]"},
      {"chat race won", post(key, translated(race, false, "Hi"), chat), "200", "flex_won"},
      {"chat race, streamed", post(key, translated(race, true, "Hi"), chat), "200", "flex_won"},
      {"chat, two calls", post(key, translated("default", true, "[flexsim:interleaved]"), chat),
       "200", "tool_calls"},
      {"chat, 60 KB, 100 KB",
       post(key, translated(race, true, "[flexsim:ok bytes=100000]" + std::string(60'000, 'i')),
            chat),
       "200", "flex_won"},
      {"messages", post(key, translated("default", false, "Hi"), messages), "200", "end_turn"},
      {"messages, streamed", post(key, translated("default", true, "Hi"), messages), "200",
       "message_stop"},
      {"messages, thoughts",
       post(key, translated("default", true, "[flexsim:reasoning-tools]"), messages), "200",
       "message_stop"},
      {"chat, refused",
       post(key,
            R"({"model":"gpt-5.4","start_within":"default","seed":1,)"
            R"("messages":[{"role":"user","content":"Hi"}]})",
            chat),
       "400", "unsupported_parameter"},
      {"provider's error", post(key, body("default", false, "[flexsim:error 400 bad]")), "400",
       "bad"},
      {"400", post(key, "{\"model\":"), "400", "error"},
      {"401", post(wrong, body("default", false, "Hi")), "401", "error"},
      {"404", post(key, "{}", "/v2/nothing"), "404", "error"},
      {"new connection", post(key, body(race, true, "Hi")), "200", "flex_won", true},
  };
}

// large is larger than any of kinds. How much of an answer is held at a time depends on who is
// faster; after it the block pool has enough for the slowest.
Kind large(const std::string& key) {
  const std::string input = "[flexsim:ok bytes=500000]" + std::string(900'000, 'i');
  return {"large", post(key, body("default", true, input)), "200", "tier_direct"};
}

void print(const char* name, const Counts& before, const Counts& after) {
  const auto each = [](uint64_t from, uint64_t to) {
    return static_cast<double>(to - from) / kMeasured;
  };
  std::printf(
      "%-22s own %.3f, TLS library %.2f (%.0f bytes), nghttp2 %.2f of which from the heap %.3f\n",
      name, each(before.own(), after.own()), each(before.tls.count, after.tls.count),
      each(before.tls.bytes, after.tls.bytes), each(before.h2.allocations, after.h2.allocations),
      each(before.h2.system_takes, after.h2.system_takes));
}

}  // namespace

TEST_CASE("after warm-up a request makes flexd allocate nothing") {
  Provider provider;
  const std::string key = make_key();
  std::string directory = std::filesystem::temp_directory_path() / "flexd-allocation-XXXXXX";
  REQUIRE(::mkdtemp(directory.data()) != nullptr);
  const std::string ca_file = directory + "/ca.pem";
  REQUIRE(tls::write_pem(ca_file, provider.authority_pem()).has_value());
  {
    Gateway gateway(provider.port(), ca_file, key);
    auto caller = std::make_unique<Caller>(gateway.address());
    const std::vector<Kind> all = kinds(key);
    const auto ask = [&](const Kind& kind, int times) {
      for (int i = 0; i < times; ++i) {
        if (kind.reconnects) caller = std::make_unique<Caller>(gateway.address());
        const std::string& reply = caller->ask(kind.request);
        CAPTURE(kind.name);
        CAPTURE(reply);
        REQUIRE(reply.substr(9, 3) == kind.status);
        REQUIRE(reply.find(kind.holds) != std::string::npos);
      }
    };
    ask(large(key), kLargeWarmUp);
    for (const Kind& kind : all) ask(kind, kWarmUp);
    for (const Kind& kind : all) {
      CAPTURE(kind.name);
      const Counts before = gateway.counts();
      allocation_test::keep_stacks();
      ask(kind, kMeasured);
      const Counts after = gateway.counts();
      print(kind.name, before, after);
      CHECK(after.own() == before.own());
      if (after.own() != before.own()) allocation_test::print_stacks();
      CHECK(after.h2.object_takes == before.h2.object_takes);
      CHECK(after.block_takes == before.block_takes);
      // Loose bounds: these are the libraries'. The peak of nghttp2's memory still moves a little:
      // which fields its tables of compressed headers hold depends on the order of arrival.
      CHECK(after.h2.system_takes - before.h2.system_takes <= kMeasured / 20);
      CHECK(after.tls.count - before.tls.count < uint64_t{100} * kMeasured);
      CHECK(after.h2.allocations - before.h2.allocations < uint64_t{100} * kMeasured);
    }
  }
  std::filesystem::remove_all(directory);
}
