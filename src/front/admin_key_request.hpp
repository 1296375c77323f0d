// admin_key_request.hpp: reads the body of POST /api/keys.
#pragma once

#include <cstdint>
#include <string_view>

#include "flexd/base/result.hpp"
#include "flexd/errors/render.hpp"
#include "flexd/store/types.hpp"

namespace flexd::front {

// read_key_request makes a key of what `body` asks for, all of it optional:
//
//   name                 a string of at most 64 printable ASCII characters
//   expires_at           Unix seconds, after `now_s`
//   start_within         any form of the field
//   models               a list of names, each of which may end in '*'
//   requests_per_minute, budget_requests
//                        whole numbers within the bounds of store/bounds.hpp; a calendar month's
//   budget_usd           likewise a decimal string, "12.50", of at most six places
//   native_parameters    a boolean
//
// null is as if the member were not there. Another member is refused. What identifies the key is
// not filled in. The error's views point into `body`.
Result<store::Key, errors::Error> read_key_request(std::string_view body, int64_t now_s);

}  // namespace flexd::front
