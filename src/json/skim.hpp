// skim.hpp: the variants of TextKernels::skim.
#pragma once

#include "blocks.hpp"
#include "flexd/json/text.hpp"

namespace flexd::json {

Skimmed skim_scalar(const char* begin, const char* end, const SkimFor& what, Nesting& nesting);
#if FLEXD_JSON_X86
Skimmed skim_avx2(const char* begin, const char* end, const SkimFor& what, Nesting& nesting);
#endif

}  // namespace flexd::json
