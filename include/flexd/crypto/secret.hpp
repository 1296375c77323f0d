// secret.hpp: a string that must not appear in a log, an error or a core dump.
//
// A Secret cannot be formatted, streamed, compared by == or copied by accident; its memory is wiped
// when it dies or is replaced. The bytes are reached only by `reveal`, a word to search the code
// for.
#pragma once

#include <cstddef>
#include <iosfwd>
#include <memory>
#include <string_view>

namespace flexd::crypto {

class Secret {
 public:
  Secret() = default;
  // A secret with a copy of `bytes`; the caller wipes its own.
  explicit Secret(std::string_view bytes);
  ~Secret() { clear(); }
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;

  // clone makes a second secret of the same bytes.
  Secret clone() const { return Secret(reveal()); }
  // reveal shows the bytes; the view lives as long as the secret is not changed.
  std::string_view reveal() const { return {bytes_.get(), size_}; }
  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }
  // clear wipes the bytes and leaves the secret empty.
  void clear();

  bool operator==(const Secret&) const = delete;

 private:
  std::unique_ptr<char[]> bytes_;
  size_t size_ = 0;
};

// A secret in a stream does not compile.
std::ostream& operator<<(std::ostream&, const Secret&) = delete;

}  // namespace flexd::crypto
