"""What the agent wants encrypted, hashed and verified: generation B of the device API, MD5 of files, firmware.

Cloud manual, device side, chapter 5: AES-128-ECB on whole blocks. The core pads. Everything is loaded when needed: most
products need none of it.
"""

from mcu_proto.const import const

_ECB = const(1)


class Crypto:
    """`key` is 16 bytes, `data` a multiple of 16; another length raises ValueError."""

    def md5(self, data) -> bytes:
        """The MD5 of `data` as 32 hex digits."""
        from .md5 import md5

        hashed = md5()
        hashed.update(data)
        return hashed.digest().hex().encode()

    def aes_encrypt(self, key, data) -> bytes:
        """`data` encrypted."""
        from cryptolib import aes

        return aes(key, _ECB).encrypt(data)

    def aes_decrypt(self, key, data) -> bytes:
        """`data` decrypted."""
        from cryptolib import aes

        return aes(key, _ECB).decrypt(data)

    def is_signed(self, key, signature, message) -> bool:
        """Whether `signature` is the Ed25519 one of `message` by `key`; both as hex digits."""
        from .ed25519 import is_signed

        try:
            return is_signed(bytes.fromhex(key), bytes.fromhex(signature), message)
        except ValueError:
            return False
