#include "request_words.hpp"

#include <algorithm>

namespace flexd::front {

std::string_view make_request_id(std::string_view theirs, io::Reactor& reactor,
                                 RequestIdSpace& space) {
  const auto sane = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  if (!theirs.empty() && theirs.size() <= kRequestIdMax &&
      std::all_of(theirs.begin(), theirs.end(), sane)) {
    std::copy(theirs.begin(), theirs.end(), space.begin());
    return {space.data(), theirs.size()};
  }
  constexpr std::string_view kPrefix = "req_";
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::copy(kPrefix.begin(), kPrefix.end(), space.begin());
  size_t at = kPrefix.size();
  for (int word = 0; word < 2; ++word) {
    uint64_t random = reactor.random_u64();
    for (int digit = 0; digit < 12; ++digit, random >>= 4U) {
      space[at++] = kDigits[random & 15U];
    }
  }
  return {space.data(), at};
}

errors::Code code_of(http::H1Refusal refusal) {
  switch (refusal) {
    case http::H1Refusal::malformed_request:
      return errors::Code::malformed_request;
    case http::H1Refusal::expectation_failed:
      return errors::Code::expectation_failed;
    case http::H1Refusal::headers_too_large:
      return errors::Code::headers_too_large;
    case http::H1Refusal::coding_not_implemented:
      return errors::Code::not_implemented;
    case http::H1Refusal::version_not_supported:
      return errors::Code::http_version_not_supported;
  }
  return errors::Code::malformed_request;
}

}  // namespace flexd::front
