// admin_api.hpp: the management API on the admin listener, for holders of a management key.
//
//   GET  /api/keys                 the keys of the key's organization
//   POST /api/keys                 a new inference key; its text is in the answer, once
//   POST /api/keys/{id}/revoke
//   GET  /api/orgs/{id}            the key's own organization, by id or name
//   GET  /api/balance
//   GET  /api/usage                ?since=DATE&until=DATE&by=day,model&key=ID
//
// JSON in, JSON out (store/json.hpp), errors in the envelope of the public listener. A management
// key sees its own organization and nothing else: what belongs to another is not_found.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "admin_connection.hpp"
#include "flexd/front/admin.hpp"

namespace flexd::front {

// is_api_path: the path belongs to the management API.
bool is_api_path(std::string_view path);

class AdminApi {
 public:
  using Done = std::function<void(AdminAnswer answer)>;

  // The hooks outlive the object.
  explicit AdminApi(const AdminHooks& hooks) : hooks_(hooks) {}

  // handle answers through `done`, now or in a later turn of the same thread.
  void handle(const AdminRequest& request, Done done) const;

 private:
  const AdminHooks& hooks_;
};

}  // namespace flexd::front
