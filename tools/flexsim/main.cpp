// flexsim: a simulated provider to talk to instead of OpenAI. See README.md for the scenarios.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <cstdio>
#include <fstream>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "flexd/io/reactor.hpp"
#include "server.hpp"
#include "simulator.hpp"

namespace flexd::flexsim {
namespace {

struct Options {
  std::vector<std::string> listen = {"127.0.0.1:0"};
  bool plain = false;
  bool h1_only = false;
  bool yield_each_turn = false;
  size_t workers = 1;
  std::string cert_dir;
  std::string port_file;
  std::string report_file;
  std::string default_scenario = "ok";
};

Transport transport_of(const Options& options) {
  if (options.plain) return options.h1_only ? Transport::plain_http1 : Transport::plain;
  return options.h1_only ? Transport::tls_http1 : Transport::tls;
}

// Worker runs one server on a thread of its own.
class Worker final : public io::MailHandler {
 public:
  Worker(Simulator& simulator, size_t index, const Options& options)
      : simulator_(simulator), index_(index), options_(options) {}

  // start returns once the worker listens on `addresses`, which get the ports chosen.
  Result<void> start(std::vector<io::Address>& addresses) {
    std::promise<Result<void>> ready;
    thread_ = std::thread([&] { run(addresses, ready); });
    Result<void> result = ready.get_future().get();
    if (!result) thread_.join();
    return result;
  }
  void stop() {
    while (!reactor_->post({})) std::this_thread::yield();
    thread_.join();
  }
  void on_mail(const io::Mail& /*mail*/) override { stopping_ = true; }

 private:
  Result<void> open(std::vector<io::Address>& addresses) {
    io::ReactorOptions reactor_options;
    reactor_options.yield_each_turn = options_.yield_each_turn;
    auto reactor = io::Reactor::create(reactor_options);
    if (!reactor) return fail(reactor.error());
    reactor_ = std::move(*reactor);
    reactor_->set_mail_handler(*this);
    auto server = Server::create(simulator_, index_, *reactor_);
    if (!server) return fail(server.error());
    server_ = std::move(*server);
    for (io::Address& address : addresses) {
      const auto bound = server_->listen(address, transport_of(options_));
      if (!bound) return fail(bound.error());
      address = *bound;
    }
    return {};
  }

  void run(std::vector<io::Address>& addresses, std::promise<Result<void>>& ready) {
    Result<void> opened = open(addresses);
    const bool is_open = opened.has_value();
    ready.set_value(std::move(opened));
    if (is_open) {
      while (!stopping_) reactor_->turn(true);
      server_->stop();
      while (!server_->is_idle()) reactor_->turn(true);
    }
    server_.reset();
    reactor_.reset();
  }

  Simulator& simulator_;
  size_t index_;
  const Options& options_;
  std::thread thread_;
  std::unique_ptr<io::Reactor> reactor_;
  std::unique_ptr<Server> server_;
  bool stopping_ = false;
};

bool write_file(const std::string& path, const std::string& text) {
  // A reader that waits for the file sees it whole.
  const std::string unfinished = path + ".new";
  std::ofstream file(unfinished, std::ios::trunc);
  file << text;
  file.close();
  return file.good() && ::rename(unfinished.c_str(), path.c_str()) == 0;
}

int complain(const std::string& message) {
  std::fprintf(stderr, "flexsim: %s\n", message.c_str());
  return 2;
}

// wait_for_signal returns when SIGTERM or SIGINT comes; they are blocked in all threads.
void wait_for_signal(const sigset_t& signals) {
  int signal = 0;
  while (sigwait(&signals, &signal) != 0) {
  }
}

Result<void> announce(const Options& options, const std::vector<io::Address>& addresses) {
  std::string ports;
  for (const io::Address& address : addresses) {
    std::printf("flexsim: listening on %s://%s\n", options.plain ? "http" : "https",
                address.to_string().c_str());
    ports += std::to_string(address.port()) + "\n";
  }
  std::fflush(stdout);
  if (!options.port_file.empty() && !write_file(options.port_file, ports)) {
    return fail_with(options.port_file + ": cannot be written");
  }
  return {};
}

int run(const Options& options) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);

  std::vector<io::Address> addresses;
  for (const std::string& text : options.listen) {
    const auto address = io::Address::parse(text);
    if (!address) return complain(address.error().message);
    addresses.push_back(*address);
  }
  auto simulator =
      Simulator::create({.workers = options.workers, .default_scenario = options.default_scenario});
  if (!simulator) return complain(simulator.error().message);
  if (!options.cert_dir.empty() &&
      !write_file(options.cert_dir + "/ca.pem", (*simulator)->authority_pem())) {
    return complain(options.cert_dir + ": ca.pem cannot be written there");
  }
  std::vector<std::unique_ptr<Worker>> workers;
  Result<void> result;
  for (size_t i = 0; i < options.workers && result; i++) {
    workers.push_back(std::make_unique<Worker>(**simulator, i, options));
    result = workers.back()->start(addresses);
    if (!result) workers.pop_back();
  }
  if (result) result = announce(options, addresses);
  if (result) wait_for_signal(signals);
  for (const auto& worker : workers) worker->stop();
  if (!result) return complain(result.error().message);
  if (!options.report_file.empty() &&
      !write_file(options.report_file, (*simulator)->report().to_json())) {
    return complain(options.report_file + ": cannot be written");
  }
  return 0;
}

}  // namespace

int main_with(int argc, char** argv) {
  Options options;
  CLI::App app("A simulated provider: OpenAI's Responses API, with scenarios to test against.");
  bool tls = false;
  app.add_option("--listen", options.listen, "ADDR:PORT, repeatable; port 0 chooses one");
  auto* tls_flag = app.add_flag("--tls", tls, "HTTP/2 and HTTP/1.1 over TLS (the default)");
  app.add_flag("--plain", options.plain, "HTTP/1.1, and HTTP/2 with prior knowledge, without TLS")
      ->excludes(tls_flag);
  app.add_flag("--h1-only", options.h1_only, "HTTP/1.1 only");
  app.add_option("--cert-dir", options.cert_dir, "write the authority's certificate, ca.pem, here")
      ->check(CLI::ExistingDirectory);
  app.add_option("--port-file", options.port_file, "write the ports here, one a line, when ready");
  app.add_option("--workers", options.workers, "threads")->check(CLI::Range(1, 256));
  app.add_option("--report-file", options.report_file, "write the report here at the end");
  app.add_option("--default-scenario", options.default_scenario,
                 "what a request without a marker gets, such as \"ok bytes=1000\"");
  app.add_flag("--yield-each-turn", options.yield_each_turn, "for valgrind");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    return complain(error.what());
  }
  return run(options);
}

}  // namespace flexd::flexsim

int main(int argc, char** argv) {
  return flexd::flexsim::main_with(argc, argv);
}
