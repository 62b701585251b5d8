"""TLS of the connections to the cloud: always verified, and what is wrong said in one line with what to do.

The server's certificate is checked against the system's CAs and the one that the settings name, for the name that is
connected to or `server_name`; there is no way to leave that out. A server whose certificate nobody signed is served
too: name that very certificate as `ca`. Survives: whatever a server says instead of a handshake, or in its midst.
"""

import re
import ssl
import time
from dataclasses import dataclass
from typing import Any

# What brokers listen on with and without TLS.
_MQTT_PORT = 1883
_MQTTS_PORT = 8883


@dataclass(frozen=True)
class TlsSettings:
    """Paths of PEM files, and the name that certificates must bear instead of the one connected to."""

    ca: str = ""
    cert: str = ""
    key: str = ""
    server_name: str = ""


@dataclass(frozen=True)
class Route:
    """How the cloud is reached: `tls` for HTTPS, with `mqtt_tls` for its broker too; `mqtt_port` 0: as provisioned."""

    tls: ssl.SSLContext | None = None
    mqtt_tls: bool = False
    mqtt_port: int = 0

    def port(self, provisioned: int) -> int:
        """The broker's port when the cloud named `provisioned`."""
        if self.mqtt_port:
            return self.mqtt_port
        return _MQTTS_PORT if self.mqtt_tls and provisioned == _MQTT_PORT else provisioned


PLAIN = Route()


class TlsError(OSError):
    """Why there is no TLS connection, and the fix; goes on a sentence that begins with the server."""


class TlsFileError(Exception):
    """A file of the settings cannot be used; `key` is the one of [tls] that names it."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(why)
        self.key = key


def make_context(settings: TlsSettings) -> ssl.SSLContext:
    """The context of all connections; TlsFileError when a file is not what it should be."""
    context = _Context(ssl.PROTOCOL_TLS_CLIENT)
    context.server_name = settings.server_name
    # A certificate named as `ca` is trusted as it stands, whoever signed it.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_default_certs()
    if settings.ca:
        _load("ca", "a file with PEM certificates", lambda: context.load_verify_locations(settings.ca))
    if settings.key and not settings.cert:
        raise TlsFileError("key", "expected cert too: the certificate that belongs to this key")
    if settings.cert:
        expected = "a PEM certificate (cert) and the private key that belongs to it (key), which has no passphrase"
        # Never asked of a person: there is none.
        _load("cert", expected, lambda: context.load_cert_chain(settings.cert, settings.key or None, lambda: ""))
    return context


def _load(key: str, expected: str, load: Any) -> None:
    try:
        load()
    except (OSError, ValueError) as error:
        why = _words(getattr(error, "reason", "") or getattr(error, "strerror", "") or type(error).__name__)
        raise TlsFileError(key, "%s: expected %s" % (why, expected)) from error


class _Socket(ssl.SSLSocket):
    """Raises TlsError where TLS fails; `trouble` keeps its text for those who see only that the connection ended."""

    trouble = ""
    _silent = True

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except TimeoutError:
            raise TlsError("it did not finish the handshake in time: does it speak TLS? " + _CHECK_PORT) from None
        except (ssl.SSLEOFError, ConnectionError):
            raise TlsError("it closed the connection in the handshake: does it speak TLS? " + _CHECK_PORT) from None
        except ssl.SSLError as error:
            raise TlsError(_explain(error, self.server_hostname)) from error

    # With TLS 1.3 a server that refuses our certificate, or the lack of one, says so after our handshake, or leaves.

    def send(self, data: Any, flags: int = 0) -> int:
        try:
            return super().send(data, flags)
        except (ssl.SSLEOFError, ConnectionError):
            self._look_why()
            raise

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        try:
            data = super().recv(buflen, flags)
        except OSError as error:
            self._fail(error)
            raise
        self._heard(len(data))
        return data

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        try:
            size = super().recv_into(buffer, nbytes, flags)
        except OSError as error:
            self._fail(error)
            raise
        self._heard(size)
        return size

    def _look_why(self) -> None:
        try:
            self.recv(1)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass

    def _heard(self, size: int) -> None:
        if size:
            self._silent = False
        elif self._silent:
            self._raise(_LEFT)

    def _fail(self, error: OSError) -> None:
        if isinstance(error, (ssl.SSLWantReadError, ssl.SSLWantWriteError, TimeoutError)):
            return
        if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
            self._raise(_explain(error, self.server_hostname))
        if self._silent:
            self._raise(_LEFT)

    def _raise(self, why: str) -> None:
        self.trouble = why
        raise TlsError(why) from None


class _Context(ssl.SSLContext):
    """Asks for `server_name`, if there is one, whatever host is connected to."""

    sslsocket_class = _Socket
    server_name = ""

    # mypy: only the arguments that both libraries use, by name as they do.
    def wrap_socket(  # type: ignore[override]
        self, sock: Any, *, server_hostname: str | None = None, do_handshake_on_connect: bool = True
    ) -> ssl.SSLSocket:
        return super().wrap_socket(
            sock,
            server_hostname=self.server_name or server_hostname,
            do_handshake_on_connect=do_handshake_on_connect,
        )


# What went wrong, in words.

_CHECK_PORT = "check the port (in `api`, or `mqtt_port`)"
_UNKNOWN_CA = "its certificate is not signed by a CA known here: name that CA's certificate in `ca` of [tls]"
_OTHER_NAME = "its certificate is not for %(name)s: use a name that it bears, or set `server_name` of [tls] to one"
_OUR_CERT = "it does not accept our certificate (%(reason)s): check `cert` and `key` of [tls], and the CA it trusts"
_WANTS_CERT = "it wants a client certificate: name one that its CA has signed in `cert` and `key` of [tls]"
_LEFT = "it closed the connection after the handshake: if it wants a client certificate, check `cert`, `key` of [tls]"
_NOT_TLS = "what it answered is not TLS: " + _CHECK_PORT

# By the number of OpenSSL's verification error.
_VERIFY = {
    2: _UNKNOWN_CA,
    7: "its certificate is not signed by the CA whose name it bears: another file belongs in `ca` of [tls]",
    9: "its certificate is not valid yet: set this machine's clock, which says %(today)s",
    10: "its certificate has expired: have it renewed, or set this machine's clock, which says %(today)s",
    18: _UNKNOWN_CA,
    19: _UNKNOWN_CA,
    20: _UNKNOWN_CA,
    21: _UNKNOWN_CA,
    62: _OTHER_NAME,
    64: _OTHER_NAME,
}
# By words in OpenSSL's reason; the first that fits.
_REASONS = (
    ("CERTIFICATE_REQUIRED", _WANTS_CERT),
    # What TLS 1.2 says of a missing certificate, and of no cipher in common.
    ("ALERT_HANDSHAKE_FAILURE", "it refused the handshake; if it wants a client certificate: `cert`, `key` of [tls]"),
    ("ALERT_UNKNOWN_CA", _OUR_CERT),
    ("ALERT_BAD_CERTIFICATE", _OUR_CERT),
    ("ALERT_UNSUPPORTED_CERTIFICATE", _OUR_CERT),
    ("ALERT_CERTIFICATE", _OUR_CERT),
    ("ALERT_ACCESS_DENIED", _OUR_CERT),
    ("ALERT_DECRYPT_ERROR", _OUR_CERT),
    ("UNRECOGNIZED_NAME", "it does not know the name %(name)s: set `server_name` of [tls] to one that it serves"),
    ("PROTOCOL_VERSION", "it speaks only versions of TLS before 1.2, which are broken: have it updated"),
    ("UNSUPPORTED_PROTOCOL", "it speaks only versions of TLS before 1.2, which are broken: have it updated"),
    ("WRONG_VERSION_NUMBER", _NOT_TLS),
    ("RECORD_LAYER_FAILURE", _NOT_TLS),
    ("HTTP_REQUEST", _NOT_TLS),
    ("PACKET_LENGTH_TOO_LONG", _NOT_TLS),
)
_UNEXPLAINED = "the connection failed (%(reason)s): " + _CHECK_PORT


def _explain(error: ssl.SSLError, name: Any) -> str:
    values = {"name": name, "reason": _words(error.reason or ""), "today": time.strftime("%Y-%m-%d")}
    if isinstance(error, ssl.SSLCertVerificationError):
        unexplained = "its certificate is not accepted (%s): have it replaced" % error.verify_message
        return _VERIFY.get(error.verify_code, unexplained.replace("%", "%%")) % values
    for words, sentence in _REASONS:
        if words in (error.reason or ""):
            return sentence % values
    return _UNEXPLAINED % values


def _words(reason: str) -> str:
    """OpenSSL's SSLV3_ALERT_BAD_CERTIFICATE as "bad certificate"."""
    return re.sub(r"^(sslv|tlsv)\d+ (alert )?", "", reason.lower().replace("_", " "))
