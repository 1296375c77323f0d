#include "reading.hpp"

#include "flexd/base/ascii.hpp"

namespace flexd::surface {

std::unexpected<Fault> unsupported(const json::Value& at) {
  return fail(Fault{.code = errors::Code::unsupported_parameter, .at = at.text});
}

std::unexpected<Fault> invalid(const json::Value& at, std::string_view expected) {
  return fail(Fault{.code = errors::Code::invalid_value, .at = at.text, .detail = expected});
}

std::unexpected<Fault> no_room() {
  return fail(Fault{.code = errors::Code::service_unavailable});
}

bool is_media_type(std::string_view raw, std::string_view type) {
  size_t at = 0;
  for (const char c : type) {
    if (at < raw.size() && raw[at] == '\\') {
      if (c != '/') return false;
      ++at;
    }
    if (at >= raw.size() || lower(raw[at]) != c) return false;
    ++at;
  }
  return at == raw.size();
}

std::optional<DataUrl> split_data_url(std::string_view raw) {
  constexpr std::string_view kScheme = "data:";
  if (raw.size() < kScheme.size() || !iequals(raw.substr(0, kScheme.size()), kScheme)) {
    return std::nullopt;
  }
  const size_t comma = raw.find(',');
  if (comma == std::string_view::npos) return std::nullopt;
  std::string_view head = raw.substr(kScheme.size(), comma - kScheme.size());
  DataUrl url{.data = raw.substr(comma + 1)};
  constexpr std::string_view kBase64 = ";base64";
  if (head.size() >= kBase64.size() &&
      iequals(head.substr(head.size() - kBase64.size()), kBase64)) {
    url.base64 = true;
    head.remove_suffix(kBase64.size());
  }
  url.media_type = head.substr(0, head.find(';'));
  return url;
}

void set_url(Part& part, std::string_view raw_url) {
  const auto url = split_data_url(raw_url);
  if (!url) {
    part.source = Part::Source::url;
    part.data = raw_url;
    return;
  }
  part.source = url->base64 ? Part::Source::base64 : Part::Source::plain_text;
  part.media_type = url->media_type;
  part.data = url->data;
}

}  // namespace flexd::surface
