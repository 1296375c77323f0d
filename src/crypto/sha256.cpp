#include "flexd/crypto/sha256.hpp"

#include <openssl/mem.h>
#include <openssl/sha.h>

#include <new>

namespace flexd::crypto {
namespace {

SHA256_CTX* context_of(std::array<std::byte, 112>& room) {
  static_assert(sizeof(SHA256_CTX) <= sizeof(room) && alignof(SHA256_CTX) <= 8);
  return std::launder(reinterpret_cast<SHA256_CTX*>(room.data()));
}

const uint8_t* bytes_of(std::string_view text) {
  return reinterpret_cast<const uint8_t*>(text.data());
}

}  // namespace

static_assert(kSha256Bytes == SHA256_DIGEST_LENGTH);

Sha256Digest sha256(std::string_view bytes) {
  Sha256Digest digest;
  SHA256(bytes_of(bytes), bytes.size(), digest.data());
  return digest;
}

Sha256::Sha256() : context_{} {
  reset();
}

Sha256::~Sha256() {
  OPENSSL_cleanse(context_.data(), context_.size());
}

void Sha256::reset() {
  SHA256_Init(::new (context_.data()) SHA256_CTX);
}

void Sha256::update(std::string_view bytes) {
  SHA256_Update(context_of(context_), bytes_of(bytes), bytes.size());
}

Sha256Digest Sha256::finish() {
  Sha256Digest digest;
  SHA256_Final(digest.data(), context_of(context_));
  reset();
  return digest;
}

}  // namespace flexd::crypto
