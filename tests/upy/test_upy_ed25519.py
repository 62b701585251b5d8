"""Signatures as RFC 8032 and the cryptography library make them, verified under MicroPython."""

import asyncio
import random

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from gagent_upy.ed25519 import is_signed
from testkit import upy_program

# RFC 8032, 7.1: secret key, public key, message, signature of tests 1 to 3.
VECTORS = (
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
)
ORDER = 2**252 + 27742317777372353535851937790883648493


def rows(rng):
    """(key, signature, message, is it right) of vectors, random messages, and what was changed in them."""
    found = [(bytes.fromhex(key), bytes.fromhex(sig), bytes.fromhex(message), True) for key, message, sig in VECTORS]
    for size in (0, 1, 46, 47, 48, 111, 112, 150, 300):
        private = Ed25519PrivateKey.generate()
        key, message = private.public_key().public_bytes_raw(), rng.randbytes(size)
        signature = private.sign(message)
        found.append((key, signature, message, True))
        at = rng.randrange(64)
        changed = signature[:at] + bytes((signature[at] ^ 1 << rng.randrange(8),)) + signature[at + 1 :]
        found.append((key, changed, message, False))
        found.append((key, signature, message + b"x", False))
        found.append((Ed25519PrivateKey.generate().public_key().public_bytes_raw(), signature, message, False))
        # The same number once more around: a second signature of the same message must not be had without the key.
        s = int.from_bytes(signature[32:], "little") + ORDER
        found.append((key, signature[:32] + s.to_bytes(32, "little"), message, False))
    found.append((b"\xff" * 32, found[0][1], b"", False))
    found.append((found[0][0], found[0][1][:63], b"", False))
    return found


def test_right_signatures_are_taken_and_changed_ones_are_not():
    for key, signature, message, is_right in rows(random.Random(3)):
        assert is_signed(key, signature, message) is is_right, (key.hex(), signature.hex(), message.hex())


@pytest.mark.micropython
def test_micropython_agrees(tmp_path):
    few = rows(random.Random(4))[:8]
    program = "from gagent_upy.ed25519 import is_signed\nprint([is_signed(*row[:3]) for row in %r])\n" % few
    (line,) = asyncio.run(upy_program.run(program, tmp_path))
    assert eval(line) == [row[3] for row in few]
