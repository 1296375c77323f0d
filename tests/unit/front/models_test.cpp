#include "models.hpp"

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "flexd/account/prices.hpp"

namespace flexd::front {
namespace {

using Names = std::vector<std::string>;

// World is a snapshot with one key, and a flex list.
struct World {
  explicit World(Names key_models, Names stored = {}, std::string_view flex = "gpt-b\ngemini-d\n")
      : flex_models(surface::FlexModels::parse(flex).value()),
        snapshot(organizations(), keys(std::move(key_models)), states(stored)) {}

  std::vector<account::Organization> organizations() {
    std::vector<account::Organization> made(1);
    made.front().cells = &cells;
    return made;
  }
  static std::vector<account::KeyRecord> keys(Names models) {
    std::vector<account::KeyRecord> made(1);
    made.front().models = std::move(models);
    return made;
  }
  static std::vector<account::ModelState> states(const Names& names) {
    std::vector<account::ModelState> made;
    for (const std::string& name : names) made.push_back({.name = name});
    return made;
  }

  ModelCatalog catalog() { return {flex_models, snapshot, *snapshot.lookup({})}; }
  // list is the whole answer; ids are the models in it, in order.
  std::string list() {
    Buffer out(pool);
    REQUIRE(write_model_list(catalog(), out));
    return std::string(out.view());
  }
  Names ids() {
    Names found;
    const std::string text = list();
    constexpr std::string_view kId = "{\"id\":\"";
    for (size_t at = text.find(kId); at != std::string::npos; at = text.find(kId, at + 1)) {
      const size_t begin = at + kId.size();
      found.push_back(text.substr(begin, text.find('"', begin) - begin));
    }
    return found;
  }

  BlockPool pool{size_t{16} << 20U};
  account::OrganizationCells cells;
  surface::FlexModels flex_models;
  account::Snapshot snapshot;
};

std::string decoded(std::string_view escaped) {
  std::array<char, kModelNameMax> space;
  return std::string(decode_model_name(escaped, space));
}

TEST_CASE("models: an entry has the fields of both vendors") {
  World world({}, {}, "gpt-b");
  const std::string entry =
      R"({"id":"gpt-b","object":"model","created":0,"owned_by":"openai","type":"model",)"
      R"("display_name":"gpt-b","created_at":"1970-01-01T00:00:00Z","flexinference":)"
      R"({"flex_race":true,"tiers":["flex","default","priority","auto"],"providers":["openai"]}})";
  CHECK(world.list() == R"({"object":"list","data":[)" + entry +
                            R"(],"has_more":false,"first_id":"gpt-b","last_id":"gpt-b"})");
  Buffer out(world.pool);
  REQUIRE(write_model("gpt-b", world.flex_models, out));
  CHECK(out.view() == entry);
}

TEST_CASE("models: the tiers that start_within can reach") {
  World world({}, {"claude-a", "gemini-a", "gpt-a"});
  const auto tiers = [&world](std::string_view model) {
    Buffer out(world.pool);
    REQUIRE(write_model(model, world.flex_models, out));
    const std::string_view text = out.view();
    const size_t at = text.find("\"flex_race\"");
    return std::string(text.substr(at, text.size() - at - 2));
  };
  CHECK(tiers("gpt-a") == R"("flex_race":false,"tiers":["default","priority","auto"],)"
                          R"("providers":["openai"])");
  CHECK(tiers("gemini-a") == R"("flex_race":false,"tiers":["standard","priority"],)"
                             R"("providers":["gemini"])");
  CHECK(tiers("gemini-d") == R"("flex_race":true,"tiers":["flex","standard","priority"],)"
                             R"("providers":["gemini"])");
  CHECK(tiers("claude-a") == R"("flex_race":false,"tiers":["standard_only","auto"],)"
                             R"("providers":["anthropic"])");
}

TEST_CASE("models: the flex list and the store's, by name, each once") {
  CHECK(World({}).ids() == Names{"gemini-d", "gpt-b"});
  CHECK(World({}, {"a", "gemini-d", "gpt-a", "z"}).ids() ==
        Names{"a", "gemini-d", "gpt-a", "gpt-b", "z"});
  CHECK(World({}, {"a", "b"}, "# none").ids() == Names{"a", "b"});
  World none({}, {}, "# none");
  CHECK(none.list() ==
        R"({"object":"list","data":[],"has_more":false,"first_id":null,"last_id":null})");
}

TEST_CASE("models: a key's own list") {
  CHECK(World({"gpt-b"}, {"gpt-a"}).ids() == Names{"gpt-b"});
  CHECK(World({"gpt-*"}, {"claude-a", "gpt-a"}).ids() == Names{"gpt-a", "gpt-b"});
  CHECK(World({"*"}).ids() == Names{"gemini-d", "gpt-b"});
  // A name that only the key's list has is a model that the operator means to be used.
  CHECK(World({"o9", "gpt-b", "claude-*", "stored"}, {"stored"}).ids() ==
        Names{"gpt-b", "stored", "o9"});
  CHECK(World({"nothing-*"}).ids().empty());
}

TEST_CASE("models: one by its name") {
  World all({}, {"stored"});
  for (const auto* name : {"gpt-b", "gemini-d", "stored"}) CHECK(all.catalog().has(name));
  for (const auto* name : {"", "gpt-c", "GPT-B", "gpt-b "}) CHECK_FALSE(all.catalog().has(name));
  World some({"gpt-*", "o9"}, {"stored"});
  for (const auto* name : {"gpt-b", "o9"}) CHECK(some.catalog().has(name));
  for (const auto* name : {"gemini-d", "stored", "gpt-zzz", "gpt-*", "o9*"}) {
    CHECK_FALSE(some.catalog().has(name));
  }
}

TEST_CASE("models: percent-escapes in a name") {
  CHECK(decoded("gpt-5.4") == "gpt-5.4");
  CHECK(decoded("a%2Fb%2fc/d") == "a/b/c/d");
  CHECK(decoded("%66oo%20+") == "foo +");
  CHECK(decoded("%00") == std::string(1, '\0'));
  for (const auto* bad : {"", "%", "a%2", "%zz", "%2", "a%%20"}) CHECK(decoded(bad).empty());
  CHECK(decoded(std::string(kModelNameMax, 'x')).size() == kModelNameMax);
  CHECK(decoded(std::string(kModelNameMax + 1, 'x')).empty());
  std::string escaped;
  for (size_t i = 0; i < kModelNameMax; ++i) escaped += "%41";
  CHECK(decoded(escaped) == std::string(kModelNameMax, 'A'));
  CHECK(decoded(escaped + "%").empty());
}

TEST_CASE("models: the list is bounded, and so is memory") {
  Names many;
  for (size_t i = 0; i < kModelsListedMax + 1; ++i) many.push_back(std::to_string(10'000 + i));
  World world({}, many, "gpt-b");
  const Names ids = world.ids();
  CHECK(ids.size() == kModelsListedMax);
  CHECK(ids.back() == many[kModelsListedMax - 1]);
  CHECK(world.list().ends_with("\"last_id\":\"" + ids.back() + "\"}"));
  // Those beyond are found by name.
  CHECK(world.catalog().has(many.back()));
  CHECK(world.catalog().has("gpt-b"));
  BlockPool small(4096);
  Buffer out(small);
  CHECK_FALSE(write_model_list(world.catalog(), out));
}

// The two lists that flexd ships agree: what may race has the prices that say what a race saves.
TEST_CASE("models: each on the flex list has a price, and flex is half of standard") {
  const account::Prices prices = account::Prices::built_in();
  const auto flex_models = surface::FlexModels::built_in();
  for (const std::string& model : flex_models.names()) {
    CAPTURE(model);
    const account::TokenCounts tokens{.input = 100'000, .output = 10'000};
    const auto standard = prices.cost(model, account::PriceTier::standard, tokens);
    const auto flex = prices.cost(model, account::PriceTier::flex, tokens);
    REQUIRE(standard.has_value());
    REQUIRE(flex.has_value());
    CHECK(*flex * 2 == *standard);
    const auto priority = prices.cost(model, account::PriceTier::priority, tokens);
    CHECK((!priority || *priority > *standard));
  }
}

}  // namespace
}  // namespace flexd::front
