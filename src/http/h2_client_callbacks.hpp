// h2_client_callbacks.hpp: what nghttp2 calls for a client session; private to h2_client*.cpp.
#pragma once

#include <nghttp2/nghttp2.h>

namespace flexd::http::h2 {

// client_callbacks is made once and never freed; its user data is a ClientSession.
[[nodiscard]] const nghttp2_session_callbacks* client_callbacks();

}  // namespace flexd::http::h2
