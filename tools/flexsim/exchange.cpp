#include "exchange.hpp"

#include <algorithm>
#include <functional>

#include "canned.hpp"
#include "fields.hpp"
#include "flexd/base/ascii.hpp"
#include "plays.hpp"
#include "request.hpp"
#include "server.hpp"

namespace flexd::flexsim {
namespace {

constexpr size_t kSliceBytes = size_t{64} << 10U;
// kWaitingBytesMax is how much of an answer lies in a stream's queue at a time.
constexpr size_t kWaitingBytesMax = size_t{128} << 10U;

// trace_id is the second part of a traceparent (W3C Trace Context 3.2).
std::string_view trace_id(std::string_view traceparent) {
  return traceparent.size() >= 35 ? traceparent.substr(3, 32) : std::string_view();
}

uint64_t records_asked(std::string_view query) {
  constexpr std::string_view kName = "records=";
  if (!query.starts_with(kName)) return kRecordsMax;
  return parse_u64(query.substr(kName.size())).value_or(kRecordsMax);
}

}  // namespace

Exchange::Exchange(Server& server)
    : server_(server),
      timer_(timer_callback<Exchange, &Exchange::on_timer>, this),
      body_(server.reactor().blocks()) {}

void Exchange::begin(Protocol& protocol, int32_t stream, uint64_t connection,
                     const http::RequestHead& head) {
  protocol_ = &protocol;
  record_ = {};
  record_.connection = connection;
  record_.stream_id = stream;
  record_.is_http2 = head.version == http::Version::h2;
  entered_ = finished_ = dying_ = too_large_ = false;
  waiting_ = Waiting::no;
  at_ = 0;
  sent_ = body_bytes_ = sequence_ = 0;
  script_.clear();
  take_route(head);
  credentials_.authorization = head.fields.value("authorization");
  credentials_.api_key = head.fields.value("x-api-key");
  credentials_.goog_api_key = head.fields.value("x-goog-api-key");
  version_ = head.fields.value("anthropic-version");
  trace_ = trace_id(head.fields.value("traceparent"));
  query_ = head.query;
}

void Exchange::take_route(const http::RequestHead& head) {
  struct Place {
    std::string_view path;
    http::Method method;
    Route route;
    Vendor vendor;
  };
  constexpr Place kPlaces[] = {
      {"/v1/responses", http::Method::post, Route::api, Vendor::openai},
      {"/v1/interactions", http::Method::post, Route::api, Vendor::gemini},
      {"/v1beta/interactions", http::Method::post, Route::api, Vendor::gemini},
      {"/v1/messages", http::Method::post, Route::api, Vendor::anthropic},
      {"/flexsim/report", http::Method::get, Route::report, Vendor::openai},
      {"/flexsim/reset", http::Method::post, Route::reset, Vendor::openai},
  };
  route_ = Route::unknown;
  record_.vendor = Vendor::openai;
  for (const Place& place : kPlaces) {
    if (head.target != place.path) continue;
    route_ = head.method == place.method ? place.route : Route::wrong_method;
    record_.vendor = place.vendor;
  }
  script_.vendor = record_.vendor;
}

void Exchange::body(std::string_view bytes) {
  if (too_large_ || body_.size() + bytes.size() > kBodyBytesMax || !body_.append(bytes)) {
    too_large_ = true;
  }
}

void Exchange::complete() {
  make_script();
  play();
}

void Exchange::resume() {
  if (waiting_ != Waiting::room) return;
  waiting_ = Waiting::no;
  play();
}

void Exchange::closed(uint32_t code, bool lost) {
  timer_.cancel();
  waiting_ = Waiting::no;
  body_.clear();
  if (!entered_) return;
  Ending ending = Ending::completed;
  if (dying_) {
    ending = Ending::died;
  } else if (!finished_ || code != 0) {
    ending = lost ? Ending::connection_closed : Ending::cancelled;
  }
  if (ending == Ending::completed && script_.answered) {
    server_.ledger().answered(entry_, script_.model, script_.answered_tier, script_.usage);
  }
  const uint32_t shown_code = ending == Ending::cancelled ? code : 0;
  server_.ledger().close(entry_, ending, shown_code, body_bytes_, server_.reactor().now_ns());
  entered_ = false;
}

void Exchange::make_script() {
  record_.arrival_ns = server_.reactor().now_ns();
  switch (route_) {
    case Route::api:
      make_api_script();
      break;
    case Route::report:
      make_report_script();
      break;
    case Route::reset:
      server_.simulator().reset();
      script_.is_api = false;
      Plays::write_canned({.status = 200, .content_type = "application/json", .body = "{}\n"},
                          script_);
      break;
    case Route::unknown:
      Plays::write_canned(problem_answer({404, "Invalid URL", "", ""}, record_.vendor), script_);
      break;
    case Route::wrong_method:
      Plays::write_canned(
          problem_answer({405, "Method not allowed.", "", "method_not_supported"}, record_.vendor),
          script_);
      break;
  }
}

void Exchange::make_report_script() {
  Report report = server_.simulator().report();
  report.now_ns = server_.reactor().now_ns();
  script_.is_api = false;
  Plays::write_canned({.status = 200,
                       .content_type = "application/json",
                       .body = report.to_json(records_asked(query_))},
                      script_);
}

void Exchange::make_api_script() {
  const Vendor vendor = record_.vendor;
  if (too_large_) {
    enter_record(Tier::unset, false, "", trace_);
    Plays::write_canned(problem_answer({413, "The request is too large.", "", ""}, vendor),
                        script_);
    return;
  }
  const auto refused = authorization_answer(vendor, credentials_);
  const auto facts = read_request({.vendor = vendor, .body = body_.view(), .version = version_});
  if (refused || !facts) {
    enter_record(facts ? facts->tier : Tier::unset, facts && facts->stream, "", trace_);
    Plays::write_canned(refused ? *refused : problem_answer(facts.error(), vendor), script_);
    return;
  }
  make_answer(*facts);
}

void Exchange::make_answer(const RequestFacts& facts) {
  const std::string_view body = body_.view();
  Scenario scenario = find_scenario(body, key_scenario(facts.vendor, credentials_),
                                    server_.simulator().options().default_scenario,
                                    facts.tier == Tier::flex, facts.history.last_user_text());
  const std::string_view trace = facts.trace.empty() ? trace_ : facts.trace;
  enter_record(facts.tier, facts.stream, scenario.name, trace);
  if (scenario.kind == Kind::unknown) {
    Plays::write_canned(
        problem_answer({400, "There is no such flexsim scenario: " + std::string(scenario.name), "",
                        "flexsim_scenario"},
                       facts.vendor),
        script_);
    return;
  }
  if (scenario.times > 0) {
    const std::hash<std::string_view> hash;
    if (server_.simulator().count_try(hash(body)) > scenario.times) scenario = Scenario{};
  }
  server_.plays().write(scenario, facts, server_.next_id(), server_.reactor().unix_ms() / 1000,
                        script_);
}

void Exchange::enter_record(Tier tier, bool stream, std::string_view scenario,
                            std::string_view trace) {
  record_.tier = tier;
  record_.stream = stream;
  record_.streams_open = protocol_->streams_open();
  record_.scenario.set(scenario);
  record_.trace.set(trace);
  entry_ = server_.ledger().open(record_);
  entered_ = true;
}

void Exchange::on_timer() {
  waiting_ = Waiting::no;
  play();
}

// play goes on with the script until it has to wait or is at its end.
void Exchange::play() {
  while (waiting_ == Waiting::no && at_ < script_.steps.size()) {
    const Step step = script_.steps[at_];
    if (play_step(step)) at_++;
  }
}

// play_step is true if the script goes on with the next step, now or after a wait.
bool Exchange::play_step(const Step& step) {
  switch (step.op) {
    case Op::head:
      send_head();
      return true;
    case Op::send:
      return play_send(step, kSliceBytes, kWaitingBytesMax);
    case Op::send_apart:
      return play_send(step, 1, 0);
    case Op::started:
      if (entered_) server_.ledger().started(entry_, server_.reactor().now_ns());
      return true;
    case Op::sleep:
      sleep(step.a);
      return true;
    case Op::keepalives:
      if (sequence_ < step.b) {
        sequence_ = step.b;
      } else {
        keepalive_.clear();
        keepalive_event(record_.vendor, keepalive_, sequence_++);
        protocol_->write(record_.stream_id, keepalive_);
      }
      sleep(step.a);
      return false;
    case Op::hang:
      at_ = script_.steps.size();
      return false;
    case Op::finish:
      finished_ = true;
      protocol_->finish(record_.stream_id);
      return true;
    case Op::drain:
      if (protocol_->waiting_bytes(record_.stream_id) > 0) waiting_ = Waiting::room;
      return true;
    case Op::die:
      dying_ = true;
      protocol_->die(record_.stream_id, static_cast<Death>(step.a), static_cast<uint32_t>(step.b));
      return true;
    case Op::goaway_below:
      dying_ = true;
      protocol_->goaway_below(record_.stream_id);
      return true;
    case Op::goaway_notice:
      protocol_->goaway_notice();
      return true;
    case Op::goaway:
      protocol_->goaway();
      return true;
  }
  return true;
}

bool Exchange::play_send(const Step& step, size_t bytes_at_once, size_t waiting_max) {
  const std::string_view bytes = script_.bytes;
  while (step.a + sent_ < step.b) {
    if (protocol_->waiting_bytes(record_.stream_id) > waiting_max) {
      waiting_ = Waiting::room;
      return false;
    }
    const size_t count = std::min<size_t>(bytes_at_once, step.b - step.a - sent_);
    protocol_->write(record_.stream_id, bytes.substr(step.a + sent_, count));
    sent_ += count;
    body_bytes_ += count;
  }
  sent_ = 0;
  return true;
}

void Exchange::send_head() {
  io::Reactor& reactor = server_.reactor();
  FieldTexts texts;
  http::FieldList fields;
  add_fields(script_, texts,
             {.random = {reactor.random_u64(), reactor.random_u64()},
              .elapsed_ns = reactor.now_ns() - record_.arrival_ns,
              .unix_s = reactor.unix_ms() / 1000,
              .date = server_.date()},
             fields);
  std::optional<uint64_t> length;
  if (script_.has_length) length = script_.bytes.size();
  protocol_->respond(record_.stream_id, script_.status, fields, length);
  if (entered_) server_.ledger().head(entry_, script_.status, reactor.now_ns());
}

void Exchange::sleep(uint64_t duration_ns) {
  waiting_ = Waiting::timer;
  server_.reactor().timers().set(timer_, server_.reactor().now_ns() + duration_ns);
}

}  // namespace flexd::flexsim
