"""The device HTTP API, generation B: as A, but encrypted with the product secret. Cloud manual, device side, chapter 5.

Texts are encrypted with AES-128-ECB, whose key is the secret's 16 bytes, and travel as lower-case hex. We pad as PKCS#7
says, always; an answer may lack its padding. The cipher is the port's: `crypto.aes_encrypt(key, data)` and
`aes_decrypt(key, data)` on whole blocks.
"""

from . import device_api
from .errors import ConfigError

_BLOCK = 16


class SecretApi:
    """The calls of generation B for one product."""

    def __init__(self, crypto, product_secret):
        self._crypto = crypto
        self._key = bytes.fromhex(product_secret)

    def register(self, config) -> tuple:
        """Ask for a did."""
        text = "mac=%s&passcode=%s&type=normal" % (config.mac, config.passcode)
        return "POST", "/dev/%s/device" % config.product_key, b"data=" + self._encrypt(text)

    def provision(self, config) -> tuple:
        """Ask where the broker is, and what time."""
        did = self._encrypt(config.did).decode()
        return "GET", "/dev/%s/device?did=%s" % (config.product_key, did), b""

    def parse_registration(self, status, body) -> str:
        """The did of a 201, or of a 200: clouds differ."""
        return device_api.parse_registration(201 if status == 200 else status, self._decrypt(status, body))

    def parse_provision(self, status, body) -> "device_api.Provision":
        """Host, port and time of a 200."""
        return device_api.parse_provision(status, self._decrypt(status, body))

    def _encrypt(self, text) -> bytes:
        data = text.encode()
        pad = _BLOCK - len(data) % _BLOCK
        return self._crypto.aes_encrypt(self._key, data + bytes((pad,)) * pad).hex().encode()

    def _decrypt(self, status, body) -> bytes:
        """The text of an answer; an error comes in clear and is passed on as it is."""
        if status != 200 and status != 201:
            return body
        try:
            data = bytes.fromhex(bytes(body).strip().decode())
        except (ValueError, UnicodeError):
            data = b""
        if not data or len(data) % _BLOCK:
            raise ConfigError("HTTP %d, hex of whole blocks expected, got %d bytes" % (status, len(body)))
        text = self._crypto.aes_decrypt(self._key, data)
        pad = text[-1]
        if 0 < pad <= _BLOCK and text.endswith(bytes((pad,)) * pad):
            text = text[:-pad]
        return text.split(b"\x00", 1)[0]
