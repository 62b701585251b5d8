"""The cloud's own certificate authority and the certificate of its TLS listeners: MQTT 8883, HTTPS, WebSocket 8880.

    tls/ca.crt      what apps and devices are given to trust          tls/ca.key       signs; 0600
    tls/server.crt  the certificate, for all host names, and the CA   tls/server.key   0600

One authority for ten years, certificates for 825 days (the most that phones accept). The authority stays when a
certificate is made again, so nobody has to be given it twice. Host names may be several: one for each region.
"""

import datetime
import ipaddress
import os
import ssl
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_CA_DAYS = 3650
_SERVER_DAYS = 825
# Clocks of devices are often slow.
_BACKDATED_DAYS = 2


class CertificateError(Exception):
    """A certificate cannot be made or used; says why and what to do."""


class TlsFiles(NamedTuple):
    ca: Path
    certificate: Path
    key: Path

    def server_context(self) -> ssl.SSLContext:
        """What a listener speaks TLS with; CertificateError when the files cannot be used."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as error:
            raise CertificateError(
                "certificate %s: %s; make it again with `localcloud cert`" % (self.certificate, error)
            ) from None
        return context


def find_certificate(data_dir: Path) -> TlsFiles | None:
    """The certificate of this cloud, None when none was made."""
    files = _files(data_dir)
    return files if files.certificate.exists() and files.key.exists() else None


def make_certificate(data_dir: Path, hosts: list[str]) -> TlsFiles:
    """A certificate for the host names and addresses, signed by this cloud's authority, which is made if need be."""
    names = [_alternative(host) for host in dict.fromkeys(hosts)]
    if not names:
        raise CertificateError("a certificate needs at least one host name or address")
    files = _files(data_dir)
    ca_key_path = files.ca.with_suffix(".key")
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        files.ca.parent.mkdir(mode=0o700, exist_ok=True)
        if files.ca.exists() and ca_key_path.exists():
            ca, ca_key = _load(files.ca, ca_key_path)
        else:
            ca, ca_key = _make_authority()
            _write(ca_key_path, _key_text(ca_key), 0o600)
            _write(files.ca, _text(ca), 0o644)
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _sign(hosts[0], names, key, ca, ca_key)
        _write(files.key, _key_text(key), 0o600)
        _write(files.certificate, _text(certificate) + _text(ca), 0o644)
    except (OSError, ValueError) as error:
        raise CertificateError("certificate in %s: %s" % (files.ca.parent, error)) from None
    return files


def fingerprint(path: Path) -> str:
    """The SHA-256 of the first certificate in a file, as people compare it."""
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def _files(data_dir: Path) -> TlsFiles:
    folder = data_dir / "tls"
    return TlsFiles(folder / "ca.crt", folder / "server.crt", folder / "server.key")


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        return x509.DNSName(host.encode("idna").decode("ascii"))
    except (UnicodeError, ValueError):
        raise CertificateError("%.80r is neither a host name nor an address" % host) from None


def _make_authority() -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localcloud certificate authority")])
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    certificate = (
        _begin(name, key, _CA_DAYS)
        .issuer_name(name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate, key


def _sign(
    host: str,
    names: list[x509.GeneralName],
    key: ec.EllipticCurvePrivateKey,
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    # A common name holds 64 characters; clients read the alternative names.
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host[:64])])
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    return (
        _begin(subject, key, _SERVER_DAYS)
        .issuer_name(ca.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(authority, critical=False)
        .sign(ca_key, hashes.SHA256())
    )


def _begin(subject: x509.Name, key: ec.EllipticCurvePrivateKey, days: int) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=_BACKDATED_DAYS))
        .not_valid_after(now + datetime.timedelta(days=days - _BACKDATED_DAYS))
    )


def _load(ca: Path, key: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    loaded = serialization.load_pem_private_key(key.read_bytes(), None)
    if not isinstance(loaded, ec.EllipticCurvePrivateKey):
        raise ValueError("%s is not the key that `localcloud cert` made" % key)
    return x509.load_pem_x509_certificate(ca.read_bytes()), loaded


def _text(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_text(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, text: bytes, mode: int) -> None:
    """Whole or not at all, and never readable by more than `mode` says."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(text)
    fresh.replace(path)
