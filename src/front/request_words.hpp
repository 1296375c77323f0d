// request_words.hpp: what both listeners say of a request: its id, and the error for a head that
// cannot be read.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "flexd/errors/table.hpp"
#include "flexd/http/h1_parser.hpp"
#include "flexd/io/reactor.hpp"

namespace flexd::front {

// kRequestIdMax bounds a request id taken from a caller.
inline constexpr size_t kRequestIdMax = 64;
using RequestIdSpace = std::array<char, kRequestIdMax>;

// make_request_id takes the caller's id if it is sane, else draws one. The view is of `space`.
std::string_view make_request_id(std::string_view theirs, io::Reactor& reactor,
                                 RequestIdSpace& space);

// code_of is the error that a caller sees for a parser's refusal.
errors::Code code_of(http::H1Refusal refusal);

}  // namespace flexd::front
