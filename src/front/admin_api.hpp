// admin_api.hpp: the management API on the admin listener, for holders of a management key.
//
//   GET  /api/keys                 the keys of the key's organization: ?limit=100&after=ID
//   POST /api/keys                 a new inference key; its text is in the answer, once
//   POST /api/keys/{id}/revoke
//   GET  /api/orgs/{id}            the key's own organization, by id or name
//   GET  /api/balance
//   GET  /api/usage                ?since=DATE&until=DATE&by=day,model&key=ID
//
// HEAD is GET without the body (RFC 9110 9.3.2).
//
// JSON in, JSON out (store/json.hpp), errors in the envelope of the public listener. A management
// key sees its own organization and nothing else: what belongs to another is not_found.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "admin_connection.hpp"
#include "flexd/front/admin.hpp"

namespace flexd::front {

// is_api_path: the path belongs to the management API.
bool is_api_path(std::string_view path);

class AdminApi {
 public:
  // Done may not keep the answer, which is wiped afterwards.
  using Done = std::function<void(const AdminAnswer& answer)>;
  struct Call;

  // The hooks outlive the object.
  explicit AdminApi(const AdminHooks& hooks) : hooks_(hooks) {}

  // handle answers through `done`, now or in a later turn of the same thread, and logs the request.
  void handle(const AdminRequest& request, const Done& done);
  // refuse does so with a request that is refused whatever its body is, and is false for any other:
  // a caller without a good key has no body read.
  bool refuse(const AdminRequest& request, const Done& done);
  // refuse_unread answers with `code` a request that could not be read to its end, and logs it,
  // with its key where there is a good one. One without a path had no readable head.
  void refuse_unread(const AdminRequest& request, errors::Code code, const Done& done);

 private:
  std::shared_ptr<Call> make_call(const AdminRequest& request) const;
  Result<void, errors::Error> admit(const AdminRequest& request, Call& call) const;
  Result<const account::KeyRecord*, errors::Error> authenticate(
      const AdminRequest& request, const account::Snapshot& snapshot) const;
  std::optional<store::KeyUse> first_use(store::Number key, int64_t now_s);
  static void finish(Call& call, const Done& done);

  const AdminHooks& hooks_;
  // By organization: its calls that wait for the store. By key: when its use was told last.
  std::unordered_map<store::Number, uint32_t> under_way_;
  std::unordered_map<store::Number, int64_t> used_;
};

}  // namespace flexd::front
