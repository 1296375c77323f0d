// notify.hpp: tells the service manager how the program is doing (sd_notify(3), protocol only).
#pragma once

#include <string_view>

namespace flexd::app {

// notify sends `state` ("READY=1", "STOPPING=1\nSTATUS=…") to $NOTIFY_SOCKET. Without a service
// manager it does nothing; a failure is of no consequence to the program.
void notify(std::string_view state);

}  // namespace flexd::app
