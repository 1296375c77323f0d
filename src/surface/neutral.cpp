#include "neutral.hpp"

#include <charconv>
#include <string_view>
#include <system_error>

namespace flexd::surface {

bool is_zero(json::Value value) {
  if (!value.is(json::Type::kNumber)) return false;
  const std::string_view digits = value.text.substr(0, value.text.find_first_of("eE"));
  return digits.find_first_of("123456789") == std::string_view::npos;
}

bool is_one(json::Value value) {
  if (!value.is(json::Type::kNumber)) return false;
  double number = 0;
  const char* const begin = value.text.data();
  const char* const end = begin + value.text.size();
  const auto [stop, error] = std::from_chars(begin, end, number);
  return error == std::errc{} && stop == end && number == 1.0;
}

bool is_empty_list(json::Value value) {
  json::Elements elements(value);
  return value.is(json::Type::kArray) && !elements.next();
}

bool is_empty_object(json::Value value) {
  json::Members members(value);
  return value.is(json::Type::kObject) && !members.next();
}

}  // namespace flexd::surface
