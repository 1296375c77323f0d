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
  list_models,         // GET /v1/models
  get_model,           // GET /v1/models/{id}
  unknown_url,         // no such path
  method_not_allowed,  // the path exists, for another method
};

struct Route {
  RouteKind kind = RouteKind::unknown_url;
  errors::Dialect dialect = errors::Dialect::responses;
  // nearest is the surface a wrong path seems to mean, and the path itself for a right one, but for
  // the name of a model.
  std::string_view nearest;
  // allow is the method that a known path takes.
  std::string_view allow = "POST";
  // model is what a path names, of get_model: the rest of it, percent-escapes and slashes
  // untouched.
  std::string_view model;
};

// find_route judges a path (without its query) and a method. The dialect of the models' paths is
// responses, as far as the path tells: Anthropic has the same ones.
Route find_route(std::string_view path, http::Method method);

}  // namespace flexd::front
