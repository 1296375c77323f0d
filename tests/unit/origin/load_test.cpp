// Random load under faults, a seed a world: every attempt gets exactly one ending.
#include <cstdlib>
#include <deque>

#include "net.hpp"

namespace flexd::origin::test {
namespace {

constexpr uint64_t kSeeds = 300;

// Load starts, cancels and consumes attempts at random; providers answer at random.
class Load {
 public:
  explicit Load(uint64_t seed);
  void run();

 private:
  static NetOptions options(uint64_t seed);
  uint64_t draw(uint64_t bound) { return net_.world.random(bound); }
  void answer_h2(H2Link& link, int32_t stream);
  void answer_h1(H1Link& link);
  void step();
  void start();
  void stir();

  uint64_t seed_;
  bool harmful_;
  bool settling_ = false;  // nothing is withheld any more
  Net net_;
  std::deque<Call> calls_;
  std::deque<bool> cancelled_;
};

NetOptions Load::options(uint64_t seed) {
  NetOptions options;
  options.seed = seed;
  options.scheme = seed % 2 == 0 ? Scheme::h2c : Scheme::http;
  options.pool.streams_per_connection_max = seed % 3 == 0 ? 3 : 64;
  options.pool.connections_max = seed % 5 == 0 ? 2 : 8;
  options.pool.waiting_max = seed % 7 == 0 ? 5 : 1000;
  options.pool.age_max_ns = 2 * kSecond;
  options.pool.resets_max = 10;
  return options;
}

Load::Load(uint64_t seed) : seed_(seed), harmful_(seed % 4 >= 2), net_(options(seed)) {
  net_.world.faults() =
      harmful_ ? io::sim::Faults::harmful(0.05, 0.01) : io::sim::Faults::harmless(0.1);
  net_.h2.options.streams_max = seed % 11 == 0 ? 2 : 100;
  net_.h2.when_whole = [this](H2Link& link, int32_t stream) { answer_h2(link, stream); };
  net_.h1.when_whole = [this](H1Link& link) { answer_h1(link); };
}

void Load::answer_h2(H2Link& link, int32_t stream) {
  const uint64_t kind = draw(harmful_ ? 12 : 8);
  if (kind == 8) return;  // never answers: the load cancels in the end
  if (kind == 9) return link.reset(stream, 7);
  if (kind == 10) return link.goaway(stream);
  if (kind == 11) return link.abort();
  const uint64_t later_ns = net_.world.now_ns() + draw(200) * kMs;
  const std::string body(draw(5) == 0 ? draw(400'000) : draw(2'000), 'b');
  net_.world.at(later_ns, [&link, stream, body] {
    if (link.is_open()) link.answer(stream, body);
  });
}

void Load::answer_h1(H1Link& link) {
  const uint64_t kind = draw(harmful_ ? 12 : 8);
  if (kind == 8) return;
  if (kind == 9) return link.close();
  if (kind >= 10) return link.abort();
  const std::string body(draw(5) == 0 ? draw(400'000) : draw(2'000), 'b');
  std::string bytes = "HTTP/1.1 200 OK\r\n";
  if (kind == 0) bytes += "\r\n" + body;
  if (kind == 1) {
    bytes = "HTTP/1.1 103 Early Hints\r\n\r\n" + bytes + "transfer-encoding: chunked\r\n\r\n";
    if (!body.empty()) {
      char size[24];
      std::snprintf(size, sizeof size, "%zx\r\n", body.size());
      bytes += size + body + "\r\n";
    }
    bytes += "0\r\n\r\n";
  }
  if (kind > 1) bytes += "content-length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  net_.world.at(net_.world.now_ns() + draw(200) * kMs, [&link, bytes, kind] {
    link.send(bytes);
    if (kind == 0) link.close();
  });
}

void Load::start() {
  const size_t index = calls_.size();
  Call& call = calls_.emplace_back(std::string(draw(8) == 0 ? draw(300'000) : draw(500), 'q'));
  cancelled_.push_back(false);
  call.consumes = settling_ || draw(4) != 0;
  // Some cancel themselves or another from inside a callback, some start another.
  const uint64_t mood = draw(10);
  if (mood == 0) {
    call.when_head = [this, index] {
      cancelled_[index] = true;
      calls_[index].cancel();
    };
  }
  if (mood == 1) {
    call.when_body = [this] { stir(); };
  }
  if (mood == 2 && calls_.size() < 60) {
    call.when_failure = call.when_end = [this] { start(); };
  }
  call.start(*net_.pool);
}

// stir cancels an attempt, or gives the credit of one back.
void Load::stir() {
  if (calls_.empty()) return;
  const size_t index = draw(calls_.size());
  Call& call = calls_[index];
  if (!call.is_open()) return;
  if (draw(3) == 0) {
    cancelled_[index] = true;
    call.cancel();
  } else if (!call.consumes) {
    call.consumes = true;
    call.attempt->consume(call.body.size());
  }
}

void Load::step() {
  if (draw(2) == 0) start();
  stir();
  net_.run(draw(60) * kMs);
}

void Load::run() {
  CAPTURE(seed_);
  for (int i = 0; i < 40; i++) step();
  net_.world.faults() = {};
  settling_ = true;
  // Credit is given back, and what will never be answered is cancelled in the end.
  for (Call& call : calls_) {
    if (call.is_open() && !std::exchange(call.consumes, true)) {
      call.attempt->consume(call.body.size());
    }
  }
  net_.run(60 * kSecond);
  size_t silent = 0;
  for (size_t i = 0; i < calls_.size(); i++) {
    CAPTURE(i);
    if (calls_[i].is_open()) {
      silent++;
      cancelled_[i] = true;
      calls_[i].cancel();
      CHECK(calls_[i].endings() == 0);
    } else {
      CHECK(calls_[i].endings() == (cancelled_[i] ? 0 : 1));
    }
    // Without harm every attempt that is not cancelled succeeds, but for those turned away.
    if (!harmful_ && !calls_[i].failures.empty()) {
      const Failure& failure = calls_[i].failures.front();
      CHECK((failure.kind == FailureKind::overloaded || failure.never_processed));
    }
  }
  if (!harmful_) CHECK(silent == 0);
  net_.run(kSecond);
  CHECK(net_.pool->stream_count() == 0);
  CHECK(net_.pool->waiting_count() == 0);
  net_.finish();
}

}  // namespace

TEST_CASE("every attempt gets exactly one ending, whatever happens") {
  const char* const chosen = std::getenv("FLEXD_SEED");
  const uint64_t first = chosen != nullptr ? std::strtoull(chosen, nullptr, 10) : 0;
  const uint64_t count = chosen != nullptr ? 1 : kSeeds;
  for (uint64_t seed = first; seed < first + count; seed++) {
    CAPTURE(seed);
    Load(seed).run();
  }
}

}  // namespace flexd::origin::test
