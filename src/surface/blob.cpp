#include "flexd/surface/blob.hpp"

#include "flexd/base/ascii.hpp"
#include "flexd/json/finder.hpp"

namespace flexd::surface {

namespace {

// sextet is the value of a digit of base64url, or -1.
int sextet(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (is_digit(c)) return c - '0' + 52;
  if (c == '-') return 62;
  return c == '_' ? 63 : -1;
}

// decode appends what `digits` say to `out`; false if they say nothing, or without room.
bool decode(std::string_view digits, Buffer& out) {
  std::array<char, 256> bytes;
  size_t size = 0;
  uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : digits) {
    const int digit = sextet(c);
    if (digit < 0) return false;
    bits = (bits << 6U) | static_cast<uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes[size++] = static_cast<char>((bits >> count) & 0xFFU);
    if (size < bytes.size()) continue;
    if (!out.append({bytes.data(), size})) return false;
    size = 0;
  }
  return count < 6 && out.append({bytes.data(), size});
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

}  // namespace

std::optional<Blob> unwrap_blob(std::string_view text, errors::Provider provider, Buffer& space) {
  if (!take_prefix(text, "gw1.") || !take_prefix(text, errors::provider_word(provider)) ||
      !take_prefix(text, ".")) {
    return std::nullopt;
  }
  const size_t begin = space.size();
  if (!space.reserve(begin + text.size()) || !decode(text, space)) return std::nullopt;
  const std::string_view document = space.view().substr(begin);
  // The client had it in its hands: what is in there goes into a provider's body.
  if (json::validate(document) != json::Type::kObject) return std::nullopt;
  constexpr json::Names kNames = {"m", "t", "d", "i", "s"};
  std::array<json::Value, 5> found;
  json::members_of(json::Value::value_in(document), kNames, found);
  const auto& [model, type, data, id, thought] = found;
  if (!type.is(json::Type::kString) || !data.is(json::Type::kString)) return std::nullopt;
  return Blob{.type = type.contents(),
              .data = data.contents(),
              .model = model.contents(),
              .id = id.contents(),
              .text = thought.contents()};
}

}  // namespace flexd::surface
