#include "flexd/http/proxy_header.hpp"

#include <algorithm>
#include <optional>
#include <span>

#include "flexd/base/ascii.hpp"

namespace flexd::http {
namespace {

using State = ProxyHeader::State;

constexpr ProxyHeader kIncomplete{};
constexpr ProxyHeader kRefused{.state = State::refused};

// Version 1 (2.1).
constexpr std::string_view kLineStart = "PROXY ";

// Version 2 (2.2): 12 bytes of signature, version and command, family and transport, length.
constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr size_t kCommandAt = 12;
constexpr size_t kFamilyAt = 13;
constexpr size_t kLengthAt = 14;
constexpr size_t kFixedBytes = 16;
constexpr unsigned kVersion2 = 2;
constexpr unsigned kLocal = 0;
constexpr unsigned kProxy = 1;
constexpr unsigned kTransportMax = 2;  // unspecified, stream, datagram

// Family is an address family of version 2: the bytes of an address and whether a port follows.
struct Family {
  size_t address_bytes;
  size_t port_bytes;
};
constexpr Family kFamilies[] = {{0, 0}, {4, 2}, {16, 2}, {108, 0}};  // unspecified, v4, v6, unix
constexpr unsigned kUnspecified = 0;
constexpr unsigned kInet = 1;
constexpr unsigned kUnix = 3;

unsigned byte_at(std::string_view bytes, size_t index) {
  return static_cast<unsigned char>(bytes[index]);
}

// matches_so_far: `bytes` begins with `start`, or is the beginning of it.
bool matches_so_far(std::string_view bytes, std::string_view start) {
  const size_t size = std::min(bytes.size(), start.size());
  return bytes.substr(0, size) == start.substr(0, size);
}

// take_word cuts the next word off a line of words with single spaces; a line that is at its end
// gives an empty one, which nothing here accepts.
std::string_view take_word(std::string_view& line) {
  const size_t space = line.find(' ');
  const std::string_view word = line.substr(0, space);
  line.remove_prefix(space == std::string_view::npos ? line.size() : space + 1);
  return word;
}

std::optional<uint16_t> parse_port(std::string_view word) {
  const std::optional<uint64_t> value = parse_u64(word);
  const bool padded = word.size() > 1 && word.front() == '0';
  if (!value || *value > UINT16_MAX || padded) return std::nullopt;
  return static_cast<uint16_t>(*value);
}

// parse_line_ip reads an address spelt as its family says.
std::optional<IpBytes> parse_line_ip(std::string_view word, bool v6) {
  const bool has_colon = word.find(':') != std::string_view::npos;
  return has_colon == v6 ? parse_ip(word) : std::nullopt;
}

ProxyHeader parse_line(std::string_view bytes) {
  const size_t end = bytes.substr(0, kProxyLineBytesMax).find('\n');
  if (end == std::string_view::npos) {
    return bytes.size() >= kProxyLineBytesMax ? kRefused : kIncomplete;
  }
  if (bytes[end - 1] != '\r') return kRefused;
  ProxyHeader header{.state = State::complete, .consumed = end + 1};
  std::string_view line = bytes.substr(0, end - 1);
  line.remove_prefix(kLineStart.size());
  const bool line_ends_bare = line.ends_with(' ');
  const std::string_view protocol = take_word(line);
  // What else stands there is to be ignored.
  if (protocol == "UNKNOWN") return header;
  const bool v6 = protocol == "TCP6";
  if ((!v6 && protocol != "TCP4") || line_ends_bare) return kRefused;
  const std::optional<IpBytes> source = parse_line_ip(take_word(line), v6);
  const std::optional<IpBytes> destination = parse_line_ip(take_word(line), v6);
  const std::optional<uint16_t> source_port = parse_port(take_word(line));
  const std::optional<uint16_t> destination_port = parse_port(take_word(line));
  if (!source || !destination || !source_port || !destination_port || !line.empty()) {
    return kRefused;
  }
  header.has_source = true;
  header.source = *source;
  header.source_port = *source_port;
  return header;
}

// parse_addresses reads what follows the fixed part: addresses, ports, TLVs.
ProxyHeader parse_addresses(std::string_view block, unsigned family, unsigned transport) {
  ProxyHeader header{.state = State::complete, .consumed = kFixedBytes + block.size()};
  if (family > kUnix || transport > kTransportMax) return kRefused;
  const Family& form = kFamilies[family];
  if (block.size() < 2 * (form.address_bytes + form.port_bytes)) return kRefused;
  if (family == kUnspecified || family == kUnix || transport == 0) return header;
  header.has_source = true;
  if (family == kInet) {
    header.source = make_v4(std::span<const char, 4>(block.begin(), 4));
  } else {
    std::copy_n(block.begin(), form.address_bytes, header.source.begin());
  }
  const size_t port_at = 2 * form.address_bytes;
  header.source_port =
      static_cast<uint16_t>(byte_at(block, port_at) << 8U | byte_at(block, port_at + 1));
  return header;
}

ProxyHeader parse_block(std::string_view bytes) {
  if (bytes.size() <= kCommandAt) return kIncomplete;
  const unsigned version = byte_at(bytes, kCommandAt) >> 4U;
  const unsigned command = byte_at(bytes, kCommandAt) & 15U;
  if (version != kVersion2 || command > kProxy) return kRefused;
  if (bytes.size() < kFixedBytes) return kIncomplete;
  const size_t length = byte_at(bytes, kLengthAt) << 8U | byte_at(bytes, kLengthAt + 1);
  if (kFixedBytes + length > kProxyBlockBytesMax) return kRefused;
  if (bytes.size() < kFixedBytes + length) return kIncomplete;
  // LOCAL: the addresses are to be discarded unread, whatever the family says.
  if (command == kLocal) return {.state = State::complete, .consumed = kFixedBytes + length};
  const unsigned family = byte_at(bytes, kFamilyAt);
  return parse_addresses(bytes.substr(kFixedBytes, length), family >> 4U, family & 15U);
}

}  // namespace

ProxyHeader parse_proxy_header(std::string_view bytes) {
  if (bytes.empty()) return kIncomplete;
  if (bytes.front() == kSignature.front()) {
    return matches_so_far(bytes, kSignature) ? parse_block(bytes) : kRefused;
  }
  return matches_so_far(bytes, kLineStart) ? parse_line(bytes) : kRefused;
}

}  // namespace flexd::http
