"""One download of firmware: streamed to the store, hashed on the way. Cloud manual, device side, chapter 3.7.

What an earlier try left is gone on with (`Range`), if the server still has the same image; a whole image is not asked
for again. It survives: servers that know no Range, that send another image meanwhile, too much, too little, or nothing
for ten seconds; heads and body in any segments; full disks. Blocks: it runs in a worker thread.
"""

import contextlib
import http.client
import re
import ssl
import time
from collections.abc import Callable, Iterator
from typing import Any

from gagent.firmware import HEAD_MD5, HEADS
from gagent.ota import Download, Image

from .firmware_store import FirmwareStore, Origin, image_of
from .http_client import Exchange, HttpError

# A server that sends nothing for so long is gone.
SILENCE_S = 10
# One try lasts no longer; the next goes on where it ended.
LONGEST_S = 900
_PIECE = 16384
# Heads of peers go to a file of ours.
_MAX_HEAD = 256


class DownloadError(Exception):
    """The image is not there (yet); the text is the reason, fit for a log."""


class FirmwareDownload:
    """Fetches what `order` names into `store`; `on_progress(done, size)` is called now and then."""

    def __init__(
        self,
        order: Download,
        store: FirmwareStore,
        tls: ssl.SSLContext | None,
        on_progress: Callable[[int, int], None],
    ) -> None:
        self._order = order
        self._store = store
        self._on_progress = on_progress
        self._tls = tls
        self._exchange: Exchange | None = None

    def run(self) -> Image:
        """The image, whole; DownloadError says why there is none."""
        with _storing(self._store):
            image = self._stored()
        if image is not None:
            return image
        try:
            exchange = self._exchange = Exchange(self._order.url, SILENCE_S, self._tls)
            fetched: Image = exchange.guarded(lambda: self._fetch(exchange))
        except HttpError as error:
            raise DownloadError(str(error)) from None
        return fetched

    def abort(self) -> None:
        """Wake the thread that may still be in a read."""
        if self._exchange is not None:
            self._exchange.abort()

    def _stored(self) -> Image | None:
        order, store = self._order, self._store
        origin = store.origin(order.kind)
        if origin is None or (origin.version, origin.url) != (order.version, order.url):
            store.drop(order.kind)
            return None
        if store.size(order.kind) > origin.size:
            store.drop(order.kind)
        if store.size(order.kind) != origin.size:
            return None
        return image_of(origin, *store.digests(order.kind))

    def _fetch(self, exchange: Exchange) -> Image:
        deadline = time.monotonic() + LONGEST_S
        connection, sock = exchange.connect()
        done = self._store.size(self._order.kind)
        headers = {"Connection": "close", "Content-Type": "application/text"}
        if done:
            headers["Range"] = "bytes=%d-" % done
        connection.request("GET", exchange.path, headers=headers)
        response = connection.getresponse()
        with _storing(self._store):
            origin = self._accept(response, done)
            md5, sha256 = self._store.digests(self._order.kind)
            file = self._store.appending(self._order.kind)
        with file:
            done = self._store.size(self._order.kind)
            while done < origin.size:
                if time.monotonic() > deadline:
                    raise DownloadError("not done after %d s: going on from byte %d" % (LONGEST_S, done))
                sock.settimeout(SILENCE_S)
                piece = response.read1(min(_PIECE, origin.size - done))
                if not piece:
                    raise DownloadError("cut short at byte %d of %d" % (done, origin.size))
                with _storing(self._store):
                    _write(file, piece)
                md5.update(piece)
                sha256.update(piece)
                done += len(piece)
                self._on_progress(done, origin.size)
        return image_of(origin, md5, sha256)

    def _accept(self, response: http.client.HTTPResponse, done: int) -> Origin:
        """What comes, with the store ready for its next byte."""
        order, store = self._order, self._store
        heads = {name: value[:_MAX_HEAD] for name in HEADS if (value := response.headers.get(name)) is not None}
        before = store.origin(order.kind)
        if response.status == 206 and before is not None and heads.get(HEAD_MD5) == before.heads.get(HEAD_MD5):
            whole = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", response.headers.get("content-range", ""))
            if whole and int(whole[1]) == done and int(whole[3]) == before.size:
                return before
        if response.status in (206, 416):
            store.drop(order.kind)
            raise DownloadError("the server has another image than the one begun: from the start next time")
        if response.status != 200:
            raise DownloadError("the image is not there: HTTP %d" % response.status)
        if response.length is None:
            raise DownloadError("the server does not tell how long the image is: expected a Content-Length")
        if not 0 < response.length <= order.max_size:
            raise DownloadError("an image of %d bytes, 1 to %d are expected" % (response.length, order.max_size))
        if response.length > store.room():
            raise DownloadError("no room: the image has %d bytes, the disk %d" % (response.length, store.room()))
        origin = Origin(order.version, order.url, response.length, heads)
        store.begin(order.kind, origin)
        return origin


@contextlib.contextmanager
def _storing(store: FirmwareStore) -> Iterator[None]:
    """What the disk refuses, in its own words: or it would pass for an error of the connection."""
    try:
        yield
    except OSError as error:
        raise DownloadError("%s cannot be written: %s" % (store.folder, error.strerror)) from None


def _write(file: Any, piece: bytes) -> None:
    while piece:
        piece = piece[file.write(piece) :]
