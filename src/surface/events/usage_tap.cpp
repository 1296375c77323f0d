#include "flexd/surface/usage_tap.hpp"

#include <algorithm>
#include <cstring>

#include "flexd/json/cursor.hpp"
#include "provider_events.hpp"

namespace flexd::surface {
namespace {

// The names' beginnings: enough to pass by all but a few other strings without a stop.
constexpr json::SkimFor kMembers{
    .first = {'u', 's', 'a', 'g'}, .second = {'s', 'e', 'r', 'v'}, .floor = 0};
constexpr json::SkimFor kUsageEnd{.first = kMembers.first, .second = kMembers.second, .floor = 1};

bool is_blank(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

const char* skip_blanks(const char* at, const char* end) {
  return std::find_if_not(at, end, is_blank);
}

std::string_view text_between(const char* begin, const char* end) {
  return {begin, static_cast<size_t>(end - begin)};
}

}  // namespace

void UsageTap::begin(errors::Provider provider) {
  state_ = State::before;
  provider_ = provider;
  too_long_ = false;
  tier_size_ = 0;
  usage_member_.seen = tier_member_.seen = false;
  nesting_ = {};
  usage_ = {};
  kept_.clear();
}

void UsageTap::stop() {
  state_ = State::over;
  kept_.clear();
}

void UsageTap::feed(std::string_view bytes, const json::TextKernels& kernels) {
  const char* at = bytes.data();
  const char* const end = at + bytes.size();
  while (at != end && state_ != State::over) at = take(at, end, kernels);
}

// take reads as far as one state goes and returns where it got to.
const char* UsageTap::take(const char* at, const char* end, const json::TextKernels& kernels) {
  if (state_ == State::members) return take_members(at, end, kernels);
  if (state_ == State::usage) return take_usage(at, end, kernels);
  if (state_ == State::name) return take_name(at, end);
  if (state_ == State::tier) return take_tier(at, end);
  at = skip_blanks(at, end);
  if (at == end) return end;
  if (state_ == State::value) return take_value(at);
  if (state_ == State::colon) {
    state_ = *at == ':' ? State::value : State::members;
    return *at == ':' ? at + 1 : at;
  }
  if (*at != '{') {
    stop();
    return end;
  }
  state_ = State::members;
  return at;
}

const char* UsageTap::take_members(const char* at, const char* end,
                                   const json::TextKernels& kernels) {
  const json::Skimmed skimmed = kernels.skim(at, end, kMembers, nesting_);
  if (skimmed.why == json::SkimStop::string) return begin_name(skimmed.stop, end);
  if (skimmed.why != json::SkimStop::end) stop();
  return skimmed.stop;
}

// begin_name goes straight to the value where the usual spelling of its beginning is all there.
const char* UsageTap::begin_name(const char* at, const char* end) {
  constexpr std::string_view kUsage = "usage\":{";
  constexpr std::string_view kTier = "service_tier\":\"";
  const std::string_view rest = text_between(at, end);
  const bool is_usage = *at == 'u';
  wanted_ = is_usage ? &usage_member_ : &tier_member_;
  if (!wanted_->seen && rest.starts_with(is_usage ? kUsage : kTier)) {
    nesting_.in_string = false;
    return take_value(at + (is_usage ? kUsage : kTier).size() - 1);
  }
  state_ = State::name;
  matched_ = 0;
  return at;
}

const char* UsageTap::take_name(const char* at, const char* end) {
  const std::string_view name = wanted_->name;
  while (at != end && matched_ < name.size() && *at == name[matched_]) {
    ++at;
    ++matched_;
  }
  if (at == end) return end;
  if (matched_ < name.size() || *at != '"') {
    pass_string();
    return at;
  }
  nesting_.in_string = false;
  state_ = State::colon;
  return at + 1;
}

// take_value looks at the first byte of a value, and takes it if it is what it should be.
const char* UsageTap::take_value(const char* at) {
  state_ = State::members;
  if (wanted_->seen) return at;
  wanted_->seen = true;
  if (wanted_ == &usage_member_ && *at == '{') {
    state_ = State::usage;
  } else if (wanted_ == &tier_member_ && *at == '"') {
    state_ = State::tier;
    word_size_ = 0;
    return at + 1;
  } else {
    next_member();
  }
  return at;
}

const char* UsageTap::take_usage(const char* at, const char* end,
                                 const json::TextKernels& kernels) {
  if (provider_ == errors::Provider::openai && kept_.empty() && nesting_.depth == 1) {
    // As a rule it is there in one part, and to read it finds its end.
    const size_t size =
        read_openai_usage_front(text_between(at, end).substr(0, kTapUsageBytesMax), usage_);
    if (size != 0) {
      next_member();
      return at + size;
    }
  }
  const json::Skimmed skimmed = kernels.skim(at, end, kUsageEnd, nesting_);
  const std::string_view part = text_between(at, skimmed.stop);
  if (skimmed.why == json::SkimStop::broken) {
    stop();
  } else if (skimmed.why == json::SkimStop::closed) {
    end_usage(part);
    next_member();
  } else if (kept_.size() + part.size() > kTapUsageBytesMax || !kept_.append(part)) {
    too_long_ = true;
  }
  return skimmed.stop;
}

// end_usage reads the object: from where it stands if it came in one part.
void UsageTap::end_usage(std::string_view last_part) {
  const bool fits = kept_.size() + last_part.size() <= kTapUsageBytesMax;
  const bool in_parts = !kept_.empty();
  if (!too_long_ && fits && (!in_parts || kept_.append(last_part))) {
    const json::Value usage{in_parts ? kept_.view() : last_part};
    read_usage(provider_, usage, usage_);
    // Anthropic tells the tier in here, and nowhere else.
    if (provider_ == errors::Provider::anthropic) {
      const std::string_view word = usage["service_tier"].contents();
      if (!word.empty() && word.size() <= tier_.size() && word.find('\\') == word.npos) {
        std::memcpy(tier_.data(), word.data(), word.size());
        tier_size_ = static_cast<uint8_t>(word.size());
        tier_member_.seen = true;
      }
    }
  }
  kept_.clear();
}

const char* UsageTap::take_tier(const char* at, const char* end) {
  for (; at != end; ++at) {
    if (*at == '"') {
      tier_size_ = word_size_;
      next_member();
      return at + 1;
    }
    if (*at == '\\' || word_size_ == tier_.size()) {
      pass_string();
      return at;
    }
    tier_[word_size_++] = *at;
  }
  return end;
}

// pass_string: what began is of no interest; its rest is.
void UsageTap::pass_string() {
  nesting_.in_string = true;
  state_ = State::members;
}

void UsageTap::next_member() {
  state_ = State::members;
  if (usage_member_.seen && tier_member_.seen) stop();
}

}  // namespace flexd::surface
