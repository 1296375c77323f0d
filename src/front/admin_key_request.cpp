#include "admin_key_request.hpp"

#include <array>

#include "flexd/json/cursor.hpp"
#include "flexd/json/finder.hpp"
#include "flexd/store/bounds.hpp"
#include "flexd/surface/start_within.hpp"

namespace flexd::front {
namespace {

using errors::Code;
using errors::Error;
using errors::Variant;

constexpr json::Names kMembers = {"name",       "expires_at",          "start_within",
                                  "models",     "requests_per_minute", "budget_requests",
                                  "budget_usd", "native_parameters"};
enum Member : size_t {
  kName,
  kExpiresAt,
  kStartWithin,
  kModels,
  kRequestsPerMinute,
  kBudgetRequests,
  kBudgetUsd,
  kNativeParameters,
};
constexpr size_t kAmountBytesMax = 32;
constexpr int64_t kExpiresAtMax = 253'402'300'799;  // the end of the year 9999

Error broken(const json::Error& error) {
  switch (error.fault) {
    case json::Fault::kUtf8:
      return {Code::invalid_json, Variant::invalid_utf8};
    case json::Fault::kTooDeep:
      return {Code::invalid_json, Variant::too_deep};
    case json::Fault::kDuplicate:
      return {Code::invalid_json, Variant::duplicate_field, {}, kMembers[error.field]};
    case json::Fault::kNotObject:
      return {Code::invalid_body};
    case json::Fault::kSyntax:
      break;
  }
  return {Code::invalid_json};
}

// Reader reads one member after the other and keeps the first error.
class Reader {
 public:
  Reader(std::string_view body, const json::Fields& fields) : body_(body), fields_(fields) {}

  bool failed() const { return failed_; }
  const Error& error() const { return error_; }

  // value is the member, absent if it is null.
  json::Value value(Member member) const {
    const json::Field* const field = fields_[member];
    if (field == nullptr || field->type == json::Type::kNull) return {};
    return {field->value.of(body_)};
  }
  void refuse(Member member, std::string_view expected) {
    if (failed_) return;
    failed_ = true;
    error_ = {Code::invalid_value, Variant::admin_value, kMembers[member], expected};
  }
  // text is a string of at most `bytes_max`; empty where there is none.
  std::string text(Member member, size_t bytes_max, std::string_view expected) {
    const json::Value found = value(member);
    if (!found.exists()) return {};
    return element_text(member, found, bytes_max, expected);
  }
  std::string element_text(Member member, json::Value found, size_t bytes_max,
                           std::string_view expected) {
    std::string space(found.text.size(), '\0');
    const auto text = json::decode(found, space);
    if (!text || text->size() > bytes_max || text->find('\0') != std::string_view::npos) {
      refuse(member, expected);
      return {};
    }
    return std::string(*text);
  }
  // number is within the bounds; nullopt where there is none.
  std::optional<int64_t> number(Member member, const store::Bounds& bounds) {
    const json::Value found = value(member);
    if (!found.exists()) return std::nullopt;
    const std::optional<int64_t> number =
        found.is(json::Type::kNumber) ? found.to_int64() : std::nullopt;
    if (!number || !bounds.hold(*number)) refuse(member, bounds.words);
    return number;
  }

 private:
  std::string_view body_;
  const json::Fields& fields_;
  bool failed_ = false;
  Error error_{Code::invalid_body};
};

// read_name: the store takes nothing that could not be shown in a terminal.
void read_name(Reader& reader, store::Key& key) {
  constexpr std::string_view kExpected = "a string of at most 64 printable ASCII characters";
  key.name = reader.text(kName, store::kKeyNameBytesMax, kExpected);
  for (const char c : key.name) {
    if (c < ' ' || c > '~') reader.refuse(kName, kExpected);
  }
}

// is_pattern: a model's name, with at most one '*', at its end.
bool is_pattern(std::string_view text) {
  if (text.empty()) return false;
  for (const char c : text) {
    if (c <= ' ' || c > '~') return false;
  }
  const size_t star = text.find('*');
  return star == std::string_view::npos || star == text.size() - 1;
}

void read_models(Reader& reader, store::Key& key) {
  constexpr std::string_view kExpected = "a list of up to 100 names, each may end in '*',";
  const json::Value list = reader.value(kModels);
  if (!list.exists()) return;
  if (!list.is(json::Type::kArray)) reader.refuse(kModels, kExpected);
  for (const json::Value element : json::Elements(list)) {
    std::string name = reader.element_text(kModels, element, store::kModelBytesMax, kExpected);
    if (!is_pattern(name) || key.models.size() == store::kModelPatternsMax)
      reader.refuse(kModels, kExpected);
    if (reader.failed()) return;
    key.models.push_back(std::move(name));
  }
  // Nothing on the list would mean every model: whoever writes it down means none.
  if (key.models.empty()) reader.refuse(kModels, kExpected);
}

void read_limits(Reader& reader, store::Key& key) {
  if (const auto number = reader.number(kRequestsPerMinute, store::kRequestsPerMinuteBounds)) {
    key.requests_per_minute = static_cast<uint32_t>(*number);
  }
  key.budget_requests = reader.number(kBudgetRequests, store::kBudgetRequestsBounds);
  const json::Value budget = reader.value(kBudgetUsd);
  if (!budget.exists()) return;
  // A number's binary fraction would not add up.
  if (!budget.is(json::Type::kString)) reader.refuse(kBudgetUsd, "a string");
  constexpr std::string_view kWords = store::kBudgetNanosBounds.words;
  key.budget_nanos = store::parse_budget(reader.text(kBudgetUsd, kAmountBytesMax, kWords));
  if (!key.budget_nanos) reader.refuse(kBudgetUsd, kWords);
}

// unknown_member is the name of a member that is not on the list, as it is written.
std::string_view unknown_member(std::string_view body) {
  for (const json::Member& member : json::Members(json::Value::value_in(body))) {
    if (json::field_named(member.name, kMembers) == kMembers.size()) {
      return member.name.contents();
    }
  }
  return {};
}

}  // namespace

Result<store::Key, Error> read_key_request(std::string_view body, int64_t now_s) {
  json::Fields fields;
  if (const auto found = json::find(body, kMembers, fields); !found) {
    return fail(broken(found.error()));
  }
  size_t known = 0;
  for (size_t i = 0; i < kMembers.size(); ++i) known += fields.has(i) ? 1U : 0U;
  if (known != fields.member_count()) {
    const std::string_view name = unknown_member(body);
    return fail(Error{Code::unsupported_parameter, Variant::unknown_member, name, name});
  }
  Reader reader(body, fields);
  store::Key key;
  read_name(reader, key);
  const store::Bounds to_come{now_s + 1, kExpiresAtMax,
                              "a Unix time in seconds that is still to come"};
  key.expires_at_s = reader.number(kExpiresAt, to_come).value_or(0);
  key.start_within = reader.text(kStartWithin, 64, "one of the forms of start_within");
  if (reader.value(kStartWithin).exists() && !surface::parse_start_within(key.start_within)) {
    reader.refuse(kStartWithin, "one of the forms of start_within");
  }
  read_models(reader, key);
  read_limits(reader, key);
  if (const json::Value native = reader.value(kNativeParameters); native.exists()) {
    if (const auto on = native.to_bool()) {
      key.native_parameters = *on;
    } else {
      reader.refuse(kNativeParameters, "true or false");
    }
  }
  if (reader.failed()) return fail(reader.error());
  return key;
}

}  // namespace flexd::front
