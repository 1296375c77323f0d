// process_prepare.cpp: what is read and checked before anything listens.
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <utility>

#include "flexd/account/key.hpp"
#include "flexd/crypto/bytes.hpp"
#include "flexd/http/message.hpp"
#include "flexd/surface/start_within.hpp"
#include "flexd/tls/context.hpp"
#include "process.hpp"

namespace flexd::app {
namespace {

// kKeyVariables by errors::Provider: where --dev finds the keys.
constexpr const char* kKeyVariables[] = {"OPENAI_API_KEY", "GEMINI_API_KEY", "ANTHROPIC_API_KEY"};

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

}  // namespace

Result<void> Process::prepare() {
  if (auto models = prepare_models(); !models) return models;
  if (auto prices = prepare_prices(); !prices) return prices;
  for (const std::string& text : settings_.listen) {
    const Result<io::Address> address = io::Address::parse(text);
    if (!address) return fail_with("--listen " + text + ": " + address.error().message);
    addresses_.push_back(*address);
  }
  if (!settings_.admin_listen.empty()) {
    const Result<io::Address> address = io::Address::parse(settings_.admin_listen);
    if (!address) {
      return fail_with("--admin-listen " + settings_.admin_listen + ": " + address.error().message);
    }
    admin_address_ = *address;
  }
  uint64_t seed = 0;
  crypto::random_bytes({reinterpret_cast<uint8_t*>(&seed), sizeof seed});
  auth_failures_ =
      std::make_unique<account::AuthFailures>(settings_.auth_failures_per_minute, seed);
  if (auto keys = settings_.dev ? prepare_dev_key() : prepare_store(); !keys) return keys;
  return prepare_roots();
}

Result<void> Process::prepare_models() {
  if (settings_.flex_models_file.empty()) {
    flex_models_ = std::make_unique<surface::FlexModels>(surface::FlexModels::built_in());
    return {};
  }
  std::ifstream file(settings_.flex_models_file);
  std::stringstream text;
  if (!file || !(text << file.rdbuf())) {
    return fail_with("--flex-models: " + settings_.flex_models_file + " cannot be read");
  }
  auto models = surface::FlexModels::parse(text.str());
  if (!models) {
    return fail_with("--flex-models: " + settings_.flex_models_file + ": " +
                     models.error().message);
  }
  flex_models_ = std::make_unique<surface::FlexModels>(std::move(*models));
  return {};
}

Result<void> Process::prepare_prices() {
  if (settings_.prices_file.empty()) {
    prices_ = std::make_unique<account::Prices>(account::Prices::built_in());
    return {};
  }
  std::ifstream file(settings_.prices_file);
  std::stringstream text;
  if (!file || !(text << file.rdbuf())) {
    return fail_with("--prices: " + settings_.prices_file + " cannot be read");
  }
  auto prices = account::Prices::parse(text.str());
  if (!prices) {
    return fail_with("--prices: " + settings_.prices_file + ": " + prices.error().message);
  }
  prices_ = std::make_unique<account::Prices>(std::move(*prices));
  return {};
}

// prepare_store opens the store and makes the first snapshot of it.
Result<void> Process::prepare_store() {
  const uint32_t rate = settings_.org_requests_per_second;
  auto keeper = Keeper::open({.store = settings_.store,
                              .master_key_file = settings_.master_key_file,
                              .defaults = {.requests = {.per_second = rate, .burst = rate},
                                           .race_slots = settings_.race_slots_per_org}},
                             limit_arena_);
  if (!keeper) return fail(keeper.error());
  keeper_ = std::move(*keeper);
  shared_.snapshot = keeper_->collect();
  return {};
}

Result<void> Process::prepare_dev_key() {
  const std::string openai = environment(kKeyVariables[0]);
  const std::string gemini = environment(kKeyVariables[1]);
  const std::string anthropic = environment(kKeyVariables[2]);
  if (openai.empty() && gemini.empty() && anthropic.empty()) {
    return fail_with("--dev: set OPENAI_API_KEY (or GEMINI_API_KEY, ANTHROPIC_API_KEY) first");
  }
  for (const std::string* key : {&openai, &gemini, &anthropic}) {
    if (!http::is_valid_value(*key)) {
      return fail_with(
          "--dev: a provider key in the environment holds a control character; often "
          "it is the newline at its end");
    }
  }
  const std::string& start_within = settings_.dev_start_within;
  if (!start_within.empty() && !surface::parse_start_within(start_within)) {
    return fail_with(
        "--dev-start-within: not default, priority, auto or a duration of 5 to 600 seconds such "
        "as 00h-00m-30s");
  }
  dev_key_ = std::string(account::generate_key(account::KeyKind::inference).reveal());
  const uint32_t rate = settings_.org_requests_per_second;
  shared_.snapshot = account::make_dev_snapshot({.key = dev_key_,
                                                 .openai_key = openai,
                                                 .gemini_key = gemini,
                                                 .anthropic_key = anthropic,
                                                 .start_within = start_within,
                                                 .requests = {.per_second = rate, .burst = rate},
                                                 .race_slots = settings_.race_slots_per_org},
                                                limit_arena_);
  return {};
}

// prepare_roots finds out early whether the workers, which load their own, can trust the providers
// that there are keys for.
Result<void> Process::prepare_roots() const {
  const config::OriginUrl* const origins[] = {&settings_.openai, &settings_.gemini,
                                              &settings_.anthropic};
  bool uses_tls = false;
  bool wanted = false;
  for (size_t i = 0; i < errors::kProviderCount; ++i) {
    if (origins[i]->scheme != config::OriginUrl::Scheme::https) continue;
    uses_tls = true;
    const bool has_key = keeper_ != nullptr ? keeper_->had_key(static_cast<errors::Provider>(i))
                                            : !environment(kKeyVariables[i]).empty();
    wanted = wanted || has_key || !settings_.origin_ca_file.empty();
  }
  // With a store, keys may come while flexd runs.
  if (!wanted && (keeper_ == nullptr || !uses_tls)) return {};
  const auto context = tls::ClientContext::create(settings_.origin_ca_file);
  if (context) return {};
  if (wanted) return fail_with("--origin-ca: " + context.error().message);
  log_line(LogLevel::warn, "no_certificate_authorities", {{"error", context.error().message}});
  return {};
}

}  // namespace flexd::app
