// reading.hpp: what the readers and writers of requests have in common.
#pragma once

#include <optional>
#include <string_view>

#include "../neutral.hpp"
#include "flexd/base/result.hpp"
#include "flexd/json/cursor.hpp"
#include "flexd/surface/request_model.hpp"

namespace flexd::surface {

// unsupported, invalid and no_room are the faults of a request. `expected` (static) says what
// belongs in the place of an invalid value, such as "an object".
std::unexpected<Fault> unsupported(const json::Value& at);
std::unexpected<Fault> invalid(const json::Value& at, std::string_view expected);
std::unexpected<Fault> no_room();

// present is `value`, or an absent one if it is null.
inline json::Value present(const json::Value& value) {
  return value.is_null() ? json::Value{} : value;
}

// is_media_type compares the raw inside of a JSON string with a media type in small letters, of
// which the case does not count (RFC 2045 5.1): `\/` is a slash, and other escapes are equal to
// nothing.
bool is_media_type(std::string_view raw, std::string_view type);

// DataUrl is a `data:` URL (RFC 2397) taken apart; the views are raw, into the URL.
struct DataUrl {
  std::string_view media_type;  // without parameters; empty if the URL has none
  std::string_view data;
  bool base64 = false;
};
// split_data_url takes the raw inside of a JSON string; nullopt if it is no data URL.
std::optional<DataUrl> split_data_url(std::string_view raw);

// text_part is the Part of a text: a string by itself, or the content of a larger part.
inline Part text_part(const json::Value& whole, const json::Value& string) {
  return {.whole = whole, .content = string};
}

// set_url fills a media part from the inside of a URL string: base64 or plain data of a data URL,
// else the URL.
void set_url(Part& part, std::string_view raw_url);

}  // namespace flexd::surface
