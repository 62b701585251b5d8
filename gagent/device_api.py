"""The device HTTP API, generation A: requests built, answers read. Cloud manual, device side, chapter 3.

A request is (method, path, form body); bodies are not percent-encoded, as reference modules send them. A parser takes
whatever came, cut or garbled, and raises ConfigError with what the cloud said; passcodes are never in that text.
"""

from collections import namedtuple

from .errors import ConfigError
from .firmware import KIND_MCU

# Where the broker is; utc is 0 when the answer has no time.
Provision = namedtuple("Provision", ("host", "port", "utc"))

_DID_LENGTH = 22


def register(config) -> tuple:
    """Ask for a did."""
    return register_other(config.passcode, config.mac, config.product_key)


def register_other(passcode, mac, product_key) -> tuple:
    """Ask for the did of a device behind this one."""
    body = "passcode=%s&mac=%s&product_key=%s" % (passcode, mac, product_key)
    return "POST", "/dev/devices", body.encode()


def provision(config) -> tuple:
    """Ask where the broker is, and what time."""
    return "GET", "/dev/devices/" + config.did, b""


def disable(did, passcode) -> tuple:
    """Take a did of ours out of service, with its bindings."""
    return "DELETE", "/dev/devices", ("did=%s&passcode=%s" % (did, passcode)).encode()


def check_firmware(config, kind, hard_version, soft_version) -> tuple:
    """Tell the version of the module or the MCU and ask for a newer one; `kind` is KIND_*."""
    body = "passcode=%s&type=%d&hard_version=%s&soft_version=%s" % (config.passcode, kind, hard_version, soft_version)
    return "POST", "/dev/ota/v4.1/update_and_check/" + config.did, body.encode()


def latest_firmware(product_key, hard_version, soft_version) -> tuple:
    """Ask for MCU firmware of any product."""
    query = "hard_version=%s&soft_version=%s&product_key=%s&type=%d" % (
        hard_version,
        soft_version,
        product_key,
        KIND_MCU,
    )
    return "GET", "/dev/ota/v4.1/latest?" + query, b""


def parse_registration(status, body) -> str:
    """The did of a 201."""
    did = _fields(body).get("did", "")[:_DID_LENGTH]
    if status == 201 and len(did) == _DID_LENGTH and _is_alnum(did):
        return did
    raise ConfigError("registration: HTTP %d, did expected, got: %s" % (status, _said(body)))


def parse_provision(status, body) -> Provision:
    """Host, port and time of a 200."""
    fields = _fields(body)
    host = fields.get("host", "")
    port = _number(fields.get("port", ""))
    if status == 200 and 0 < len(host) < 254 and " " not in host and 0 < port < 65536:
        return Provision(host, port, _number(fields.get("server_ts", "")))
    raise ConfigError("provisioning: HTTP %d, host and port expected, got: %s" % (status, _said(body)))


def parse_firmware(status, body) -> tuple:
    """(software version, url) of the firmware that a 200 offers, ("", "") for none."""
    fields = _fields(body)
    version, url = fields.get("soft_ver", "")[:16], fields.get("download_url", "")
    if status == 200 and version and url.split("://")[0] in ("http", "https"):
        return version, url
    return "", ""


def _fields(body) -> dict:
    out = {}
    for pair in _text(body).split("&"):
        parts = pair.strip().split("=", 1)
        if len(parts) == 2:
            out[parts[0]] = parts[1]
    return out


def _number(text) -> int:
    digits = ""
    for c in text[:12]:
        if not "0" <= c <= "9":
            break
        digits += c
    return int(digits or "0")


def _is_alnum(text) -> bool:
    return all("0" <= c <= "9" or "A" <= c <= "Z" or "a" <= c <= "z" for c in text)


def _said(body) -> str:
    # An answer may quote the request; what it quotes back must not carry a passcode into a log.
    text = _text(body).split("passcode", 1)[0]
    return "'%s'" % text[:80] if text else "nothing"


def _text(body) -> str:
    """Printable ASCII of at most 1024 bytes, everything else as a blank."""
    # In place: a list of its characters is what a chip runs out of memory for first.
    text = bytearray(body[:1024])
    for i in range(len(text)):
        if not 32 <= text[i] < 127:
            text[i] = 32
    return text.decode()
