// The whole gateway between clients and the simulated provider, in virtual time. The input is what
// the clients do. Nothing may crash, every answer is HTTP, and at the end nothing is left of
// anything: no request, no attempt, no block, no race slot, no descriptor.
//
// The first two bytes are choices (see World). The rest is sent as it stands, with these escapes:
//
//   ~~    a tilde                          ~K    the right key
//   ~H    the head of a good request, without its framing and its end
//   ~Px   the same, for path x of kPaths
//   ~Qxyz a whole good request for path x and model y, with marker z of kScenarios; to x add 4 for
//         a race, 8 for a stream
//   ~{ ~} a body between them: Content-Length, the blank line, the body
//   ~Sx   a marker of kScenarios           ~Bx   x times 4096 bytes
//   ~Tx   a marker of kAnswers             ~Mx   a model of kModels
//   ~|    the packet ends                  ~dx   x * x milliseconds pass
//   ~w    wait for an answer to end        ~n    a new client
//   ~c    the client closes (FIN)          ~a    it aborts (RST)
//   ~p    it stops reading                 ~r    it goes on
//   ~k    the provider's connections are lost
//
// An x counts from '@'.
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "client.hpp"
#include "flexd/account/auth_failures.hpp"
#include "flexd/account/key.hpp"
#include "flexd/account/snapshot.hpp"
#include "flexd/base/log.hpp"
#include "flexd/front/worker.hpp"
#include "flexd/io/sim.hpp"
#include "flexd/metrics/core.hpp"
#include "flexsim/server.hpp"
#include "flexsim/simulator.hpp"

using namespace flexd;

namespace {

constexpr uint64_t kMs = 1'000'000;
constexpr uint64_t kSecond = 1000 * kMs;
constexpr size_t kClientsMax = 4;
constexpr size_t kFillerBytesMax = size_t{3} << 20U;
constexpr size_t kStepsMax = 200;
constexpr std::string_view kDigits = "0123456789abcdef01234567";
constexpr std::string_view kMarker = "[flexsim:";

// Sizes are bounded here: the simulator sends whatever a marker asks for.
constexpr std::array<std::string_view, 32> kScenarios = {
    "ok",
    "ok bytes=60000 events=50",
    "start-after 3s",
    "queue 2s",
    "queue-forever",
    "keepalive-only",
    "refuse",
    "error 400 bad",
    "error-html 502",
    "error-empty 500",
    "error-gzip 503",
    "error-big 500",
    "error-badjson 429",
    "failed-before-start",
    "failed-after-start",
    "error-event-before",
    "error-event-after nested",
    "die-before-headers rst",
    "die-before-headers abort",
    "die-before-start close",
    "die-mid abort",
    "end-without-terminal",
    "end-before-start",
    "stall-mid",
    "split-bytes",
    "slow-standard 20s",
    "goaway-before",
    "goaway-mid",
    "refused-stream 3",
    "conversation-locked 2",
    "early-json",
    "huge-event 300000",
};

// kAnswers say something that not every dialect says alike.
constexpr std::array<std::string_view, 10> kAnswers = {
    "tool-call",       "tools",   "interleaved", "agent 1", "reasoning",
    "reasoning-tools", "refusal", "incomplete",  "unicode", "cached"};

constexpr std::array<std::string_view, 4> kPaths = {"/v1/responses", "/v1/chat/completions",
                                                    "/v1beta/interactions", "/v1/messages"};
constexpr std::array<std::string_view, 3> kModels = {"gpt-5.4", "gemini-3.5-flash",
                                                     "claude-sonnet-4-5"};

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "gateway_fuzz: %s\n", what);
  std::abort();
}

std::string make_key() {
  const auto checksum = account::key_checksum(kDigits);
  return std::string(account::kInferencePrefix) + std::string(kDigits) +
         std::string(checksum.data(), checksum.size());
}

// Step is something a client does.
struct Step {
  enum class Op : uint8_t { send, cut, delay, wait, open, close, abort, pause, resume, kill };
  Op op;
  std::string text;
  uint64_t delay_ns = 0;
};

size_t count(std::string_view text, std::string_view word) {
  size_t found = 0;
  for (size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    ++found;
  }
  return found;
}

// Script is the input, read.
class Script {
 public:
  Script(std::string_view input, const std::string& key) : input_(input), key_(key) {
    while (!input_.empty() && steps_.size() < kStepsMax) read();
    flush();
    for (const Step& step : steps_) {
      sent_ += step.text;
    }
  }
  const std::vector<Step>& steps() const { return steps_; }
  // acceptable: no marker but those of kScenarios.
  bool acceptable() const { return count(sent_, kMarker) == markers_; }
  // has_head_request: answers may have a length and no body, which Client does not expect.
  bool has_head_request() const { return sent_.find("HEAD ") != std::string::npos; }

 private:
  void read() {
    const char first = take();
    if (first != '~' || input_.empty()) {
      text_ += first;
      return;
    }
    const char escape = take();
    if (!read_text(escape)) read_action(escape);
  }
  bool read_text(char escape) {
    switch (escape) {
      case '~':
        text_ += '~';
        return true;
      case 'K':
        text_ += key_;
        return true;
      case 'H':
        add_head(kPaths[0]);
        return true;
      case 'P':
        add_head(kPaths[number() % kPaths.size()]);
        return true;
      case 'Q':
        add_question();
        return true;
      case 'M':
        text_ += kModels[number() % kModels.size()];
        return true;
      case 'S':
        add_marker(kScenarios[number() % kScenarios.size()]);
        return true;
      case 'T':
        add_marker(kAnswers[number() % kAnswers.size()]);
        return true;
      case 'B': {
        const size_t bytes = number() * 4096;
        if (filler_ + bytes <= kFillerBytesMax) text_.append(bytes, 'b');
        filler_ += bytes;
        return true;
      }
      case '{':
        if (body_ == std::string::npos) body_ = text_.size();
        return true;
      case '}':
        end_body();
        return true;
      default:
        return false;
    }
  }
  void add_head(std::string_view path) {
    text_ += "POST " + std::string(path) + " HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer " +
             key_ + "\r\n";
  }
  void add_marker(std::string_view scenario) {
    text_ += std::string(kMarker) + std::string(scenario) + "]";
    ++markers_;
  }
  // add_question writes a request that has all that any dialect and provider wants of it.
  void add_question() {
    const size_t choice = number();
    const size_t path = choice % kPaths.size();
    const std::string model(kModels[number() % kModels.size()]);
    const bool race = (choice & 4U) != 0;
    const bool stream = (choice & 8U) != 0;
    constexpr std::array<std::string_view, 4> kLimits = {
        R"("max_output_tokens":99,"input":")", R"("max_tokens":99,"messages":[{"role":"user",)",
        R"("generation_config":{"max_output_tokens":99},"input":")",
        R"("max_tokens":99,"messages":[{"role":"user",)"};
    const bool has_messages = path % 2 == 1;
    add_head(kPaths[path]);
    end_body();
    body_ = text_.size();
    text_ += R"({"model":")" + model + R"(","start_within":")" +
             (race ? "00h-00m-09s" : "default") + "\"," + (stream ? R"("stream":true,)" : "") +
             std::string(kLimits[path]) + (has_messages ? R"("content":")" : "");
    add_marker(kScenarios[number() % kScenarios.size()]);
    text_ += has_messages ? "\"}]}" : "\"}";
    end_body();
  }
  void read_action(char escape) {
    using Op = Step::Op;
    constexpr std::string_view kEscapes = "|dwncaprk";
    constexpr std::array kOps = {Op::cut,   Op::delay, Op::wait,   Op::open, Op::close,
                                 Op::abort, Op::pause, Op::resume, Op::kill};
    const size_t index = kEscapes.find(escape);
    if (index == std::string_view::npos) return;
    flush();
    const Op op = kOps[index];
    const uint64_t value = op == Op::delay ? number() : 0;
    steps_.push_back({op, "", value * value * kMs});
  }
  void end_body() {
    if (body_ == std::string::npos) return;
    const std::string length = std::to_string(text_.size() - body_);
    text_.insert(body_, "Content-Length: " + length + "\r\n\r\n");
    body_ = std::string::npos;
  }
  void flush() {
    body_ = std::string::npos;
    if (!text_.empty()) steps_.push_back({Step::Op::send, std::move(text_), 0});
    text_.clear();
  }
  char take() {
    const char first = input_.front();
    input_.remove_prefix(1);
    return first;
  }
  size_t number() {
    return input_.empty() ? 0 : static_cast<uint8_t>(take()) ^ uint8_t { '@' };
  }

  std::string_view input_;
  const std::string& key_;
  std::string text_;
  std::string sent_;
  std::vector<Step> steps_;
  size_t body_ = std::string::npos;  // where the body begins
  size_t filler_ = 0;
  size_t markers_ = 0;
};

// LogFile is a log in memory.
class LogFile {
 public:
  LogFile() : fd_(::memfd_create("log", MFD_CLOEXEC)) { require(fd_ >= 0, "no memory file"); }
  ~LogFile() { ::close(fd_); }
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;
  int fd() const { return fd_; }
  std::string read() const {
    std::string text(static_cast<size_t>(::lseek(fd_, 0, SEEK_END)), '\0');
    const ssize_t size = ::pread(fd_, text.data(), text.size(), 0);
    require(size == static_cast<ssize_t>(text.size()), "the log cannot be read");
    return text;
  }

 private:
  int fd_;
};

flexsim::Simulator& simulator() {
  // Its certificates take long to make, and are not used.
  static const auto made = std::move(flexsim::Simulator::create({}).value());
  return *made;
}

// World is the gateway at 10.0.0.2, its clients at 10.0.0.1 and the provider at 10.0.0.3. Choices,
// counted from '@': in the first byte race mode, lead, one race slot, early headers, harmless
// faults, harmful faults; in the second little memory, leaving without waiting, a provider with
// HTTP/1.1, and the seed.
class World {
 public:
  World(unsigned first, unsigned second, const std::string& key);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  void play(const Script& script);
  // finish ends everything and looks for leftovers.
  void finish(bool answers_are_http);

 private:
  void choose(unsigned first, unsigned second, const std::string& key);
  std::unique_ptr<io::Reactor> make_reactor(std::string_view ip, metrics::Core* metrics);
  void perform(const Step& step);
  void open();
  void check_log();
  sim_test::Client* client() { return ended_ ? nullptr : clients_.back().get(); }

  io::sim::World world_;
  config::Settings settings_;
  account::DevSettings account_;
  account::LimitArena arena_;
  account::AuthFailures auth_failures_{5, 1};
  surface::FlexModels flex_models_ = surface::FlexModels::built_in();
  LogFile log_file_;
  LogWriter writer_{log_file_.fd(), false};
  Log log_{writer_.add_ring(), LogFormat::json, LogLevel::info};
  metrics::Core metrics_;
  front::Shared shared_;
  bool leaves_ = false;
  bool ended_ = false;  // of the newest client: it has closed or aborted
  std::unique_ptr<io::Reactor> client_reactor_;
  std::unique_ptr<io::Reactor> gateway_reactor_;
  std::unique_ptr<io::Reactor> provider_reactor_;
  std::unique_ptr<flexsim::Server> provider_;
  std::unique_ptr<front::Worker> worker_;
  io::Address provider_address_;
  io::Address address_;
  std::vector<std::unique_ptr<sim_test::Client>> clients_;
};

void World::choose(unsigned first, unsigned second, const std::string& key) {
  if ((first & 1U) != 0) settings_.race = config::RaceMode::sequential;
  if ((first & 2U) != 0) settings_.standard_lead_ns = kSecond;
  account_.race_slots = (first & 4U) != 0 ? 1 : 100;
  if ((first & 8U) != 0) settings_.early_headers_ns = kSecond;
  if ((first & 16U) != 0) world_.faults() = io::sim::Faults::harmless(0.1);
  if ((first & 32U) != 0) world_.faults() = io::sim::Faults::harmful(0.1, 0.005);
  settings_.memory_budget_bytes = (second & 1U) != 0 ? size_t{3} << 20U : size_t{64} << 20U;
  leaves_ = (second & 2U) != 0;
  settings_.max_clients = kClientsMax - 1;
  settings_.first_byte_timeout_ns = 30 * kSecond;
  settings_.idle_timeout_ns = 20 * kSecond;
  const bool http1 = (second & 4U) != 0;
  using Scheme = config::OriginUrl::Scheme;
  settings_.openai = {http1 ? Scheme::http : Scheme::h2c, "10.0.0.3", 80, ""};
  settings_.gemini = settings_.anthropic = settings_.openai;
  account_.key = key;
  account_.openai_key = "sk-sim";
  account_.gemini_key = "AIza-sim";
  account_.anthropic_key = "sk-ant-sim";
}

World::World(unsigned first, unsigned second, const std::string& key) : world_(second >> 3U) {
  choose(first, second, key);
  client_reactor_ = make_reactor("10.0.0.1", nullptr);
  gateway_reactor_ = make_reactor("10.0.0.2", &metrics_);
  provider_reactor_ = make_reactor("10.0.0.3", nullptr);
  simulator().reset();
  provider_ = std::move(flexsim::Server::create(simulator(), 0, *provider_reactor_).value());
  const auto transport = settings_.openai.scheme == config::OriginUrl::Scheme::http
                             ? flexsim::Transport::plain_http1
                             : flexsim::Transport::plain;
  provider_address_ =
      provider_->listen(io::Address::from_ip("10.0.0.3", 80).value(), transport).value();
  shared_.settings = &settings_;
  shared_.flex_models = &flex_models_;
  shared_.auth_failures = &auth_failures_;
  shared_.snapshot = account::make_dev_snapshot(account_, arena_);
  worker_ = std::make_unique<front::Worker>(*gateway_reactor_, shared_, metrics_, log_);
  require(worker_->open_origins().has_value(), "no origins");
  address_ = worker_->listen(io::Address::from_ip("10.0.0.2", 8080).value()).value();
}

World::~World() = default;

std::unique_ptr<io::Reactor> World::make_reactor(std::string_view ip, metrics::Core* metrics) {
  const io::sim::World::Scope scope(world_, ip);
  io::ReactorOptions options;
  options.sockets_max = 64;
  options.recv_buffers = 64;
  if (metrics != nullptr) options.memory_budget_bytes = settings_.memory_budget_bytes;
  options.metrics = metrics;
  auto made = std::move(io::Reactor::create(options).value());
  world_.add(*made);
  return made;
}

void World::open() {
  if (clients_.size() == kClientsMax) return;
  ended_ = false;
  // A reactor reads the time at the beginning of a turn; its last one may be long ago.
  client_reactor_->turn(false);
  clients_.push_back(std::make_unique<sim_test::Client>(*client_reactor_, address_));
}

void World::play(const Script& script) {
  open();
  for (const Step& step : script.steps()) perform(step);
  if (leaves_) return;
  world_.run_for(2 * kSecond);
  if (client() != nullptr) client()->resume();
  world_.run_for(60 * kSecond);
}

void World::perform(const Step& step) {
  using Op = Step::Op;
  if (step.op == Op::open) open();
  if (step.op == Op::cut) world_.run_for(kMs);
  if (step.op == Op::delay) world_.run_for(step.delay_ns);
  if (step.op == Op::kill) world_.kill_connections(provider_address_);
  sim_test::Client* const to = client();
  if (to == nullptr) return;
  if (step.op == Op::send) to->send(step.text);
  if (step.op == Op::pause) to->pause();
  if (step.op == Op::resume) to->resume();
  if (step.op == Op::wait) {
    const size_t replies = to->whole_replies() + 1;
    world_.run_until_true([&] { return to->is_closed() || to->whole_replies() >= replies; },
                          40 * kSecond);
  }
  if (step.op == Op::close || step.op == Op::abort) ended_ = true;
  if (step.op == Op::close) to->close();
  if (step.op == Op::abort) to->abort();
}

void World::check_log() {
  writer_.drain();
  const std::string lines = log_file_.read();
  uint64_t requests = 0;
  for (size_t outcome = 0; outcome < metrics::kOutcomes.size(); ++outcome) {
    for (size_t reason = 0; reason < metrics::kReasons.size(); ++reason) {
      requests += metrics_.value(metrics::Counter::requests, metrics::at(outcome, reason));
    }
  }
  require(count(lines, R"("event":"request")") == requests, "lines and requests differ");
  worker_->publish_gauges();
  require(metrics_.value(metrics::Gauge::requests_in_flight) == 0, "a request is left");
}

void World::finish(bool answers_are_http) {
  for (const auto& client : clients_) {
    if (answers_are_http) require(!client->broken(), "an answer is not HTTP");
  }
  world_.faults() = {};
  for (const auto& client : clients_) client->abort();
  world_.run_for(100 * kMs);
  for (const flexsim::TierCounters& tier : simulator().report().tiers) {
    require(tier.endings[static_cast<size_t>(flexsim::Ending::open)] == 0, "an attempt is left");
  }
  worker_->drain();
  const bool quiet = world_.run_until_true([this] { return worker_->is_quiet(); }, 60 * kSecond);
  require(quiet, "the gateway is not quiet");
  check_log();
  require(arena_.organization(account::kDevNumber).race_slots.in_use() == 0, "a race slot is left");
  provider_->stop();
  world_.run_for(40 * kSecond);
  require(provider_->is_idle(), "a connection to the provider is left");
  worker_.reset();
  require(gateway_reactor_->blocks().in_use_bytes() == 0, "a block is left");
  require(gateway_reactor_->live_sockets() == 0, "a socket is left");
  provider_.reset();
  client_reactor_.reset();
  gateway_reactor_.reset();
  provider_reactor_.reset();
  for (const std::string& left : world_.check_quiescent()) require(false, left.c_str());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::string key = make_key();
  if (size < 2 || size > 20'000) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const Script script(input.substr(2), key);
  if (!script.acceptable()) return 0;
  World world(data[0] ^ unsigned{'@'}, data[1] ^ unsigned{'@'}, key);
  world.play(script);
  world.finish(!script.has_head_request());
  return 0;
}
