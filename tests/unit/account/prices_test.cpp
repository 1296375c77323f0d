#include "flexd/account/prices.hpp"

#include <doctest/doctest.h>

#include <string>

namespace flexd::account {
namespace {

constexpr std::string_view kAsOf = "as-of 2026-02-28\n";

// parsed is a file of these lines under a good first one.
Prices parsed(std::string_view lines) {
  auto prices = Prices::parse(std::string(kAsOf) + std::string(lines));
  REQUIRE_MESSAGE(prices.has_value(), lines);
  return std::move(*prices);
}

// refusal is why a file is refused.
std::string refusal(std::string_view text) {
  const auto prices = Prices::parse(text);
  REQUIRE_MESSAGE(!prices.has_value(), text);
  return prices.error().message;
}

std::string refused_line(std::string_view line) {
  return refusal(std::string(kAsOf) + "a standard 1 - - 2\n" + std::string(line));
}

std::optional<uint64_t> cost(const Prices& prices, TokenCounts tokens) {
  return prices.cost("m", PriceTier::standard, tokens);
}

TEST_CASE("prices: the words of the tiers") {
  for (const auto* word : {"default", "standard", "standard_only", "on_demand", "ON_DEMAND"}) {
    CHECK_MESSAGE(price_tier(word) == PriceTier::standard, word);
  }
  CHECK(price_tier("flex") == PriceTier::flex);
  CHECK(price_tier("FLEX") == PriceTier::flex);
  CHECK(price_tier("priority") == PriceTier::priority);
  CHECK(price_tier("fast") == PriceTier::priority);
  for (const auto* word :
       {"", "auto", "batch", "scale", "ultrafast", "deferred", "flex ", "flexible", "prio"}) {
    CHECK_MESSAGE(!price_tier(word), word);
  }
}

TEST_CASE("prices: what each kind of token costs") {
  const Prices prices = parsed("m standard 2000000 500000 2500000 8000000\n");
  CHECK(cost(prices, {}) == 0);
  CHECK(cost(prices, {.input = 1'000'000}) == 2'000'000'000);
  CHECK(cost(prices, {.output = 1'000'000}) == 8'000'000'000);
  CHECK(cost(prices, {.input = 1, .output = 1}) == 10'000);
  // 100 fresh, 700 cached, 200 written.
  CHECK(cost(prices, {.input = 1000, .cached = 700, .cache_write = 200}) ==
        100 * 2000 + 700 * 500 + 200 * 2500);
  // More of the parts than of the whole: the parts count.
  CHECK(cost(prices, {.input = 10, .cached = 700, .cache_write = 200}) == 700 * 500 + 200 * 2500);
  CHECK_FALSE(prices.cost("m", PriceTier::flex, {.input = 1}));
  CHECK_FALSE(prices.cost("n", PriceTier::standard, {.input = 1}));
  CHECK_FALSE(prices.cost("", PriceTier::standard, {}));
  CHECK_FALSE(prices.cost("M", PriceTier::standard, {}));
}

TEST_CASE("prices: a cost is rounded to the nearest nano-dollar") {
  const Prices prices = parsed("m standard 499 1 0 500\n");
  CHECK(cost(prices, {.input = 1}) == 0);
  CHECK(cost(prices, {.output = 1}) == 1);
  // Rounded once, not for each kind: 0.499 + 0.500 + 0.001.
  CHECK(cost(prices, {.input = 2, .cached = 1, .output = 1}) == 1);
  CHECK(cost(prices, {.input = 3, .output = 0}) == 1);
  CHECK(cost(prices, {.input = 1, .cache_write = 1, .output = 2}) == 1);
}

TEST_CASE("prices: a price that does not exist") {
  const Prices prices =
      parsed("m standard 10 - - 20\nfree standard 0 0 0 0\nin standard 1 1 1 -\n");
  CHECK(cost(prices, {.input = 1000, .output = 1000}) == 30);
  CHECK_FALSE(cost(prices, {.input = 1000, .cached = 1}));
  CHECK_FALSE(cost(prices, {.input = 1000, .cache_write = 1}));
  CHECK(prices.cost("free", PriceTier::standard, {.input = 9, .cached = 9, .output = 9}) == 0);
  // Without input and output a line is no price, whatever was used.
  CHECK_FALSE(prices.cost("in", PriceTier::standard, {.input = 1}));
  CHECK(prices.knows("in"));
}

TEST_CASE("prices: long prompts") {
  const Prices prices = parsed(
      "m standard 4000 - - 40000 over 2000\n"
      "m standard 1000 - - 10000\n"
      "m standard 2000 500 - 20000 over 1000\n"
      "m flex 500 - - 5000 over 1000\n"
      "m priority 9000 - - 90000\n"
      "m priority - - - - over 1000\n");
  CHECK(cost(prices, {.input = 0, .output = 1}) == 10);
  CHECK(cost(prices, {.input = 1000, .output = 1}) == 1010);
  CHECK(cost(prices, {.input = 1001, .output = 1}) == 2022);
  CHECK(cost(prices, {.input = 2000}) == 4000);
  CHECK(cost(prices, {.input = 2001}) == 8004);
  // All input counts for the length, cached tokens too, also where the sum is what counts as input.
  CHECK(cost(prices, {.input = 1001, .cached = 1000}) == 502);
  CHECK(cost(prices, {.input = 1, .cached = 1001}) == 501);
  // No line for short prompts; a line that says there is no price for long ones.
  CHECK_FALSE(prices.cost("m", PriceTier::flex, {.input = 1000}));
  CHECK(prices.cost("m", PriceTier::flex, {.input = 1001}) == 501);
  CHECK(prices.cost("m", PriceTier::priority, {.input = 1000}) == 9000);
  CHECK_FALSE(prices.cost("m", PriceTier::priority, {.input = 1001}));
}

TEST_CASE("prices: what stands in where these tokens have no price") {
  const Prices prices = parsed(
      "m standard 1000 100 - 10000\n"
      "m standard 2000 200 - 20000 over 1000\n"
      "m standard - - - - over 2000\n"
      "m flex 500 50 - 5000\n"
      "m priority 3000 - - 30000\n"
      "m priority 100 - - 90000 over 5000\n"
      "flexes flex 7000 - 9000 -\n"
      "flexes flex 500 - 900 5000 over 10\n"
      "none standard - - - -\n"
      "half standard 1000 - - -\n"
      "nn standard 1 1 1 1\n");
  const auto of = [&prices](std::string_view model, TokenCounts tokens) {
    return prices.substitute_cost(model, tokens);
  };
  // The standard line for the length, though priority is dearer.
  CHECK(of("m", {.input = 1000, .output = 1}) == 1010);
  CHECK(of("m", {.input = 1001, .output = 1}) == 2022);
  CHECK(of("m", {}) == 0);
  // Cached input where it has a price; what has none counts as input.
  CHECK(of("m", {.input = 1000, .cached = 1000}) == 100);
  CHECK(of("m", {.input = 1000, .cached = 400, .cache_write = 600}) == 640);
  // No standard price for the length: the most of any line, which depends on the tokens.
  CHECK(of("m", {.input = 2001}) == 6003);
  CHECK(of("m", {.input = 2001, .cached = 2001}) == 6003);
  CHECK(of("m", {.input = 2001, .output = 1000}) == 200 + 90'000);
  // No standard line at all, and a line that has only one of its prices.
  CHECK(of("flexes", {.input = 4, .output = 2}) == 12);
  CHECK(of("flexes", {.input = 1000, .cached = 500, .cache_write = 500}) == 700);
  CHECK_FALSE(of("none", {.input = 1}));
  CHECK_FALSE(of("half", {.input = 1}));
  for (const auto* model : {"", "n", "mm", "zz"}) CHECK_FALSE(of(model, {.input = 1}));
  CHECK_FALSE(parsed("").substitute_cost("m", {.input = 1}));
}

TEST_CASE("prices: no count of tokens overflows") {
  const std::string most = std::to_string(kPriceMax);
  const Prices prices = parsed("m standard " + most + " " + most + " " + most + " " + most +
                               "\ncheap standard 1 0 0 1\n");
  constexpr uint64_t kAll = UINT64_MAX;
  CHECK(cost(prices, {.input = kAll, .cached = kAll, .cache_write = kAll, .output = kAll}) ==
        kCostMax);
  CHECK(cost(prices, {.output = uint64_t{1} << 63U}) == kCostMax);
  const auto cheap = [&prices](TokenCounts tokens) {
    return prices.cost("cheap", PriceTier::standard, tokens);
  };
  // 2^64 - 1 tokens at a thousandth of a nano-dollar each.
  CHECK(cheap({.output = kAll}) == 18'446'744'073'709'552);
  CHECK(cheap({.input = uint64_t{1} << 63U, .cached = 1}) == 9'223'372'036'854'776);
  // The highest cost that is said as it is, and the next.
  const Prices dear = parsed("m standard 1000 - - 0\n");
  CHECK(cost(dear, {.input = kCostMax - 1}) == kCostMax - 1);
  CHECK(cost(dear, {.input = kCostMax}) == kCostMax);
  CHECK(cost(dear, {.input = kCostMax + 1}) == kCostMax);
}

TEST_CASE("prices: the form of a file") {
  const Prices prices = parsed(
      "\n  # a comment\n"
      "b\tflex 1 2 3 4   # another\r\n"
      "a standard 1 - - 4 over 5\n"
      "b standard 1 2 3 4\n"
      "a-model/of:some.vendor_1 priority 1 2 3 4");
  CHECK(prices.as_of() == "2026-02-28");
  CHECK(prices.model_count() == 3);
  CHECK(prices.knows("a"));
  CHECK(prices.knows("b"));
  CHECK(prices.knows("a-model/of:some.vendor_1"));
  for (const auto* name : {"", "a-model", "aa", "c", "b "}) CHECK_FALSE(prices.knows(name));
  CHECK(prices.cost("b", PriceTier::flex, {.output = 1000}) == 4);
  CHECK(parsed("").model_count() == 0);
  CHECK_FALSE(parsed("").knows("a"));
  CHECK(Prices::parse("# 1\n\nas-of 2024-02-29").has_value());
  CHECK(parsed(std::string(kModelNameBytesMax, 'x') + " flex 1 1 1 1").model_count() == 1);
}

TEST_CASE("prices: the day comes first, and the calendar has it") {
  CHECK(refusal("") == "there is no line `as-of YYYY-MM-DD`");
  CHECK(refusal("# nothing\n") == "there is no line `as-of YYYY-MM-DD`");
  for (const auto* line :
       {"m standard 1 1 1 1", "as-of", "as-of 2026-02-29", "as-of 2026-13-01", "as-of 2026-00-10",
        "as-of 2026-1-1", "as-of 26-01-01", "as-of 2026-01-01 x", "as-of 2026-01-0x",
        "as-of 2026/01/01", "AS-OF 2026-01-01"}) {
    const std::string why = refusal(std::string("\n") + line);
    CHECK_MESSAGE(why.starts_with("line 2 comes first and is not `as-of"), why);
  }
  CHECK(refused_line("as-of 2026-01-01").starts_with("line 3 is not `model tier"));
}

TEST_CASE("prices: a line that is refused is named") {
  for (const auto* line :
       {"b", "b standard 1 2 3", "b standard 1 2 3 4 5", "b standard 1 2 3 4 over",
        "b standard 1 2 3 4 under 5", "b standard 1 2 3 4 over 5 6"}) {
    CHECK_MESSAGE(refused_line(line).starts_with("line 3 is not `model tier"), line);
  }
  CHECK(refused_line(std::string(kModelNameBytesMax + 1, 'x') + " flex 1 1 1 1")
            .starts_with("line 3 does not begin with the name of a model"));
  CHECK(refused_line("g\xc3\xb6 flex 1 1 1 1").starts_with("line 3 does not begin"));
  for (const auto* tier : {"batch", "Standard", "default"}) {
    CHECK(refused_line("b " + std::string(tier) + " 1 1 1 1").starts_with("line 3 names a tier"));
  }
  for (const auto* price :
       {"1.5", "-1", "+1", "1e6", "0x1", "$1", "--", "18446744073709551616", "1000000000001"}) {
    for (const auto& line :
         {"b flex " + std::string(price) + " 1 1 1", "b flex 1 1 1 " + std::string(price)}) {
      CHECK_MESSAGE(refused_line(line).starts_with("line 3 has a price"), line);
    }
  }
  for (const auto* over : {"0", "-", "1.5", "18446744073709551616"}) {
    CHECK_MESSAGE(refused_line("b flex 1 1 1 1 over " + std::string(over)) ==
                      "line 3 has no number of tokens after `over`",
                  over);
  }
  CHECK(refused_line("b flex 1 1 1 1\na standard 3 3 3 3") == "line 4 says again what line 2 says");
  CHECK(refused_line("a standard 1 1 1 1 over 7\na standard 2 2 2 2 over 7") ==
        "line 4 says again what line 3 says");
}

TEST_CASE("prices: those that flexd ships") {
  const Prices prices = Prices::built_in();
  CHECK(prices.as_of() == "2026-11-21");
  CHECK(prices.model_count() >= 50);
  const auto of = [&prices](std::string_view model, PriceTier tier, TokenCounts tokens) {
    return prices.cost(model, tier, tokens);
  };
  using enum PriceTier;
  CHECK(of("gpt-5.4", standard, {.input = 1'000'000, .cached = 1'000'000}) == 500'000'000);
  CHECK(of("gpt-5.4", standard, {.input = 272'000, .output = 1000}) == 695'000'000);
  CHECK(of("gpt-5.4", flex, {.input = 272'000, .output = 1000}) == 347'500'000);
  CHECK(of("gpt-5.4", standard, {.input = 272'001}) == 1'360'005'000);
  CHECK_FALSE(of("gpt-5.4", priority, {.input = 272'001}));
  CHECK(of("gemini-2.5-pro", standard, {.input = 200'001}) == 500'002'500);
  // A cache write at Anthropic costs a quarter more than input.
  for (const auto* model : {"claude-opus-4-8", "claude-sonnet-4-6", "claude-haiku-4-5"}) {
    const auto input = of(model, standard, {.input = 4000});
    const auto write = of(model, standard, {.input = 4000, .cache_write = 4000});
    REQUIRE(input);
    CHECK(write == *input / 4 * 5);
  }
  CHECK_FALSE(of("claude-opus-4-8", flex, {.input = 1}));
  CHECK_FALSE(prices.knows("gpt-5.4-2020-01-01"));
  CHECK_FALSE(prices.knows("(other)"));
}

}  // namespace
}  // namespace flexd::account
