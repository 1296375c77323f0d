// Whatever the body of POST /api/keys holds: a key that is read from it is one that the store takes
// and that says the same when it is written down and read again; an error is one of the documented
// ones, and what it quotes stands in the body or in the program.
#include <dlfcn.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "admin_key_request.hpp"
#include "flexd/base/assert.hpp"
#include "flexd/json/cursor.hpp"
#include "flexd/store/bounds.hpp"
#include "flexd/store/json.hpp"
#include "flexd/surface/start_within.hpp"
#include "rules.hpp"

namespace {

using namespace flexd;
using errors::Code;

constexpr int64_t kNow = 1'700'000'000;
constexpr size_t kNameBytesMax = 64;
constexpr json::Names kMembers = {"name",       "expires_at",          "start_within",
                                  "models",     "requests_per_minute", "budget_requests",
                                  "budget_usd", "native_parameters"};

bool points_into(std::string_view part, std::string_view whole) {
  return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

// is_static: the text is a part of the program, not of a stack or a heap.
bool is_static(std::string_view text) {
  Dl_info info;
  return dladdr(text.data(), &info) != 0;
}

void check_error(const errors::Error& error, std::string_view body) {
  FLEXD_ASSERT(error.code == Code::invalid_json || error.code == Code::invalid_body ||
               error.code == Code::invalid_value || error.code == Code::unsupported_parameter);
  for (const std::string_view text : {error.param, error.detail}) {
    FLEXD_ASSERT(text.data() == nullptr || points_into(text, body) || is_static(text));
  }
  if (error.code == Code::unsupported_parameter) FLEXD_ASSERT(points_into(error.param, body));
  if (error.code == Code::invalid_value) {
    FLEXD_ASSERT(kMembers.field_of(error.param) < kMembers.size());
  }
  // Good JSON is refused for what it says, and other text for not being JSON.
  const auto type = json::validate(body);
  FLEXD_ASSERT(type || error.code == Code::invalid_json);
  FLEXD_ASSERT((error.code == Code::invalid_body) == (type && *type != json::Type::kObject));
  char room[errors::kErrorBytesMax];
  FLEXD_ASSERT(json::validate(errors::write_body(error, {}, room)) == json::Type::kObject);
}

void check_bounds(const store::Key& key) {
  FLEXD_ASSERT(key.name.size() <= kNameBytesMax);
  FLEXD_ASSERT(key.expires_at_s == 0 || key.expires_at_s > kNow);
  FLEXD_ASSERT(key.start_within.empty() || surface::parse_start_within(key.start_within));
  FLEXD_ASSERT(key.models.size() <= store::kModelPatternsMax);
  for (const std::string& model : key.models) {
    FLEXD_ASSERT(!model.empty() && model.size() <= store::kModelBytesMax);
    FLEXD_ASSERT(std::min(model.find('*'), model.size() - 1) == model.size() - 1);
  }
  FLEXD_ASSERT(key.budget_requests.value_or(0) >= 0 && key.budget_nanos.value_or(0) >= 0);
  FLEXD_ASSERT(key.budget_nanos.value_or(0) % store::kNanosPerMicro == 0);
  // What identifies a key, or makes it another kind of key, is not the caller's to say.
  FLEXD_ASSERT(key.number == 0 && key.id.empty() && key.organization == 0 && key.shown.empty());
  FLEXD_ASSERT(key.digest == crypto::Sha256Digest{} && !key.management && !key.deactivated);
  FLEXD_ASSERT(key.created_at_s == 0 && key.revoked_at_s == 0 && key.last_used_at_s == 0);
  FLEXD_ASSERT(key.month == 0 && key.month_requests == 0 && key.month_nanos == 0);
}

// request_for is a body that asks for `key`; what is not set is null or left out.
std::string request_for(const store::Key& key) {
  store::StringSink sink;
  store::JsonWriter writer(sink);
  writer.begin_object().key("name").string(key.name);
  if (key.expires_at_s != 0) writer.key("expires_at").integer(key.expires_at_s);
  if (!key.start_within.empty()) writer.key("start_within").string(key.start_within);
  if (!key.models.empty()) {
    writer.key("models").begin_array();
    for (const std::string& model : key.models) writer.string(model);
    writer.end_array();
  }
  if (key.requests_per_minute != 0) {
    writer.key("requests_per_minute").integer(int64_t{key.requests_per_minute});
  }
  if (key.budget_requests) writer.key("budget_requests").integer(*key.budget_requests);
  if (key.budget_nanos) writer.key("budget_usd").string(store::usd_text(*key.budget_nanos));
  writer.key("native_parameters").boolean(key.native_parameters).end_object();
  return sink.text;
}

void check_same(const store::Key& left, const store::Key& right) {
  FLEXD_ASSERT(left.name == right.name && left.expires_at_s == right.expires_at_s);
  FLEXD_ASSERT(left.start_within == right.start_within && left.models == right.models);
  FLEXD_ASSERT(left.requests_per_minute == right.requests_per_minute);
  FLEXD_ASSERT(left.budget_requests == right.budget_requests);
  FLEXD_ASSERT(left.budget_nanos == right.budget_nanos);
  FLEXD_ASSERT(left.native_parameters == right.native_parameters);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // A copy of its own, so that reading past the end shows.
  const auto copy = std::make_unique<char[]>(size);
  std::copy_n(data, size, copy.get());
  const std::string_view body(copy.get(), size);
  const auto key = front::read_key_request(body, kNow);
  if (!key) {
    check_error(key.error(), body);
    return 0;
  }
  FLEXD_ASSERT(json::validate(body) == json::Type::kObject);
  for (const json::Member& member : json::Members(json::Value::value_in(body))) {
    FLEXD_ASSERT(json::field_named(member.name, kMembers) < kMembers.size());
  }
  check_bounds(*key);
  FLEXD_ASSERT(store::check_key(*key).has_value());
  const auto again = front::read_key_request(request_for(*key), kNow);
  FLEXD_ASSERT(again.has_value());
  check_same(*key, *again);
  return 0;
}
