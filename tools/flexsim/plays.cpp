#include "plays.hpp"

#include <algorithm>

namespace flexd::flexsim {
namespace {

bool is_canned(Kind kind) {
  switch (kind) {
    case Kind::refuse:
    case Kind::error:
    case Kind::error_html:
    case Kind::error_empty:
    case Kind::error_gzip:
    case Kind::error_big:
    case Kind::error_badjson:
    case Kind::conversation_locked:
      return true;
    default:
      return false;
  }
}

// The deltas before the one at which an answer breaks off.
size_t deltas_before_break(const Scenario& scenario, size_t count) {
  if (scenario.kind == Kind::die_mid && scenario.number > 0) {
    return std::min(count, static_cast<size_t>(scenario.number));
  }
  return count / 2;
}

}  // namespace

std::string_view tier_in_answer(const Scenario& scenario, const RequestFacts& facts) {
  if (!scenario.tier.empty()) return scenario.tier;
  const bool is_named = facts.tier == Tier::flex || facts.tier == Tier::priority;
  switch (facts.vendor) {
    case Vendor::openai:
      return is_named ? tier_name(facts.tier) : "default";
    case Vendor::gemini:
      return is_named ? tier_name(facts.tier) : "standard";
    case Vendor::anthropic:
      return facts.tier == Tier::automatic ? "priority" : "standard";
  }
  return {};
}

Plays::Plays() {
  for (size_t i = 0; i < kVendors; i++) writers_[i] = make_writer(static_cast<Vendor>(i));
}

void Plays::write_canned(const CannedAnswer& answer, Script& script) {
  script.status = answer.status;
  script.content_type = answer.content_type;
  script.content_encoding = answer.content_encoding;
  script.retry_after = answer.retry_after;
  script.retry_after_ms = answer.retry_after_ms;
  script.should_retry = answer.should_retry;
  script.request_id = answer.request_id;
  script.out_of_requests = answer.out_of_requests;
  script.has_length = true;
  const size_t begin = script.bytes.size();
  script.bytes.append(answer.body);
  script.add(Op::head);
  script.add_send(begin);
  script.add(Op::finish);
}

void Plays::write(const Scenario& scenario, const RequestFacts& facts, std::string_view id,
                  uint64_t unix_s, Script& script) {
  scenario_ = &scenario;
  facts_ = &facts;
  script_ = &script;
  writer_ = writers_[static_cast<size_t>(facts.vendor)].get();
  sent_ = 0;
  script.service_tier = tier_in_answer(scenario, facts);
  if (scenario.kind == Kind::slow_standard) sleep(scenario.duration_ns);
  sleep(scenario.after_ns);
  if (ends_before_headers()) return;
  if (is_canned(scenario.kind)) {
    write_canned(error_answer(scenario, facts.model, facts.vendor), script);
    return;
  }
  answer_.make(scenario, facts);
  writer_->begin(script.bytes, {.facts = &facts,
                                .answer = &answer_,
                                .id = id,
                                .tier = script.service_tier,
                                .unix_s = unix_s,
                                .echo_bytes = scenario.kind == Kind::echo ? scenario.number : 0});
  if (facts.stream && scenario.kind != Kind::early_json) {
    write_stream();
  } else {
    write_json();
  }
  if (scenario.kind == Kind::split_bytes) {
    for (Step& step : script.steps) {
      if (step.op == Op::send) step.op = Op::send_apart;
    }
  }
}

bool Plays::ends_before_headers() {
  switch (scenario_->kind) {
    case Kind::die_before_headers:
      die();
      return true;
    case Kind::refused_stream:
      die(kRefusedStream);
      return true;
    case Kind::goaway_before:
      script_->add(Op::goaway_below);
      script_->add(Op::hang);
      return true;
    default:
      return false;
  }
}

void Plays::write_stream() {
  script_->content_type = "text/event-stream; charset=utf-8";
  script_->add(Op::head);
  if (!wait_for_start() || fails_before_start()) return;
  script_->add(Op::started);
  if (write_items()) finish_stream();
}

// wait_for_start writes what comes before the first output; false if nothing will follow.
bool Plays::wait_for_start() {
  const Kind kind = scenario_->kind;
  writer_->open(kind == Kind::queue || kind == Kind::queue_forever);
  if (kind == Kind::queue_forever || kind == Kind::keepalive_only) {
    send();
    script_->add(Op::keepalives, scenario_->every_ns, writer_->sequence());
    return false;
  }
  if (kind == Kind::queue) {
    uint64_t left_ns = scenario_->duration_ns;
    for (; left_ns > scenario_->every_ns; left_ns -= scenario_->every_ns) {
      sleep(scenario_->every_ns);
      writer_->keepalive();
    }
    sleep(left_ns);
  }
  writer_->picked_up();
  if (kind == Kind::start_after) sleep(scenario_->duration_ns);
  send();
  return true;
}

bool Plays::fails_before_start() {
  switch (scenario_->kind) {
    case Kind::failed_before_start:
    case Kind::error_event_before:
      fail_event();
      return true;
    case Kind::die_before_start:
      die();
      return true;
    case Kind::end_before_start:
      script_->add(Op::finish);
      return true;
    default:
      return false;
  }
}

// write_items is false if the answer broke off.
bool Plays::write_items() {
  // Only OpenAI has one stream of events for several items at a time.
  if (answer_.interleaves() && facts_->vendor == Vendor::openai) {
    write_interleaved();
    return true;
  }
  for (const Item& item : answer_.items()) {
    writer_->open_item(item);
    if (!write_deltas(item)) return false;
    writer_->close_item(item);
  }
  return true;
}

void Plays::write_interleaved() {
  const std::vector<Item>& items = answer_.items();
  for (const Item& item : items) writer_->open_item(item);
  for (size_t i = 0; i < answer_.delta_count(items.front()); i++) {
    for (const Item& item : items) writer_->delta(item, answer_.delta(item, i));
  }
  for (const Item& item : items) writer_->close_item(item);
}

bool Plays::write_deltas(const Item& item) {
  const size_t count = answer_.delta_count(item);
  const bool is_text = item.kind == ItemKind::message || item.kind == ItemKind::refusal;
  const size_t break_at = deltas_before_break(*scenario_, count);
  for (size_t i = 0; i < count; i++) {
    if (is_text && i == break_at && break_off()) return false;
    if (is_text && i > 0) sleep(scenario_->gap_ns);
    writer_->delta(item, answer_.delta(item, i));
  }
  return !is_text || break_at != count || !break_off();
}

// break_off is called amid the deltas; true if the script ends there.
bool Plays::break_off() {
  switch (scenario_->kind) {
    case Kind::failed_after_start:
    case Kind::error_event_after:
      fail_event();
      return true;
    case Kind::die_mid:
      die();
      return true;
    case Kind::stall_mid:
      send();
      script_->add(Op::hang);
      return true;
    case Kind::goaway_mid:
      send();
      script_->add(Op::goaway_notice);
      // A round trip, so that streams opened meanwhile are known.
      script_->add(Op::sleep, 10'000'000);
      script_->add(Op::goaway);
      return false;
    default:
      return false;
  }
}

void Plays::finish_stream() {
  if (scenario_->kind != Kind::end_without_terminal) {
    writer_->finish();
    note_answered();
  }
  send();
  script_->add(Op::finish);
}

// note_answered: what is told of the usage by the end of the script counts.
void Plays::note_answered() {
  script_->answered = true;
  script_->model = facts_->model;
  script_->answered_tier = tier_in_answer(*scenario_, *facts_);
  script_->usage = answer_.usage();
}

void Plays::write_json() {
  const Kind kind = scenario_->kind;
  if (kind == Kind::start_after || kind == Kind::queue) sleep(scenario_->duration_ns);
  if (fails_without_body()) return;
  script_->content_type = "application/json";
  script_->add(Op::started);
  script_->add(Op::head);
  writer_->body();
  const bool is_torn = kind == Kind::die_mid || kind == Kind::stall_mid ||
                       kind == Kind::end_without_terminal || kind == Kind::end_before_start;
  script_->has_length = !is_torn;
  if (!is_torn) note_answered();
  if (is_torn) script_->bytes.resize(script_->bytes.size() / 2);
  if (kind == Kind::goaway_mid) script_->add(Op::goaway_notice);
  if (kind == Kind::goaway_mid) script_->add(Op::sleep, 10'000'000);
  if (kind == Kind::goaway_mid) script_->add(Op::goaway);
  send();
  if (kind == Kind::die_mid) {
    die();
  } else {
    script_->add(kind == Kind::stall_mid ? Op::hang : Op::finish);
  }
}

// fails_without_body writes the scenarios that give a request without `stream` no answer.
bool Plays::fails_without_body() {
  switch (scenario_->kind) {
    case Kind::queue_forever:
    case Kind::keepalive_only:
      script_->add(Op::hang);
      return true;
    case Kind::failed_before_start:
    case Kind::failed_after_start:
    case Kind::error_event_before:
    case Kind::error_event_after:
      write_canned(failure_answer(scenario_->word, facts_->model, facts_->vendor), *script_);
      return true;
    case Kind::die_before_start:
      die();
      return true;
    default:
      return false;
  }
}

void Plays::fail_event() {
  const Kind kind = scenario_->kind;
  if (kind == Kind::failed_before_start || kind == Kind::failed_after_start) {
    writer_->failed(scenario_->word);
  } else {
    writer_->error(scenario_->word, scenario_->nested);
  }
  send();
  script_->add(Op::finish);
}

void Plays::die(uint64_t code) {
  send();
  script_->add(Op::drain);
  // A reset would overtake bytes that the kernel still holds.
  if (scenario_->death == Death::abort && !script_->bytes.empty()) sleep(20'000'000);
  script_->add(Op::die, static_cast<uint64_t>(scenario_->death), code);
}

void Plays::sleep(uint64_t duration_ns) {
  if (duration_ns == 0) return;
  send();
  script_->add(Op::sleep, duration_ns);
}

void Plays::send() {
  script_->add_send(sent_);
  sent_ = script_->bytes.size();
}

}  // namespace flexd::flexsim
