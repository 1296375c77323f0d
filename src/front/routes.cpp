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
};

// kHints maps a word in a wrong path to the surface it seems to mean; the first match counts.
struct Hint {
  std::string_view word;
  std::string_view nearest;
};
constexpr std::array kHints = {
    Hint{"response", "/v1/responses"},
};

bool contains_ignoring_case(std::string_view text, std::string_view word) {
  if (word.size() > text.size()) return false;
  for (size_t at = 0; at + word.size() <= text.size(); ++at) {
    if (iequals(text.substr(at, word.size()), word)) return true;
  }
  return false;
}

}  // namespace

Route find_route(std::string_view path, http::Method method) {
  const auto* surface = std::find_if(kSurfaces.begin(), kSurfaces.end(),
                                     [path](const Surface& s) { return s.path == path; });
  Route route;
  route.nearest = kSurfaces.front().path;
  if (surface == kSurfaces.end()) {
    for (const Hint& hint : kHints) {
      if (contains_ignoring_case(path, hint.word)) {
        route.nearest = hint.nearest;
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
