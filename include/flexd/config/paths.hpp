// paths.hpp: where the store and the master key are unless a flag says so. The same for flexd and
// flexctl, so that both mean the same files when they run in the same place.
#pragma once

#include <string>
#include <string_view>

namespace flexd::config {

// default_store_path is flexd.db in the service's state directory ($STATE_DIRECTORY; the first
// where systemd.exec(5) lists several), else ./flexd.db.
std::string default_store_path();

// default_master_key_path is master.key among the service's credentials ($CREDENTIALS_DIRECTORY,
// systemd.exec(5)) if it is there, else master.key beside the file `store`. A service may have
// credentials and keep its master key in the state directory, hence the look at the file. A store
// that is no file (a URL) has nothing beside it: ./master.key.
std::string default_master_key_path(std::string_view store);

}  // namespace flexd::config
