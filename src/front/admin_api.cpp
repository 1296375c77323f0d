#include "admin_api.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "admin_key_request.hpp"
#include "flexd/account/key.hpp"
#include "flexd/base/ascii.hpp"
#include "flexd/store/json.hpp"

namespace flexd::front {
namespace {

using errors::Code;
using errors::Error;
using errors::Variant;

constexpr std::string_view kJson = "application/json";
constexpr unsigned kCreated = 201;

// Holder is who asks, copied out of the snapshot.
struct Holder {
  store::Number organization = 0;
  std::string organization_id;
  std::string organization_name;
};

// Call is one request on its way: what the job on the store's thread reads and what it answers.
struct Call {
  AdminRequest request;
  Holder holder;
  std::string id;  // the part of the path between the fixed ones
  std::string doc_url_base;
  int64_t now_s = 0;
  AdminAnswer answer;

  void fail(const Error& error) { answer = admin_error(error, request.request_id, doc_url_base); }
  // fail_store says what became of a call of the store; `what` is what was not found.
  void fail_store(const store::Error& error, std::string_view what) {
    if (error.kind == store::Error::Kind::not_found) {
      fail({.code = Code::not_found, .detail = what});
    } else if (error.kind == store::Error::Kind::unavailable) {
      fail({.code = Code::service_unavailable, .variant = Variant::store_unavailable});
    } else {
      fail({.code = Code::internal_error});
    }
  }
  void reply(store::StringSink& sink, unsigned status = 200) {
    sink.append("\n");
    answer = {.status = status, .type = kJson, .body = std::move(sink.text)};
  }
};

void write_key(store::JsonWriter& writer, const store::Key& key, const Call& call) {
  writer.begin_object();
  store::write_key_members(writer, key, call.holder.organization_name, call.now_s);
  writer.end_object();
}

void list_keys(store::Store& store, Call& call) {
  const auto keys = store.keys(call.holder.organization);
  if (!keys) return call.fail_store(keys.error(), "organization");
  store::StringSink sink;
  store::JsonWriter writer(sink);
  writer.begin_object().key("object").string("list").key("data").begin_array();
  for (const store::Key& key : *keys) write_key(writer, key, call);
  writer.end_array().end_object();
  call.reply(sink);
}

void create_key(store::Store& store, Call& call) {
  auto wanted = read_key_request(call.request.body, call.now_s);
  if (!wanted) return call.fail(wanted.error());
  const crypto::Secret text = account::generate_key(account::KeyKind::inference);
  wanted->organization = call.holder.organization;
  wanted->digest = account::key_digest(text.reveal());
  wanted->shown = account::shown_part(text.reveal());
  const auto key = store.create_key(*wanted);
  if (!key) return call.fail_store(key.error(), "organization");
  store::StringSink sink;
  store::JsonWriter writer(sink);
  writer.begin_object();
  writer.key("key").string(text.reveal());
  store::write_key_members(writer, *key, call.holder.organization_name, call.now_s);
  writer.end_object();
  call.reply(sink, kCreated);
}

void revoke_key(store::Store& store, Call& call) {
  const auto found = store.find_key(call.id);
  if (!found) return call.fail_store(found.error(), "key");
  if (found->organization != call.holder.organization) {
    return call.fail({.code = Code::not_found, .detail = "key"});
  }
  const auto key = store.change_key(call.id, store::KeyChange::revoke);
  if (!key) return call.fail_store(key.error(), "key");
  store::StringSink sink;
  store::JsonWriter writer(sink);
  write_key(writer, *key, call);
  call.reply(sink);
}

void show_organization(store::Store& store, Call& call) {
  const auto organization = store.find_organization(call.id);
  if (!organization) return call.fail_store(organization.error(), "organization");
  if (organization->number != call.holder.organization) {
    return call.fail({.code = Code::not_found, .detail = "organization"});
  }
  store::StringSink sink;
  store::JsonWriter writer(sink);
  writer.begin_object();
  store::write_organization_members(writer, *organization);
  writer.end_object();
  call.reply(sink);
}

void show_balance(store::Store& store, Call& call) {
  const auto organization = store.find_organization(call.holder.organization_id);
  if (!organization) return call.fail_store(organization.error(), "organization");
  store::StringSink sink;
  store::JsonWriter writer(sink);
  writer.begin_object().key("object").string("balance");
  writer.key("org").string(organization->name);
  store::write_balance_members(writer, *organization);
  writer.end_object();
  call.reply(sink);
}

// read_columns reads "day,model"; false for a word that is no column.
bool read_columns(std::string_view text, std::vector<store::UsageColumn>& columns) {
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    const auto* const found =
        std::find(std::begin(store::kUsageColumnWords), std::end(store::kUsageColumnWords), word);
    if (found == std::end(store::kUsageColumnWords)) return false;
    const auto column =
        static_cast<store::UsageColumn>(found - std::begin(store::kUsageColumnWords));
    if (std::find(columns.begin(), columns.end(), column) != columns.end()) return false;
    columns.push_back(column);
  }
  return true;
}

// UsageRequest is what the query string asks for.
struct UsageRequest {
  store::UsageQuery query;
  std::string key_id;
};

Result<UsageRequest, Error> read_usage_query(std::string_view text) {
  UsageRequest request;
  const auto refuse = [](std::string_view name, std::string_view expected) {
    return fail(Error{Code::invalid_value, Variant::admin_value, name, expected});
  };
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(text.size(), pair.size() + 1));
    const std::string_view name = pair.substr(0, pair.find('='));
    const std::string_view value = name.size() < pair.size() ? pair.substr(name.size() + 1) : "";
    if (name == "since" || name == "until") {
      const auto day = store::parse_date(value);
      if (!day) return refuse(name, "a date such as 2026-11-21");
      (name == "since" ? request.query.since_day : request.query.until_day) = *day;
    } else if (name == "key") {
      request.key_id = value;
    } else if (name != "by" || !read_columns(value, request.query.by)) {
      if (name == "by") {
        return refuse(name, "a list of org, key, day, model, provider, asked, served, reason");
      }
      return fail(Error{Code::unsupported_parameter, Variant::unknown_member, name, name});
    }
  }
  if (request.query.by.empty()) request.query.by.push_back(store::UsageColumn::day);
  return request;
}

void show_usage(store::Store& store, Call& call) {
  auto asked = read_usage_query(call.request.query);
  if (!asked) return call.fail(asked.error());
  asked->query.organization = call.holder.organization;
  const auto keys = store.keys(call.holder.organization);
  if (!keys) return call.fail_store(keys.error(), "organization");
  std::map<store::Number, std::string> ids;
  for (const store::Key& key : *keys) {
    ids.emplace(key.number, key.id);
    if (key.id == asked->key_id) asked->query.key = key.number;
  }
  if (!asked->key_id.empty() && asked->query.key == 0) {
    return call.fail({.code = Code::not_found, .detail = "key"});
  }
  const auto rows = store.usage(asked->query);
  if (!rows) return call.fail_store(rows.error(), "organization");
  const store::UsageNames names{
      .organization = [&call](store::Number) { return call.holder.organization_name; },
      .key = [&ids](store::Number number) { return ids[number]; }};
  store::StringSink sink;
  store::JsonWriter writer(sink);
  store::UsageRow total;
  writer.begin_object().key("object").string("usage").key("data").begin_array();
  for (const store::UsageRow& row : *rows) {
    store::write_usage_row(writer, row, asked->query.by, names);
    total.counts += row.counts;
  }
  writer.end_array().key("total");
  store::write_usage_row(writer, total, {}, names);
  writer.end_object();
  call.reply(sink);
}

// Endpoint is a row of the API's table of contents. `{id}` stands for one segment of the path.
struct Endpoint {
  http::Method method;
  std::string_view path;
  void (*run)(store::Store& store, Call& call);
};
constexpr Endpoint kEndpoints[] = {
    {http::Method::get, "/api/keys", list_keys},
    {http::Method::post, "/api/keys", create_key},
    {http::Method::post, "/api/keys/{id}/revoke", revoke_key},
    {http::Method::get, "/api/orgs/{id}", show_organization},
    {http::Method::get, "/api/balance", show_balance},
    {http::Method::get, "/api/usage", show_usage},
};
constexpr std::string_view kIdSlot = "{id}";

// match compares a path with an endpoint's, and takes the id out of it.
bool match(std::string_view path, std::string_view pattern, std::string& id) {
  const size_t slot = pattern.find(kIdSlot);
  if (slot == std::string_view::npos) return path == pattern;
  const std::string_view rest = pattern.substr(slot + kIdSlot.size());
  if (path.size() <= slot + rest.size() || !path.starts_with(pattern.substr(0, slot)) ||
      !path.ends_with(rest)) {
    return false;
  }
  const std::string_view part = path.substr(slot, path.size() - slot - rest.size());
  if (part.find('/') != std::string_view::npos) return false;
  id = part;
  return true;
}

// find_endpoint is the endpoint of a request; `allow` collects the methods of its path.
const Endpoint* find_endpoint(const AdminRequest& request, std::string& id, std::string& allow) {
  for (const Endpoint& endpoint : kEndpoints) {
    if (!match(request.path, endpoint.path, id)) continue;
    if (request.method == endpoint.method) return &endpoint;
    allow += (allow.empty() ? "" : ", ") + std::string(http::method_text(endpoint.method));
  }
  return nullptr;
}

}  // namespace

bool is_api_path(std::string_view path) {
  return path == "/api" || path.starts_with("/api/");
}

void AdminApi::handle(const AdminRequest& request, Done done) const {
  const auto refuse = [&](const Error& error) {
    done(admin_error(error, request.request_id, hooks_.doc_url_base));
  };
  auto call = std::make_shared<Call>();
  std::string allow;
  const Endpoint* const endpoint = find_endpoint(request, call->id, allow);
  if (endpoint == nullptr && allow.empty()) {
    return refuse({.code = Code::unknown_url, .detail = "GET /api/keys"});
  }
  if (endpoint == nullptr) return refuse({.code = Code::method_not_allowed, .detail = allow});
  const account::SnapshotPointer snapshot = hooks_.snapshot ? hooks_.snapshot() : nullptr;
  if (snapshot == nullptr) {
    return refuse({.code = Code::service_unavailable, .variant = Variant::store_unavailable});
  }
  account::Caller caller{.ip = request.peer.ip(), .wanted = account::KeyKind::management};
  if (request.has_authorization) caller.credentials.authorization = request.authorization;
  const account::Clock clock = hooks_.clock();
  const auto key = account::authenticate(caller, *snapshot, *hooks_.auth_failures, clock, nullptr);
  if (!key) return refuse(key.error());
  const account::Organization& organization = snapshot->organization(**key);
  call->holder = {organization.number, organization.id, organization.name};
  call->request = request;
  call->now_s = static_cast<int64_t>(clock.unix_s);
  call->doc_url_base = hooks_.doc_url_base;
  const bool taken =
      hooks_.with_store([call, run = endpoint->run](store::Store& store) { run(store, *call); },
                        [call, done] { done(std::move(call->answer)); });
  if (!taken) {
    refuse({.code = Code::service_unavailable, .variant = Variant::store_unavailable});
  }
}

}  // namespace flexd::front
