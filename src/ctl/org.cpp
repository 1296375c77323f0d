// flexctl org create|list|show|set|credit
#include <fmt/format.h>

#include <array>
#include <optional>

#include "command.hpp"
#include "listing.hpp"
#include "moment.hpp"
#include "money.hpp"
#include "words.hpp"

namespace flexd::ctl {
namespace {

struct NameArgs {
  std::string name;
};
struct ListArgs {};
struct SetArgs {
  std::string name;
  store::OrganizationChange change;
  std::string prepaid;  // "off"
};
struct CreditArgs {
  std::string name;
  int64_t nanos = 0;
};

std::string limit_text(const std::optional<uint32_t>& limit, std::string_view none) {
  if (!limit) return "the gateway's default";
  return *limit == 0 ? std::string(none) : fmt::format("{}", *limit);
}

void print_organization(Context& context, const store::Organization& organization,
                        std::string_view what) {
  if (context.json) {
    Document document;
    store::write_organization_members(document.json(), organization);
    document.print(context);
  } else {
    context.out += fmt::format("{} {} ({})\n", what, organization.name, organization.id);
  }
}

Outcome create(Context& context, const NameArgs& args) {
  auto opened = open_existing(context);
  if (!opened) return fail(std::move(opened.error()));
  const auto organization = (*opened)->create_organization(args.name);
  if (!organization) return value_failure(organization.error());
  print_organization(context, *organization, "created organization");
  return {};
}

Outcome list(Context& context, const ListArgs& /*args*/) {
  auto opened = open_existing(context);
  if (!opened) return fail(std::move(opened.error()));
  const auto contents = (*opened)->load();
  if (!contents) return failure(contents.error());
  using enum Table::Align;
  print_list(
      context,
      {.name = "organizations",
       .organization = {},
       .none = "no organizations: flexctl org create NAME",
       .columns =
           {{"name"}, {"id", whole}, {"created", whole}, {"billing", whole}, {"balance", right}}},
      contents->organizations, store::write_organization_members,
      [](const store::Organization& organization) -> std::vector<std::string> {
        return {organization.name, organization.id, time_text(organization.created_at_s),
                std::string(billing_word(organization.billing)), balance_text(organization)};
      });
  return {};
}

// KeyCounts is how many keys there are by KeyState.
using KeyCounts = std::array<size_t, kKeyStateCount>;

KeyCounts count_keys(const std::vector<store::Key>& keys, int64_t now_s) {
  KeyCounts counts{};
  for (const store::Key& key : keys) ++counts[static_cast<size_t>(key_state(key, now_s))];
  return counts;
}

std::string keys_text(const KeyCounts& counts) {
  std::string text;
  for (size_t i = kKeyStateCount; i-- > 0;) {
    if (counts[i] == 0) continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", counts[i], kKeyStateWords[i]);
  }
  return text.empty() ? "none" : text;
}

void show_json(Context& context, const store::Organization& organization, const KeyCounts& keys,
               const std::vector<store::SealedProviderKey>& provider_keys) {
  Document document;
  store::JsonWriter& json = document.json();
  store::write_organization_members(json, organization);
  json.key("keys").begin_object();
  for (size_t i = 0; i < keys.size(); ++i) json.key(kKeyStateWords[i]).integer(keys[i]);
  json.end_object();
  json.key("provider_keys").begin_array();
  for (const store::SealedProviderKey& key : provider_keys) {
    json.begin_object();
    store::write_provider_key_members(json, key, organization.name);
    json.end_object();
  }
  json.end_array();
  document.print(context);
}

Outcome show(Context& context, const NameArgs& args) {
  auto opened = open_existing(context);
  if (!opened) return fail(std::move(opened.error()));
  store::Store& store = **opened;
  const auto organization = store.find_organization(args.name);
  if (!organization) return failure(organization.error());
  const auto keys = store.keys(organization->number);
  if (!keys) return failure(keys.error());
  const auto provider_keys = store.provider_keys(organization->number);
  if (!provider_keys) return failure(provider_keys.error());
  const KeyCounts counts = count_keys(*keys, context.now_s);
  if (context.json) {
    show_json(context, *organization, counts, *provider_keys);
    return {};
  }
  std::string providers;
  for (const store::SealedProviderKey& key : *provider_keys) {
    providers += (providers.empty() ? "" : ", ") + key.provider;
  }
  Fields fields;
  fields.add("name", organization->name);
  fields.add("id", organization->id);
  fields.add("created", time_text(organization->created_at_s));
  fields.add("billing", billing_word(organization->billing));
  fields.add("requests per second", limit_text(organization->requests_per_second, "no limit"));
  fields.add("race slots", limit_text(organization->race_slots, "none"));
  if (organization->credit_nanos) {
    fields.add("credit",
               fmt::format("{} added, {} spent", dollars_text(*organization->credit_nanos),
                           dollars_text(organization->spent_nanos)));
  }
  fields.add("balance", balance_text(*organization));
  fields.add("keys", keys_text(counts));
  fields.add("provider keys", providers.empty() ? "none" : providers);
  context.out += fields.text();
  return {};
}

Outcome set(Context& context, const SetArgs& args) {
  auto opened = open_existing(context);
  if (!opened) return fail(std::move(opened.error()));
  const auto found = (*opened)->find_organization(args.name);
  if (!found) return failure(found.error());
  const auto changed = (*opened)->change_organization(found->number, args.change);
  if (!changed) return failure(changed.error());
  print_organization(context, *changed, "changed organization");
  return {};
}

Outcome credit(Context& context, const CreditArgs& args) {
  auto opened = open_existing(context);
  if (!opened) return fail(std::move(opened.error()));
  const auto found = (*opened)->find_organization(args.name);
  if (!found) return failure(found.error());
  const auto changed = (*opened)->add_credit(found->number, args.nanos);
  if (!changed) return failure(changed.error());
  if (context.json) {
    print_organization(context, *changed, "");
  } else {
    context.out += fmt::format("the balance of {} is {}\n", changed->name, balance_text(*changed));
  }
  return {};
}

// parse_limit reads a number, or "default".
Result<std::optional<uint32_t>> parse_limit(std::string_view text, const store::Bounds& bounds) {
  if (text == "default") return std::nullopt;
  const auto number = parse_count(text, bounds);
  if (!number) return fail_with(number.error().message + ", or default");
  return static_cast<uint32_t>(*number);
}

void add_set(CLI::App& group, Context& context) {
  CLI::App& command = declare(group, context, "set", "Change an organization",
                              "flexctl org set acme --billing overdue --rate 50");
  auto args = std::make_shared<SetArgs>();
  org_argument(command, args->name, "NAME");
  const auto parse_billing = [](const std::string& text) -> Result<store::Billing> {
    const auto word = parse_word(text, store::kBillingWords);
    if (!word) return fail(word.error());
    return static_cast<store::Billing>(*word);
  };
  auto* billing = parsed_option(command, "--billing", args->change.billing, parse_billing,
                                "Other than ok pauses requests with a duration");
  billing->type_name("ok|overdue|no-payment-method");
  auto* rate = parsed_option(
      command, "--rate", args->change.requests_per_second,
      [](const std::string& text) { return parse_limit(text, store::kRequestsPerSecondBounds); },
      "Requests a second; 0 is no limit");
  rate->type_name("N|default");
  auto* slots = parsed_option(
      command, "--race-slots", args->change.race_slots,
      [](const std::string& text) { return parse_limit(text, store::kRaceSlotsBounds); },
      "Races at one time; more start on standard at once");
  slots->type_name("N|default");
  const auto* prepaid =
      command.add_option("--prepaid", args->prepaid, "end prepayment: the credit is taken away")
          ->type_name("off")
          ->check(CLI::IsMember({"off"}));
  command.callback([&context, args, billing, rate, slots, prepaid] {
    args->change.end_prepaid = prepaid->count() != 0;
    if (billing->count() + rate->count() + slots->count() + prepaid->count() == 0) {
      throw CLI::ValidationError("nothing to set",
                                 "give --billing, --rate, --race-slots or --prepaid");
    }
    context.action = [&context, args] { return set(context, *args); };
  });
}

void add_credit(CLI::App& group, Context& context) {
  CLI::App& command = declare(group, context, "credit",
                              "Add prepaid credit; with it, requests stop at a balance of 0",
                              "flexctl org credit acme --add-usd 25.50");
  auto args = std::make_shared<CreditArgs>();
  org_argument(command, args->name, "NAME");
  parsed_option(
      command, "--add-usd", args->nanos,
      [](const std::string& text) { return parse_dollars(text); },
      "US dollars, exact to 6 places; negative takes away")
      ->type_name("X")
      ->required();
  on_run(command, context, args, credit);
}

}  // namespace

void add_org(CLI::App& app, Context& context) {
  CLI::App& group =
      *app.add_subcommand("org", "Organizations, who own keys: create, list, show, set, credit");
  {
    CLI::App& command =
        declare(group, context, "create", "Make an organization", "flexctl org create acme");
    auto args = std::make_shared<NameArgs>();
    command
        .add_option("NAME", args->name, "1 to 64 letters, digits, '-', '_' and '.'; not taken yet")
        ->type_name("")
        ->required();
    on_run(command, context, args, create);
  }
  {
    CLI::App& command =
        declare(group, context, "list", "List the organizations", "flexctl org list");
    on_run(command, context, std::make_shared<ListArgs>(), list);
  }
  {
    CLI::App& command =
        declare(group, context, "show", "Show an organization's balance, limits and keys",
                "flexctl org show acme");
    auto args = std::make_shared<NameArgs>();
    org_argument(command, args->name, "NAME");
    on_run(command, context, args, show);
  }
  add_set(group, context);
  add_credit(group, context);
}

}  // namespace flexd::ctl
