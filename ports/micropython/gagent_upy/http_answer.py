"""The answer to an HTTP/1.1 request, read from a stream: status, and the body piece by piece. No sockets, no clock.

Promises to survive: head and body in any split into reads; bodies with a length, in chunks, or that end with the
connection; 100 Continue before the answer; lines and lengths without end. What is not HTTP raises ValueError.
"""

from mcu_proto.const import const

_LINE = const(80)
_MAX_HEAD = const(4096)

_STATUS = const(0)
_HEADER = const(1)
_BODY = const(2)
_SIZE = const(3)
_CHUNK = const(4)
_CHUNK_END = const(5)
_TRAILER = const(6)
_DONE = const(7)


class HttpAnswer:
    """`on_body(piece)` is called with each piece of the body, a memoryview that is not to be kept."""

    def __init__(self, on_body):
        self._on_body = on_body
        self._state = _STATUS
        self._line = bytearray()
        # What is kept of a line of the head; the rest is skipped.
        self.longest = _LINE
        # Bytes of the head, or of what stands between chunks.
        self._head = 0
        # Of a body or a chunk; -1: as long as the connection lasts.
        self._left = -1
        self._is_chunked = False
        self.status = 0

    def feed(self, data) -> bool:
        """True when the answer is complete."""
        i = 0
        end = len(data)
        while i < end and self._state != _DONE:
            if self._state == _BODY or self._state == _CHUNK:
                n = end - i
                if self._left >= 0:
                    n = min(n, self._left)
                    self._left -= n
                self._on_body(data[i : i + n])
                i += n
                if self._left == 0:
                    self._state = _CHUNK_END if self._state == _CHUNK else _DONE
                    self._head = 0
                continue
            b = data[i]
            i += 1
            self._head += 1
            if b == 10:
                self._on_line(bytes(self._line).strip())
                self._line = bytearray()
            elif len(self._line) < self.longest:
                self._line.append(b)
            if self._head > _MAX_HEAD:
                raise ValueError("a head without end")
        return self._state == _DONE

    def is_whole(self) -> bool:
        """Whether the answer is complete when the connection ends here."""
        return self._state == _DONE or (self._state == _BODY and self._left < 0)

    def _on_line(self, line):
        state = self._state
        if state == _STATUS:
            words = line.split(None, 2)
            if len(words) < 2 or not line.startswith(b"HTTP/1.") or not words[1].isdigit():
                raise ValueError("no HTTP")
            self.status = int(words[1])
            self._state = _HEADER
        elif state == _SIZE:
            try:
                self._left = int(line.split(b";", 1)[0], 16)
            except ValueError:
                self._left = -1
            if self._left < 0:
                raise ValueError("no HTTP: a chunk without its size")
            self._state = _CHUNK if self._left else _TRAILER
        elif state == _CHUNK_END:
            self._state = _SIZE
        elif state == _TRAILER:
            if not line:
                self._state = _DONE
        elif line:
            parts = line.lower().split(b":", 1)
            value = parts[-1].strip()
            if parts[0] == b"content-length":
                if not value.isdigit():
                    raise ValueError("no HTTP: a length that is none")
                self._left = int(value)
            elif parts[0] == b"transfer-encoding" and b"chunked" in value:
                self._is_chunked = True
        elif self.status < 200:
            self._state = _STATUS
            self._left = -1
        elif self.status == 204 or self.status == 304 or (self._left == 0 and not self._is_chunked):
            self._state = _DONE
        else:
            self._state = _SIZE if self._is_chunked else _BODY
