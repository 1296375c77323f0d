// ssl.hpp: owning pointers and error texts for BoringSSL; private to src/tls.
#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <string>
#include <string_view>

#include "flexd/base/result.hpp"

namespace flexd::tls {

// last_error is the oldest queued error of the library, in words, and empties the queue.
[[nodiscard]] std::string last_error();
// read_file reads a whole file; the failure names it and the cause.
[[nodiscard]] Result<std::string> read_file(const std::string& path);
// memory_bio reads from `text`, which stays alive.
[[nodiscard]] bssl::UniquePtr<BIO> memory_bio(std::string_view text);
// install_memory_hook does nothing but make the linker keep the allocator of memory.cpp.
void install_memory_hook();

}  // namespace flexd::tls
