// neutral.hpp: values that say nothing, however they are spelled. Clients write such values out.
#pragma once

#include "flexd/json/cursor.hpp"

namespace flexd::surface {

// is_unset: absent or null.
inline bool is_unset(json::Value value) {
  return !value.exists() || value.is_null();
}
// is_zero: a number that is zero (0, -0, 0.0, 0e9).
bool is_zero(json::Value value);
// is_one: a number that is one (1, 1.0, 10e-1).
bool is_one(json::Value value);
// is_empty_list: `[]`; is_empty_object: `{}`; both with any white space.
bool is_empty_list(json::Value value);
bool is_empty_object(json::Value value);

}  // namespace flexd::surface
