#include "harness.hpp"

#include <fcntl.h>
#include <unistd.h>

#include "flexd/account/key.hpp"

namespace flexd::sim_test {
namespace {

constexpr uint64_t kMostNs = 3600 * kSecond;

io::ReactorOptions reactor_options(metrics::Core* metrics, const config::Settings& settings) {
  io::ReactorOptions options;
  options.sockets_max = 2000;
  options.recv_buffers = 256;
  options.memory_budget_bytes = settings.memory_budget_bytes;
  options.connect_timeout_ns = settings.connect_timeout_ns;
  options.metrics = metrics;
  return options;
}

std::unique_ptr<io::Reactor> make_reactor(io::sim::World& world, std::string_view ip,
                                          metrics::Core* metrics,
                                          const config::Settings& settings) {
  const io::sim::World::Scope scope(world, ip);
  auto reactor = io::Reactor::create(reactor_options(metrics, settings));
  REQUIRE(reactor.has_value());
  world.add(**reactor);
  return std::move(*reactor);
}

// simulator is shared by all that run in this process: its certificates, which take long to make,
// are not used here.
flexsim::Simulator& simulator() {
  static const auto made = std::move(flexsim::Simulator::create({}).value());
  return *made;
}

}  // namespace

SimOptions three_providers() {
  SimOptions options;
  options.account.gemini_key = "AIza-sim";
  options.account.anthropic_key = "sk-ant-sim";
  return options;
}

SimOptions::SimOptions() {
  settings.max_clients = 200;
  settings.gemini.scheme = config::OriginUrl::Scheme::h2c;
  settings.anthropic.scheme = config::OriginUrl::Scheme::h2c;
  account.openai_key = "sk-sim";
  account.race_slots = 1000;
}

LogPipe::LogPipe() {
  REQUIRE(::pipe2(fds_.data(), O_CLOEXEC | O_NONBLOCK) == 0);
}

LogPipe::~LogPipe() {
  for (const int fd : fds_) ::close(fd);
}

std::string LogPipe::read() {
  std::string text;
  std::array<char, 65536> space;
  for (;;) {
    const ssize_t count = ::read(fds_[0], space.data(), space.size());
    if (count <= 0) return text;
    text.append(space.data(), static_cast<size_t>(count));
  }
}

Sim::Sim(const SimOptions& chosen)
    : options(chosen),
      world(options.seed, options.world),
      key_(std::string(account::kInferencePrefix) + std::string(kDigits)),
      auth_failures_(
          std::make_unique<account::AuthFailures>(options.settings.auth_failures_per_minute, 1)),
      writer_(std::make_unique<LogWriter>(pipe_.write_fd(), false)),
      log_(std::make_unique<Log>(writer_->add_ring(), LogFormat::json, LogLevel::info)),
      client_reactor_(make_reactor(world, "10.0.0.1", nullptr, {})),
      gateway_reactor_(make_reactor(world, "10.0.0.2", &metrics, options.settings)),
      provider_reactor_(make_reactor(world, "10.0.0.3", nullptr, {})),
      provider_(std::make_unique<Provider>(*provider_reactor_)),
      provider(*provider_) {
  const auto checksum = account::key_checksum(kDigits);
  key_.append(checksum.data(), checksum.size());
  options.account.key = key_;
  // The rest of the URL is a test's to choose.
  options.settings.openai = {config::OriginUrl::Scheme::h2c, options.origin_ip, 80,
                             options.settings.openai.path_prefix};
  options.settings.gemini.port = port_of(errors::Provider::gemini);
  options.settings.anthropic.port = port_of(errors::Provider::anthropic);
  for (config::OriginUrl* const url : {&options.settings.gemini, &options.settings.anthropic}) {
    url->host = options.origin_ip;
  }
  shared.settings = &options.settings;
  shared.flex_models = &flex_models_;
  shared.auth_failures = auth_failures_.get();
  shared.snapshot = account::make_dev_snapshot(options.account, arena_);
  if (options.flexsim) {
    simulator().reset();
    flexsim_ = std::move(flexsim::Server::create(simulator(), 0, *provider_reactor_).value());
    for (const errors::Provider of : kProviders) {
      const auto at = io::Address::from_ip("10.0.0.3", port_of(of)).value();
      REQUIRE(flexsim_->listen(at, flexsim::Transport::plain).has_value());
    }
  } else {
    provider.listen();
  }
  worker = std::make_unique<front::Worker>(*gateway_reactor_, shared, metrics, *log_);
  REQUIRE(worker->open_origins().has_value());
  const auto listening = worker->listen(io::Address::from_ip("10.0.0.2", 8080).value());
  REQUIRE(listening.has_value());
  address = *listening;
}

Sim::~Sim() {
  shut_down();
}

void Sim::shut_down() {
  if (over_) return;
  over_ = true;
  world.faults() = {};
  for (const auto& client : clients_) client->abort();
  world.run_for(100 * kMs);
  // The callers are gone, and so is every attempt made for them.
  CHECK(open_attempts() == 0);
  worker->drain();
  const bool quiet = world.run_until_true([this] { return worker->is_quiet(); }, 60 * kSecond);
  CHECK(quiet);
  if (!quiet) {
    worker->cut();
    const bool cut = world.run_until_true([this] { return worker->is_quiet(); }, 60 * kSecond);
    REQUIRE(cut);
  }
  provider.close();
  if (flexsim_ != nullptr) {
    flexsim_->stop();
  } else {
    provider_reactor_->stop_listening();
  }
  world.run_for(40 * kSecond);
  CHECK((flexsim_ == nullptr || flexsim_->is_idle()));
  lines();
  CHECK(race_slots_in_use() == 0);
  worker.reset();
  CHECK(gateway_reactor_->blocks().in_use_bytes() == 0);
  CHECK(gateway_reactor_->live_sockets() == 0);
  provider_.reset();
  flexsim_.reset();
  client_reactor_.reset();
  gateway_reactor_.reset();
  provider_reactor_.reset();
  for (const std::string& left : world.check_quiescent()) FAIL_CHECK(left);
}

Client& Sim::connect() {
  // A reactor reads the time at the beginning of a turn; its last one may be long ago.
  client_reactor_->turn(false);
  clients_.push_back(std::make_unique<Client>(*client_reactor_, address));
  return *clients_.back();
}

std::string Sim::head_of(std::string_view extra) const {
  return "POST /v1/responses HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n"
         "Authorization: Bearer " +
         key_ + "\r\n" + std::string(extra);
}

std::string Sim::post(std::string_view body, std::string_view extra) const {
  return head_of(extra) + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         std::string(body);
}

Client& Sim::send(std::string_view body, std::string_view extra) {
  Client& client = connect();
  client.send(post(body, extra));
  return client;
}

const Reply& Sim::ask(std::string_view body, std::string_view extra) {
  return wait(send(body, extra));
}

std::string Sim::post_to(std::string_view path, std::string_view body,
                         std::string_view extra) const {
  return "POST " + std::string(path) +
         " HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\nAuthorization: Bearer " +
         key_ + "\r\n" + std::string(extra) + "Content-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + std::string(body);
}

Client& Sim::send_to(std::string_view path, std::string_view body, std::string_view extra) {
  Client& client = connect();
  client.send(post_to(path, body, extra));
  return client;
}

const Reply& Sim::ask_at(std::string_view path, std::string_view body, std::string_view extra) {
  return wait(send_to(path, body, extra));
}

const Reply& Sim::wait(Client& client, size_t replies) {
  const bool done = world.run_until_true(
      [&] { return client.whole_replies() >= replies || client.is_closed(); }, kMostNs);
  CHECK(done);
  CHECK(!client.broken());
  return client.reply(replies - 1);
}

const std::vector<std::string>& Sim::lines() {
  writer_->drain();
  unread_ += pipe_.read();
  for (;;) {
    const size_t end = unread_.find('\n');
    if (end == std::string::npos) return lines_;
    const std::string line = unread_.substr(0, end);
    if (line.find(R"("event":"request")") != std::string::npos) lines_.push_back(line);
    unread_.erase(0, end + 1);
  }
}

uint64_t Sim::requests(metrics::Outcome outcome, metrics::Reason reason) const {
  return metrics.value(metrics::Counter::requests, metrics::at(outcome, reason));
}

uint64_t Sim::requests_total() const {
  uint64_t total = 0;
  for (size_t outcome = 0; outcome < metrics::kOutcomes.size(); ++outcome) {
    for (size_t reason = 0; reason < metrics::kReasons.size(); ++reason) {
      total += metrics.value(metrics::Counter::requests, metrics::at(outcome, reason));
    }
  }
  return total;
}

uint64_t Sim::attempts(metrics::AttemptResult result) const {
  uint64_t total = 0;
  for (const errors::Provider of : kProviders) total += attempts(of, result);
  return total;
}

uint64_t Sim::attempts(errors::Provider of, metrics::AttemptResult result) const {
  uint64_t total = 0;
  for (size_t tier = 0; tier < metrics::kTiers.size(); ++tier) {
    total += metrics.value(metrics::Counter::attempts, metrics::at(of, tier, result));
  }
  return total;
}

uint64_t Sim::possible_double_bills(errors::Provider of) const {
  return metrics.value(metrics::Counter::possible_double_bills, metrics::at(of));
}

size_t Sim::open_attempts() const {
  if (flexsim_ == nullptr) return provider.open_streams();
  size_t open = 0;
  for (const flexsim::TierCounters& tier : report().tiers) {
    open += tier.endings[static_cast<size_t>(flexsim::Ending::open)];
  }
  return open;
}

flexsim::Report Sim::report() const {
  return simulator().report();
}

uint64_t Sim::attempts_total() const {
  uint64_t total = 0;
  for (size_t result = 0; result < metrics::kAttemptResults.size(); ++result) {
    total += attempts(static_cast<metrics::AttemptResult>(result));
  }
  return total;
}

std::string Sim::line_of(std::string_view request_id) {
  for (const std::string& line : lines()) {
    if (json_text(line, "request_id") == request_id) return line;
  }
  return "";
}

uint32_t Sim::race_slots_in_use() {
  return arena_.organization(account::kDevNumber).race_slots.in_use();
}

}  // namespace flexd::sim_test
