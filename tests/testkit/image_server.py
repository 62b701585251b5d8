"""A server of one firmware image that can be made to misbehave once: cut, damaged, refusing, or lying."""

import random
import re
import socket
import threading
from collections.abc import Callable

# (answer, as bytes) -> what is sent instead of it; an empty answer closes the connection.
Spoiler = Callable[[bytes], bytes]


class ImageServer:
    """`heads` go with `image`; `spoil`, when set, spoils the next answer and is forgotten."""

    def __init__(self, image: bytes, heads: dict[str, str], rng: random.Random) -> None:
        self.image = image
        self.heads = dict(heads)
        self.spoil: Spoiler | None = None
        self.served = 0
        self._rng = rng
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d/dev/ota/v4.1/download/1" % self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._run, name="images")
        self._thread.start()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:  # closed
                return
            with connection:
                try:
                    self._serve(connection)
                except OSError:  # the other end had enough
                    pass

    def _serve(self, connection: socket.socket) -> None:
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            piece = connection.recv(4096)
            if not piece:
                return
            request += piece
        answer = self._answer(request)
        spoil, self.spoil = self.spoil, None
        if spoil is not None:
            answer = spoil(answer)
        self.served += 1
        while answer:
            size = self._rng.choice((1, 200, 600, 1024, 5000, len(answer)))
            connection.sendall(answer[:size])
            answer = answer[size:]

    def _answer(self, request: bytes) -> bytes:
        part = re.search(rb"\r\nRange: bytes=(\d+)-", request)
        first = int(part[1]) if part else 0
        body = self.image[first:]
        status = "206 Partial Content" if part else "200 OK"
        heads = {"Content-Length": str(len(body)), **self.heads}
        if part:
            heads["Content-Range"] = "bytes %d-%d/%d" % (first, len(self.image) - 1, len(self.image))
        lines = "".join("%s: %s\r\n" % head for head in heads.items())
        return ("HTTP/1.1 %s\r\n%s\r\n" % (status, lines)).encode() + body
