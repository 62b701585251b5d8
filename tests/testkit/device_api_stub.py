"""The least of a cloud's HTTP side that brings a module on line: every mac gets a did, every did the same broker.

Not the local cloud: the tests of a port must not need it, and here each answer can be replaced by a bad one. With a
product secret it speaks generation B too: the same texts, AES-128-ECB in hex.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from .raw_server import http_answer, read_request, serving


class DeviceApiStub:
    """`asked` has (method, path, form) of each request; `broken` answers instead, as raw bytes, while it is set;
    `secrets` has what the requests of generation B said in clear.
    """

    def __init__(self, broker_port: int, product_secret: str = "") -> None:
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.secrets: list[str] = []
        self.broken: bytes | None = None
        self.url = ""
        self._broker_port = broker_port
        self._product_secret = product_secret

    @contextlib.asynccontextmanager
    async def running(self, tls: ssl.SSLContext | None = None) -> AsyncIterator["DeviceApiStub"]:
        async with serving(self._talk, tls) as port:
            self.url = "%s://127.0.0.1:%d" % ("http" if tls is None else "https", port)
            yield self

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head, body = await read_request(reader)
        method, path, _ = head.split(" ", 2)
        form = {key: values[0] for key, values in parse_qs(body.decode()).items()}
        self.asked.append((method, path, form))
        writer.write(self._answer(method, path, form) if self.broken is None else self.broken)
        await writer.drain()

    def _answer(self, method: str, path: str, form: dict[str, str]) -> bytes:
        where = b"host=127.0.0.1&port=%d&server_ts=1700000000&" % self._broker_port
        if path.split("?")[0].endswith("/device"):
            return self._answer_secret(method, path, form, where)
        if (method, path) == ("POST", "/dev/devices"):
            return http_answer("201 Created", b"did=" + did_of(form["mac"]).encode())
        if method == "GET":
            return http_answer("200 OK", where)
        if method == "DELETE":
            return http_answer("200 OK", b"")
        return http_answer("404 Not Found", b'{"error_code": 9500}')

    def _answer_secret(self, method: str, path: str, form: dict[str, str], where: bytes) -> bytes:
        if not self._product_secret:
            return http_answer("400 Bad Request", b'{"error_code": 9002}')
        cipher = Cipher(algorithms.AES(bytes.fromhex(self._product_secret)), modes.ECB())
        sent = form["data"] if method == "POST" else path.split("?did=")[1]
        text = _unpad(_run(cipher.decryptor(), bytes.fromhex(sent))).decode()
        self.secrets.append(text)
        if method == "POST":
            did = did_of(parse_qs(text)["mac"][0])
            return http_answer("201 Created", _run(cipher.encryptor(), _pad(b"did=" + did.encode())).hex().encode())
        return http_answer("200 OK", _run(cipher.encryptor(), _pad(where)).hex().encode())


def _run(context: Any, data: bytes) -> bytes:
    return bytes(context.update(data) + context.finalize())


def _pad(data: bytes) -> bytes:
    padder = padding.PKCS7(128).padder()
    return padder.update(data) + padder.finalize()


def _unpad(data: bytes) -> bytes:
    unpadder = padding.PKCS7(128).unpadder()
    return unpadder.update(data) + unpadder.finalize()


def did_of(mac: str) -> str:
    """The did that the stub gives to a module."""
    return mac.ljust(22, "0")
