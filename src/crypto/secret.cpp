#include "flexd/crypto/secret.hpp"

#include <cstring>
#include <utility>

#include "flexd/crypto/bytes.hpp"

namespace flexd::crypto {

Secret::Secret(std::string_view bytes)
    : bytes_(bytes.empty() ? nullptr : new char[bytes.size()]), size_(bytes.size()) {
  if (size_ != 0) std::memcpy(bytes_.get(), bytes.data(), size_);
}

Secret::Secret(Secret&& other) noexcept
    : bytes_(std::move(other.bytes_)), size_(std::exchange(other.size_, 0)) {}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    clear();
    bytes_ = std::move(other.bytes_);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

void Secret::clear() {
  if (size_ != 0) wipe(bytes_.get(), size_);
  bytes_.reset();
  size_ = 0;
}

}  // namespace flexd::crypto
