// certgen.hpp: makes certificates for tests and for simulators.
//
// flexsim makes a CA and a leaf at start-up with it; tests make good and bad chains. Keys are ECDSA
// P-256. Not for production certificates: there is no revocation, policy or name constraint.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "flexd/base/result.hpp"

namespace flexd::tls {

// Identity is a certificate and its private key, both PEM.
struct Identity {
  std::string certificate_pem;
  std::string key_pem;
};

// CertificateSpec says what is to be certified.
struct CertificateSpec {
  std::string common_name;
  bool is_authority = false;
  // Names and addresses of the subjectAltName. "*.example.com" is a wildcard.
  std::vector<std::string> dns_names;
  std::vector<std::string> ip_addresses;
  // Validity, relative to now.
  int64_t valid_from_s = -3600;
  int64_t valid_until_s = 30LL * 24 * 3600;
};

// make_identity makes a key and a certificate signed by `issuer`, or by itself if that is nullptr.
[[nodiscard]] Result<Identity> make_identity(const CertificateSpec& spec, const Identity* issuer);

// write_pem writes `pem` to a new or emptied file with mode 0600 (a key may be in it). The failure
// names the file and the cause.
[[nodiscard]] Result<void> write_pem(const std::string& path, const std::string& pem);

}  // namespace flexd::tls
