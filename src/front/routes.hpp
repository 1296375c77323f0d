// routes.hpp: which paths there are, and what is near one that is not.
#pragma once

#include <cstdint>
#include <string_view>

#include "flexd/errors/dialect.hpp"
#include "flexd/http/message.hpp"

namespace flexd::front {

// RouteKind is what a request asks for.
enum class RouteKind : uint8_t {
  generate,            // run a model
  unknown_url,         // no such path
  method_not_allowed,  // the path exists, for POST
};

struct Route {
  RouteKind kind = RouteKind::unknown_url;
  errors::Dialect dialect = errors::Dialect::responses;
  // nearest is the surface a wrong path seems to mean.
  std::string_view nearest;
};

// find_route judges a path (without its query) and a method.
Route find_route(std::string_view path, http::Method method);

}  // namespace flexd::front
