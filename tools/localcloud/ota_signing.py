"""The key with which the operator signs firmware: Ed25519, made once, kept in the data directory (0600).

What is signed is `gagent.firmware.signed_message`. Agents trust the first key they see for a product, or the one in
their settings; a lost key means firmware that agents refuse, so it belongs in the backup.
"""

import os
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gagent.firmware import signed_message

from .store.firmware import Firmware

_FILE = "firmware-signing.key"


class SigningError(Exception):
    """The key cannot be made or used; says why and what to do."""


class SigningKey:
    """`public` are the 64 hex digits that devices know it by."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        raw = serialization.Encoding.Raw, serialization.PublicFormat.Raw
        self.public = key.public_key().public_bytes(*raw).hex()

    def sign(self, firmware: Firmware) -> str:
        """The signature as 128 hex digits."""
        message = signed_message(
            firmware.product_key,
            firmware.kind,
            firmware.hard_version,
            firmware.soft_version,
            firmware.size,
            firmware.sha256,
        )
        return self._key.sign(message).hex()


def load_key(data_dir: Path) -> SigningKey | None:
    """The operator's key, None when none was made."""
    path = data_dir / _FILE
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise SigningError("signing key %s cannot be read: %s; restore it from a backup" % (path, error)) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise SigningError("signing key %s is no Ed25519 key; restore it from a backup" % path)
    return SigningKey(key)


def make_key(data_dir: Path) -> SigningKey:
    """A new key; SigningError when there is one, because devices would refuse what another one signs."""
    path = data_dir / _FILE
    key = Ed25519PrivateKey.generate()
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise SigningError("there is a signing key already, %s: devices that trust it refuse another" % path) from None
    except OSError as error:
        raise SigningError("signing key %s: %s" % (path, error.strerror)) from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        # Half a key would be in the way of a whole one.
        path.unlink(missing_ok=True)
        raise SigningError("signing key %s: %s" % (path, error.strerror)) from None
    return SigningKey(key)
