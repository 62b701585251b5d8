"""The effects of an upgrade: download, read, drop, install. See `gagent.ota`; cloud manual, device side, chapter 3.7.

Loaded with the first effect, and a part of the runner from then on. An image goes to flash as it comes (`mcu.image`,
`module.image`), hashed on the way; what is known of it is written before its first byte (`mcu.json`, `module.json`).
What a try leaves is gone on with (`Range`), a whole image is not asked for again. Each turn moves some hundred bytes,
so that the MCU and the cloud are served all the while. It survives: power cuts at any byte, servers that know no Range,
send another image meanwhile, too much, too little, or nothing; flash that is full.
"""

import gc
import json
import os
from hashlib import sha256

from gagent.firmware import HEAD_MD5, HEADS, KIND_MCU
from gagent.ota import Download, DropFirmware, FirmwareData, FirmwareFailed, Image, Progress, ReadFirmware
from mcu_proto.const import const

from .connection import Connection
from .http_answer import HttpAnswer
from .md5 import md5

# A server that sends nothing for so long is gone.
_SILENCE = const(10000)
# MD5 in Python takes a sixth of a second for it on an ESP8266; the UART holds twice as much.
_PIECE = const(256)
# What a power cut takes from a download, at most.
_SYNC_EVERY = const(4096)
# Flash that the identity and the networks need to be written.
_RESERVE = const(16384)
# A signature and its name.
_LINE = const(160)
_LENGTH = "content-length"
_RANGE = "content-range"

_IDLE = const(0)
_BEGINNING = const(1)
_HASHING = const(2)
_FETCHING = const(3)
_INSTALLING = const(4)


class Firmware:
    """`feed(method, ...)` gives `agent` its answers; `tls` is for https; `restart()` and `watchdog` are the chip's.

    `due` is when `turn` has something to do though nothing came.
    """

    def __init__(self, poll, network, feed, agent, tls, restart, watchdog):
        self._connection = Connection(poll, network)
        self._feed = feed
        self._agent = agent
        self._tls = tls
        self._restart = restart
        self._watchdog = watchdog
        self._buf = memoryview(bytearray(_PIECE))
        self._state = _IDLE
        self._file = None
        # An answer is given in a turn of its own: what else came out with its question goes first.
        self._answer = None
        self._image = None
        self.due = None

    def perform(self, effect):
        """Begin what `effect` wants."""
        self.due = 0
        if isinstance(effect, ReadFirmware):
            self._read(effect)
        elif isinstance(effect, Download):
            self._leave()
            self._order = effect
            self._state = _BEGINNING
        elif isinstance(effect, DropFirmware):
            self._leave()
            _drop(_name(effect.kind))
        else:
            self._state = _INSTALLING
            self._version = effect.version

    def turn(self, now):
        """Go on."""
        if self._answer is not None:
            answer, self._answer = self._answer, None
            # A signature is the largest meal of all.
            gc.collect()
            self._feed(self._agent.firmware, answer)
        self.due = None
        if self._state == _IDLE:
            return
        self.due = 0
        try:
            if self._state == _BEGINNING:
                self._begin()
            elif self._state == _HASHING:
                self._hash(now)
            elif self._state == _FETCHING:
                self._fetch(now)
            else:
                self._install(now)
        except ValueError as error:
            self._fail(error.args[0])
        except OSError as error:
            self._fail("the flash refuses: error %s" % error.args[0])
        except MemoryError:
            self._fail("the heap is full")

    def _read(self, order):
        try:
            if self._file is None:
                self._file = open(_name(KIND_MCU) + ".image", "rb")  # noqa: SIM115  it is kept
            self._file.seek(order.offset)
            self._answer = FirmwareData(self._file.read(order.size))
        except OSError as error:
            self._answer = FirmwareFailed("the stored image cannot be read: error %s" % error.args[0])

    def _begin(self):
        """Look what is there, and hash it."""
        order = self._order
        self._path = path = _name(order.kind)
        self._origin = origin = _origin(path)
        if origin is None or origin["version"] != order.version or origin["url"] != order.url:
            self._origin = origin = None
        size = _size(path + ".image")
        if origin is None or size > origin["size"]:
            _drop(path)
            self._origin = None
        self._md5 = md5()
        self._sha256 = sha256()
        self._done = 0
        self._file = open(path + ".image", "rb") if _size(path + ".image") else None  # noqa: SIM115
        self._state = _HASHING

    def _hash(self, now):
        """A piece of what is there already; when all of it is: the image, or the request for the rest."""
        n = 0 if self._file is None else self._file.readinto(self._buf)
        if n:
            self._take(self._buf[:n])
            return
        self._leave()
        if self._origin is not None and self._done == self._origin["size"]:
            self._finish()
        else:
            self._ask(now)

    def _ask(self, now):
        scheme, rest = self._order.url.split("://", 1)
        where, path = (rest + "/").split("/", 1)
        if scheme == "https" and self._tls is None:
            raise ValueError("https needs ca_file in the settings")
        parts = where.split(":", 1)
        port = 443 if scheme == "https" else 80
        if len(parts) == 2 and parts[1].isdigit():
            port = int(parts[1])
        self._where = where
        self._connection.open(parts[0], port, self._tls if scheme == "https" else None)
        head = "GET /%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n" % (path[:-1], where)
        if self._done:
            head += "Range: bytes=%d-\r\n" % self._done
        self._connection.write(head.encode() + b"\r\n")
        self._heard = _Answer(self._on_body)
        self._deadline = now + _SILENCE
        self._state = _FETCHING

    def _fetch(self, now):
        n = self._connection.step(self._buf, now)
        if n > 0:
            self._deadline = now + _SILENCE
            if self._heard.feed(self._buf[:n]) and self._file is None:
                self._accept()
            if self._file is not None:
                self._on_progress()
        elif n < 0 or now >= self._deadline:
            why = self._connection.reason if n < 0 else "%s says nothing" % self._where
            raise ValueError("cut short at byte %d: %s" % (self._done, why))
        if self._state == _FETCHING:
            at = self._connection.due
            self.due = self._deadline if at is None else min(at, self._deadline)

    def _on_progress(self):
        size = self._origin["size"]
        if self._done == size:
            self._leave()
            self._finish()
            return
        step = self._done * 100 // size
        if step != self._step:
            self._step = step
            self._feed(self._agent.firmware, Progress(self._done, size))

    def _on_body(self, piece):
        if self._file is None:
            self._accept()
        # What comes after the announced end is not part of it.
        piece = piece[: self._origin["size"] - self._done]
        self._file.write(piece)
        if (self._done + len(piece)) // _SYNC_EVERY != self._done // _SYNC_EVERY:
            self._file.flush()
        self._take(piece)

    def _accept(self):
        """What comes, with the file open for its next byte."""
        heard, heads, origin = self._heard, self._heard.heads, self._origin
        path, status = self._path, heard.status
        self._step = -1
        is_same = status == 206 and origin is not None and heads.get(HEAD_MD5) == origin["heads"].get(HEAD_MD5)
        if is_same and heads.get(_RANGE) == "bytes %d-%d/%d" % (self._done, origin["size"] - 1, origin["size"]):
            self._file = open(path + ".image", "ab")  # noqa: SIM115
            return
        if status == 206 or status == 416:
            _drop(path)
            raise ValueError("the server has another image than the one begun: from the start next time")
        if status != 200:
            raise ValueError("the image is not there: HTTP %d" % status)
        length = heads.get(_LENGTH, "")
        if not length.isdigit():
            raise ValueError("the server does not tell how long the image is: expected a Content-Length")
        size = int(length)
        if not 0 < size <= self._order.max_size:
            raise ValueError("an image of %d bytes, 1 to %d are expected" % (size, self._order.max_size))
        _drop(path)
        room = _room()
        if size > room:
            raise ValueError("no room: the image has %d bytes, the flash %d" % (size, max(0, room)))
        origin = {"version": self._order.version, "url": self._order.url, "size": size}
        origin["heads"] = {name: heads[name] for name in heads if name in HEADS}
        with open(path + ".json", "w") as file:
            json.dump(origin, file)
        self._origin = origin
        self._md5 = md5()
        self._sha256 = sha256()
        self._done = 0
        self._file = open(path + ".image", "wb")  # noqa: SIM115

    def _take(self, piece):
        self._md5.update(piece)
        self._sha256.update(piece)
        self._done += len(piece)

    def _finish(self):
        """The image is whole; whether it is right is for the agent to say."""
        self._state = _IDLE
        digests = (self._md5.digest().hex(), self._sha256.digest().hex())
        self._image = Image(self._done, digests[0], digests[1], self._origin["heads"])
        self._md5 = self._sha256 = self._origin = None
        self._answer = self._image

    def _install(self, now):
        from .install import install

        install(_name(0) + ".image", self._version, self._image.sha256, now, self._watchdog)
        self._state = _IDLE
        self._restart()

    def _fail(self, why):
        self._leave()
        self._answer = FirmwareFailed(why)

    def _leave(self):
        """Nothing is under way any more."""
        self._state = _IDLE
        self._heard = None
        self._connection.close()
        if self._file is not None:
            self._file.close()
            self._file = None


class _Answer(HttpAnswer):
    """With the heads that matter, by their names in small letters."""

    def __init__(self, on_body):
        super().__init__(on_body)
        self.longest = _LINE
        self.heads = {}

    def _on_line(self, line):
        parts = line.split(b":", 1)
        name = parts[0].lower()
        if len(parts) == 2:
            try:
                name = name.decode()
                if name in HEADS or name == _LENGTH or name == _RANGE:
                    self.heads[name] = parts[1].strip().decode()
            except UnicodeError:
                pass  # not one of ours
        super()._on_line(line)


def _name(kind) -> str:
    return "mcu" if kind == KIND_MCU else "module"


def _origin(path) -> "dict | None":
    """What is known of the image that is there, or begun; None when there is none that can be gone on with."""
    try:
        with open(path + ".json") as file:
            origin = json.load(file)
            return origin if origin["size"] > 0 and isinstance(origin["heads"], dict) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _size(path) -> int:
    try:
        return os.stat(path)[6]
    except OSError:
        return 0


def _drop(path):
    for name in (path + ".json", path + ".image"):
        try:
            os.remove(name)
        except OSError:
            pass  # there is none


def _room() -> int:
    """Bytes of flash that an image may have."""
    found = os.statvfs(".")
    return found[1] * found[4] - _RESERVE
