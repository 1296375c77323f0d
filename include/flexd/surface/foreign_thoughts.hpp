// foreign_thoughts.hpp: takes other providers' thoughts out of a conversation.
//
// A caller may change the model amid a conversation. What it got from the earlier provider across
// dialects holds thoughts with wrapped blobs (blob.hpp), which the new provider could not read and
// would refuse. Where the request is translated the writers leave them out; where it goes to the
// dialect's own provider as it is, they are cut out here.
#pragma once

#include <cstdint>
#include <string_view>

#include "flexd/base/buffer.hpp"
#include "flexd/errors/dialect.hpp"
#include "flexd/json/finder.hpp"

namespace flexd::surface {

enum class Dropped : uint8_t { nothing, some, no_room };

// may_hold_thoughts is false if a body surely has nothing to be dropped.
inline bool may_hold_thoughts(const json::Fields& fields) {
  return fields.may_have_inside("encrypted_content") || fields.may_have_inside("signature") ||
         fields.may_have_inside("data");
}

// drop_foreign_thoughts appends `body` without wrapped thoughts to `out`, if it has any: reasoning
// items of Responses, thought steps of Interactions, thinking blocks of Messages (and a message
// that has nothing else). Every other byte stays as it is. `body` is a good JSON object; one
// without thoughts costs a search for four characters.
[[nodiscard]] Dropped drop_foreign_thoughts(errors::Dialect dialect, std::string_view body,
                                            Buffer& out);

}  // namespace flexd::surface
