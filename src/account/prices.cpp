#include "flexd/account/prices.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <tuple>
#include <utility>

#include "flexd/base/ascii.hpp"
#include "flexd/base/assert.hpp"
#include "price_text.hpp"

namespace flexd::account {
namespace {

// Wide has room for the sum of four products of a token count and a price (kPriceMax).
__extension__ using Wide = unsigned __int128;

constexpr size_t kFieldsMin = 6;
constexpr size_t kFieldsMax = 8;  // with `over N`
constexpr std::string_view kTiers[] = {"standard", "flex", "priority"};

// Fields are the words of a line. A line of more has one more than kFieldsMax.
struct Fields {
  std::array<std::string_view, kFieldsMax> words;
  size_t count = 0;
};

Fields split(std::string_view line) {
  Fields fields;
  constexpr std::string_view kBlanks = " \t\r";
  while (true) {
    const size_t begin = line.find_first_not_of(kBlanks);
    if (begin == std::string_view::npos) return fields;
    line.remove_prefix(begin);
    const size_t end = std::min(line.find_first_of(kBlanks), line.size());
    if (fields.count < kFieldsMax) fields.words[fields.count] = line.substr(0, end);
    if (++fields.count > kFieldsMax) return fields;
    line.remove_prefix(end);
  }
}

bool is_name(std::string_view name) {
  return name.size() <= kModelNameBytesMax &&
         std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c <= '~'; });
}

// is_day accepts YYYY-MM-DD where the calendar has that day.
bool is_day(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return false;
  const auto year = parse_u64(text.substr(0, 4));
  const auto month = parse_u64(text.substr(5, 2));
  const auto day = parse_u64(text.substr(8, 2));
  if (!year || !month || !day) return false;
  return std::chrono::year_month_day(std::chrono::year(static_cast<int>(*year)),
                                     std::chrono::month(static_cast<unsigned>(*month)),
                                     std::chrono::day(static_cast<unsigned>(*day)))
      .ok();
}

// read_price reads a number, or `-` for none; false if it is neither or too high.
bool read_price(std::string_view word, std::optional<uint64_t>& price) {
  if (word == "-") return true;
  price = parse_u64(word);
  return price && *price <= kPriceMax;
}

// add adds what `tokens` cost; false if there are some and they have no price.
bool add(Wide& sum, uint64_t tokens, const std::optional<uint64_t>& price) {
  if (tokens == 0) return true;
  if (!price) return false;
  sum += Wide{tokens} * *price;
  return true;
}

// all_input is the input that decides which line holds.
uint64_t all_input(const TokenCounts& tokens) {
  const Wide discounted = Wide{tokens.cached} + tokens.cache_write;
  return static_cast<uint64_t>(
      std::min<Wide>(std::max<Wide>(tokens.input, discounted), UINT64_MAX));
}

}  // namespace

std::optional<PriceTier> price_tier(std::string_view provider_word) {
  struct Word {
    std::string_view word;
    PriceTier tier;
  };
  static constexpr Word kWords[] = {
      {"default", PriceTier::standard},
      {"standard", PriceTier::standard},
      {"standard_only", PriceTier::standard},
      {"on_demand", PriceTier::standard},
      {"flex", PriceTier::flex},
      {"priority", PriceTier::priority},
      {"fast", PriceTier::priority},  // OpenAI's other word for it
  };
  for (const Word& known : kWords) {
    if (iequals(provider_word, known.word)) return known.tier;
  }
  return std::nullopt;
}

Result<Prices::Row> Prices::read_row(std::string_view line) {
  const Fields fields = split(line);
  const auto& words = fields.words;
  const bool has_over = fields.count == kFieldsMax && words[kFieldsMin] == "over";
  if (fields.count != kFieldsMin && !has_over) {
    return fail_with(
        "is not `model tier input cached-input cache-write output`, with `over TOKENS` or not");
  }
  Row row;
  if (!is_name(words[0])) {
    return fail_with("does not begin with the name of a model: at most " +
                     std::to_string(kModelNameBytesMax) + " visible ASCII characters");
  }
  row.model = words[0];
  const auto* tier = std::find(std::begin(kTiers), std::end(kTiers), words[1]);
  if (tier == std::end(kTiers))
    return fail_with("names a tier other than standard, flex, priority");
  row.tier = static_cast<PriceTier>(tier - std::begin(kTiers));
  std::optional<uint64_t>* const prices[] = {&row.input, &row.cached, &row.cache_write,
                                             &row.output};
  for (size_t i = 0; i < std::size(prices); ++i) {
    if (!read_price(words[i + 2], *prices[i])) {
      return fail_with("has a price that is neither `-` nor a whole number of micro-dollars per " +
                       std::string("million tokens up to ") + std::to_string(kPriceMax));
    }
  }
  if (has_over) {
    const auto tokens = parse_u64(words[kFieldsMin + 1]);
    if (!tokens || *tokens == 0) return fail_with("has no number of tokens after `over`");
    row.over_tokens = *tokens;
  }
  return row;
}

Result<Prices> Prices::parse(std::string_view text) {
  Prices prices;
  size_t line_number = 0;
  const auto failure = [&line_number](std::string_view what) {
    return fail_with("line " + std::to_string(line_number) + " " + std::string(what));
  };
  while (!text.empty()) {
    ++line_number;
    const size_t eol = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, eol);
    text.remove_prefix(std::min(eol + 1, text.size()));
    line = line.substr(0, line.find('#'));
    const Fields fields = split(line);
    if (fields.count == 0) continue;
    if (prices.as_of_.empty()) {
      if (fields.count != 2 || fields.words[0] != "as-of" || !is_day(fields.words[1])) {
        return failure("comes first and is not `as-of YYYY-MM-DD`, the day of the prices");
      }
      prices.as_of_ = fields.words[1];
      continue;
    }
    auto row = read_row(line);
    if (!row) return failure(row.error().message);
    row->line = line_number;
    prices.rows_.push_back(std::move(*row));
  }
  if (prices.as_of_.empty()) return fail_with("there is no line `as-of YYYY-MM-DD`");
  const auto place = [](const Row& row) {
    return std::tuple<std::string_view, PriceTier, uint64_t>(row.model, row.tier, row.over_tokens);
  };
  std::stable_sort(prices.rows_.begin(), prices.rows_.end(),
                   [&place](const Row& a, const Row& b) { return place(a) < place(b); });
  const auto twice =
      std::adjacent_find(prices.rows_.begin(), prices.rows_.end(),
                         [&place](const Row& a, const Row& b) { return place(a) == place(b); });
  if (twice != prices.rows_.end()) {
    line_number = std::next(twice)->line;
    return failure("says again what line " + std::to_string(twice->line) + " says");
  }
  return prices;
}

Prices Prices::built_in() {
  auto prices = parse(kPriceText);
  FLEXD_ASSERT(prices.has_value());
  return std::move(*prices);
}

// row_for is the line with the highest `over` below `input_tokens`, or nullptr.
const Prices::Row* Prices::row_for(std::string_view model, PriceTier tier,
                                   uint64_t input_tokens) const {
  using Place = std::tuple<std::string_view, PriceTier, uint64_t>;
  // A line without `over` has 0 there, and holds for 0 tokens too.
  const Place wanted(model, tier, std::max<uint64_t>(input_tokens, 1));
  const auto after =
      std::lower_bound(rows_.begin(), rows_.end(), wanted, [](const Row& row, const Place& place) {
        return Place(row.model, row.tier, row.over_tokens) < place;
      });
  if (after == rows_.begin()) return nullptr;
  const Row& row = *std::prev(after);
  return row.model == model && row.tier == tier ? &row : nullptr;
}

// first_of is the model's first line, or the place where it would be.
std::vector<Prices::Row>::const_iterator Prices::first_of(std::string_view model) const {
  return std::lower_bound(rows_.begin(), rows_.end(), model,
                          [](const Row& each, std::string_view name) { return each.model < name; });
}

bool Prices::knows(std::string_view model) const {
  const auto row = first_of(model);
  return row != rows_.end() && row->model == model;
}

std::optional<uint64_t> Prices::cost(std::string_view model, PriceTier tier,
                                     const TokenCounts& tokens) const {
  const Row* const row = row_for(model, tier, all_input(tokens));
  return row != nullptr ? cost_by(*row, tokens, false) : std::nullopt;
}

std::optional<uint64_t> Prices::substitute_cost(std::string_view model,
                                                const TokenCounts& tokens) const {
  const Row* const standard = row_for(model, PriceTier::standard, all_input(tokens));
  std::optional<uint64_t> found;
  if (standard != nullptr) found = cost_by(*standard, tokens, true);
  if (found) return found;
  for (auto row = first_of(model); row != rows_.end() && row->model == model; ++row) {
    found = std::max(found, cost_by(*row, tokens, true));  // nullopt is less than any
  }
  return found;
}

// cost_by is what the tokens cost by one line. With `substitutes`, input of a kind without a price
// counts as plain input.
std::optional<uint64_t> Prices::cost_by(const Row& row, const TokenCounts& tokens,
                                        bool substitutes) {
  if (!row.input || !row.output) return std::nullopt;
  const auto or_input = [&row, substitutes](const std::optional<uint64_t>& price) {
    return substitutes && !price ? row.input : price;
  };
  const Wide discounted = Wide{tokens.cached} + tokens.cache_write;
  const uint64_t fresh =
      tokens.input > discounted ? static_cast<uint64_t>(tokens.input - discounted) : 0;
  Wide sum = 0;
  if (!add(sum, fresh, row.input) || !add(sum, tokens.cached, or_input(row.cached)) ||
      !add(sum, tokens.cache_write, or_input(row.cache_write)) ||
      !add(sum, tokens.output, row.output)) {
    return std::nullopt;
  }
  // Micro-dollars per million tokens are nano-dollars per thousand.
  const Wide nanos = (sum + 500) / 1000;
  return static_cast<uint64_t>(std::min<Wide>(nanos, kCostMax));
}

size_t Prices::model_count() const {
  size_t count = 0;
  for (size_t i = 0; i < rows_.size(); ++i) {
    if (i == 0 || rows_[i].model != rows_[i - 1].model) ++count;
  }
  return count;
}

}  // namespace flexd::account
