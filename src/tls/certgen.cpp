#include "flexd/tls/certgen.hpp"

#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "ssl.hpp"

namespace flexd::tls {
namespace {

std::string contents(BIO* bio) {
  const uint8_t* data = nullptr;
  size_t size = 0;
  BIO_mem_contents(bio, &data, &size);
  return {reinterpret_cast<const char*>(data), size};
}

bssl::UniquePtr<EVP_PKEY> make_key() {
  const bssl::UniquePtr<EC_KEY> ec(EC_KEY_new_by_curve_name(NID_X9_62_prime256v1));
  bssl::UniquePtr<EVP_PKEY> key(EVP_PKEY_new());
  if (ec == nullptr || key == nullptr || EC_KEY_generate_key(ec.get()) != 1 ||
      EVP_PKEY_set1_EC_KEY(key.get(), ec.get()) != 1) {
    return nullptr;
  }
  return key;
}

bool add_extension(X509* certificate, X509V3_CTX* context, int nid, const std::string& value) {
  const bssl::UniquePtr<X509_EXTENSION> extension(
      X509V3_EXT_nconf_nid(nullptr, context, nid, value.c_str()));
  return extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1;
}

std::string subject_alt_name(const CertificateSpec& spec) {
  std::string text;
  for (const std::string& name : spec.dns_names) text += (text.empty() ? "DNS:" : ",DNS:") + name;
  for (const std::string& ip : spec.ip_addresses) text += (text.empty() ? "IP:" : ",IP:") + ip;
  return text;
}

bool add_extensions(X509* certificate, X509* issuer, const CertificateSpec& spec) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  bool ok = add_extension(certificate, &context, NID_subject_key_identifier, "hash");
  if (spec.is_authority) {
    ok = ok && add_extension(certificate, &context, NID_basic_constraints, "critical,CA:TRUE") &&
         add_extension(certificate, &context, NID_key_usage, "critical,keyCertSign,cRLSign");
  } else {
    ok = ok && add_extension(certificate, &context, NID_basic_constraints, "critical,CA:FALSE") &&
         add_extension(certificate, &context, NID_key_usage, "critical,digitalSignature") &&
         add_extension(certificate, &context, NID_ext_key_usage, "serverAuth,clientAuth");
  }
  const std::string names = subject_alt_name(spec);
  if (!names.empty()) ok = ok && add_extension(certificate, &context, NID_subject_alt_name, names);
  return ok;
}

// fill sets everything but the issuer, the extensions and the signature.
bool fill(X509* certificate, EVP_PKEY* key, const CertificateSpec& spec) {
  uint64_t serial = 0;
  RAND_bytes(reinterpret_cast<uint8_t*>(&serial), sizeof serial);
  X509_NAME* name = X509_get_subject_name(certificate);
  return X509_set_version(certificate, X509_VERSION_3) == 1 &&
         ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1U) == 1 &&
         X509_gmtime_adj(X509_getm_notBefore(certificate), spec.valid_from_s) != nullptr &&
         X509_gmtime_adj(X509_getm_notAfter(certificate), spec.valid_until_s) != nullptr &&
         X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                    reinterpret_cast<const uint8_t*>(spec.common_name.data()),
                                    static_cast<int>(spec.common_name.size()), -1, 0) == 1 &&
         X509_set_pubkey(certificate, key) == 1;
}

struct Issuer {
  bssl::UniquePtr<X509> certificate;
  bssl::UniquePtr<EVP_PKEY> key;
};

Issuer read_issuer(const Identity& identity) {
  const bssl::UniquePtr<BIO> certificate = memory_bio(identity.certificate_pem);
  const bssl::UniquePtr<BIO> key = memory_bio(identity.key_pem);
  return {bssl::UniquePtr<X509>(PEM_read_bio_X509(certificate.get(), nullptr, nullptr, nullptr)),
          bssl::UniquePtr<EVP_PKEY>(PEM_read_bio_PrivateKey(key.get(), nullptr, nullptr, nullptr))};
}

}  // namespace

Result<Identity> make_identity(const CertificateSpec& spec, const Identity* issuer) {
  install_memory_hook();
  const bssl::UniquePtr<EVP_PKEY> key = make_key();
  const bssl::UniquePtr<X509> certificate(X509_new());
  if (key == nullptr || certificate == nullptr || !fill(certificate.get(), key.get(), spec)) {
    return fail_with("certificate: " + last_error());
  }
  Issuer signer;
  if (issuer != nullptr) {
    signer = read_issuer(*issuer);
    if (signer.certificate == nullptr || signer.key == nullptr) {
      return fail_with("issuer: " + last_error());
    }
  }
  X509* parent = issuer != nullptr ? signer.certificate.get() : certificate.get();
  EVP_PKEY* signing_key = issuer != nullptr ? signer.key.get() : key.get();
  if (X509_set_issuer_name(certificate.get(), X509_get_subject_name(parent)) != 1 ||
      !add_extensions(certificate.get(), parent, spec) ||
      X509_sign(certificate.get(), signing_key, EVP_sha256()) == 0) {
    return fail_with("certificate: " + last_error());
  }
  const bssl::UniquePtr<BIO> certificate_out(BIO_new(BIO_s_mem()));
  const bssl::UniquePtr<BIO> key_out(BIO_new(BIO_s_mem()));
  if (certificate_out == nullptr || key_out == nullptr ||
      PEM_write_bio_X509(certificate_out.get(), certificate.get()) != 1 ||
      PEM_write_bio_PrivateKey(key_out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) !=
          1) {
    return fail_with("certificate: " + last_error());
  }
  return Identity{contents(certificate_out.get()), contents(key_out.get())};
}

Result<void> write_pem(const std::string& path, const std::string& pem) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return fail_with(path + ": " + std::strerror(errno));
  const ssize_t written = ::write(file, pem.data(), pem.size());
  const int cause = errno;
  const bool ok = ::close(file) == 0 && written == static_cast<ssize_t>(pem.size());
  if (!ok) return fail_with(path + ": " + std::strerror(written < 0 ? cause : ENOSPC));
  return {};
}

}  // namespace flexd::tls
