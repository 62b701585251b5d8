"""Where a setting came from, in words for an error: a flag, or file, line and key."""

import os
import re
from typing import Protocol

# Which table a key is in: the number of a [[port]] table, the name of another, or None for what stands before them all.
Table = int | str | None


class Source(Protocol):
    """Where a value came from: how to say so in an error. Paths that do not begin at the root count from `folder`."""

    folder: str

    def of(self, key: str, table: Table) -> str: ...

    def unknown(self, key: str, table: Table, allowed: list[str]) -> str: ...

    def missing(self, key: str, table: int | str) -> str: ...

    def no_port(self) -> str: ...


class FlagSource:
    """Errors in words of the command line."""

    folder = ""

    def of(self, key: str, table: Table) -> str:
        return "--" + key

    def unknown(self, key: str, table: Table, allowed: list[str]) -> str:
        return "--%s: unknown" % key

    def missing(self, key: str, table: int | str) -> str:
        return "--%s is missing: give the serial port, or a settings file with --config" % key

    def no_port(self) -> str:
        return self.missing("port", 0)


class FileSource:
    """Errors in words of a settings file: the line of a key is searched for when it is needed."""

    def __init__(self, path: str, text: str, table: str) -> None:
        self.folder = os.path.dirname(os.path.abspath(path))
        self._path = path
        self._table = table
        self._lines = text.splitlines()

    def of(self, key: str, table: Table) -> str:
        return "%s:%d: %s" % (self._path, self._line(key, table), key)

    def unknown(self, key: str, table: Table, allowed: list[str]) -> str:
        return "%s: unknown key, expected one of: %s" % (self.of(key, table), ", ".join(allowed))

    def missing(self, key: str, table: int | str) -> str:
        where = "%s:%d" % (self._path, self._line(key, table))
        if isinstance(table, str):
            return "%s: [%s] has no key %s" % (where, table, key)
        return '%s: [[%s]] has no key %s, expected for example %s = "/dev/ttyUSB0"' % (where, self._table, key, key)

    def no_port(self) -> str:
        return '%s: no [[%s]] table, expected one for each serial port, with port = "/dev/ttyUSB0"' % (
            self._path,
            self._table,
        )

    def _line(self, key: str, table: Table) -> int:
        """The line of `key` in `table`, or the line of that table when it does not have the key."""
        current: Table = None
        ports = 0
        found = 1
        for number, line in enumerate(self._lines, 1):
            header = re.match(r"""\s*\[+\s*["']?([^\]"']*?)["']?\s*\]""", line)
            if header:
                if table is None and header[1] == key:
                    return number
                current = header[1]
                if current == self._table:
                    current, ports = ports, ports + 1
                if current == table:
                    found = number
            elif current == table and re.match(r"""\s*["']?%s["']?\s*=""" % re.escape(key), line):
                return number
        return found
