"""A server of datagrams that answers as a test wants, and what a name server answers."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Callable

A = struct.pack(">HHIH", 1, 1, 60, 4)
# The name that was asked for.
SAME = b"\xc0\x0c"


class DatagramServer:
    """`answer(query, count)` gives the datagrams for the count-th query; `queries` has them all."""

    def __init__(self, answer: Callable[[bytes, int], list[bytes]]) -> None:
        self._answer = answer
        self.queries: list[bytes] = []

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[int]:
        """Its port."""
        loop = asyncio.get_running_loop()
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)

        def receive() -> None:
            query, sender = sock.recvfrom(600)
            self.queries.append(query)
            for datagram in self._answer(query, len(self.queries)):
                sock.sendto(datagram, sender)

        loop.add_reader(sock, receive)
        try:
            yield sock.getsockname()[1]
        finally:
            loop.remove_reader(sock)
            sock.close()


def dns_answer(query: bytes, records: list[bytes], count: int = 0) -> bytes:
    """The answer to `query` with these records, or with a wrong count of them."""
    head = query[:2] + b"\x81\x80\x00\x01" + struct.pack(">H", count or len(records)) + bytes(4)
    return head + query[12:] + b"".join(records)


def a_record(address: bytes) -> bytes:
    """The address of the name that was asked for."""
    return SAME + A + address
