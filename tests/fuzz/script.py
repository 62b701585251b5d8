"""Fuzz input read as a small program: numbers and chunks taken from its front, zeros once it is used up."""


class Script:
    """`data` is the input; `more()` is False when nothing is left."""

    def __init__(self, data: bytes):
        self._data = data
        self._at = 0

    def more(self) -> bool:
        return self._at < len(self._data)

    def number(self, size: int = 1) -> int:
        """An unsigned big-endian number of that many bytes."""
        return int.from_bytes(self.take(size).ljust(size, b"\x00"), "big")

    def pick(self, choices):
        """One of `choices`."""
        return choices[self.number() % len(choices)]

    def chunk(self) -> bytes:
        """Bytes with their length in front."""
        return self.take(self.number())

    def take(self, size: int) -> bytes:
        """The next bytes, fewer at the end."""
        data = self._data[self._at : self._at + size]
        self._at += size
        return data
