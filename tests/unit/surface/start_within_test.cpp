#include "flexd/surface/start_within.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>

#include "flexd/surface/provider.hpp"

namespace flexd::surface {
namespace {

constexpr uint64_t kS = 1'000'000'000;
using Kind = StartWithin::Kind;

TEST_CASE("start_within: words and durations") {
  CHECK(parse_start_within("default")->kind == Kind::standard);
  CHECK(parse_start_within("priority")->kind == Kind::priority);
  CHECK(parse_start_within("auto")->kind == Kind::automatic);
  struct Good {
    const char* text;
    uint64_t seconds;
  };
  for (const Good good : {Good{"00h-00m-05s", 5}, Good{"00h-00m-30s", 30}, Good{"00h-00m-90s", 90},
                          Good{"00h-00m-99s", 99}, Good{"00h-10m-00s", 600},
                          Good{"00h-09m-60s", 600}, Good{"00h-01m-01s", 61}}) {
    CAPTURE(good.text);
    const auto parsed = parse_start_within(good.text);
    REQUIRE(parsed);
    CHECK(parsed->kind == Kind::duration);
    CHECK(parsed->duration_ns == good.seconds * kS);
  }
}

TEST_CASE("start_within: what is refused, and why") {
  for (const char* text :
       {"00h-00m-04s", "00h-00m-00s", "00h-10m-01s", "00h-09m-61s", "01h-00m-00s", "99h-99m-99s"}) {
    CAPTURE(text);
    const auto parsed = parse_start_within(text);
    REQUIRE(!parsed);
    CHECK(parsed.error() == StartWithinFault::out_of_range);
  }
  for (const char* text :
       {"", " ", "Default", "default ", "AUTO", "flex", "30s", "0h-00m-30s", "00h-00m-030s",
        "00h-00m-30S", "00h-00m-30", "00h:00m:30s", "00h-00m-3 s", " 0h-00m-30s", "-1h-00m-30s",
        "00h-00m-30s\n", "0xh-00m-30s", "00h-00m-30ss", "٠٠h-00m-30s"}) {
    CAPTURE(text);
    const auto parsed = parse_start_within(text);
    REQUIRE(!parsed);
    CHECK(parsed.error() == StartWithinFault::form);
  }
  CHECK(!parse_start_within(std::string_view("00h-00m-3\0s", 11)));
}

TEST_CASE("start_within: the client's patience") {
  CHECK(parse_patience("600") == 600 * kS);
  CHECK(parse_patience("600.0") == 600 * kS);
  CHECK(parse_patience("0.25") == kS / 4);
  CHECK(parse_patience("1.0000000001") == kS);
  CHECK(parse_patience("0") == 0);
  CHECK(parse_patience("99999999999999999999999999") == 604'800 * kS);
  for (const char* text : {"", "NaN", "-5", " 5", "5s", "1.2.3", "None", ".5"}) {
    CAPTURE(text);
    CHECK(parse_patience(text) == 0);
  }
}

TEST_CASE("provider: the tier's word at each provider") {
  using errors::Provider;
  CHECK(tier_word(Provider::openai, Tier::flex) == "flex");
  CHECK(tier_word(Provider::openai, Tier::standard) == "default");
  CHECK(tier_word(Provider::openai, Tier::priority) == "priority");
  CHECK(tier_word(Provider::openai, Tier::automatic) == "auto");
  CHECK(tier_word(Provider::gemini, Tier::flex) == "flex");
  CHECK(tier_word(Provider::gemini, Tier::standard) == "standard");
  CHECK(tier_word(Provider::gemini, Tier::priority) == "priority");
  CHECK(tier_word(Provider::gemini, Tier::automatic).empty());
  CHECK(tier_word(Provider::anthropic, Tier::flex).empty());
  CHECK(tier_word(Provider::anthropic, Tier::standard) == "standard_only");
  CHECK(tier_word(Provider::anthropic, Tier::priority) == "auto");
  CHECK(tier_word(Provider::anthropic, Tier::automatic) == "auto");
}

TEST_CASE("provider: which start_within applies to which model") {
  using errors::Code;
  const FlexModels models = FlexModels::built_in();
  CHECK(models.names().size() == 21);
  const auto check = [&](const char* text, const char* model) {
    return check_tier(*parse_start_within(text), model, models);
  };
  for (const std::string& name : models.names()) {
    CHECK(check("00h-00m-30s", name.c_str()) == std::nullopt);
  }
  CHECK(check("00h-00m-30s", "gpt-5.5-2026-01-01") == Code::model_not_flex_capable);
  CHECK(check("00h-00m-30s", "gpt-5.5 ") == Code::model_not_flex_capable);
  CHECK(check("00h-00m-30s", "GPT-5.5") == Code::model_not_flex_capable);
  CHECK(check("00h-00m-30s", "gpt-4o") == Code::model_not_flex_capable);
  CHECK(check("00h-00m-30s", "gemini-1.5-pro") == Code::model_not_flex_capable);
  CHECK(check("00h-00m-30s", "claude-x") == Code::flex_unsupported_for_anthropic);
  CHECK(check("auto", "gemini-2.5-pro") == Code::auto_unsupported_for_gemini);
  for (const char* model : {"gpt-4o", "claude-x", "anything"}) {
    CHECK(check("auto", model) == std::nullopt);
  }
  for (const char* model : {"gpt-4o", "claude-x", "gemini-x"}) {
    CHECK(check("default", model) == std::nullopt);
    CHECK(check("priority", model) == std::nullopt);
  }
}

TEST_CASE("provider: a list of the operator's") {
  const auto models =
      FlexModels::parse("# ours\r\n\r\n  gpt-9  # soon\r\ngemini-9\ngpt-9\nmy/model:tag");
  REQUIRE(models);
  CHECK(models->names() == std::vector<std::string>{"gemini-9", "gpt-9", "my/model:tag"});
  CHECK(models->has("gpt-9"));
  CHECK(!models->has("gpt-5.5"));
  CHECK(FlexModels::parse("")->names().empty());
  const auto spaced = FlexModels::parse("gpt-9\ngpt 9\n");
  REQUIRE(!spaced);
  CHECK(spaced.error().message.find("line 2") == 0);
  const auto claude = FlexModels::parse("claude-9");
  REQUIRE(!claude);
  CHECK(claude.error().message.find("Anthropic") != std::string::npos);
  CHECK(!FlexModels::parse(std::string(129, 'x')));
}

}  // namespace
}  // namespace flexd::surface
