#include "check.hpp"

#include <algorithm>
#include <array>

#include "flexd/base/ascii.hpp"

namespace flexd::flexsim {
namespace {

unsigned type_bit(const json::Value& value) {
  switch (value.type()) {
    case json::Type::kNull:
      return kNull;
    case json::Type::kBool:
      return kBool;
    case json::Type::kNumber:
      return kNumber;
    case json::Type::kString:
      return kString;
    case json::Type::kObject:
      return kObject;
    case json::Type::kArray:
      return kArray;
  }
  return 0;
}

// wanted_types names the types but null, in each provider's words.
std::string wanted_types(unsigned types, Vendor vendor) {
  struct Name {
    unsigned type;
    std::string_view usual;
    std::string_view anthropic;
  };
  constexpr Name kTypeNames[] = {{kString, "a string", "string"},
                                 {kNumber, "a number", "number"},
                                 {kBool, "a boolean", "boolean"},
                                 {kObject, "an object", "dictionary"},
                                 {kArray, "an array", "list"}};
  std::string text;
  for (const Name& name : kTypeNames) {
    if ((types & name.type) == 0) continue;
    if (!text.empty()) text += " or ";
    text += vendor == Vendor::anthropic ? name.anthropic : name.usual;
  }
  return text;
}

}  // namespace

std::string Path::text(Vendor vendor) const {
  std::string text = parent_ == nullptr ? std::string() : parent_->text(vendor);
  if (name_.empty()) {
    const DecimalText digits{uint64_t{index_}};
    if (vendor == Vendor::anthropic) return text + "." + std::string(digits.view());
    return text + "[" + std::string(digits.view()) + "]";
  }
  if (!text.empty()) text += '.';
  return text.append(name_);
}

bool Checker::object(json::Value value, Shape shape, const Path* path) {
  if (path != nullptr && !typed(value, kObject, *path)) return false;
  const auto below = [path](std::string_view name) {
    return path == nullptr ? Path(name) : Path(*path, name);
  };
  uint64_t seen = 0;
  std::array<char, 256> space;
  for (const json::Member& member : json::Members(value)) {
    const std::string_view name = json::decode(member.name, space).value_or("?");
    const auto rule = std::find_if(shape.begin(), shape.end(),
                                   [name](const MemberRule& each) { return each.name == name; });
    if (rule == shape.end()) return unknown(below(name));
    // The Interactions API takes null for whatever may be left out (protobuf's JSON mapping).
    const bool may_be_null = vendor_ == Vendor::gemini && !rule->required;
    const unsigned types = rule->types | (may_be_null ? kNull : 0U);
    if (!typed(member.value, types, below(name))) return false;
    if ((rule->types & kNull) != 0 || !member.value.is_null()) {
      seen |= uint64_t{1} << static_cast<size_t>(rule - shape.begin());
    }
  }
  for (size_t i = 0; i < shape.size(); i++) {
    if (shape[i].required && ((seen >> i) & 1U) == 0) return missing(below(shape[i].name));
  }
  return true;
}

bool Checker::typed(json::Value value, unsigned types, const Path& path) {
  if ((type_bit(value) & types) != 0) return true;
  const std::string wanted = wanted_types(types, vendor_);
  const std::string at = path.text(vendor_);
  switch (vendor_) {
    case Vendor::openai:
      return refuse(
          path,
          "Invalid type for '" + at + "': expected " + wanted + ", but got something else instead.",
          "invalid_type");
    case Vendor::gemini:
      return refuse(path, "Invalid type for '" + at + "': expected " + wanted + ".", {});
    case Vendor::anthropic:
      return refuse(path, at + ": Input should be a valid " + wanted, {});
  }
  return false;
}

bool Checker::word(json::Value value, Words words, const Path& path) {
  if (!value.exists() || value.is_null()) return true;
  std::string list;
  for (const std::string_view each : words) {
    if (value.equals(each)) return true;
    list += list.empty() ? "'" : ", '";
    list.append(each) += '\'';
  }
  if (vendor_ == Vendor::anthropic) return bad_value(path, "Input should be " + list);
  std::string message = "Invalid value: ";
  message.append(value.text.substr(0, 64)).append(". Supported values are: ").append(list);
  return bad_value(path, message + ".");
}

bool Checker::missing(const Path& path) {
  const std::string at = path.text(vendor_);
  if (vendor_ == Vendor::anthropic) return refuse(path, at + ": Field required", {});
  return refuse(path, "Missing required parameter: '" + at + "'.", "missing_required_parameter");
}

bool Checker::unknown(const Path& path) {
  const std::string at = path.text(vendor_);
  if (vendor_ == Vendor::anthropic) {
    return refuse(path, at + ": Extra inputs are not permitted", {});
  }
  return refuse(path, "Unknown parameter: '" + at + "'.", "unknown_parameter");
}

bool Checker::bad_value(const Path& path, std::string_view message, std::string_view code) {
  if (vendor_ != Vendor::anthropic) return refuse(path, std::string(message), code);
  return refuse(path, path.text(vendor_) + ": " + std::string(message), {});
}

bool Checker::refuse(const Path& path, std::string message, std::string_view code) {
  if (is_good_) problem_ = {400, std::move(message), path.text(vendor_), code};
  is_good_ = false;
  return false;
}

}  // namespace flexd::flexsim
