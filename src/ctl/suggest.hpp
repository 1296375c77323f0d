// suggest.hpp: what somebody who mistyped a word meant.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace flexd::ctl {

// edit_distance is the least number of letters to insert, delete, replace or swap with their
// neighbor that makes `a` of `b`.
size_t edit_distance(std::string_view a, std::string_view b);

// nearest is the word that is so few edits from `typed` that it was probably meant, at most one for
// every three letters; empty if there is none.
std::string_view nearest(std::string_view typed, std::span<const std::string> words);

// nearest_command finds the command for words as they were typed: `commands` are full names
// ("org create", "usage"). It looks at the first one to three words, and at two that were swapped
// ("create org"). Empty if nothing is near.
std::string_view nearest_command(std::span<const std::string> typed,
                                 std::span<const std::string> commands);

}  // namespace flexd::ctl
