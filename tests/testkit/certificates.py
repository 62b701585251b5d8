"""Certificates made for one test: an authority of its own, and what it signs for servers and clients."""

import datetime
import ipaddress
import pathlib
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DAY = datetime.timedelta(days=1)


class Identity:
    """A certificate and its key as PEM files."""

    def __init__(self, folder: pathlib.Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.certificate = certificate
        self.private_key = key
        self.cert = folder / "cert.pem"
        self.cert.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        self.key = folder / "key.pem"
        self.key.write_bytes(_pem(key, serialization.NoEncryption()))
        self.locked_key = folder / "locked.pem"
        self.locked_key.write_bytes(_pem(key, serialization.BestAvailableEncryption(b"secret")))

    def server_context(self, clients: "Authority | None" = None) -> ssl.SSLContext:
        """For a server that shows this certificate; with `clients` it wants one that this authority has signed."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        if clients is not None:
            context.load_verify_locations(clients.ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


class Authority:
    """A CA; its certificate is the file `ca`."""

    def __init__(self, folder: pathlib.Path, name: str = "house") -> None:
        self._folder = folder / name
        self._name = name
        key = ec.generate_private_key(ec.SECP256R1())
        self._own = Identity(self._folder, _certificate(name, key, name, key, [], (-_DAY, _DAY), is_ca=True), key)
        self.ca = self._own.cert

    def issue(self, *names: str, valid: tuple[int, int] = (-1, 1)) -> Identity:
        """A certificate for hosts or addresses `names`, valid from and until so many days from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        days = (valid[0] * _DAY, valid[1] * _DAY)
        certificate = _certificate(names[0], key, self._name, self._own.private_key, names, days)
        return Identity(self._folder / ("%s%d" % (names[0], valid[1])), certificate, key)


def self_signed(folder: pathlib.Path, *names: str) -> Identity:
    """A certificate that nobody has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    return Identity(folder / "self", _certificate(names[0], key, names[0], key, names, (-_DAY, _DAY)), key)


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    names: "tuple[str, ...] | list[str]",
    days: tuple[datetime.timedelta, datetime.timedelta],
    is_ca: bool = False,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + days[0])
        .not_valid_after(now + days[1])
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([_alternative(n) for n in names]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(key: ec.EllipticCurvePrivateKey, encryption: serialization.KeySerializationEncryption) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
