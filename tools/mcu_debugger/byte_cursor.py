"""Walks over the bytes of one frame and writes down what each is: the tool that `inspector_payloads` describes with."""

from collections.abc import Callable

from mcu_proto.text import read_text


class Cut(Exception):
    """The bytes end before the field; `missing` says how many it lacks."""

    def __init__(self, missing: int) -> None:
        super().__init__(missing)
        self.missing = missing


class ByteCursor:
    """`cells` are the frame's bytes, each with the 55 stuffed behind it; `rows` grows by (offset, data, name, meaning,
    depth)."""

    def __init__(self, cells: list[bytes], offset: int, depth: int = 0) -> None:
        self.rows: list[tuple] = []
        self._cells = cells
        self._at = 0
        self._offset = offset
        self._depth = depth

    def left(self) -> int:
        """Bytes that no row has told yet."""
        return len(self._cells) - self._at

    def peek(self) -> bytes:
        """Those bytes, without stuffing."""
        return b"".join(cell[:1] for cell in self._cells[self._at :])

    def take(self, size: int, name: str, meaning: str = "") -> bytes:
        """The next `size` bytes, told in one row."""
        return self._next(size, name, meaning, b"".join(self._cells[self._at : self._at + size]))

    def number(self, size: int, name: str, describe: Callable[[int], str] = str) -> int:
        """The next `size` bytes as a number."""
        value = int.from_bytes(self.take(size, name), "big")
        self._say(describe(value))
        return value

    def text(self, size: int, name: str, about: str = "") -> str:
        """The next `size` bytes as text."""
        data = self.take(size, name)
        value = read_text(data, 0, len(data))
        self._say("%r%s" % (value, ", " + about if about else ""))
        return value

    def secret(self, size: int, name: str) -> None:
        """The next `size` bytes, which nobody else should read."""
        self._next(size, name, "%d bytes, not shown" % size, b"")

    def note(self, name: str, meaning: str, depth: int = 0) -> None:
        """A row without bytes of its own."""
        self.rows.append((None, None, name, meaning, self._depth + depth))

    def part(self, size: int) -> "ByteCursor":
        """The next `size` bytes as a cursor of its own; `join` takes what it told."""
        inner = ByteCursor(self._cells[self._at : self._at + size], self._offset + self._at, self._depth)
        self._at += size
        return inner

    def join(self, inner: "ByteCursor") -> None:
        self.rows += inner.rows

    def _next(self, size: int, name: str, meaning: str, shown: bytes) -> bytes:
        missing = size - self.left()
        if missing > 0:
            if self.left():
                self.take(self.left(), name, "cut")
            raise Cut(missing)
        data = b"".join(cell[:1] for cell in self._cells[self._at : self._at + size])
        if size:
            self.rows.append((self._offset + self._at, shown, name, meaning, self._depth))
        else:
            self.note(name, meaning or "empty")
        self._at += size
        return data

    def _say(self, meaning: str) -> None:
        self.rows[-1] = (*self.rows[-1][:3], meaning, self.rows[-1][4])
