// flexctl usage
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <unordered_map>
#include <utility>

#include "command.hpp"
#include "moment.hpp"
#include "money.hpp"
#include "table.hpp"
#include "words.hpp"

namespace flexd::ctl {
namespace {

using store::UsageColumn;

constexpr std::array kCountTitles = {"requests", "errors",   "499",   "in",    "out",
                                     "cost",     "standard", "saved", "double"};

struct UsageArgs {
  std::string organization;
  std::string key;
  store::UsageQuery query;
};

using Names = std::unordered_map<store::Number, std::string>;

// named is what to call a number by.
std::function<std::string(store::Number)> named(Names names) {
  return [names = std::move(names)](store::Number number) -> std::string {
    const auto found = names.find(number);
    return found == names.end() ? "?" : found->second;
  };
}

bool asks_for(const store::UsageQuery& query, UsageColumn column) {
  return std::ranges::find(query.by, column) != query.by.end();
}

// load_names reads what organizations and keys are called, as far as the query asks for it.
store::StoreResult<store::UsageNames> load_names(store::Store& store,
                                                 const store::UsageQuery& query) {
  Names organizations;
  Names keys;
  if (asks_for(query, UsageColumn::organization) || asks_for(query, UsageColumn::key)) {
    const auto contents = store.load();
    if (!contents) return fail(contents.error());
    for (const store::Organization& organization : contents->organizations) {
      organizations.emplace(organization.number, organization.name);
    }
    for (const store::Key& key : contents->keys) keys.emplace(key.number, key.id);
  }
  return store::UsageNames{.organization = named(std::move(organizations)),
                           .key = named(std::move(keys))};
}

void append_counts(std::vector<std::string>& cells, const store::UsageCounts& counts) {
  cells.push_back(fmt::format("{}", counts.requests));
  cells.push_back(fmt::format("{}", counts.errors));
  cells.push_back(fmt::format("{}", counts.client_closed));
  cells.push_back(fmt::format("{}", counts.input_tokens));
  cells.push_back(fmt::format("{}", counts.output_tokens));
  cells.push_back(dollars_text(counts.cost_nanos));
  cells.push_back(dollars_text(counts.standard_nanos));
  cells.push_back(dollars_text(counts.standard_nanos - counts.cost_nanos));
  cells.push_back(fmt::format("{}", counts.possible_double_bills));
}

void print_table(Context& context, const store::UsageQuery& query,
                 const std::vector<store::UsageRow>& rows, const store::UsageCounts& total,
                 const store::UsageNames& names) {
  if (rows.empty()) {
    context.out += "no usage\n";
    return;
  }
  using enum Table::Align;
  std::vector<Table::Column> columns;
  for (const UsageColumn column : query.by) {
    const bool keep = column == UsageColumn::day || column == UsageColumn::key;
    const std::string_view title = store::kUsageColumnWords[static_cast<size_t>(column)];
    columns.push_back({std::string(title), keep ? whole : left});
  }
  for (const char* title : kCountTitles) {
    columns.push_back({title, right});
  }
  Table table(std::move(columns));
  for (const store::UsageRow& row : rows) {
    std::vector<std::string> cells;
    cells.reserve(query.by.size() + kCountTitles.size());
    for (const UsageColumn column : query.by)
      cells.push_back(store::usage_text(row, column, names));
    append_counts(cells, row.counts);
    table.add(std::move(cells));
  }
  std::vector<std::string> cells(query.by.size());
  cells[0] = "total";
  append_counts(cells, total);
  table.add_total(std::move(cells));
  context.out += table.text();
  if (total.unpriced > 0) {
    context.out += fmt::format("without a price, and not part of the cost: {}\n",
                               count_text(static_cast<size_t>(total.unpriced), "request"));
  }
}

void print_json(Context& context, const store::UsageQuery& query,
                const std::vector<store::UsageRow>& rows, const store::UsageCounts& total,
                const store::UsageNames& names) {
  Document document;
  store::JsonWriter& json = document.json();
  json.key("by").begin_array();
  for (const UsageColumn column : query.by) {
    json.string(store::kUsageColumnWords[static_cast<size_t>(column)]);
  }
  json.end_array();
  json.key("rows").begin_array();
  for (const store::UsageRow& row : rows) store::write_usage_row(json, row, query.by, names);
  json.end_array();
  json.key("total");
  store::UsageRow sum;
  sum.counts = total;
  store::write_usage_row(json, sum, {}, names);
  document.print(context);
}

// find_filters turns the names of an organization and a key into numbers.
Outcome find_filters(store::Store& store, const UsageArgs& args, store::UsageQuery& query) {
  if (!args.organization.empty()) {
    const auto organization = store.find_organization(args.organization);
    if (!organization) return failure(organization.error());
    query.organization = organization->number;
  }
  if (!args.key.empty()) {
    const auto key = store.find_key(args.key);
    if (!key) return failure(key.error());
    if (query.organization != 0 && key->organization != query.organization) {
      return fail_with(fmt::format("key {} is not one of {}", args.key, args.organization));
    }
    query.key = key->number;
  }
  return {};
}

Outcome usage(Context& context, const UsageArgs& args) {
  auto opened = open_existing(context);
  if (!opened) return fail(std::move(opened.error()));
  store::UsageQuery query = args.query;
  if (auto found = find_filters(**opened, args, query); !found) return found;
  const auto rows = (*opened)->usage(query);
  if (!rows) return failure(rows.error());
  const auto names = load_names(**opened, query);
  if (!names) return failure(names.error());
  store::UsageCounts total;
  for (const store::UsageRow& row : *rows) total += row.counts;
  if (context.json) {
    print_json(context, query, *rows, total, *names);
  } else {
    print_table(context, query, *rows, total, *names);
  }
  return {};
}

// parse_columns reads "org,day".
Result<std::vector<UsageColumn>> parse_columns(std::string_view text) {
  std::vector<UsageColumn> columns;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const auto word = parse_word(text.substr(begin, end - begin), store::kUsageColumnWords);
    if (!word) return fail_with(word.error().message + ", with commas between them");
    const auto column = static_cast<UsageColumn>(*word);
    if (std::ranges::find(columns, column) != columns.end()) {
      return fail_with("each column once");
    }
    columns.push_back(column);
    begin = end + 1;
  }
  return columns;
}

}  // namespace

void add_usage(CLI::App& app, Context& context) {
  CLI::App& command =
      declare(app, context, "usage", "Show requests, tokens, cost and savings; days are UTC",
              "flexctl usage acme --since 30d --by model,served");
  auto args = std::make_shared<UsageArgs>();
  args->query.by = {UsageColumn::day};
  parsed_option(command, "ORG", args->organization, parse_text, "Only this organization");
  const auto parse = [&context](const std::string& text) { return parse_day(text, context.now_s); };
  parsed_option(command, "--since", args->query.since_day, parse,
                "First day: 2026-12-31, or 7d for seven days ago")
      ->type_name("DATE|7d");
  parsed_option(command, "--until", args->query.until_day, parse, "Last day, likewise")
      ->type_name("DATE|7d");
  parsed_option(
      command, "--by", args->query.by, [](const std::string& text) { return parse_columns(text); },
      "org, key, day, model, provider, asked, served, reason (day)")
      ->type_name("COLUMN,...");
  parsed_option(command, "--key", args->key, parse_key_id, "Only this key")->type_name("ID");
  on_run(command, context, args, usage);
}

}  // namespace flexd::ctl
