"""Where a setting came from, in words for an error: a flag, or file, line and key."""

import re
from typing import Protocol


class Source(Protocol):
    """Where a value came from: how to say so in an error. `index` is the number of a [[port]] table, or None."""

    def of(self, key: str, index: int | None) -> str: ...

    def unknown(self, key: str, index: int | None, allowed: list[str]) -> str: ...

    def missing(self, key: str, index: int) -> str: ...

    def no_port(self) -> str: ...


class FlagSource:
    """Errors in words of the command line."""

    def of(self, key: str, index: int | None) -> str:
        return "--" + key

    def unknown(self, key: str, index: int | None, allowed: list[str]) -> str:
        return "--%s: unknown" % key

    def missing(self, key: str, index: int) -> str:
        return "--%s is missing: give the serial port, or a settings file with --config" % key

    def no_port(self) -> str:
        return self.missing("port", 0)


class FileSource:
    """Errors in words of a settings file: the line of a key is searched for when it is needed."""

    def __init__(self, path: str, text: str, table: str) -> None:
        self._path = path
        self._table = table
        self._lines = text.splitlines()

    def of(self, key: str, index: int | None) -> str:
        return "%s:%d: %s" % (self._path, self._line(key, index), key)

    def unknown(self, key: str, index: int | None, allowed: list[str]) -> str:
        return "%s: unknown key, expected one of: %s" % (self.of(key, index), ", ".join(allowed))

    def missing(self, key: str, index: int) -> str:
        where = "%s:%d" % (self._path, self._line(key, index))
        return '%s: [[%s]] has no key %s, expected for example %s = "/dev/ttyUSB0"' % (where, self._table, key, key)

    def no_port(self) -> str:
        return '%s: no [[%s]] table, expected one for each serial port, with port = "/dev/ttyUSB0"' % (
            self._path,
            self._table,
        )

    def _line(self, key: str, index: int | None) -> int:
        """The line of `key` in table number `index` (None: before all tables), or of that table when it has none."""
        table = None
        found = 1
        for number, line in enumerate(self._lines, 1):
            if index is None and re.match(r"\s*\[+\s*%s\s*\]" % re.escape(key), line):
                return number
            if re.match(r"\s*\[", line):
                table = 0 if table is None else table + 1
                if table == index:
                    found = number
            elif table == index and re.match(r"""\s*["']?%s["']?\s*=""" % re.escape(key), line):
                return number
        return found
