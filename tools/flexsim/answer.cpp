#include "answer.hpp"

#include <algorithm>

#include "flexd/base/ascii.hpp"
#include "flexd/json/writer.hpp"

namespace flexd::flexsim {
namespace {

// Arguments are escaped like all texts.
constexpr std::string_view kParis = R"({\"city\":\"Paris\"})";
constexpr std::string_view kLondon = R"({\"city\":\"London\"})";
constexpr std::string_view kNothing = "{}";
constexpr std::string_view kWeather = "get_weather";
constexpr std::string_view kTime = "get_time";
// kHalf splits arguments outside of an escape.
constexpr size_t kHalf = 10;
constexpr size_t kUsualDeltas = 5;
constexpr uint64_t kReasoningTokens = 64;

// character_bytes is how much of a JSON string's inside is its first character.
size_t character_bytes(std::string_view text) {
  if (text.front() == '\\') {
    if (text.size() < 2 || text[1] != 'u') return std::min<size_t>(2, text.size());
    // The two halves of a surrogate pair are one character.
    const bool is_pair = text.size() >= 12 && lower(text[2]) == 'd' && text[6] == '\\';
    return std::min<size_t>(is_pair ? 12 : 6, text.size());
  }
  size_t bytes = 1;
  while (bytes < text.size() && (static_cast<uint8_t>(text[bytes]) & 0xc0U) == 0x80U) bytes++;
  return bytes;
}

size_t count_characters(std::string_view text) {
  size_t count = 0;
  for (; !text.empty(); count++) text.remove_prefix(character_bytes(text));
  return count;
}

// cut_at moves a place in a text to the end of the character that it is in.
size_t cut_at(std::string_view text, size_t place) {
  size_t at = 0;
  while (at < place) at += character_bytes(text.substr(at));
  return at;
}

// is_plain: every byte is a character.
bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c != '\\' && static_cast<uint8_t>(c) < 0x80U; });
}

// Tokens are the fixed numbers of the scenarios that have them: {output, reasoning}.
struct Tokens {
  uint64_t output = 0;
  uint64_t reasoning = 0;
};
constexpr uint64_t kFixedInput = 100;
constexpr uint64_t kCachedInput = 60;
constexpr Tokens kResultTokens = {12, 0};

// tells_of_request: the text is about the request, results of tools included.
bool tells_of_request(Kind kind) {
  return kind == Kind::image || kind == Kind::mirror;
}

Tokens fixed_tokens(Kind kind) {
  switch (kind) {
    case Kind::tools:
    case Kind::interleaved:
      return {30, 0};
    case Kind::agent:
    case Kind::image:
    case Kind::unicode:
      return {20, 0};
    case Kind::refusal:
      return {8, 0};
    case Kind::reasoning_tools:
      return {20 + kReasoningTokens, kReasoningTokens};
    case Kind::json:
      return {16, 0};
    case Kind::cached:
      return {50, 20};
    default:
      return {};
  }
}

}  // namespace

void answer_text(size_t bytes, std::string& out) {
  constexpr std::string_view kWords = "The quick brown fox jumps over the lazy dog. ";
  while (bytes > 0) {
    const size_t part = std::min(bytes, kWords.size());
    out.append(kWords.substr(0, part));
    bytes -= part;
  }
}

std::string unescaped_arguments(const Item& item) {
  std::string text;
  for (const char c : item.text) {
    // Our own arguments have no escapes but those of quotes.
    if (c != '\\') text += c;
  }
  return text;
}

void ModelAnswer::make(const Scenario& scenario, const RequestFacts& facts) {
  scenario_ = &scenario;
  facts_ = &facts;
  items_.clear();
  text_.clear();
  stop_ = Stop::end;
  usage_ = {};
  interleaves_ = false;
  text_deltas_ = scenario.kind == Kind::huge_event ? 1 : scenario.events;
  // A marker after the results asks for something new.
  waits_ = facts.history.waits_on_results() && !tells_of_request(scenario.kind) &&
           !(scenario.in_last_text && facts.history.has_text_after_results());
  write_text();
  if (text_deltas_ == 0) {
    text_deltas_ = scenario.kind == Kind::unicode ? count_characters(text_) : kUsualDeltas;
  }
  is_plain_ = is_plain(text_);
  count_tokens();
  const bool thinks =
      scenario.kind == Kind::reasoning || (scenario.kind == Kind::reasoning_tools && !waits_);
  if (thinks && facts.wants_thoughts) {
    add(ItemKind::reasoning, facts.wants_thought_text ? kThoughtText : std::string_view());
  }
  if ((!waits_ || is_agent_busy()) && write_calls()) {
    stop_ = Stop::calls;
    return;
  }
  if (scenario.kind == Kind::refusal && !waits_) stop_ = Stop::refused;
  if (scenario.kind == Kind::incomplete) {
    stop_ = scenario.word == "content_filter" ? Stop::blocked : Stop::length;
  }
  add(stop_ == Stop::refused ? ItemKind::refusal : ItemKind::message, text_);
}

void ModelAnswer::write_text() {
  const Scenario& scenario = *scenario_;
  const History& history = facts_->history;
  const bool is_huge = scenario.kind == Kind::huge_event;
  const uint64_t bytes = is_huge ? std::max<uint64_t>(scenario.number, 1) : scenario.text_bytes;
  if (bytes > 0) return answer_text(bytes, text_);
  if (scenario.events > 0 && scenario.kind != Kind::unicode) {
    return answer_text(scenario.events * 10, text_);
  }
  if (waits_) {
    const bool is_agent = scenario.kind == Kind::agent;
    text_.assign("The tool said: ");
    text_.append(is_agent ? history.loop_results() : history.results());
    return;
  }
  switch (scenario.kind) {
    case Kind::refusal:
      text_ = kRefusalText;
      return;
    case Kind::json:
      if (facts_->wants_json) return json::write_escaped(text_, kJsonText);
      text_ = kNoJsonText;
      return;
    case Kind::image:
      text_ = history.attachments();
      return;
    case Kind::unicode:
      text_ = kUnicodeText;
      return;
    case Kind::mirror:
      return json::write_escaped(text_, facts_->body);
    default:
      text_ = kDefaultText;
  }
}

bool ModelAnswer::is_agent_busy() const {
  const uint64_t calls = std::max<uint64_t>(scenario_->number, 1);
  return scenario_->kind == Kind::agent && facts_->history.loop_count() < calls;
}

// write_calls adds the calls of the scenario; false if it has none.
bool ModelAnswer::write_calls() {
  switch (scenario_->kind) {
    case Kind::tool_call:
      add_call(kWeather, kParis, "");
      return true;
    case Kind::tools:
      add_call(kWeather, kParis, "tools_1");
      add_call(kTime, kNothing, "tools_2");
      return true;
    case Kind::interleaved:
      interleaves_ = true;
      add_call(kWeather, kParis, "interleaved_1");
      add_call(kWeather, kLondon, "interleaved_2");
      return true;
    case Kind::reasoning_tools:
      add_call(kWeather, kParis, "reasoning_1");
      return true;
    case Kind::agent:
      suffix_.assign("agent_").append(
          DecimalText(uint64_t{waits_ ? facts_->history.loop_count() : 0} + 1).view());
      add_call(kWeather, kParis, suffix_);
      return true;
    default:
      return false;
  }
}

void ModelAnswer::add(ItemKind kind, std::string_view text) {
  items_.push_back({.kind = kind, .index = items_.size(), .text = text});
}

void ModelAnswer::add_call(std::string_view name, std::string_view arguments,
                           std::string_view suffix) {
  items_.push_back({.kind = ItemKind::call,
                    .index = items_.size(),
                    .text = arguments,
                    .name = name,
                    .suffix = suffix});
}

void ModelAnswer::count_tokens() {
  const Scenario& scenario = *scenario_;
  const bool is_last_of_loop =
      waits_ && scenario.text_bytes == 0 && scenario.events == 0 && !is_agent_busy();
  Tokens tokens = is_last_of_loop ? kResultTokens : fixed_tokens(scenario.kind);
  const bool is_fixed = tokens.output > 0;
  if (!is_fixed) tokens.output = text_.size() / 4 + 1;
  if (scenario.kind == Kind::reasoning) {
    tokens.output += kReasoningTokens;
    tokens.reasoning = kReasoningTokens;
  }
  usage_.input_tokens = is_fixed ? kFixedInput : facts_->input_bytes / 4 + 1;
  if (scenario.input_tokens > 0) usage_.input_tokens = scenario.input_tokens;
  if (scenario.kind == Kind::cached)
    usage_.cached_tokens = std::min(kCachedInput, usage_.input_tokens);
  usage_.output_tokens = tokens.output;
  usage_.reasoning_tokens = tokens.reasoning;
}

size_t ModelAnswer::delta_count(const Item& item) const {
  switch (item.kind) {
    case ItemKind::message:
      return text_deltas_;
    case ItemKind::refusal:
      return kUsualDeltas;
    case ItemKind::call:
      return item.text.size() > kHalf ? 2 : 1;
    case ItemKind::reasoning:
      return item.text.empty() ? 0 : 1;
  }
  return 0;
}

std::string_view ModelAnswer::delta(const Item& item, size_t index) const {
  if (item.kind == ItemKind::call && item.text.size() > kHalf) {
    return index == 0 ? item.text.substr(0, kHalf) : item.text.substr(kHalf);
  }
  const size_t count = delta_count(item);
  if (scenario_->kind == Kind::unicode && count == count_characters(item.text)) {
    // A delta a character.
    std::string_view rest = item.text;
    for (; index > 0; index--) rest.remove_prefix(character_bytes(rest));
    return rest.substr(0, character_bytes(rest));
  }
  if (is_plain_ || item.kind != ItemKind::message) {
    const size_t begin = item.text.size() * index / count;
    return item.text.substr(begin, item.text.size() * (index + 1) / count - begin);
  }
  const size_t begin = cut_at(item.text, item.text.size() * index / count);
  const size_t end = cut_at(item.text, item.text.size() * (index + 1) / count);
  return item.text.substr(begin, end - begin);
}

}  // namespace flexd::flexsim
