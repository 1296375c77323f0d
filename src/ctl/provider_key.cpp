// flexctl provider-key set|list|remove
#include <fmt/format.h>

#include <array>

#include "command.hpp"
#include "flexd/crypto/bytes.hpp"
#include "flexd/errors/dialect.hpp"
#include "listing.hpp"
#include "moment.hpp"
#include "secret_input.hpp"

namespace flexd::ctl {
namespace {

// A secret of kShownFrom bytes or more is told apart by its last kShownBytes.
constexpr size_t kShownBytes = 4;
constexpr size_t kShownFrom = 20;
constexpr size_t kSecretIdBytes = 8;

struct ListArgs {
  std::string organization;
};
struct PairArgs {
  std::string organization;
  std::string provider;
};

constexpr auto kProviderWords = [] {
  std::array<std::string_view, errors::kProviderCount> words;
  for (size_t i = 0; i < words.size(); ++i) {
    words[i] = errors::provider_word(static_cast<errors::Provider>(i));
  }
  return words;
}();

std::string draw_secret_id() {
  std::array<uint8_t, kSecretIdBytes> random;
  crypto::random_bytes(random);
  std::string digits(2 * random.size(), '0');
  crypto::hex_encode(random, digits);
  return digits;
}

// seal makes the row to store. The caller holds the lock of the master key file, so that no
// rotation ends the key under which it is sealed before it is stored.
Result<store::SealedProviderKey> seal(const Context& context,
                                      const store::Organization& organization,
                                      const std::string& provider, const crypto::Secret& secret) {
  const auto keys = read_master_keys(context);
  if (!keys) return fail(keys.error());
  store::SealedProviderKey key;
  key.organization = organization.number;
  key.provider = provider;
  key.secret_id = draw_secret_id();
  key.sealed =
      keys->seal(secret.reveal(), store::associated_data(organization.id, provider, key.secret_id));
  if (secret.size() >= kShownFrom) {
    key.shown = secret.reveal().substr(secret.size() - kShownBytes);
  }
  return key;
}

void print_pair(Context& context, const store::Organization& organization,
                const std::string& provider, std::string_view what) {
  if (context.json) {
    Document document;
    document.json().key("org").string(organization.name).key("provider").string(provider);
    document.json().key("done").string(what);
    document.print(context);
  } else {
    context.out += fmt::format("{} provider key of {} for {}\n", what, organization.name, provider);
  }
}

Outcome set(Context& context, const PairArgs& args) {
  auto opened = open_existing(context);
  if (!opened) return fail(std::move(opened.error()));
  const auto organization = (*opened)->find_organization(args.organization);
  if (!organization) return failure(organization.error());
  // Before somebody is asked for a secret.
  if (const auto keys = read_master_keys(context); !keys) return fail(keys.error());
  const auto secret =
      read_secret(fmt::format("provider key of {} for {}", organization->name, args.provider));
  if (!secret) return fail(secret.error());
  const auto lock = crypto::MasterKeyLock::take(context.master_key_file);
  if (!lock) return fail(lock.error());
  const auto key = seal(context, *organization, args.provider, *secret);
  if (!key) return fail(key.error());
  if (const auto done = (*opened)->set_provider_key(*key); !done) return failure(done.error());
  print_pair(context, *organization, args.provider, "set");
  return {};
}

Outcome list(Context& context, const ListArgs& args) {
  auto opened = open_existing(context);
  if (!opened) return fail(std::move(opened.error()));
  const auto organization = (*opened)->find_organization(args.organization);
  if (!organization) return failure(organization.error());
  const auto keys = (*opened)->provider_keys(organization->number);
  if (!keys) return failure(keys.error());
  using enum Table::Align;
  print_list(
      context,
      {.name = "provider_keys",
       .organization = organization->name,
       .none = fmt::format("no provider keys: flexctl provider-key set {} PROVIDER",
                           organization->name),
       .columns = {{"provider", whole}, {"ends with"}, {"set", whole}}},
      *keys,
      [&](store::JsonWriter& json, const store::SealedProviderKey& key) {
        store::write_provider_key_members(json, key, organization->name);
      },
      [](const store::SealedProviderKey& key) -> std::vector<std::string> {
        return {key.provider, key.shown, time_text(key.created_at_s)};
      });
  return {};
}

Outcome remove(Context& context, const PairArgs& args) {
  auto opened = open_existing(context);
  if (!opened) return fail(std::move(opened.error()));
  const auto organization = (*opened)->find_organization(args.organization);
  if (!organization) return failure(organization.error());
  const auto done = (*opened)->remove_provider_key(organization->number, args.provider);
  if (!done) return failure(done.error());
  print_pair(context, *organization, args.provider, "removed");
  return {};
}

void provider_argument(CLI::App& command, std::string& target) {
  parsed_option(
      command, "PROVIDER", target,
      [](const std::string& text) -> Result<std::string> {
        const auto word = parse_word(text, kProviderWords);
        if (!word) return fail(word.error());
        return std::string(kProviderWords[*word]);
      },
      "openai, gemini or anthropic")
      ->required();
}

}  // namespace

void add_provider_key(CLI::App& app, Context& context) {
  CLI::App& group = *app.add_subcommand(
      "provider-key", "An organization's keys at the providers: set, list, remove");
  {
    CLI::App& command =
        declare(group, context, "set", "Store or replace a provider key, which is read from stdin",
                "flexctl provider-key set acme openai <openai-key.txt");
    auto args = std::make_shared<PairArgs>();
    org_argument(command, args->organization);
    provider_argument(command, args->provider);
    on_run(command, context, args, set);
  }
  {
    CLI::App& command = declare(group, context, "list", "List an organization's provider keys",
                                "flexctl provider-key list acme");
    auto args = std::make_shared<ListArgs>();
    org_argument(command, args->organization);
    on_run(command, context, args, list);
  }
  {
    CLI::App& command = declare(group, context, "remove", "Remove a provider key",
                                "flexctl provider-key remove acme openai");
    auto args = std::make_shared<PairArgs>();
    org_argument(command, args->organization);
    provider_argument(command, args->provider);
    on_run(command, context, args, remove);
  }
}

}  // namespace flexd::ctl
