#include "scenario.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "flexd/base/ascii.hpp"
#include "flexd/config/settings.hpp"

namespace flexd::flexsim {
namespace {

constexpr std::string_view kOpening = "[flexsim:";
// kMarkerBytesMax bounds a marker; a longer one is text.
constexpr size_t kMarkerBytesMax = 512;

constexpr std::array<std::string_view, static_cast<size_t>(Kind::unknown) + 1> kNames = {
    "ok",
    "start-after",
    "queue",
    "queue-forever",
    "keepalive-only",
    "refuse",
    "error",
    "error-html",
    "error-empty",
    "error-gzip",
    "error-big",
    "error-badjson",
    "failed-before-start",
    "failed-after-start",
    "error-event-before",
    "error-event-after",
    "die-before-headers",
    "die-before-start",
    "die-mid",
    "end-without-terminal",
    "end-before-start",
    "stall-mid",
    "split-bytes",
    "slow-standard",
    "goaway-before",
    "goaway-mid",
    "refused-stream",
    "conversation-locked",
    "echo",
    "early-json",
    "huge-event",
    "incomplete",
    "tool-call",
    "tools",
    "interleaved",
    "agent",
    "reasoning",
    "reasoning-tools",
    "refusal",
    "json",
    "image",
    "unicode",
    "cached",
    "mirror",
    "unknown",
};

Kind kind_of(std::string_view name) {
  for (size_t i = 0; i < static_cast<size_t>(Kind::unknown); i++) {
    if (kNames[i] == name) return static_cast<Kind>(i);
  }
  return Kind::unknown;
}

Scope usual_scope(Kind kind) {
  switch (kind) {
    case Kind::queue:
    case Kind::queue_forever:
    case Kind::keepalive_only:
    case Kind::refuse:
      return Scope::flex;
    case Kind::slow_standard:
    case Kind::conversation_locked:
      return Scope::standard;
    default:
      return Scope::any;
  }
}

// next_token takes the next word from the front: up to a space or, in a key, an underscore. In a
// key, name=value is the last word, because the value may hold underscores.
std::string_view next_token(std::string_view& text, bool in_key) {
  const char divider = in_key ? '_' : ' ';
  text.remove_prefix(std::min(text.find_first_not_of(divider), text.size()));
  std::string_view token = text.substr(0, text.find(divider));
  if (in_key && token.find('=') != std::string_view::npos) token = text;
  text.remove_prefix(token.size());
  return token;
}

uint64_t duration_or(std::string_view text, uint64_t otherwise) {
  const auto duration = config::parse_duration(text);
  return duration ? *duration : otherwise;
}

void apply_named(Scenario& scenario, std::string_view name, std::string_view value) {
  const uint64_t number = parse_u64(value).value_or(0);
  if (name == "bytes") scenario.text_bytes = number;
  if (name == "events") scenario.events = number;
  if (name == "input") scenario.input_tokens = number;
  if (name == "times") scenario.times = static_cast<uint32_t>(number);
  if (name == "gap") scenario.gap_ns = duration_or(value, 0);
  if (name == "after") scenario.after_ns = duration_or(value, 0);
  if (name == "every") scenario.every_ns = duration_or(value, scenario.every_ns);
  if (name == "tier") scenario.tier = value;
  if (name == "code") scenario.word = value;
}

bool apply_death(Scenario& scenario, std::string_view word) {
  if (word == "rst") scenario.death = Death::reset;
  if (word == "close") scenario.death = Death::close;
  if (word == "abort") scenario.death = Death::abort;
  return word == "rst" || word == "close" || word == "abort";
}

void apply(Scenario& scenario, std::string_view token, Scope& scope, bool& all) {
  if (const size_t equals = token.find('='); equals != std::string_view::npos) {
    apply_named(scenario, token.substr(0, equals), token.substr(equals + 1));
  } else if (const auto number = parse_u64(token)) {
    if (scenario.number == 0) scenario.number = *number;
  } else if (is_digit(token.front())) {
    if (scenario.duration_ns == 0) scenario.duration_ns = duration_or(token, 0);
  } else if (token == "all") {
    all = true;
    scope = Scope::any;
  } else if (token == "flat" || token == "nested") {
    scenario.nested = token == "nested";
  } else if (!apply_death(scenario, token) && scenario.word.empty()) {
    scenario.word = token;
  }
}

Scenario parse(std::string_view text, Scope& scope, bool in_key) {
  Scenario scenario;
  scenario.name = next_token(text, in_key);
  scenario.kind = kind_of(scenario.name);
  const bool is_free = scope == Scope::any;
  bool all = false;
  for (;;) {
    const std::string_view token = next_token(text, in_key);
    if (token.empty()) break;
    apply(scenario, token, scope, all);
  }
  if (is_free && !all) scope = usual_scope(scenario.kind);
  const bool counted =
      scenario.kind == Kind::refused_stream || scenario.kind == Kind::conversation_locked;
  if (counted && scenario.times == 0) {
    scenario.times = scenario.number == 0 ? 1 : static_cast<uint32_t>(scenario.number);
  }
  if (scenario.kind == Kind::goaway_before && scenario.times == 0) scenario.times = 1;
  return scenario;
}

// Choice keeps the best scenario seen so far.
class Choice {
 public:
  explicit Choice(bool is_flex) : wanted_(is_flex ? Scope::flex : Scope::standard) {}

  void offer(std::string_view marker, bool in_key) {
    std::string_view rest = marker;
    const std::string_view first = next_token(rest, in_key);
    if (first.empty()) return;
    Scope scope = Scope::any;
    if (first == "flex") scope = Scope::flex;
    if (first == "standard") scope = Scope::standard;
    const bool is_exact = scope != Scope::any;
    if (is_exact && scope != wanted_) return;
    const Scenario scenario = parse(is_exact ? rest : marker, scope, in_key);
    if (is_exact && !exact_) exact_ = scenario;
    if (!is_exact && !general_ && (scope == Scope::any || scope == wanted_)) general_ = scenario;
    if (!is_exact) seen_ = true;
  }
  // seen: there was a marker for this tier or for every tier.
  bool seen() const { return seen_ || exact_.has_value(); }
  Scenario best() const { return exact_ ? *exact_ : general_.value_or(Scenario{}); }

 private:
  Scope wanted_;
  bool seen_ = false;
  std::optional<Scenario> exact_;
  std::optional<Scenario> general_;
};

void offer_text(Choice& choice, std::string_view text) {
  size_t at = 0;
  while ((at = text.find(kOpening, at)) != std::string_view::npos) {
    at += kOpening.size();
    const std::string_view rest = text.substr(at, kMarkerBytesMax);
    const size_t end = rest.find(']');
    if (end != std::string_view::npos) choice.offer(rest.substr(0, end), false);
  }
}

void offer_key(Choice& choice, std::string_view key) {
  while (!key.empty()) {
    const size_t end = key.find("__");
    choice.offer(key.substr(0, end), true);
    if (end == std::string_view::npos) break;
    key.remove_prefix(end + 2);
  }
}

}  // namespace

std::string_view kind_name(Kind kind) {
  return kNames[static_cast<size_t>(kind)];
}

Scenario parse_marker(std::string_view text, Scope& scope) {
  return parse(text, scope, false);
}

Scenario find_scenario(std::string_view text, std::string_view key, std::string_view fallback,
                       bool is_flex, std::string_view last_text) {
  Choice in_last_text(is_flex);
  offer_text(in_last_text, last_text);
  if (in_last_text.seen()) {
    Scenario scenario = in_last_text.best();
    scenario.in_last_text = true;
    return scenario;
  }
  Choice in_text(is_flex);
  offer_text(in_text, text);
  if (in_text.seen()) return in_text.best();
  Choice in_key(is_flex);
  offer_key(in_key, key);
  if (in_key.seen()) return in_key.best();
  Choice otherwise(is_flex);
  otherwise.offer(fallback, false);
  return otherwise.best();
}

}  // namespace flexd::flexsim
