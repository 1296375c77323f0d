#include "draft.hpp"

#include <algorithm>
#include <array>

#include "../base64.hpp"
#include "flexd/base/ascii.hpp"
#include "flexd/crypto/bytes.hpp"
#include "flexd/crypto/sha256.hpp"
#include "flexd/json/text.hpp"
#include "flexd/json/writer.hpp"
#include "reading.hpp"

namespace flexd::surface {

namespace {

using errors::Code;

bool is_legal_id(std::string_view id, Draft::IdRule rule) {
  switch (rule) {
    case Draft::IdRule::any:
      return true;
    case Draft::IdRule::up_to_64_bytes:
      return id.size() <= 64;
    case Draft::IdRule::letters_and_digits:
      return !id.empty() && std::all_of(id.begin(), id.end(), [](char c) {
        return is_alpha(c) || is_digit(c) || c == '_' || c == '-';
      });
  }
  return false;
}

// decode_base64 decodes the raw inside of a JSON string, line ends ignored; false if it is broken
// or there is no room.
bool decode_base64(std::string_view raw, Buffer& out) {
  if (!out.reserve(raw.size())) return false;
  Base64Reader reader(out);
  for (size_t i = 0; i < raw.size(); ++i) {
    char c = raw[i];
    if (c == '=') break;
    if (c == '\\') {
      if (++i == raw.size()) return false;
      if (raw[i] == 'n' || raw[i] == 'r') continue;
      c = raw[i];  // `\/`, or something that is no digit after a backslash
      if (c != '/') return false;
    }
    if (!reader.take(c)) return false;
  }
  return reader.finish();
}

bool is_json_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// string_end is the place after the closing quote of the string that begins at `at`.
size_t string_end(std::string_view json, size_t at) {
  for (++at; at < json.size(); ++at) {
    if (json[at] == '\\') {
      ++at;
    } else if (json[at] == '"') {
      return at + 1;
    }
  }
  return json.size();
}

}  // namespace

void Draft::put_as_text(const json::Value& value) {
  const std::string_view text = value.text;
  if (text.find_first_of("\n\r") == std::string_view::npos) {
    json::write_escaped(sink_, text);
    return;
  }
  size_t at = 0;
  while (at < text.size()) {
    const size_t begin = at;
    while (at < text.size() && !is_json_space(text[at])) {
      at = text[at] == '"' ? string_end(text, at) : at + 1;
    }
    json::write_escaped(sink_, text.substr(begin, at - begin));
    while (at < text.size() && is_json_space(text[at])) ++at;
  }
}

void Draft::put_arguments_text(const Item& call) {
  if (!call.arguments.exists() || is_empty_string(call.arguments)) {
    put(R"("{}")");
  } else if (call.arguments.is(json::Type::kString)) {
    put(call.arguments);
  } else {
    put("\"");
    put_as_text(call.arguments);
    put("\"");
  }
}

void Draft::put_arguments_object(const Item& call) {
  if (!call.arguments.exists() || is_empty_string(call.arguments)) {
    put("{}");
    return;
  }
  if (!call.arguments.is(json::Type::kString)) {
    put(call.arguments);
    return;
  }
  const auto text = decoded(call.arguments);
  if (!text) return;
  if (json::validate(*text) != json::Type::kObject) {
    refuse_invalid(call.arguments, "the text of a JSON object");
    return;
  }
  put(*text);
}

void Draft::put_text_of(const Part& part) {
  if (part.kind == Part::Kind::json && !part.content.is(json::Type::kString)) {
    put("\"");
    put_as_text(part.content);
    put("\"");
    return;
  }
  put(part.content);
}

void Draft::put_decoded_text(const Part& part) {
  scratch_.clear();
  if (!scratch_.reserve(part.data.size())) {
    refuse({.code = Code::service_unavailable});
    return;
  }
  const bool good = decode_base64(part.data, scratch_);
  const std::string_view text = scratch_.view();
  if (!good || !json::best_kernels().utf8_valid(text.data(), text.data() + text.size())) {
    refuse_data(part, Code::invalid_value, "base64 of UTF-8 text");
    return;
  }
  put("\"");
  json::write_escaped(sink_, text);
  put("\"");
}

void Draft::put_plain_text(const Part& part) {
  // Messages has a text as it is; elsewhere it comes from a data: URL, which may have escapes.
  const bool is_url = model_.dialect != errors::Dialect::messages;
  if (is_url && part.data.find('%') != std::string_view::npos) {
    refuse_data(part, Code::invalid_value, "data in base64");
  }
  put("\"", part.data, "\"");
}

void Draft::put_system(std::string_view name, size_t end) {
  bool is_open = false;
  for (size_t i = 0; i < end; ++i) {
    const Item& item = model_.items[i];
    if (item.kind != Item::Kind::message || item.role != Item::Role::system) continue;
    for (const Part& part : model_.parts_of(item)) {
      if (part.kind != Part::Kind::text) return refuse_kind(part.whole);
      if (is_empty_string(part.content)) continue;
      if (is_open) {
        put(R"(\n\n)");
      } else {
        put(name, "\"");
      }
      is_open = true;
      put(part.content.contents());
    }
  }
  if (is_open) put("\"");
}

void Draft::put_call_id(uint32_t index, IdRule rule) {
  const Item* item = &model_.items[index];
  if (item->kind == Item::Kind::result && !item->call_id.exists()) {
    index = links_.other(index);
    if (index == CallLinks::kNone) {
      return refuse_invalid(item->whole, "a result of a function that was called before");
    }
    item = &model_.items[index];
  }
  if (!item->call_id.exists()) {
    const DecimalText digits(uint64_t{index});
    put("\"call_", digits.view(), "\"");
    return;
  }
  const std::string_view raw = item->call_id.contents();
  const bool is_plain = raw.find('\\') == std::string_view::npos;
  if (is_legal_id(raw, rule) && (is_plain || rule != IdRule::letters_and_digits)) {
    put(item->call_id);
    return;
  }
  const auto id = decoded(item->call_id);
  if (!id) return;
  put("\"");
  if (is_legal_id(*id, rule)) {
    json::write_escaped(sink_, *id);
  } else {
    put("call_");
    put_digest(*id, 24);
  }
  put("\"");
}

void Draft::put_identifier(std::string_view name, const json::Value& identifier, size_t bytes_max) {
  if (!identifier.is(json::Type::kString)) return;
  if (identifier.contents().size() <= bytes_max) return put(name, identifier);
  const auto text = decoded(identifier);
  if (!text) return;
  put(name, "\"");
  if (text->size() <= bytes_max) {
    json::write_escaped(sink_, *text);
  } else {
    put_digest(*text, 2 * crypto::kSha256Bytes);
  }
  put("\"");
}

std::optional<Blob> Draft::own_blob(const Item& item, errors::Provider provider) {
  if (!item.blob.exists()) return std::nullopt;
  scratch_.clear();
  return unwrap_blob(item.blob.contents(), provider, scratch_);
}

void Draft::refuse_kind(const json::Value& whole) {
  const json::Value type = whole["type"];
  refuse_unsupported(type.exists() ? type : whole);
}

void Draft::refuse_data(const Part& part, Code code, std::string_view expected) {
  const bool has_data = part.data.data() != nullptr;
  refuse({.code = code, .at = has_data ? part.data : part.whole.text, .detail = expected});
}

void Draft::refuse_media_type(const Part& part) {
  if (part.media_type.empty()) {
    refuse_data(part, Code::invalid_value, "data with a media type");
  } else {
    refuse({.code = Code::unsupported_parameter, .at = part.media_type});
  }
}

std::optional<std::string_view> Draft::decoded(const json::Value& string) {
  const std::string_view raw = string.contents();
  if (raw.find('\\') == std::string_view::npos) return raw;
  scratch_.clear();
  if (!scratch_.reserve(raw.size())) {
    refuse({.code = Code::service_unavailable});
    return std::nullopt;
  }
  const auto text = json::decode(string, {scratch_.data(), raw.size()});
  if (!text) refuse_invalid(string, "a string");
  return text;
}

void Draft::put_digest(std::string_view text, size_t digits) {
  std::array<char, 2 * crypto::kSha256Bytes> hex;
  crypto::hex_encode(crypto::sha256(text), hex);
  put(std::string_view(hex.data(), digits));
}

bool has_text(const json::Value& string) {
  const std::string_view raw = string.contents();
  for (size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] == ' ') continue;
    const char escape = raw[i] == '\\' && i + 1 < raw.size() ? raw[i + 1] : ' ';
    if (escape != 'n' && escape != 't' && escape != 'r') return true;
    ++i;
  }
  return false;
}

void refuse_verbosity(Draft& draft) {
  const json::Value& verbosity = draft.model().verbosity;
  if (verbosity.exists() && !verbosity.equals("medium")) draft.refuse_unsupported(verbosity);
}

}  // namespace flexd::surface
