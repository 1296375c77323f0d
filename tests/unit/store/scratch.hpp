// scratch.hpp: what the tests of the store share: a folder of their own, and opened results.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "../scratch_folder.hpp"
#include "flexd/store/store.hpp"

namespace flexd::store {

// Scratch is a folder for a store.
struct Scratch : ScratchFolder {
  Scratch() : ScratchFolder("flexd.db") {}
};

// must takes the value of a result; the test ends with the error's text where there is none.
template <typename T>
T must(StoreResult<T> result) {
  if (!result) FAIL(result.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

// refused is the error of a result that must be one.
template <typename T>
Error refused(StoreResult<T> result) {
  REQUIRE_FALSE(result.has_value());
  CHECK(result.error().message.find('\n') == std::string::npos);
  CHECK_FALSE(result.error().message.empty());
  return std::move(result.error());
}

inline std::unique_ptr<Store> open(const Scratch& scratch, OpenMode mode = OpenMode::create) {
  return must(open_store(scratch.path(), mode));
}

// sample_key is a key of `organization` whose digest is that of `secret`.
inline Key sample_key(Number organization, std::string_view secret) {
  Key key;
  key.organization = organization;
  key.name = "batch";
  key.digest = crypto::sha256(secret);
  key.shown = "flex_live_0123";
  return key;
}

}  // namespace flexd::store
