#include "plays.hpp"

#include <algorithm>

#include "flexd/base/ascii.hpp"

namespace flexd::flexsim {
namespace {

constexpr std::string_view kPartOpen = ",\"annotations\":[],\"logprobs\":[]}";
constexpr std::string_view kArguments = R"({\"city\":\"Paris\"})";
constexpr std::string_view kSummary = "**Thinking** about the request.";

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

std::string_view tier_in_answer(const Scenario& scenario, const RequestFacts& facts) {
  if (!scenario.tier.empty()) return scenario.tier;
  const bool named = facts.tier == Tier::flex || facts.tier == Tier::priority;
  return named ? tier_name(facts.tier) : "default";
}

// The deltas before the one at which an answer breaks off.
size_t deltas_before_break(const Scenario& scenario, size_t count) {
  if (scenario.kind == Kind::die_mid && scenario.number > 0) {
    return std::min(count, static_cast<size_t>(scenario.number));
  }
  return count / 2;
}

}  // namespace

void Plays::write_canned(const CannedAnswer& answer, Script& script) {
  script.status = answer.status;
  script.content_type = answer.content_type;
  script.content_encoding = answer.content_encoding;
  script.retry_after = answer.retry_after;
  script.retry_after_ms = answer.retry_after_ms;
  script.should_retry = answer.should_retry;
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
  id_ = id;
  sent_ = items_ = 0;
  answer_.clear();
  output_ = "[]";
  usage_ = {};
  if (scenario.kind == Kind::slow_standard) sleep(scenario.duration_ns);
  sleep(scenario.after_ns);
  if (ends_before_headers()) return;
  if (is_canned(scenario.kind)) {
    write_canned(error_answer(scenario, facts.model), script);
    return;
  }
  const bool is_huge = scenario.kind == Kind::huge_event;
  const uint64_t bytes = is_huge ? std::max<uint64_t>(scenario.number, 1) : scenario.text_bytes;
  delta_count_ = is_huge ? 1 : scenario.events == 0 ? 5 : scenario.events;
  if (bytes > 0) {
    answer_text(bytes, answer_);
  } else if (scenario.events > 0) {
    answer_text(scenario.events * 10, answer_);
  } else {
    answer_ = kDefaultText;
  }
  usage_.input_tokens = facts.input_bytes / 4 + 1;
  usage_.output_tokens = answer_.size() / 4 + 1;
  const uint64_t echo = scenario.kind == Kind::echo ? scenario.number : 0;
  text_.begin(script.bytes, facts, id, tier_in_answer(scenario, facts), unix_s, echo);
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
  if (scenario_->kind == Kind::reasoning) reasoning_item();
  if (scenario_->kind == Kind::tool_call) {
    tool_call_item();
  } else if (!message_item()) {
    return;
  }
  finish_stream();
}

// wait_for_start writes what comes before the first output; false if nothing will follow.
bool Plays::wait_for_start() {
  const Kind kind = scenario_->kind;
  const bool queued = kind == Kind::queue || kind == Kind::queue_forever;
  const Outcome waiting{.status = queued ? "queued" : "in_progress"};
  text_.lifecycle("response.created", waiting);
  if (queued) text_.lifecycle("response.queued", waiting);
  if (kind == Kind::queue_forever || kind == Kind::keepalive_only) {
    send();
    script_->add(Op::keepalives, scenario_->every_ns, text_.sequence());
    return false;
  }
  if (kind == Kind::queue) {
    uint64_t left_ns = scenario_->duration_ns;
    for (; left_ns > scenario_->every_ns; left_ns -= scenario_->every_ns) {
      sleep(scenario_->every_ns);
      text_.event("keepalive").end_event();
    }
    sleep(left_ns);
  }
  text_.lifecycle("response.in_progress", Outcome{});
  if (kind == Kind::start_after) sleep(scenario_->duration_ns);
  send();
  return true;
}

bool Plays::fails_before_start() {
  switch (scenario_->kind) {
    case Kind::failed_before_start:
      failed_event();
      return true;
    case Kind::error_event_before:
      error_event();
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

void Plays::reasoning_item() {
  usage_.reasoning_tokens = 64;
  usage_.output_tokens += 64;
  const auto at = [this]() -> ResponseText& {
    text_.raw(",\"item_id\":\"").item_id("rs_").raw("\",\"output_index\":").number(items_);
    return text_.raw(",\"summary_index\":0");
  };
  text_.event("response.output_item.added").raw(",\"output_index\":").number(items_);
  text_.raw(",\"item\":{\"id\":\"").item_id("rs_").raw("\",\"type\":\"reasoning\",\"summary\":[]}");
  text_.end_event();
  text_.event("response.reasoning_summary_part.added");
  at().raw(",\"part\":{\"type\":\"summary_text\",\"text\":\"\"}").end_event();
  text_.event("response.reasoning_summary_text.delta");
  at().raw(",\"delta\":\"").raw(kSummary).raw("\"").end_event();
  text_.event("response.reasoning_summary_text.done");
  at().raw(",\"text\":\"").raw(kSummary).raw("\"").end_event();
  text_.event("response.reasoning_summary_part.done");
  at().raw(",\"part\":{\"type\":\"summary_text\",\"text\":\"").raw(kSummary).raw("\"}").end_event();
  json_output();
  text_.event("response.output_item.done").raw(",\"output_index\":").number(items_);
  text_.raw(",\"item\":").raw(item_).end_event();
  add_item(item_);
}

void Plays::tool_call_item() {
  const auto at = [this]() -> ResponseText& {
    text_.raw(",\"item_id\":\"").item_id("fc_").raw("\",\"output_index\":");
    return text_.number(items_);
  };
  text_.event("response.output_item.added").raw(",\"output_index\":").number(items_);
  text_.raw(",\"item\":{\"id\":\"").item_id("fc_").raw("\",\"type\":\"function_call\"");
  text_.raw(",\"status\":\"in_progress\",\"call_id\":\"").item_id("call_");
  text_.raw("\",\"name\":\"get_weather\",\"arguments\":\"\"}").end_event();
  constexpr size_t kHalf = 10;  // not inside an escape
  for (const std::string_view part : {kArguments.substr(0, kHalf), kArguments.substr(kHalf)}) {
    text_.event("response.function_call_arguments.delta");
    at().raw(",\"delta\":\"").raw(part).raw("\"").end_event();
  }
  text_.event("response.function_call_arguments.done");
  at().raw(",\"name\":\"get_weather\",\"arguments\":\"").raw(kArguments).raw("\"").end_event();
  json_output();
  text_.event("response.output_item.done").raw(",\"output_index\":").number(items_);
  text_.raw(",\"item\":").raw(item_).end_event();
  add_item(item_);
}

// message_item writes the message; false if the answer broke off.
bool Plays::message_item() {
  text_.event("response.output_item.added").raw(",\"output_index\":").number(items_);
  text_.raw(",\"item\":{\"id\":\"").item_id("msg_").raw("\",\"type\":\"message\",\"status\":");
  text_.raw("\"in_progress\",\"role\":\"assistant\",\"content\":[]}").end_event();
  text_.event("response.content_part.added").raw(",\"item_id\":\"").item_id("msg_");
  text_.raw("\",\"output_index\":").number(items_).raw(",\"content_index\":0,\"part\":{");
  text_.raw("\"type\":\"output_text\",\"text\":\"\"").raw(kPartOpen).end_event();
  const size_t break_at = deltas_before_break(*scenario_, delta_count_);
  for (size_t i = 0; i < delta_count_; i++) {
    if (i == break_at && break_off()) return false;
    if (i > 0) sleep(scenario_->gap_ns);
    text_.event("response.output_text.delta").raw(",\"item_id\":\"").item_id("msg_");
    text_.raw("\",\"output_index\":").number(items_).raw(",\"content_index\":0,\"delta\":\"");
    text_.raw(delta(i)).raw("\",\"logprobs\":[]").end_event();
  }
  if (break_at == delta_count_ && break_off()) return false;
  close_message(scenario_->kind == Kind::incomplete ? "incomplete" : "completed");
  return true;
}

// break_off is called amid the deltas; true if the script ends there.
bool Plays::break_off() {
  switch (scenario_->kind) {
    case Kind::failed_after_start:
      failed_event();
      return true;
    case Kind::error_event_after:
      error_event();
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

void Plays::close_message(std::string_view status) {
  const auto at = [this]() -> ResponseText& {
    text_.raw(",\"item_id\":\"").item_id("msg_").raw("\",\"output_index\":").number(items_);
    return text_.raw(",\"content_index\":0");
  };
  text_.event("response.output_text.done");
  at().raw(",\"text\":\"").raw(answer_).raw("\",\"logprobs\":[]").end_event();
  text_.event("response.content_part.done");
  at().raw(",\"part\":{\"type\":\"output_text\",\"text\":\"").raw(answer_).raw("\"");
  text_.raw(kPartOpen).end_event();
  item_.assign("{\"id\":\"msg_").append(id_).append("\",\"type\":\"message\",\"status\":\"");
  item_.append(status).append("\",\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\"");
  item_.append(",\"text\":\"").append(answer_).append("\"").append(kPartOpen).append("]}");
  text_.event("response.output_item.done").raw(",\"output_index\":").number(items_);
  text_.raw(",\"item\":").raw(item_).end_event();
  add_item(item_);
}

void Plays::finish_stream() {
  const bool is_cut = scenario_->kind == Kind::incomplete;
  if (scenario_->kind != Kind::end_without_terminal) {
    text_.lifecycle(
        is_cut ? "response.incomplete" : "response.completed",
        {.status = is_cut ? "incomplete" : "completed", .output = output_, .usage = &usage_});
  }
  send();
  script_->add(Op::finish);
}

// json_output makes `item_` the reasoning or function call item of the scenario.
void Plays::json_output() {
  if (scenario_->kind == Kind::reasoning) {
    item_.assign("{\"id\":\"rs_").append(id_).append("\",\"type\":\"reasoning\",\"summary\":[");
    item_.append("{\"type\":\"summary_text\",\"text\":\"").append(kSummary);
    item_.append("\"}],\"encrypted_content\":null}");
  } else {
    item_.assign("{\"id\":\"fc_").append(id_).append("\",\"type\":\"function_call\",\"status\":");
    item_.append("\"completed\",\"call_id\":\"call_").append(id_);
    item_.append("\",\"name\":\"get_weather\",\"arguments\":\"").append(kArguments);
    item_.append("\"}");
  }
}

void Plays::write_json() {
  const Kind kind = scenario_->kind;
  if (kind == Kind::start_after || kind == Kind::queue) sleep(scenario_->duration_ns);
  if (kind == Kind::queue_forever || kind == Kind::keepalive_only) {
    script_->add(Op::hang);
    return;
  }
  const bool fails = kind == Kind::failed_before_start || kind == Kind::failed_after_start ||
                     kind == Kind::error_event_before || kind == Kind::error_event_after;
  if (fails) {
    const bool is_limit = error_code() == "rate_limit_exceeded";
    const bool is_flex = error_code() == "flex_unavailable";
    const Scenario error{
        .kind = Kind::error, .number = is_limit || is_flex ? 429U : 500U, .word = error_code()};
    write_canned(error_answer(error, facts_->model), *script_);
    return;
  }
  if (kind == Kind::die_before_start) {
    die();
    return;
  }
  if (kind == Kind::reasoning || kind == Kind::tool_call) {
    json_output();
    add_item(item_);
  }
  const bool is_cut = kind == Kind::incomplete;
  const std::string_view status = is_cut ? "incomplete" : "completed";
  if (kind != Kind::tool_call) {
    item_.assign("{\"id\":\"msg_").append(id_).append("\",\"type\":\"message\",\"status\":\"");
    item_.append(status).append("\",\"role\":\"assistant\",\"content\":[{\"type\":");
    item_.append("\"output_text\",\"text\":\"").append(answer_).append("\"").append(kPartOpen);
    item_.append("]}");
    add_item(item_);
  }
  script_->content_type = "application/json";
  script_->add(Op::started);
  script_->add(Op::head);
  text_.object({.status = status, .output = output_, .usage = &usage_});
  const bool is_torn = kind == Kind::die_mid || kind == Kind::stall_mid ||
                       kind == Kind::end_without_terminal || kind == Kind::end_before_start;
  script_->has_length = !is_torn;
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

std::string_view Plays::error_code() const {
  return scenario_->word.empty() ? "server_error" : scenario_->word;
}

void Plays::failed_event() {
  text_.lifecycle("response.failed",
                  {.status = "failed", .error_code = error_code(), .output = output_});
  send();
  script_->add(Op::finish);
}

void Plays::error_event() {
  constexpr std::string_view kMessage = "An error occurred while processing your request.";
  text_.event("error");
  if (scenario_->nested) {
    text_.raw(",\"error\":{\"type\":\"server_error\",\"code\":\"").raw(error_code());
    text_.raw("\",\"message\":\"").raw(kMessage).raw("\",\"param\":null}");
  } else {
    text_.raw(",\"code\":\"").raw(error_code()).raw("\",\"message\":\"").raw(kMessage);
    text_.raw("\",\"param\":null");
  }
  text_.end_event();
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

void Plays::add_item(std::string_view item) {
  output_.pop_back();
  if (items_ > 0) output_ += ',';
  output_.append(item).append("]");
  items_++;
}

std::string_view Plays::delta(size_t index) const {
  const size_t begin = answer_.size() * index / delta_count_;
  const size_t end = answer_.size() * (index + 1) / delta_count_;
  return std::string_view(answer_).substr(begin, end - begin);
}

}  // namespace flexd::flexsim
