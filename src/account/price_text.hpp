// price_text.hpp: prices.txt, which meson makes a part of the program.
#pragma once

#include <string_view>

namespace flexd::account {

extern const std::string_view kPriceText;

}  // namespace flexd::account
