// flexctl key check: what flexd would say of a key.
#include <fmt/format.h>

#include <optional>

#include "command.hpp"
#include "flexd/account/key.hpp"
#include "flexd/errors/table.hpp"
#include "moment.hpp"
#include "money.hpp"
#include "secret_input.hpp"
#include "table.hpp"
#include "words.hpp"

namespace flexd::ctl {
namespace {

struct CheckArgs {};

// Verdict is the error that a request with the key gets, or none, and why.
struct Verdict {
  std::optional<errors::Code> code;
  std::string why;
};

// month_budget_spent tells whether the key's budget of this month is used up.
bool month_budget_spent(const store::Key& key, int64_t now_s) {
  const MonthUse use = month_use(key, now_s);
  return (key.budget_requests && use.requests >= *key.budget_requests) ||
         (key.budget_nanos && use.nanos >= *key.budget_nanos);
}

Verdict judge(const store::Key& key, int64_t now_s) {
  switch (key_state(key, now_s)) {
    case KeyState::revoked:
      return {errors::Code::invalid_api_key,
              fmt::format("it was revoked on {}", time_text(key.revoked_at_s))};
    case KeyState::expired:
      return {errors::Code::expired_api_key,
              fmt::format("it expired on {}", time_text(key.expires_at_s))};
    case KeyState::deactivated:
      return {errors::Code::key_deactivated, "it is deactivated"};
    case KeyState::active:
      break;
  }
  if (month_budget_spent(key, now_s)) {
    return {errors::Code::quota_exceeded, "its budget for this month is used up"};
  }
  return {};
}

// Holds is an error that only some requests of an organization get.
struct Holds {
  errors::Code code;
  std::string_view which;
};

std::vector<Holds> holds_of(const store::Organization& organization, const store::Key& key) {
  std::vector<Holds> holds;
  if (key.management) return holds;
  if (organization.billing != store::Billing::ok) {
    holds.push_back({errors::Code::payment_required, "requests with a duration"});
  }
  if (balance_nanos(organization).value_or(1) <= 0) {
    holds.push_back({errors::Code::insufficient_balance, "requests for models with a price"});
  }
  return holds;
}

std::string answer_text(errors::Code code) {
  const errors::Row& row = errors::row(code);
  return fmt::format("{} {}", row.status, row.name);
}

void put_verdict(store::JsonWriter& json, const Verdict& verdict) {
  json.key("accepted").boolean(!verdict.code);
  if (!verdict.code) return;
  const errors::Row& row = errors::row(*verdict.code);
  json.key("status").integer(row.status);
  json.key("code").string(row.name);
  json.key("why").string(verdict.why);
}

// refuse ends the command with what flexd would answer.
Outcome refuse(const Verdict& verdict) {
  return fail_with(
      fmt::format("flexd would answer {}: {}", answer_text(*verdict.code), verdict.why));
}

// refuse_unknown is for a key that is not in the store.
Outcome refuse_unknown(Context& context, std::string why) {
  const Verdict verdict{errors::Code::invalid_api_key, std::move(why)};
  if (context.json) {
    Document document;
    put_verdict(document.json(), verdict);
    document.print(context);
  }
  return refuse(verdict);
}

void print_json(Context& context, const store::Organization& organization, const store::Key& key,
                const Verdict& verdict) {
  Document document;
  store::JsonWriter& json = document.json();
  put_verdict(json, verdict);
  put_key(json, key, organization.name, context.now_s);
  json.key("holds").begin_array();
  for (const Holds& hold : holds_of(organization, key)) {
    json.string(errors::row(hold.code).name);
  }
  json.end_array();
  document.print(context);
}

void print_fields(Context& context, const store::Organization& organization, const store::Key& key,
                  const Verdict& verdict) {
  Fields fields;
  fields.add("flexd says", verdict.code ? answer_text(*verdict.code) : "accepted");
  for (const Holds& hold : holds_of(organization, key)) {
    fields.add("but", fmt::format("{} for {}", answer_text(hold.code), hold.which));
  }
  fields.add("id", key.id);
  fields.add("organization", fmt::format("{} ({})", organization.name, organization.id));
  if (!key.name.empty()) fields.add("name", key.name);
  fields.add("kind", key.management ? "management: for the admin listener" : "inference");
  fields.add("state", key_state_word(key_state(key, context.now_s)));
  fields.add("created", time_text(key.created_at_s));
  fields.add("expires", time_or(key.expires_at_s, "never"));
  fields.add("last used", time_or(key.last_used_at_s, "never"));
  if (!key.management) {
    const MonthUse use = month_use(key, context.now_s);
    const std::string limits = limits_text(key);
    fields.add("start_within", key.start_within.empty() ? "none" : key.start_within);
    fields.add("models", models_text(key));
    fields.add("limits", limits.empty() ? "none" : limits);
    fields.add("this month",
               fmt::format("{}, {}", count_text(static_cast<size_t>(use.requests), "request"),
                           dollars_text(use.nanos)));
    fields.add("native parameters", key.native_parameters ? "yes" : "no");
  }
  context.out += fields.text();
}

Outcome check(Context& context, const CheckArgs& /*args*/) {
  auto opened = open_existing(context);
  if (!opened) return fail(std::move(opened.error()));
  const auto secret = read_secret("key to check");
  if (!secret) return fail(secret.error());
  if (!account::key_kind(secret->reveal())) {
    return refuse_unknown(context, "it does not have the form of a key, or its checksum is wrong");
  }
  const auto key = (*opened)->find_key(account::key_digest(secret->reveal()));
  if (!key) {
    if (key.error().kind != store::Error::Kind::not_found) return failure(key.error());
    return refuse_unknown(context, "this store has no such key");
  }
  const auto organization = owner_of(**opened, *key);
  if (!organization) return failure(organization.error());
  const Verdict verdict = judge(*key, context.now_s);
  if (context.json) {
    print_json(context, *organization, *key, verdict);
  } else {
    print_fields(context, *organization, *key, verdict);
  }
  if (verdict.code) return refuse(verdict);
  return {};
}

}  // namespace

void add_key_check(CLI::App& group, Context& context) {
  CLI::App& command = declare(group, context, "check",
                              "Tell what flexd would say of a key on stdin; exit 1: refused",
                              "flexctl key check <key.txt");
  on_run(command, context, std::make_shared<CheckArgs>(), check);
}

}  // namespace flexd::ctl
