"""What the QR code of a device says. Open API manual, Bind a device by its QRCode.

    type=device&product_key=<32 hex>&code=<base64url of nonce 12 | AES-128-GCM(product secret, mac) | tag 16>

The vendor's codes are made by its own service, so the form is ours. Whoever has such a code may bind the device, and
only who knows the product secret can make one: it can be printed in a factory without this cloud, and it stays good
after a reset. Accepted as well: the codes of older apps, an address with `did=…&passcode=…` behind its `?`.
"""

import base64
import binascii
import secrets
from dataclasses import dataclass
from urllib.parse import parse_qsl

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_KIND = "device"
_NONCE_SIZE = 12
# More than any code holds; parse_qsl is not given a book.
MAX_CONTENT = 512


class QrCodeError(Exception):
    """Not a code of a device; says why."""


@dataclass(frozen=True)
class MacCode:
    """The sealed address of a device; `mac` opens it."""

    product_key: str
    sealed: bytes

    def mac(self, product_secret: str) -> str:
        """QrCodeError when it was not made with this secret."""
        nonce, text = self.sealed[:_NONCE_SIZE], self.sealed[_NONCE_SIZE:]
        try:
            return AESGCM(bytes.fromhex(product_secret)).decrypt(nonce, text, self.product_key.encode()).decode()
        except (InvalidTag, ValueError):
            raise QrCodeError("the code was not made with the secret of this product") from None


@dataclass(frozen=True)
class PasscodeCode:
    """The code of an older app: the device's own proof."""

    did: str
    passcode: str


def make_content(product_key: str, product_secret: str, mac: str) -> str:
    """The text for the QR code of a device."""
    nonce = secrets.token_bytes(_NONCE_SIZE)
    sealed = nonce + AESGCM(bytes.fromhex(product_secret)).encrypt(nonce, mac.encode(), product_key.encode())
    code = base64.urlsafe_b64encode(sealed).decode().rstrip("=")
    return "type=%s&product_key=%s&code=%s" % (_KIND, product_key, code)


def parse_content(text: str) -> MacCode | PasscodeCode:
    """What a scanned text means; QrCodeError when it is no code of a device."""
    if len(text) > MAX_CONTENT:
        raise QrCodeError("it is longer than %d characters" % MAX_CONTENT)
    fields = dict(parse_qsl(text.rpartition("?")[2].strip()))
    if fields.get("type") == "share":
        raise QrCodeError("it is an invitation to share: accept it with POST /app/sharing/code/{code}")
    if fields.get("did") and fields.get("passcode"):
        return PasscodeCode(fields["did"], fields["passcode"])
    if not fields.get("product_key") or not fields.get("code"):
        raise QrCodeError("expected type=device with product_key and code, or did and passcode")
    try:
        sealed = base64.urlsafe_b64decode(fields["code"] + "=" * (-len(fields["code"]) % 4))
    except (ValueError, binascii.Error):
        raise QrCodeError("its code is no base64url text") from None
    if len(sealed) <= _NONCE_SIZE:
        raise QrCodeError("its code is too short")
    return MacCode(fields["product_key"].lower(), sealed)
