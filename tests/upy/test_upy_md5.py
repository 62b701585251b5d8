"""MD5 where the platform has none: the same as the platform's, in any pieces, on both interpreters."""

import asyncio
import hashlib

import pytest
from gagent_upy.md5 import Md5, md5
from testkit import upy_program


@pytest.mark.parametrize("size", [0, 1, 55, 56, 57, 63, 64, 65, 119, 120, 128, 1000])
def test_a_hash_is_the_platforms(size):
    data = bytes(n * 7 & 0xFF for n in range(size))
    hashed = Md5()
    hashed.update(data)
    assert hashed.digest() == hashlib.md5(data).digest()


def test_pieces_hash_like_the_whole():
    data = bytes(range(256)) * 3
    for step in (1, 7, 63, 64, 65, 200):
        hashed = Md5()
        for at in range(0, len(data), step):
            hashed.update(memoryview(data)[at : at + step])
        assert hashed.digest() == hashlib.md5(data).digest()


def test_the_platforms_is_used_where_there_is_one():
    assert not isinstance(md5(), Md5)


@pytest.mark.micropython
def test_a_chip_finds_the_same(tmp_path):
    program = """
from gagent_upy.crypto import Crypto
from gagent_upy.md5 import Md5
hashed = Md5()
hashed.update(bytes(range(256)))
hashed.update(b"x" * 100)
print(hashed.digest().hex())
crypto = Crypto()
print(crypto.md5(b"abc"))
key = bytes(range(16))
secret = crypto.aes_encrypt(key, b"sixteen bytes ok")
print(secret.hex(), crypto.aes_decrypt(key, secret))
try:
    crypto.aes_encrypt(b"short", b"")
except ValueError:
    print("ValueError")
"""
    lines = asyncio.run(upy_program.run(program, tmp_path))
    assert lines[0] == hashlib.md5(bytes(range(256)) + b"x" * 100).hexdigest()
    assert lines[1] == "b'%s'" % hashlib.md5(b"abc").hexdigest()
    from gagent_linux.crypto import Crypto

    secret = Crypto().aes_encrypt(bytes(range(16)), b"sixteen bytes ok")
    assert lines[2] == "%s b'sixteen bytes ok'" % secret.hex()
    assert lines[3] == "ValueError"
