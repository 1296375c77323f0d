// proxy_header.hpp: the PROXY protocol, with which a balancer names its caller.
//
// A balancer that passes TCP through says in front of the caller's first byte who that is, in one
// of two forms: a line of text (version 1) or a binary block (version 2). The page to read is
// https://www.haproxy.org/download/1.8/doc/proxy-protocol.txt; sections are of that. Only the
// source is of interest here: the destination is checked for form and TLVs are skipped.
//
// The parser takes what has come so far and is called again with more. What is no PROXY header is
// refused at its first wrong byte, so that a peer which sends something else does not wait.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "flexd/base/ip.hpp"

namespace flexd::http {

// kProxyLineBytesMax bounds a version 1 header, its CRLF included (2.1).
inline constexpr size_t kProxyLineBytesMax = 107;
// kProxyBlockBytesMax bounds a version 2 header. Addresses take 232 bytes at most; the rest is room
// for TLVs, of which balancers of today send some hundred bytes.
inline constexpr size_t kProxyBlockBytesMax = 4096;

// ProxyHeader is what the parser has found.
struct ProxyHeader {
  enum class State : uint8_t { incomplete, complete, refused };
  State state = State::incomplete;
  // has_source: the header names the caller. Otherwise it is the peer's own connection (LOCAL, of a
  // balancer's health checks) or a caller without an IP address (UNKNOWN, UNSPEC, a unix socket),
  // and the peer's address stands.
  bool has_source = false;
  uint16_t source_port = 0;
  IpBytes source{};
  // consumed is the size of the header, if complete: what the caller sent begins there.
  size_t consumed = 0;
};

// parse_proxy_header reads a header from the beginning of `bytes`. The result does not depend on
// how the bytes were cut, nor on what follows the header.
[[nodiscard]] ProxyHeader parse_proxy_header(std::string_view bytes);

}  // namespace flexd::http
