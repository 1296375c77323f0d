// flexctl key create|list|revoke|deactivate|activate
#include <fmt/format.h>

#include <algorithm>

#include "command.hpp"
#include "flexd/account/key.hpp"
#include "flexd/surface/start_within.hpp"
#include "listing.hpp"
#include "moment.hpp"
#include "money.hpp"
#include "words.hpp"

namespace flexd::ctl {
namespace {

struct CreateArgs {
  std::string organization;
  store::Key key;
};
struct ListArgs {
  std::string organization;
};
struct ChangeArgs {
  std::string id;
  store::KeyChange change = store::KeyChange::revoke;
};

// print_created shows the secret, the only time.
void print_created(Context& context, const store::Organization& organization, const store::Key& key,
                   const crypto::Secret& secret) {
  context.out.reserve(4096);  // so that it does not move, and the secret stays in one place
  if (context.json) {
    Document document;
    store::JsonWriter& json = document.json();
    json.key("key").string(secret.reveal());
    put_key(json, key, organization.name, context.now_s);
    document.print(context);
    return;
  }
  context.out += secret.reveal();
  context.out += fmt::format("\nkey {} of {}. It is shown this once and stored nowhere.\n", key.id,
                             organization.name);
}

Outcome create(Context& context, const CreateArgs& args) {
  auto opened = open_existing(context);
  if (!opened) return fail(std::move(opened.error()));
  const auto organization = (*opened)->find_organization(args.organization);
  if (!organization) return failure(organization.error());
  store::Key key = args.key;
  key.organization = organization->number;
  const auto kind = key.management ? account::KeyKind::management : account::KeyKind::inference;
  const crypto::Secret secret = account::generate_key(kind);
  key.digest = account::key_digest(secret.reveal());
  key.shown = account::shown_part(secret.reveal());
  const auto created = (*opened)->create_key(key);
  if (!created) return value_failure(created.error());
  print_created(context, *organization, *created, secret);
  return {};
}

Outcome list(Context& context, const ListArgs& args) {
  auto opened = open_existing(context);
  if (!opened) return fail(std::move(opened.error()));
  const auto organization = (*opened)->find_organization(args.organization);
  if (!organization) return failure(organization.error());
  const auto keys = (*opened)->keys(organization->number);
  if (!keys) return failure(keys.error());
  using enum Table::Align;
  print_list(
      context,
      {.name = "keys",
       .organization = organization->name,
       .none = fmt::format("no keys: flexctl key create {}", organization->name),
       .columns = {{"id", whole},
                   {"name"},
                   {"begins with", whole},
                   {"state", whole},
                   {"expires", whole},
                   {"last used", whole},
                   {"limits"}}},
      *keys,
      [&](store::JsonWriter& json, const store::Key& key) {
        put_key(json, key, organization->name, context.now_s);
      },
      [&context](const store::Key& key) -> std::vector<std::string> {
        return {key.id,
                key.name,
                key.shown,
                std::string(key_state_word(key_state(key, context.now_s))),
                time_or(key.expires_at_s, "never"),
                time_or(key.last_used_at_s, "never"),
                limits_text(key)};
      });
  return {};
}

Outcome change(Context& context, const ChangeArgs& args) {
  auto opened = open_existing(context);
  if (!opened) return fail(std::move(opened.error()));
  const auto key = (*opened)->change_key(args.id, args.change);
  if (!key) return failure(key.error());
  if (context.json) {
    Document document;
    const auto organization = owner_of(**opened, *key);
    if (!organization) return failure(organization.error());
    put_key(document.json(), *key, organization->name, context.now_s);
    document.print(context);
  } else {
    const std::string name = key->name.empty() ? "" : fmt::format(" ({})", key->name);
    context.out += fmt::format("key {}{} is {}\n", key->id, name,
                               key_state_word(key_state(*key, context.now_s)));
  }
  return {};
}

Result<std::string> parse_start_within(const std::string& text) {
  if (surface::parse_start_within(text)) return text;
  return fail_with("default, priority, auto, or a duration of 5 to 600 seconds as 00h-00m-30s");
}

// parse_pattern reads a model's name, or the beginning of names with a '*' behind it.
Result<std::string> parse_pattern(const std::string& text) {
  const bool plain =
      std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7F; });
  const size_t star = text.find('*');
  if (!text.empty() && plain && (star == text.npos || star + 1 == text.size()) &&
      text.size() <= store::kModelBytesMax) {
    return text;
  }
  return fail_with("a model's name, or the beginning of names and '*' at its end: gpt-5*");
}

void add_limits(CLI::App& command, store::Key& key) {
  parsed_option(
      command, "--rpm", key.requests_per_minute,
      [](const std::string& text) -> Result<uint32_t> {
        const auto number = parse_count(text, store::kRequestsPerMinuteBounds);
        if (!number) return fail(number.error());
        return static_cast<uint32_t>(*number);
      },
      "Requests a minute")
      ->type_name("N");
  parsed_option(
      command, "--budget-requests", key.budget_requests,
      [](const std::string& text) { return parse_count(text, store::kBudgetRequestsBounds); },
      "Requests a calendar month (UTC)")
      ->type_name("N");
  parsed_option(command, "--budget-usd", key.budget_nanos, parse_budget,
                "List cost a calendar month (UTC), exact to 6 places")
      ->type_name("X");
}

void add_models(CLI::App& command, store::Key& key) {
  const auto take = [&key](const std::vector<std::string>& patterns) {
    for (const std::string& text : patterns) {
      auto pattern = parse_pattern(text);
      if (!pattern) throw CLI::ValidationError("--model", pattern.error().message);
      key.models.push_back(std::move(*pattern));
    }
  };
  command
      .add_option_function<std::vector<std::string>>(
          "--model", take, "Allow only this model, or these (gpt-5*); may be repeated")
      ->type_name("PATTERN")
      ->allow_extra_args(false);
}

void add_create(CLI::App& group, Context& context) {
  CLI::App& command = declare(group, context, "create", "Make a key and print it, once",
                              "flexctl key create acme --name batch --expires 90d --start-within "
                              "00h-00m-30s --model 'gpt-5*'");
  auto args = std::make_shared<CreateArgs>();
  store::Key& key = args->key;
  org_argument(command, args->organization);
  command
      .add_option("--name", key.name,
                  "A name, to tell keys apart; at most 64 printable ASCII characters")
      ->type_name("N");
  parsed_option(
      command, "--expires", key.expires_at_s,
      [&context](const std::string& text) { return parse_expiry(text, context.now_s); },
      "When it ends: 30d, 12h, 2s from now, or a date in UTC")
      ->type_name("30d|DATE");
  parsed_option(command, "--start-within", key.start_within, parse_start_within,
                "For requests that have none")
      ->type_name("V");
  add_models(command, key);
  add_limits(command, key);
  command.add_flag("--native-parameters", key.native_parameters,
                   "Let parameters that only one provider has through");
  command.add_flag("--management", key.management, "A key of the admin API, which calls no models");
  command.callback([&context, args, &command] {
    for (const char* flag : {"--start-within", "--model", "--rpm", "--budget-requests",
                             "--budget-usd", "--native-parameters"}) {
      if (args->key.management && command.count(flag) > 0) {
        throw CLI::ValidationError(flag, "a --management key calls no models");
      }
    }
    context.action = [&context, args] { return create(context, *args); };
  });
}

}  // namespace

void add_key(CLI::App& app, Context& context) {
  CLI::App& group = *app.add_subcommand(
      "key", "Keys of callers: create, list, revoke, deactivate, activate, check");
  add_create(group, context);
  {
    CLI::App& command =
        declare(group, context, "list", "List an organization's keys", "flexctl key list acme");
    auto args = std::make_shared<ListArgs>();
    org_argument(command, args->organization);
    on_run(command, context, args, list);
  }
  struct Verb {
    const char* name;
    store::KeyChange change;
    const char* help;
    const char* example;
  };
  constexpr Verb kVerbs[] = {
      {"revoke", store::KeyChange::revoke, "End a key for good",
       "flexctl key revoke key_0123456789ab"},
      {"deactivate", store::KeyChange::deactivate, "Switch a key off until it is activated",
       "flexctl key deactivate key_0123456789ab"},
      {"activate", store::KeyChange::activate, "Switch a deactivated key on",
       "flexctl key activate key_0123456789ab"},
  };
  for (const Verb& verb : kVerbs) {
    CLI::App& command = declare(group, context, verb.name, verb.help, verb.example);
    auto args = std::make_shared<ChangeArgs>();
    args->change = verb.change;
    key_id_argument(command, args->id);
    on_run(command, context, args, change);
  }
  add_key_check(group, context);
}

}  // namespace flexd::ctl
