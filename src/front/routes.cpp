#include "routes.hpp"

#include <algorithm>
#include <array>

#include "flexd/base/ascii.hpp"

namespace flexd::front {
namespace {

struct Surface {
  std::string_view path;
  errors::Dialect dialect;
};

constexpr std::array kSurfaces = {
    Surface{"/v1/responses", errors::Dialect::responses},
    Surface{"/v1/chat/completions", errors::Dialect::chat},
    Surface{"/v1/interactions", errors::Dialect::interactions},
    Surface{"/v1beta/interactions", errors::Dialect::interactions},
    Surface{"/v1/messages", errors::Dialect::messages},
};

constexpr std::string_view kModels = "/v1/models";

constexpr errors::Dialect dialect_of(std::string_view path) {
  for (const Surface& surface : kSurfaces) {
    if (surface.path == path) return surface.dialect;
  }
  return errors::Dialect::responses;
}

// kHints maps a word in a wrong path to the surface it seems to mean; the first match counts.
struct Hint {
  std::string_view word;
  std::string_view nearest;
};
constexpr std::array kHints = {
    // OpenAI's Assistants have messages, and its Responses replace them.
    Hint{"threads", "/v1/responses"},
    Hint{"assistants", "/v1/responses"},
    Hint{"response", "/v1/responses"},
    Hint{"completion", "/v1/chat/completions"},
    Hint{"chat", "/v1/chat/completions"},
    Hint{"message", "/v1/messages"},
    Hint{"anthropic", "/v1/messages"},
    Hint{"/complete", "/v1/messages"},  // Anthropic's before Messages
    // Gemini's other API, with the version in the path that its SDKs send there.
    Hint{"generateContent", "/v1beta/interactions"},
    Hint{"v1beta", "/v1beta/interactions"},
    Hint{"interaction", "/v1/interactions"},
    Hint{"gemini", "/v1/interactions"},
    Hint{"model", kModels},
};

// Gemini's other API has its methods behind a colon, in the paths of models.
constexpr std::string_view kGenerateContent = "generateContent";

bool contains_ignoring_case(std::string_view text, std::string_view word) {
  if (word.size() > text.size()) return false;
  for (size_t at = 0; at + word.size() <= text.size(); ++at) {
    if (iequals(text.substr(at, word.size()), word)) return true;
  }
  return false;
}

// is_model_path: the path of one model, or of what its name could be.
bool is_model_path(std::string_view path, http::Method method) {
  if (!path.starts_with(kModels) || path.size() < kModels.size() + 2) return false;
  if (path[kModels.size()] != '/') return false;
  // A model may be called anything, but nobody gets models called so by POST.
  return method == http::Method::get || !contains_ignoring_case(path, kGenerateContent);
}

}  // namespace

Route find_route(std::string_view path, http::Method method) {
  const auto* surface = std::find_if(kSurfaces.begin(), kSurfaces.end(),
                                     [path](const Surface& s) { return s.path == path; });
  Route route;
  const bool one = is_model_path(path, method);
  if (one || path == kModels) {
    route.nearest = kModels;
    route.allow = "GET";
    route.kind = method != http::Method::get ? RouteKind::method_not_allowed
                 : one                       ? RouteKind::get_model
                                             : RouteKind::list_models;
    if (one) route.model = path.substr(kModels.size() + 1);
    return route;
  }
  route.nearest = kSurfaces.front().path;
  if (surface == kSurfaces.end()) {
    for (const Hint& hint : kHints) {
      if (contains_ignoring_case(path, hint.word)) {
        route.nearest = hint.nearest;
        // Whoever missed that surface reads errors in its form.
        route.dialect = dialect_of(hint.nearest);
        break;
      }
    }
    return route;
  }
  route.dialect = surface->dialect;
  route.nearest = surface->path;
  route.kind = method == http::Method::post ? RouteKind::generate : RouteKind::method_not_allowed;
  return route;
}

}  // namespace flexd::front
