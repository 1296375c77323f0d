#include "response_text.hpp"

#include "flexd/base/ascii.hpp"

namespace flexd::flexsim {

void ResponseText::begin(std::string& out, const RequestFacts& facts, std::string_view id,
                         std::string_view tier, uint64_t created_s, uint64_t echo_bytes) {
  out_ = &out;
  id_ = id;
  created_s_ = created_s;
  sequence_ = 0;
  std::string& before = before_output_;
  before.clear();
  before.append(",\"instructions\":");
  if (echo_bytes > 0) {
    before.append("\"");
    answer_text(echo_bytes, before);
    before.append("\"");
  } else {
    before.append(facts.instructions);
  }
  before.append(",\"max_output_tokens\":").append(facts.max_output_tokens);
  before.append(",\"max_tool_calls\":").append(facts.max_tool_calls);
  before.append(",\"model\":\"").append(facts.model);
  // The provider names the dated version behind an alias.
  if (facts.model.find("-20") == std::string_view::npos) before.append("-2026-03-05");
  before.append("\",\"output\":");

  std::string& after = after_output_;
  after.assign(",\"parallel_tool_calls\":").append(facts.parallel_tool_calls);
  after.append(",\"previous_response_id\":").append(facts.previous_response_id);
  after.append(",\"reasoning\":{\"effort\":\"medium\",\"summary\":null},\"safety_identifier\":");
  after.append(facts.safety_identifier);
  after.append(",\"service_tier\":\"").append(tier);
  after.append("\",\"store\":").append(facts.store);
  after.append(",\"temperature\":").append(facts.temperature);
  after.append(",\"text\":{\"format\":{\"type\":\"text\"},\"verbosity\":\"medium\"}");
  after.append(",\"tool_choice\":").append(facts.tool_choice);
  after.append(",\"tools\":").append(facts.tools);
  after.append(",\"top_logprobs\":0,\"top_p\":").append(facts.top_p);
  after.append(",\"truncation\":").append(facts.truncation);
  after.append(",\"usage\":");

  after_usage_.assign(",\"user\":").append(facts.user);
  after_usage_.append(",\"metadata\":").append(facts.metadata).append("}");
}

void ResponseText::object(const Outcome& outcome) {
  const bool is_over = outcome.status == "completed";
  raw("{\"id\":\"resp_").raw(id_).raw("\",\"object\":\"response\",\"created_at\":");
  number(created_s_).raw(",\"completed_at\":");
  if (is_over) {
    number(created_s_ + 1);
  } else {
    raw("null");
  }
  raw(",\"status\":\"").raw(outcome.status).raw("\",\"background\":false,\"error\":");
  if (outcome.error_code.empty()) {
    raw("null");
  } else {
    raw("{\"code\":\"").raw(outcome.error_code);
    raw("\",\"message\":\"An error occurred while processing your request.\"}");
  }
  raw(",\"incomplete_details\":");
  if (outcome.status == "incomplete") {
    raw("{\"reason\":\"").raw(outcome.reason).raw("\"}");
  } else {
    raw("null");
  }
  raw(before_output_).raw(outcome.output).raw(after_output_);
  if (outcome.usage == nullptr) {
    raw("null");
  } else {
    const Usage& usage = *outcome.usage;
    raw("{\"input_tokens\":").number(usage.input_tokens);
    raw(",\"input_tokens_details\":{\"cached_tokens\":").number(usage.cached_tokens);
    raw(",\"cache_write_tokens\":0}");
    raw(",\"output_tokens\":").number(usage.output_tokens);
    raw(",\"output_tokens_details\":{\"reasoning_tokens\":").number(usage.reasoning_tokens);
    raw("},\"total_tokens\":").number(usage.input_tokens + usage.output_tokens).raw("}");
  }
  raw(after_usage_);
}

void ResponseText::lifecycle(std::string_view name, const Outcome& outcome) {
  event(name).raw(",\"response\":");
  object(outcome);
  end_event();
}

ResponseText& ResponseText::event(std::string_view name) {
  raw("event: ").raw(name).raw("\ndata: {\"type\":\"").raw(name);
  return raw("\",\"sequence_number\":").number(sequence_++);
}

ResponseText& ResponseText::raw(std::string_view text) {
  out_->append(text);
  return *this;
}

ResponseText& ResponseText::number(uint64_t value) {
  return raw(DecimalText(value).view());
}

ResponseText& ResponseText::item_id(std::string_view prefix) {
  return raw(prefix).raw(id_);
}

void ResponseText::end_event() {
  raw("}\n\n");
}

}  // namespace flexd::flexsim
