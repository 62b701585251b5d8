"""The effects of an upgrade, carried out for one port: download, read, drop, install. See `gagent.ota`."""

import asyncio
import ssl
from collections.abc import Callable

from gagent import ota
from gagent.firmware import KIND_MCU, KIND_MODULE
from gagent.ota import FirmwareData, FirmwareFailed, Image, Progress

from . import worker
from .firmware_download import DownloadError, FirmwareDownload
from .firmware_store import FirmwareStore
from .slots import SlotError

# Told to the agent at most so often: each step is an input.
_STEPS = 100


class Firmware:
    """`on_event(event)` is an input of the agent; `install(path, version)` makes the file `path` the module's next
    version, or raises SlotError."""

    def __init__(
        self,
        store: FirmwareStore,
        tls: ssl.SSLContext | None,
        on_event: Callable[[Progress | Image | FirmwareData | FirmwareFailed], None],
        install: Callable[[str, str], None],
    ) -> None:
        self._store = store
        self._tls = tls
        self._on_event = on_event
        self._install = install
        self._task: asyncio.Task[None] | None = None
        self._download: FirmwareDownload | None = None
        self._step = 0
        self.effects: dict[type, Callable] = {
            ota.Download: self._begin,
            ota.ReadFirmware: self._read,
            ota.DropFirmware: self._drop,
            ota.InstallFirmware: self._install_module,
        }

    def close(self) -> None:
        """Leave off; what is there is gone on with another time."""
        if self._task is not None:
            self._task.cancel()
        if self._download is not None:
            self._download.abort()

    def _begin(self, order: ota.Download) -> None:
        loop = asyncio.get_running_loop()
        self._step = 0
        self._download = FirmwareDownload(
            order, self._store, self._tls, lambda done, size: self._tell(loop, done, size)
        )
        self._task = loop.create_task(self._fetch(self._download))

    async def _fetch(self, download: FirmwareDownload) -> None:
        try:
            image = await worker.run(download.run)
        except DownloadError as error:
            self._on_event(FirmwareFailed(str(error)))
        else:
            self._on_event(image)

    def _tell(self, loop: asyncio.AbstractEventLoop, done: int, size: int) -> None:
        """Called in the worker's thread."""
        step = done * _STEPS // size
        if step != self._step:
            self._step = step
            loop.call_soon_threadsafe(self._on_event, Progress(done, size))

    def _read(self, order: ota.ReadFirmware) -> None:
        try:
            data = self._store.read(KIND_MCU, order.offset, order.size)
        except OSError as error:
            self._on_event(FirmwareFailed("the stored image cannot be read: %s" % error.strerror))
        else:
            self._on_event(FirmwareData(data))

    def _drop(self, order: ota.DropFirmware) -> None:
        try:
            self._store.drop(order.kind)
        except OSError as error:
            path = self._store.image_path(order.kind)
            self._on_event(FirmwareFailed("%s cannot be removed: %s" % (path, error.strerror)))

    def _install_module(self, order: ota.InstallFirmware) -> None:
        try:
            self._install(self._store.image_path(KIND_MODULE), order.version)
        except SlotError as error:
            self._on_event(FirmwareFailed(str(error)))
