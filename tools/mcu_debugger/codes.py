"""The small calculators of the bench: QR code of a device, bind signature, and what an identifier or a status word is.

Source: Open API manual (binding by mac: signature), serial manual 3 (product key) and 4.2 (status word), device cloud
manual (did, passcode, mac). Pure but for `write_image`.
"""

import hashlib
import os
import re
from collections import namedtuple
from urllib.parse import quote

import segno

from mcu_proto import const as c
from mcu_proto.names import STATUS_NAMES

# What a piece of text is: its kind, whether it is right, and what is to be said about it.
Finding = namedtuple("Finding", ("kind", "good", "about"))

# The alphabet of most dids; newer ones also have 0, 1, I, O and l.
_SHORT_ALPHABET = set("23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz")
_DID_SIZE = 22


class CodeError(Exception):
    """A value that is none of its kind; the text says what was expected."""


def qr_text(product_key: str, did: str, passcode: str, mac: str) -> str:
    """What the QR code of a device says, in the form that apps look for: `product_key=..&did=..&passcode=..`.

    A device that has no did yet is bound by its mac: `product_key=..&mac=..`.
    """
    _require(check_product_key(product_key))
    parts = [("product_key", product_key)]
    if did:
        _require(check_did(did))
        if not passcode:
            raise CodeError("a QR code with a did needs the passcode too: apps bind with both")
        parts += [("did", did), ("passcode", passcode)]
    if mac:
        _require(check_mac(mac))
        parts.append(("mac", plain_mac(mac)))
    if len(parts) == 1:
        raise CodeError("a QR code names a device: give its did and passcode, or its mac")
    return "&".join("%s=%s" % (name, quote(value, safe="")) for name, value in parts)


def qr_code(text: str) -> segno.QRCode:
    """The code, with the error correction of a label that may get dirty."""
    return segno.make(text, error="q", micro=False)


def write_image(code: segno.QRCode, path: str) -> None:
    """To a .png or .svg file that only its owner may read: the code holds the passcode."""
    kind = os.path.splitext(path)[1].lower()[1:]
    if kind not in ("png", "svg"):
        raise CodeError("image %s: expected a name that ends with .png or .svg" % path)
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            os.chmod(path, 0o600)
            code.save(file, kind=kind, scale=8)
    except OSError as e:
        raise CodeError("image %s cannot be written: %s" % (path, e.strerror)) from None


def signature(product_secret: str, timestamp: int) -> str:
    """X-Gizwits-Signature of `POST /app/bind_mac`."""
    if not re.fullmatch(r"[0-9a-fA-F]{32}", product_secret):
        raise CodeError("a product secret has 32 hex digits, this one has %d characters" % len(product_secret))
    text = (product_secret + str(timestamp)).lower()
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def check_product_key(text: str) -> Finding:
    """32 hex digits, lower case on the wire."""
    if not re.fullmatch(r"[0-9a-fA-F]{32}", text):
        return Finding("product key", False, _wanted("32 hex digits", text))
    if text != text.lower():
        return Finding("product key", False, "upper case: MCUs and clouds write it in lower case, %s" % text.lower())
    return Finding("product key", True, "32 hex digits")


def check_did(text: str) -> Finding:
    """22 letters and digits."""
    if not re.fullmatch(r"[0-9A-Za-z]{%d}" % _DID_SIZE, text):
        return Finding("did", False, _wanted("%d letters and digits" % _DID_SIZE, text))
    strange = sorted(set(text) - _SHORT_ALPHABET)
    about = "22 letters and digits"
    if strange:
        about += "; %s are not in the alphabet of most dids: compare with the label" % " ".join(strange)
    return Finding("did", True, about)


def check_mac(text: str) -> Finding:
    """12 hex digits; colons and dashes are welcome. A cellular device has its IMEI there."""
    digits = plain_mac(text)
    if re.fullmatch(r"[0-9]{15}", digits):
        good = _luhn(digits)
        return Finding("IMEI", good, "15 digits" if good else "the check digit is wrong: one digit was misread")
    if not re.fullmatch(r"[0-9a-f]{12}", digits):
        return Finding("mac", False, _wanted("12 hex digits, or 15 digits of an IMEI", text))
    first = int(digits[:2], 16)
    if first & 1:
        return Finding("mac", False, "a group address: the lowest bit of the first byte is set, no device has such")
    kind = "made up locally" if first & 2 else "given by a maker, prefix %s" % digits[:6]
    return Finding("mac", True, "%s, apps write it as %s" % (kind, digits))


def plain_mac(text: str) -> str:
    """12 digits in lower case, as the cloud keeps it."""
    return re.sub(r"[:\-. ]", "", text).lower()


def find_kind(text: str) -> Finding:
    """What the text is by its looks."""
    text = text.strip()
    if len(text) == 32:
        return check_product_key(text)
    if len(text) == _DID_SIZE and text.isalnum():
        return check_did(text)
    if len(plain_mac(text)) in (12, 15):
        return check_mac(text)
    return Finding("nothing known", False, _wanted("a product key (32), a did (22), a mac (12) or an IMEI (15)", text))


def parse_status(text: str) -> int:
    """The status word of its hex text: 073a, 0x073a or 07 3a."""
    digits = re.sub(r"^0x|[\s]", "", text.strip().lower())
    if not re.fullmatch(r"[0-9a-f]{1,4}", digits):
        raise CodeError("status word %s: expected up to 4 hex digits, like 073a" % text[:20])
    return int(digits, 16)


def status_lines(status: int) -> list[str]:
    """A line for every bit of the module status word, and what they mean together."""
    lines = ["%04x" % status]
    for bit in range(16):
        if 1 << bit in STATUS_NAMES:
            lines.append("  bit %-5d %d  %s" % (bit, status >> bit & 1, STATUS_NAMES[1 << bit]))
        elif bit == 8:
            lines.append("  bits 8-10 %d  signal level, 0 to 7" % (status >> 8 & 7))
        elif bit in (6, 7, 13, 14, 15):
            lines.append("  bit %-5d %d  reserved" % (bit, status >> bit & 1))
    return lines + ["  " + remark for remark in _remarks(status)]


def _remarks(status: int) -> list[str]:
    out = []
    if status & c.STATUS_CONFIG:
        out.append("in network configuration, by %s" % ("SoftAP" if status & c.STATUS_SOFTAP else "AirLink"))
    elif status & c.STATUS_CLOUD:
        out.append("online" + (", an app is there" if status & c.STATUS_APP else ", no app is there"))
    elif status & c.STATUS_ROUTER:
        out.append("has a network and no cloud")
    if status & 0x0700 and not status & c.STATUS_ROUTER:
        out.append("the signal level counts only with a router (bit 4)")
    if status & c.STATUS_CLOUD and not status & c.STATUS_ROUTER:
        out.append("odd: cloud without a router")
    if status & 0xE0C0:
        out.append("odd: reserved bits are set")
    return out


def _require(finding: Finding) -> None:
    if not finding.good:
        raise CodeError("%s: %s" % (finding.kind, finding.about))


def _wanted(what: str, text: str) -> str:
    return "expected %s, got %d characters" % (what, len(text))


def _luhn(digits: str) -> bool:
    total = 0
    for i, digit in enumerate(reversed(digits)):
        n = int(digit) * (1 + i % 2)
        total += n // 10 + n % 10
    return total % 10 == 0
