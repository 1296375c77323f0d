// members.hpp: the variants of TextKernels::find_members.
#pragma once

#include "blocks.hpp"
#include "flexd/json/names.hpp"
#include "flexd/json/text.hpp"

namespace flexd::json {

const char* find_members_scalar(const char* begin, const char* end, const Names& names,
                                Value* found);
#if FLEXD_JSON_X86
const char* find_members_avx2(const char* begin, const char* end, const Names& names, Value* found);
#endif

}  // namespace flexd::json
