// secret_input.hpp: a secret from stdin, where neither `ps` nor a shell's history has it.
#pragma once

#include <cstddef>
#include <string_view>

#include "flexd/base/result.hpp"
#include "flexd/crypto/secret.hpp"

namespace flexd::ctl {

inline constexpr size_t kSecretBytesMax = 512;

// read_secret reads stdin to its end, without the line break it may end in. From a terminal it asks
// for `what` on stderr and reads one line without an echo.
Result<crypto::Secret> read_secret(std::string_view what);

// clean_secret is what read_secret makes of the bytes of stdin: one line break off the end; then
// refused if empty, longer than kSecretBytesMax or not fit for an HTTP field (http/message.hpp).
Result<crypto::Secret> clean_secret(std::string_view bytes);

}  // namespace flexd::ctl
