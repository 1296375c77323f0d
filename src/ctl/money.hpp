// money.hpp: amounts of US dollars on the command line and in tables; store/json.hpp has the exact
// form for programs. Nothing is rounded on the way in.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "flexd/base/result.hpp"

namespace flexd::ctl {

// parse_dollars reads "12", "0.5" or "-1.234567" as nano-dollars; parse_budget one of a month.
Result<int64_t> parse_dollars(std::string_view text);
Result<int64_t> parse_budget(std::string_view text);

// dollars_text is an amount to the nearest micro-dollar: "$1.234567", "-$0.500000".
std::string dollars_text(int64_t nanos);

}  // namespace flexd::ctl
