"""The identity of one port, on disk: who the module is to the cloud. Cloud manual, device side, chapter 2.2.

One JSON file per port, `{"version": 1, "identity": {...}}`, mode 0600 in a directory of mode 0700. It is replaced as a
whole, never changed in place: a power cut leaves the old one or the new one. A file that cannot be read is reported and
left alone, for a lost identity is a device that its users have to bind again.
"""

import json
import os
import tempfile

_VERSION = 1


class StorageError(Exception):
    """The file cannot be used; the text names it and says what to do."""


class IdentityFile:
    """The identity of the port `name` under the directory `state`."""

    def __init__(self, state: str, name: str) -> None:
        self.folder = state
        self.path = os.path.join(state, name + ".json")

    @classmethod
    def at(cls, path: str) -> "IdentityFile":
        """The identity in the file `path`, wherever it is and whatever its name."""
        file = cls("", "")
        file.path = os.path.abspath(path)
        return file

    def load(self) -> dict[str, str] | None:
        """The stored record, or None when there has never been one."""
        try:
            with open(self.path, "rb") as file:
                data = file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageError("identity file %s cannot be read: %s" % (self.path, error.strerror)) from error
        return self._parse(data)

    def save(self, record: dict[str, str]) -> None:
        """Keep `record` so that it survives a power cut from here on."""
        content = json.dumps({"version": _VERSION, "identity": record}, indent=1).encode() + b"\n"
        try:
            replace_file(self.path, content)
        except OSError as error:
            raise StorageError(
                "identity cannot be written to %s: %s; what was stored before is unchanged"
                % (self.path, error.strerror)
            ) from error

    def _parse(self, data: bytes) -> dict[str, str]:
        advice = "restore it from a backup, or remove it to register as a new device (its users must bind it again)"
        try:
            content = json.loads(data)
        except ValueError as error:
            raise StorageError("identity file %s is damaged (%s): %s" % (self.path, error, advice)) from error
        if not isinstance(content, dict) or content.get("version") != _VERSION:
            version = content.get("version") if isinstance(content, dict) else None
            raise StorageError(
                "identity file %s has version %r, expected %d: %s" % (self.path, version, _VERSION, advice)
            )
        record = content.get("identity")
        if not isinstance(record, dict) or not all(isinstance(value, (str, dict)) for value in record.values()):
            raise StorageError("identity file %s holds no identity: %s" % (self.path, advice))
        return record


def replace_file(path: str, content: bytes) -> None:
    """The file `path` holds `content`, all of it or what it held before; mode 0600, in a directory of mode 0700."""
    directory = os.path.dirname(path)
    os.makedirs(directory, mode=0o700, exist_ok=True)
    # mkstemp gives 0600 from the first byte on: at no time can another user read the passcode.
    descriptor, temporary = tempfile.mkstemp(prefix=".new-", dir=directory)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise
    _sync_directory(directory)


def new_record(mac: str = "") -> dict[str, str]:
    """The record of a module that starts for the first time: with `mac`, or with a random locally administered one."""
    return {"mac": mac or _random_mac()}


def _random_mac() -> str:
    octets = bytearray(os.urandom(6))
    octets[0] = octets[0] & 0xFC | 0x02  # unicast, locally administered
    return octets.hex().upper()


def _sync_directory(directory: str) -> None:
    # Without this the rename itself may be lost in a power cut.
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
