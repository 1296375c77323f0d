// strict_schema.hpp: whether a JSON Schema is one that OpenAI takes as strict.
#pragma once

#include "flexd/json/cursor.hpp"

namespace flexd::surface {

// is_strict_schema tells whether `schema` is an object's, every object in it forbids further
// properties and requires all that it has, and no keyword is used that strict schemas may not have
// (https://platform.openai.com/docs/guides/structured-outputs). The work is bounded: a schema that
// needs too much of it is not strict, which is always a safe answer.
bool is_strict_schema(const json::Value& schema);

}  // namespace flexd::surface
