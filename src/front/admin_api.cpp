#include "admin_api.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "admin_key_request.hpp"
#include "flexd/account/key.hpp"
#include "flexd/base/log.hpp"
#include "flexd/crypto/bytes.hpp"
#include "flexd/store/json.hpp"

namespace flexd::front {
namespace {

using errors::Code;
using errors::Error;
using errors::Variant;

constexpr std::string_view kJson = "application/json";
constexpr unsigned kCreated = 201;
// kPageKeys is how many keys a list has unless it is asked for another number, up to kPageKeysMax.
constexpr size_t kPageKeys = 100;
constexpr size_t kPageKeysMax = 1'000;
// kUsageRowsMax bounds the rows of an answer, and so the memory of the control thread.
constexpr size_t kUsageRowsMax = 10'000;

// kCallsPerOrganization bounds the calls of one organization that wait for the store.
constexpr uint32_t kCallsPerOrganization = 4;
// kAnswerRoom is enough for a new key: its text must not stay behind in memory that grew.
constexpr size_t kAnswerRoom = 16'384;

// Holder is who asks, copied out of the snapshot.
struct Holder {
  store::Number organization = 0;
  std::string organization_id;
  std::string organization_name;
  std::string key_id;
};

}  // namespace

// Call is one request on its way: what the job on the store's thread reads and what it answers.
struct AdminApi::Call {
  AdminRequest request;
  Holder holder;
  std::string id;     // the part of the path between the fixed ones
  std::string allow;  // the methods of its path, where it has another
  void (*run)(store::Store& store, Call& call) = nullptr;
  store::Number key = 0;
  std::string doc_url_base;
  int64_t now_s = 0;
  AdminAnswer answer;

  void fail(const Error& error) { answer = admin_error(error, request.request_id, doc_url_base); }
  // fail_store says what became of a call of the store; `what` is what was not found.
  void fail_store(const store::Error& error, std::string_view what) {
    if (error.kind == store::Error::Kind::not_found) {
      fail({.code = Code::not_found, .detail = what});
    } else if (error.kind == store::Error::Kind::full) {
      fail({.code = Code::quota_exceeded,
            .variant = Variant::too_many_keys,
            .detail = error.full_of});
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

namespace {

using Call = AdminApi::Call;

void write_key(store::JsonWriter& writer, const store::Key& key, const Call& call) {
  writer.begin_object();
  store::write_key_members(writer, key, call.holder.organization_name, call.now_s);
  writer.end_object();
}

// percent_decoded reads the escapes of RFC 3986 2.1; what is none stands for itself.
std::string percent_decoded(std::string_view text) {
  std::string decoded;
  while (!text.empty()) {
    std::array<uint8_t, 1> byte{};
    if (text.front() == '%' && text.size() > 2 && crypto::hex_decode(text.substr(1, 2), byte)) {
      decoded += static_cast<char>(byte[0]);
      text.remove_prefix(3);
    } else {
      decoded += text.front();
      text.remove_prefix(1);
    }
  }
  return decoded;
}

// Pairs goes through a query string, `name=value&…`.
class Pairs {
 public:
  explicit Pairs(std::string_view text) : text_(text) {}

  bool next() {
    name = {};
    while (name.empty() && !text_.empty()) {
      const std::string_view pair = text_.substr(0, text_.find('&'));
      text_.remove_prefix(std::min(text_.size(), pair.size() + 1));
      name = pair.substr(0, pair.find('='));
      value = name.size() < pair.size() ? percent_decoded(pair.substr(name.size() + 1)) : "";
    }
    return !name.empty();
  }
  Error refused(std::string_view expected) const {
    return {Code::invalid_value, Variant::admin_value, name, expected};
  }
  Error unknown() const {
    return {Code::unsupported_parameter, Variant::unknown_member, name, name};
  }

  std::string_view name;
  std::string value;

 private:
  std::string_view text_;
};

// find_own_key is the key of that id, if it is the organization's own.
store::StoreResult<store::Key> find_own_key(store::Store& store, const Call& call,
                                            std::string_view id) {
  auto key = store.find_key(id);
  if (key && key->organization != call.holder.organization) {
    return flexd::fail(store::Error{store::Error::Kind::not_found, {}});
  }
  return key;
}

// read_page reads `limit` and `after` of a list.
Result<store::KeyQuery, Error> read_page(std::string_view text, std::string& after) {
  store::KeyQuery page{.limit = kPageKeys};
  for (Pairs pairs(text); pairs.next();) {
    if (pairs.name == "after") {
      after = pairs.value;
    } else if (pairs.name == "limit") {
      const char* const end = pairs.value.data() + pairs.value.size();
      const auto [at, error] = std::from_chars(pairs.value.data(), end, page.limit);
      if (error != std::errc{} || at != end || page.limit == 0 || page.limit > kPageKeysMax) {
        return flexd::fail(pairs.refused("a whole number from 1 to 1000"));
      }
    } else {
      return flexd::fail(pairs.unknown());
    }
  }
  return page;
}

void list_keys(store::Store& store, Call& call) {
  std::string after;
  auto page = read_page(call.request.query, after);
  if (!page) return call.fail(page.error());
  page->organization = call.holder.organization;
  if (!after.empty()) {
    const auto key = find_own_key(store, call, after);
    if (!key) return call.fail_store(key.error(), "key");
    page->after = key->number;
  }
  const size_t limit = page->limit++;
  auto keys = store.keys(*page);
  if (!keys) return call.fail_store(keys.error(), "organization");
  const bool has_more = keys->size() > limit;
  if (has_more) keys->pop_back();
  store::StringSink sink;
  store::JsonWriter writer(sink);
  writer.begin_object().key("object").string("list").key("data").begin_array();
  for (const store::Key& key : *keys) write_key(writer, key, call);
  writer.end_array().key("has_more").boolean(has_more).end_object();
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
  sink.text.reserve(kAnswerRoom);
  store::JsonWriter writer(sink);
  writer.begin_object();
  writer.key("key").string(text.reveal());
  store::write_key_members(writer, *key, call.holder.organization_name, call.now_s);
  writer.end_object();
  call.reply(sink, kCreated);
}

void revoke_key(store::Store& store, Call& call) {
  const auto found = find_own_key(store, call, call.id);
  if (!found) return call.fail_store(found.error(), "key");
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
  for (Pairs pairs(text); pairs.next();) {
    if (pairs.name == "since" || pairs.name == "until") {
      const auto day = store::parse_date(pairs.value);
      if (!day) return flexd::fail(pairs.refused("a date such as 2026-11-21"));
      (pairs.name == "since" ? request.query.since_day : request.query.until_day) = *day;
    } else if (pairs.name == "key") {
      request.key_id = pairs.value;
    } else if (pairs.name != "by") {
      return flexd::fail(pairs.unknown());
    } else if (!read_columns(pairs.value, request.query.by)) {
      return flexd::fail(
          pairs.refused("a list of org, key, day, model, provider, asked, served, reason"));
    }
  }
  if (request.query.by.empty()) request.query.by.push_back(store::UsageColumn::day);
  return request;
}

void show_usage(store::Store& store, Call& call) {
  auto asked = read_usage_query(call.request.query);
  if (!asked) return call.fail(asked.error());
  asked->query.organization = call.holder.organization;
  if (!asked->key_id.empty()) {
    const auto key = find_own_key(store, call, asked->key_id);
    if (!key) return call.fail_store(key.error(), "key");
    asked->query.key = key->number;
  }
  asked->query.limit = kUsageRowsMax + 1;
  const auto rows = store.usage(asked->query);
  if (!rows) return call.fail_store(rows.error(), "organization");
  if (rows->size() > kUsageRowsMax) {
    return call.fail({Code::invalid_value, Variant::admin_value, "by",
                      "fewer columns, or a shorter time: at most 10,000 rows"});
  }
  std::map<store::Number, std::string> ids;
  const auto& by = asked->query.by;
  if (std::find(by.begin(), by.end(), store::UsageColumn::key) != by.end()) {
    const auto keys = store.keys(call.holder.organization);
    if (!keys) return call.fail_store(keys.error(), "organization");
    for (const store::Key& key : *keys) ids.emplace(key.number, key.id);
  }
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
    const bool gets = endpoint.method == http::Method::get;
    if (request.method == endpoint.method || (gets && request.method == http::Method::head)) {
      return &endpoint;
    }
    allow += allow.empty() ? "" : ", ";
    allow += http::method_text(endpoint.method);
    if (gets) allow += ", HEAD";
  }
  return nullptr;
}

// tell_use notes a key's use, unless that has to wait for long: the answer is made, and waits too.
void tell_use(store::Store& store, const store::KeyUse& use) {
  constexpr int kWaitMs = 200;
  store.set_wait_ms(kWaitMs);
  discard(store.record_usage({}, {&use, 1}), "the next use is told again");
  store.set_wait_ms(store::kBusyMs);
}

}  // namespace

bool is_api_path(std::string_view path) {
  return path == "/api" || path.starts_with("/api/");
}

Result<const account::KeyRecord*, Error> AdminApi::authenticate(
    const AdminRequest& request, const account::Snapshot& snapshot) const {
  account::Caller caller{.ip = request.peer.ip(), .wanted = account::KeyKind::management};
  if (request.has_authorization) caller.credentials.authorization = request.authorization;
  return account::authenticate(caller, snapshot, *hooks_.auth_failures, hooks_.clock(), nullptr);
}

std::shared_ptr<Call> AdminApi::make_call(const AdminRequest& request) const {
  auto call = std::make_shared<Call>();
  call->request = {.method = request.method,
                   .path = request.path,
                   .query = request.query,
                   .request_id = request.request_id,
                   .body = request.body,
                   .peer = request.peer};
  call->doc_url_base = hooks_.doc_url_base;
  return call;
}

// admit finds out who asks for what, in the promised order of checks. The error's views are the
// call's.
Result<void, Error> AdminApi::admit(const AdminRequest& request, Call& call) const {
  const Endpoint* const endpoint = find_endpoint(request, call.id, call.allow);
  if (endpoint == nullptr && call.allow.empty()) {
    return flexd::fail(Error{.code = Code::unknown_url, .detail = "GET /api/keys"});
  }
  if (endpoint == nullptr) {
    return flexd::fail(Error{.code = Code::method_not_allowed, .detail = call.allow});
  }
  const account::SnapshotPointer snapshot = hooks_.snapshot ? hooks_.snapshot() : nullptr;
  if (snapshot == nullptr) {
    return flexd::fail(
        Error{.code = Code::service_unavailable, .variant = Variant::store_unavailable});
  }
  const auto key = authenticate(request, *snapshot);
  if (!key) return flexd::fail(key.error());
  const account::Organization& organization = snapshot->organization(**key);
  call.run = endpoint->run;
  call.key = (*key)->number;
  call.holder = {organization.number, organization.id, organization.name, (*key)->id};
  return {};
}

bool AdminApi::refuse(const AdminRequest& request, const Done& done) {
  const auto call = make_call(request);
  const auto admitted = admit(request, *call);
  if (admitted) return false;
  call->fail(admitted.error());
  finish(*call, done);
  return true;
}

void AdminApi::refuse_unread(const AdminRequest& request, Code code, const Done& done) {
  const auto call = make_call(request);
  if (!request.path.empty()) discard(admit(request, *call), "it is refused either way");
  call->fail({.code = code});
  finish(*call, done);
}

void AdminApi::handle(const AdminRequest& request, const Done& done) {
  const auto call = make_call(request);
  const auto refuse = [&](const Error& error) {
    call->fail(error);
    finish(*call, done);
  };
  if (const auto admitted = admit(request, *call); !admitted) return refuse(admitted.error());
  call->now_s = static_cast<int64_t>(hooks_.clock().unix_s);
  uint32_t& under_way = under_way_[call->holder.organization];
  if (under_way >= kCallsPerOrganization) return refuse({.code = Code::rate_limit_exceeded});
  const std::optional<store::KeyUse> use = first_use(call->key, call->now_s);
  const bool taken = hooks_.with_store(
      call->holder.organization,
      [call, use](store::Store& store) {
        call->run(store, *call);
        if (use) tell_use(store, *use);
      },
      [this, call, done](bool ran) {
        if (!ran) call->fail({.code = Code::service_unavailable, .variant = Variant::draining});
        --under_way_[call->holder.organization];
        finish(*call, done);
      });
  if (!taken) {
    return refuse({.code = Code::service_unavailable, .variant = Variant::store_unavailable});
  }
  ++under_way;
}

// first_use is what to tell the store of a key's use, once a minute.
std::optional<store::KeyUse> AdminApi::first_use(store::Number key, int64_t now_s) {
  constexpr int64_t kMinute = 60;
  int64_t& told = used_[key];
  if (told != 0 && now_s < told + kMinute) return std::nullopt;
  told = now_s;
  return store::KeyUse{.key = key, .last_used_at_s = now_s, .month = store::month_of(now_s)};
}

void AdminApi::finish(Call& call, const Done& done) {
  log_line(LogLevel::info, "admin_request",
           {{"request_id", call.request.request_id},
            {"client", call.request.peer.to_string()},
            {"key", call.holder.key_id},
            {"organization", call.holder.organization_id},
            {"method", http::method_text(call.request.method)},
            {"path", call.request.path},
            {"status", call.answer.status}});
  call.answer.fields.emplace_back("x-request-id", call.request.request_id);
  call.answer.fields.emplace_back("x-flexinference-request-id", call.request.request_id);
  done(call.answer);
  // It may hold a key that was just made.
  crypto::wipe(call.answer.body.data(), call.answer.body.size());
}

}  // namespace flexd::front
