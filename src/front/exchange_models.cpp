// exchange_models.cpp: GET /v1/models and /v1/models/{id}, which flexd answers itself.
#include "exchange.hpp"
#include "models.hpp"
#include "routes.hpp"
#include "worker.hpp"

namespace flexd::front {

// answer_models answers a request whose key has been checked. What body it may have is drained.
void Exchange::answer_models(const Route& route) {
  usage_counted_ = true;  // it is none: no model works for it
  const ModelCatalog catalog{
      .flex_models = *worker_.shared().flex_models, .snapshot = *lease_->snapshot, .key = *key_};
  bool written = false;
  if (route.kind == RouteKind::list_models) {
    written = write_model_list(catalog, body_);
  } else {
    std::array<char, kModelNameMax> space;
    const std::string_view model = decode_model_name(route.model, space);
    if (!catalog.has(model)) {
      fail({.code = errors::Code::model_not_found, .detail = model});
      return;
    }
    written = write_model(model, catalog.flex_models, body_);
  }
  if (!written) {
    fail(errors::Code::service_unavailable);
    return;
  }
  const OwnAnswer answer{.status = 200, .length = body_.size(), .close = worker_.is_draining()};
  begin_own(answer);
  client_->write(body_.view());
  finish_answer(metrics::Outcome::ok);
}

}  // namespace flexd::front
