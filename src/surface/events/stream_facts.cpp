#include <algorithm>
#include <array>
#include <cstring>

#include "flexd/surface/events.hpp"
#include "provider_events.hpp"

namespace flexd::surface {

namespace {

using errors::Provider;
using json::Member;
using json::Members;
using json::Type;
using json::Value;

// answer_member is where an event has the whole answer, as far as it goes.
std::string_view answer_member(Provider provider) {
  switch (provider) {
    case Provider::openai:
      return "response";
    case Provider::gemini:
      return "interaction";
    case Provider::anthropic:
      return "message";
  }
  return "";
}

}  // namespace

template <size_t kMax>
void StreamFacts::Text<kMax>::keep(std::string_view raw) {
  if (raw.empty() || raw.size() > kMax || raw.find('\\') != std::string_view::npos) return;
  std::memcpy(bytes_.data(), raw.data(), raw.size());
  size_ = static_cast<uint8_t>(raw.size());
}

void StreamFacts::note(const Event& event) {
  if (event.kind == EventKind::none) return;
  // Only the events that carry a whole answer are looked into. It stands behind the sequence number
  // as a rule, so deltas and most others end their walk early.
  const bool has_answer =
      (event.is_terminal() && event.kind != EventKind::error) ||
      ((id_.view().empty() || model_.view().empty()) && event.kind <= EventKind::in_progress);
  const bool has_usage = event.kind == EventKind::usage;
  bool wants_number = event.provider == Provider::openai;
  bool wants_answer = has_answer || has_usage;
  if (!wants_number && !wants_answer) return;
  const std::string_view wanted = has_usage ? "usage" : answer_member(event.provider);
  for (const Member& member : Members(event.data)) {
    if (wants_number && member.name.equals("sequence_number")) {
      if (const auto number = member.value.to_uint64()) {
        next_sequence_number_ = std::max(next_sequence_number_, *number + 1);
      }
      wants_number = false;
    } else if (wants_answer && member.name.equals(wanted)) {
      if (has_usage) {
        note_usage(event.provider, member.value);
      } else {
        note_answer(event.provider, member.value);
      }
      wants_answer = false;
    }
    if (!wants_number && !wants_answer) return;
  }
}

void StreamFacts::note_object(Provider provider, std::string_view object) {
  note_answer(provider, Value::front_of(object));
}

void StreamFacts::note_end(std::string_view service_tier, const Usage& usage) {
  service_tier_.keep(service_tier);
  usage_ = usage;
}

void StreamFacts::note_answer(Provider provider, const Value& object) {
  static constexpr json::Names kNames = {"id", "model", "created_at", "service_tier", "usage"};
  std::array<Value, kNames.size()> found;
  json::members_of(object, kNames, found);
  const auto& [id, model, created_at, service_tier, usage] = found;
  if (id_.view().empty()) id_.keep(id.contents());
  if (model_.view().empty()) model_.keep(model.contents());
  if (created_at_s_ == 0) take_count(created_at, created_at_s_);
  service_tier_.keep(service_tier.contents());
  note_usage(provider, usage);
}

void StreamFacts::note_usage(Provider provider, const Value& object) {
  if (!object.is(Type::kObject)) return;
  read_usage(provider, object, usage_);
  if (provider == Provider::anthropic) service_tier_.keep(object["service_tier"].contents());
}

}  // namespace flexd::surface
