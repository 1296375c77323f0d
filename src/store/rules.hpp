// rules.hpp: what may be stored. Private.
//
// Each check returns an error of kind `invalid` with one line that names the value and the rule.
#pragma once

#include "flexd/store/store.hpp"

namespace flexd::store {

StoreResult<void> check_organization_name(std::string_view name);
StoreResult<void> check_change(const OrganizationChange& change);
StoreResult<void> check_key(const Key& key);
StoreResult<void> check_provider_key(const SealedProviderKey& key);
StoreResult<void> check_model(const Model& model);
StoreResult<void> check_usage(const UsageRow& row);
StoreResult<void> check_use(const KeyUse& use);

// quoted is a text of the caller for a message: short, in quotes, without control characters.
std::string quoted(std::string_view text);

}  // namespace flexd::store
