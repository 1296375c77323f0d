#include "flexd/surface/blob.hpp"

#include "base64.hpp"
#include "flexd/json/finder.hpp"

namespace flexd::surface {

namespace {

// decode appends what `digits` say to `out`; false if they say nothing, or without room.
bool decode(std::string_view digits, Buffer& out) {
  Base64Reader reader(out);
  for (const char c : digits) {
    if (!reader.take(c)) return false;
  }
  return reader.finish();
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
