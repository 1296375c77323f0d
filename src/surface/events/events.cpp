#include "flexd/surface/events.hpp"

#include "provider_events.hpp"

namespace flexd::surface {

namespace {

using errors::Provider;
using json::Elements;
using json::Member;
using json::Members;
using json::Type;
using json::Value;

// object_in is the object that an event's data holds. Google's front end wraps an error into an
// array of one.
Value object_in(Provider provider, std::string_view data) {
  const Value value = Value::value_in(data);
  if (provider != Provider::gemini || !value.is(Type::kArray)) return value;
  Elements elements(value);
  return elements.next() ? elements.element() : Value();
}

// Clues are the members that tell what an event is.
struct Clues {
  Value name;
  Value interaction;
  bool has_error = false;
};

Clues clues_in(Provider provider, const Value& data) {
  const bool gemini = provider == Provider::gemini;
  const std::string_view name_member = gemini ? "event_type" : "type";
  Clues clues;
  for (const Member& member : Members(data)) {
    if (member.name.equals(name_member) && member.value.is(Type::kString)) {
      clues.name = member.value;
      // At Gemini the name comes last as a rule; the status that an end needs may yet follow it.
      const bool end = gemini && gemini_kind_of(clues.name.contents()) == EventKind::completed;
      if (!end || clues.interaction.exists()) break;
    } else if (gemini && member.name.equals("interaction")) {
      clues.interaction = member.value;
      if (clues.name.exists()) break;
    } else if (member.name.equals("error") && member.value.is(Type::kObject)) {
      clues.has_error = true;
    }
  }
  return clues;
}

}  // namespace

EventKind kind_of(Provider provider, std::string_view name) {
  if (name.empty()) return EventKind::none;
  if (name == "error") return EventKind::error;
  switch (provider) {
    case Provider::openai:
      return openai_kind_of(name);
    case Provider::gemini:
      return gemini_kind_of(name);
    case Provider::anthropic:
      return anthropic_kind_of(name);
  }
  return EventKind::none;
}

Event read_event(Provider provider, std::string_view name, std::string_view data) {
  Event event{.provider = provider, .data = object_in(provider, data)};
  if (!event.data.is(Type::kObject)) {
    // A name alone cannot vouch for anything but a failure: SDKs read the data.
    if (kind_of(provider, name) == EventKind::error) event.kind = EventKind::error;
    return event;
  }
  const Clues clues = clues_in(provider, event.data);
  if (clues.name.exists()) {
    event.kind = kind_of(provider, clues.name.contents());
  } else {
    event.kind = clues.has_error ? EventKind::error : kind_of(provider, name);
  }
  if (provider != Provider::gemini) return event;
  if (event.kind == EventKind::completed) {
    event.kind = gemini_end_of(clues.interaction);
  } else if (event.kind == EventKind::in_progress && event.data["status"].equals("queued")) {
    event.kind = EventKind::queued;
  }
  return event;
}

EventFailure read_failure(const Event& event) {
  if (!event.is_failure()) return {};
  switch (event.provider) {
    case Provider::openai:
      return openai_failure(event);
    case Provider::gemini:
      return gemini_failure(event);
    case Provider::anthropic:
      return anthropic_failure(event);
  }
  return {};
}

EventFailure read_object_failure(Provider provider, const Value& object) {
  switch (provider) {
    case Provider::openai: {
      const Value status = object["status"];
      if (!status.equals("failed") && !status.equals("cancelled")) return {};
      return openai_failure_of(object["error"]);
    }
    case Provider::gemini:
      return gemini_failure_of(gemini_error_in(object));
    case Provider::anthropic:
      return anthropic_failure_of(object["type"].equals("error") ? object["error"] : Value());
  }
  return {};
}

void read_usage(Provider provider, const Value& object, Usage& usage) {
  if (!object.is(Type::kObject)) return;
  switch (provider) {
    case Provider::openai:
      read_openai_usage(object, usage);
      break;
    case Provider::gemini:
      read_gemini_usage(object, usage);
      break;
    case Provider::anthropic:
      read_anthropic_usage(object, usage);
      break;
  }
}

}  // namespace flexd::surface
