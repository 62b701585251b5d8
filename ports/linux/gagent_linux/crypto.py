"""What the agent wants encrypted, hashed and verified: generation B of the device API, files from the MCU, firmware.

Cloud manual, device side, chapter 5: AES-128-ECB on whole blocks. The core pads.
"""

import hashlib
from typing import Any


class Crypto:
    """`key` is 16 bytes, `data` a multiple of 16; another length raises ValueError."""

    def md5(self, data: bytes) -> bytes:
        """The MD5 of `data` as 32 hex digits."""
        return hashlib.md5(data, usedforsecurity=False).hexdigest().encode()

    def aes_encrypt(self, key: bytes, data: bytes) -> bytes:
        """`data` encrypted."""
        encryptor = _cipher(key).encryptor()
        return encryptor.update(data) + encryptor.finalize()

    def aes_decrypt(self, key: bytes, data: bytes) -> bytes:
        """`data` decrypted."""
        decryptor = _cipher(key).decryptor()
        return decryptor.update(data) + decryptor.finalize()

    def is_signed(self, key: str, signature: str, message: bytes) -> bool:
        """Whether `signature` is the Ed25519 one of `message` by `key`; both as hex digits."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(bytes.fromhex(signature), message)
        except (ValueError, InvalidSignature):
            return False
        return True


def _cipher(key: bytes) -> Any:
    # On first use: 7 MB, and most products never need it.
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.algorithms import AES
    from cryptography.hazmat.primitives.ciphers.modes import ECB

    if len(key) != 16:
        raise ValueError("a key of 16 bytes expected, got %d" % len(key))
    # ECB is the cloud's choice, and with it the weakness; TLS is what protects a connection.
    return Cipher(AES(key), ECB())  # noqa: S305
