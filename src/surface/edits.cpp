#include "flexd/surface/edits.hpp"

#include "flexd/base/assert.hpp"
#include "flexd/json/edit.hpp"

namespace flexd::surface {

namespace {

// TierText is a tier's word as the JSON that an edit puts in; static, because splices refer to it.
struct TierText {
  std::string_view word;
  std::string_view member;
  std::string_view member_and_stream;
  // The same with the comma that stands before what follows.
  std::string_view front;
  std::string_view front_and_stream;
};

#define FLEXD_TIER_TEXT(word)                                                              \
  {word, "\"service_tier\":\"" word "\"", "\"service_tier\":\"" word "\",\"stream\":true", \
   "\"service_tier\":\"" word "\",", "\"service_tier\":\"" word "\",\"stream\":true,"}
constexpr TierText kTierTexts[] = {
    FLEXD_TIER_TEXT("flex"),     FLEXD_TIER_TEXT("default"), FLEXD_TIER_TEXT("standard"),
    FLEXD_TIER_TEXT("priority"), FLEXD_TIER_TEXT("auto"),    FLEXD_TIER_TEXT("standard_only"),
};
#undef FLEXD_TIER_TEXT

const TierText& text_of(errors::Provider provider, Tier tier) {
  const std::string_view word = tier_word(provider, tier);
  for (const TierText& text : kTierTexts) {
    if (text.word == word) return text;
  }
  FLEXD_ASSERT(!"check_tier lets no tier come here that the provider lacks");
  return kTierTexts[0];
}

SpliceList edits(const RequestFacts& facts, Tier tier, bool force_stream) {
  const json::Fields& fields = facts.fields;
  const TierText& text = text_of(facts.provider, tier);
  json::Edit edit(fields);
  const bool adds_stream = force_stream && !fields.has(kStream);
  if (force_stream && fields.has(kStream) && !facts.stream) edit.replace_value(kStream, "true");
  const std::string_view added = adds_stream ? text.member_and_stream : text.member;
  if (fields.has(kServiceTier)) {
    // It is null: anything else was refused. Its place serves as well as that of start_within.
    edit.replace_member(kServiceTier, added);
    if (fields.has(kStartWithin)) edit.remove(kStartWithin);
  } else if (fields.has(kStartWithin)) {
    edit.replace_member(kStartWithin, added);
  } else {
    edit.insert(added);
  }
  for (size_t field = kFirstReserved; field < kBackground; ++field) {
    if (fields.has(field)) edit.remove(field);
  }
  return edit.splices();
}

}  // namespace

SpliceList race_edits(const RequestFacts& facts, Tier tier) {
  FLEXD_ASSERT(tier == Tier::flex || tier == Tier::standard);
  return edits(facts, tier, true);
}

SpliceList direct_edits(const RequestFacts& facts) {
  return edits(facts, facts.tier, false);
}

SpliceList translated_edits(errors::Provider provider, Tier tier, bool stream) {
  const TierText& text = text_of(provider, tier);
  SpliceList list;
  list.add({.offset = 1, .length = 0, .text = stream ? text.front_and_stream : text.front});
  return list;
}

}  // namespace flexd::surface
