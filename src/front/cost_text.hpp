// cost_text.hpp: a sum of money as x-flexinference-cost spells it.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace flexd::front {

using CostText = std::array<char, 32>;

// write_dollars writes nano-dollars (10^-9 USD) as dollars, with two to nine decimals.
std::string_view write_dollars(uint64_t nanos, CostText& space);

}  // namespace flexd::front
