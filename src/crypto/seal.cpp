#include "flexd/crypto/seal.hpp"

#include <openssl/aead.h>
#include <openssl/err.h>

#include <algorithm>
#include <array>
#include <span>

#include "flexd/base/assert.hpp"
#include "flexd/crypto/bytes.hpp"

namespace flexd::crypto {
namespace {

constexpr uint8_t kVersion = 1;
constexpr size_t kNonceBytes = 12;
constexpr size_t kTagBytes = 16;
constexpr size_t kHeadBytes = 1 + kNonceBytes;

const uint8_t* bytes_of(std::string_view text) {
  return reinterpret_cast<const uint8_t*>(text.data());
}

// Aead is the cipher with one key. The library's context has the expanded key in it, which its
// clean-up leaves in memory.
class Aead {
 public:
  explicit Aead(const Secret& key) {
    FLEXD_ASSERT(key.size() == kMasterKeyBytes);
    EVP_AEAD_CTX_zero(&context_);
    FLEXD_ASSERT(EVP_AEAD_CTX_init(&context_, EVP_aead_aes_256_gcm(), bytes_of(key.reveal()),
                                   key.size(), kTagBytes, nullptr) == 1);
  }
  ~Aead() {
    EVP_AEAD_CTX_cleanup(&context_);
    wipe(&context_, sizeof(context_));
  }
  Aead(const Aead&) = delete;
  Aead& operator=(const Aead&) = delete;

  const EVP_AEAD_CTX* get() const { return &context_; }

 private:
  EVP_AEAD_CTX context_;
};

}  // namespace

std::string MasterKeys::seal(std::string_view secret, std::string_view associated) const {
  FLEXD_ASSERT(!keys_.empty());
  std::array<uint8_t, kHeadBytes> head{kVersion};
  const auto nonce = std::span(head).subspan(1);
  random_bytes(nonce);
  std::string sealed(head.begin(), head.end());
  sealed.resize(kHeadBytes + secret.size() + kTagBytes);

  const Aead aead(keys_.front());
  size_t written = 0;
  FLEXD_ASSERT(EVP_AEAD_CTX_seal(aead.get(), reinterpret_cast<uint8_t*>(&sealed[kHeadBytes]),
                                 &written, secret.size() + kTagBytes, nonce.data(), nonce.size(),
                                 bytes_of(secret), secret.size(), bytes_of(associated),
                                 associated.size()) == 1);
  FLEXD_ASSERT(written == secret.size() + kTagBytes);
  return sealed;
}

std::optional<Secret> MasterKeys::open(std::string_view sealed, std::string_view associated) const {
  if (sealed.size() < kHeadBytes + kTagBytes || static_cast<uint8_t>(sealed[0]) != kVersion) {
    return std::nullopt;
  }
  const std::string_view nonce = sealed.substr(1, kNonceBytes);
  const std::string_view body = sealed.substr(kHeadBytes);
  std::string text(body.size(), '\0');
  std::optional<Secret> secret;
  for (const Secret& key : keys_) {
    const Aead aead(key);
    size_t written = 0;
    if (EVP_AEAD_CTX_open(aead.get(), reinterpret_cast<uint8_t*>(text.data()), &written,
                          text.size(), bytes_of(nonce), nonce.size(), bytes_of(body), body.size(),
                          bytes_of(associated), associated.size()) == 1) {
      secret.emplace(std::string_view(text).substr(0, written));
      break;
    }
  }
  wipe(text.data(), text.size());
  // A key that did not fit left its note in the thread's queue, where TLS would take it for its
  // own.
  ERR_clear_error();
  return secret;
}

}  // namespace flexd::crypto
