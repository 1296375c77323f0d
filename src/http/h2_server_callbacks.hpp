// h2_server_callbacks.hpp: what nghttp2 calls for a server session; private to h2_server*.cpp.
#pragma once

#include <nghttp2/nghttp2.h>

#include "h2_state.hpp"

namespace flexd::http::h2 {

// server_callbacks is made once and never freed; its user data is a ServerSession.
[[nodiscard]] const nghttp2_session_callbacks* server_callbacks();

// queue_provider lets nghttp2 take the body of an answer from the stream's queue.
[[nodiscard]] nghttp2_data_provider queue_provider(ServerStream& stream);

}  // namespace flexd::http::h2
