#include "flexd/account/authorization.hpp"

#include <algorithm>

#include "flexd/account/key.hpp"

namespace flexd::account {
namespace {

constexpr std::string_view kScheme = "bearer";

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t";
  const size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

char to_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// is_token: token68 of RFC 9110, the only form a Bearer token has.
bool is_token(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const char low = to_lower(c);
    return (low >= 'a' && low <= 'z') || (c >= '0' && c <= '9') ||
           std::string_view("-._~+/=").find(c) != std::string_view::npos;
  });
}

// bearer_token is what an Authorization value has as a Bearer token, of whatever characters, or
// empty if it has none.
std::string_view bearer_token(std::string_view value) {
  value = trim(value);
  if (value.size() <= kScheme.size() || value[kScheme.size()] != ' ') return {};
  const std::string_view scheme = value.substr(0, kScheme.size());
  if (!std::equal(scheme.begin(), scheme.end(), kScheme.begin(),
                  [](char a, char b) { return to_lower(a) == b; })) {
    return {};
  }
  return trim(value.substr(kScheme.size()));
}

PresentedKey judge(std::string_view token) {
  const std::optional<KeyKind> kind = key_kind(token);
  if (!kind) return {Presented::wrong_shape, {}};
  return {*kind == KeyKind::inference ? Presented::inference : Presented::management, token};
}

}  // namespace

PresentedKey presented_key(const Credentials& credentials, errors::Dialect dialect) {
  if (credentials.authorization) {
    const std::string_view token = bearer_token(*credentials.authorization);
    if (token.empty()) return {Presented::malformed, {}};
    const PresentedKey presented = judge(token);
    // What has the shape of a key is a token.
    const bool malformed = presented.what == Presented::wrong_shape && !is_token(token);
    return malformed ? PresentedKey{Presented::malformed, {}} : presented;
  }
  std::optional<std::string_view> own;
  if (dialect == errors::Dialect::messages) own = credentials.x_api_key;
  if (dialect == errors::Dialect::interactions) own = credentials.x_goog_api_key;
  const std::string_view token = own ? trim(*own) : std::string_view{};
  return token.empty() ? PresentedKey{} : judge(token);
}

}  // namespace flexd::account
