"""An upgrade in a world of faults: a real agent, store and download, an MCU with a bootloader, a line with a speed.

The clock is virtual and the line takes its time; downloads are real ones from `ImageServer`. One fault is armed, the
upgrade begins, and the world runs until the MCU runs the new version. At every moment the MCU must be able to boot one
of the two versions, byte for byte.
"""

import hashlib
import heapq
import json
import random
import resource
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from gagent_linux.crypto import Crypto
from gagent_linux.firmware_download import DownloadError, FirmwareDownload
from gagent_linux.firmware_store import FirmwareStore
from mcu_debugger.bootloader import FAULTS, BootOptions
from mcu_debugger.flash import FlashFolder
from mcu_debugger.simulator import McuSimulator

from gagent import effects as e
from gagent import ota
from gagent.agent import Agent
from gagent.config import AgentConfig
from gagent.firmware import KIND_MCU, signed_message
from mcu_proto.link import SendSerial

from .chain_running import PRODUCT, PRODUCT_KEY
from .image_server import ImageServer

HARD, OLD, NEW = "00000001", "00000005", "00000006"
DID = "FirmwareWorld000000001"
BAUD = 115200
# Virtual milliseconds until an upgrade must be through, its fault being long over.
LONGEST = 6 * 3600 * 1000
_LATENCY = 2
_HTTP = 50
_DOWNLOAD = 1000
_DEFINITION = json.loads(PRODUCT.read_text())


class Broken(AssertionError):
    """What must never be: an MCU that cannot boot, a wrong image taken, an upgrade that never comes through."""


class FirmwareWorld:
    """`happened` is set by the fault when it strikes; `log` is what people would have read."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.rng = random.Random(seed)
        self.now = 0
        self.happened = False
        self.log: list[str] = []
        self._events: list[tuple[int, int, Callable, tuple]] = []
        self.agent: Agent | None = None
        self.mcu: McuSimulator | None = None
        self._count = 0
        self.image = b"SOFT_VER=%s\n" % NEW.encode() + self.rng.randbytes(self.rng.randrange(200, 12_000))
        self._key = Ed25519PrivateKey.generate()
        self.server = ImageServer(self.image, {}, self.rng)
        self.sign(self._key)
        self.offered = NEW
        self.cloud_is_up = True
        self._state = str(folder / "state")
        self.store = FirmwareStore(self._state, "mcu")
        self._flash = folder / "flash"
        self._record: dict = {"mac": "021122334455", "product_key": PRODUCT_KEY, "did": DID, "passcode": "ABCDEFGHIJ"}
        self.piece_size = self.rng.choice((64, 128, 256, 512))
        # What a frame becomes on its way: [] is lost.
        self.spoil = lambda data: [(0, data)]
        self.start_mcu()
        self.start_agent()

    def close(self) -> None:
        self.server.close()

    def sign(self, key, image=None, product_key=PRODUCT_KEY, soft=NEW, hard=HARD, kind=KIND_MCU):
        """The heads of the image that is served, signed with `key`."""
        image = self.image if image is None else image
        digest = hashlib.sha256(image).hexdigest()
        message = signed_message(product_key, kind, hard, soft, len(image), digest)
        self.server.image = image
        self.server.heads = {
            "Firmware-MD5": hashlib.md5(image).hexdigest(),
            "Soft-Version": soft,
            "Hard-Version": hard,
            "Firmware-Key": key.public_key().public_bytes_raw().hex(),
            "Firmware-Signature": key.sign(message).hex(),
        }

    def sign_right(self) -> None:
        """The cloud serves the right image again."""
        self.sign(self._key)
        self.offered = NEW

    def start_mcu(self) -> None:
        """Power on: whatever is in flash boots."""
        flash = FlashFolder(str(self._flash))
        version = flash.soft_ver() or OLD
        boot = BootOptions(flash, None, self.piece_size, False)
        self.mcu = McuSimulator(_DEFINITION, hard_ver=HARD, soft_ver=version, baud=BAUD, boot=boot)
        self._perform_mcu(self.mcu.start(self.now))

    def start_agent(self) -> None:
        """Power on: what was saved is all it knows."""
        config = AgentConfig(self._record, "http://cloud", soft_version="04020006")
        config.signatures = ota.SIGNATURES_WARN
        # Nobody draws the same waits twice.
        self.agent = Agent(config, self.rng.randbytes, BAUD, crypto=Crypto(), max_firmware=1 << 20)
        self._perform(self.agent.start(self.now))
        self._perform(self.agent.network_changed(True, 100, self.now))

    def cut_power_of_agent(self) -> None:
        """At this moment; what the disk did not have yet is gone with it."""
        self.agent_died()
        self.at(self.rng.randrange(1, 3000), self.start_agent)

    def agent_died(self) -> None:
        self.agent = None
        if self.rng.random() < 0.5 and self.store.size(KIND_MCU):
            path = Path(self.store.image_path(KIND_MCU))
            with path.open("r+b") as file:
                file.truncate(self.rng.randrange(self.store.size(KIND_MCU) + 1))
        if self.rng.random() < 0.2 and self.store.origin(KIND_MCU) is not None:
            path = Path(self.store.folder) / "mcu.json"
            path.write_bytes(path.read_bytes()[: self.rng.randrange(path.stat().st_size)])

    def cut_power_of_mcu(self) -> None:
        """At this moment."""
        self.mcu = None
        self.at(self.rng.randrange(1, 3000), self.start_mcu)

    def push(self) -> None:
        """The cloud says that there is firmware."""
        if self.agent is not None:
            notice = b"\0\0\0\x03\x02\x11\x02\x00\x16" + DID.encode()
            self._feed(self.agent.receive_publish, "ser2cli_res/" + DID, notice)

    def run(self) -> int:
        """Until the MCU runs the new version; how long that took. Broken when it never does, or anything worse."""
        while not self.is_done():
            self._step()
            self._check()
            if self.now > LONGEST:
                raise Broken("no upgrade within %d h: %s" % (LONGEST // 3600_000, self.log[-12:]))
        return self.now

    def is_done(self) -> bool:
        if self.mcu is None or self.agent is None:
            return False
        return self.mcu.info.soft_ver == NEW and self.agent.snapshot()["mcu_soft_ver"] == NEW

    def at(self, delay, function, *args) -> None:
        """`function(*args)` after so many milliseconds."""
        self._count += 1
        heapq.heappush(self._events, (self.now + delay, self._count, function, args))

    def _check(self) -> None:
        running = self._flash / "running"
        if self.mcu is not None and self.mcu.info.soft_ver not in (OLD, NEW):
            raise Broken("the MCU runs %s" % self.mcu.info.soft_ver)
        if running.exists() and running.read_bytes().partition(b"\n")[2] != self.image:
            raise Broken("the MCU took an image that is not the one")

    def _step(self) -> None:
        """The next thing that is due: a message, or a timeout of an end."""
        due = [] if not self._events else [self._events[0][0]]
        ends = [end for end in (self.agent, self.mcu) if end is not None]
        due += [at for end in ends if (at := end.next_timeout()) is not None]
        if not due:
            raise Broken("nothing is ever due: %s" % self.log[-12:])
        self.now = max(self.now, min(due))
        if self._events and self._events[0][0] <= self.now:
            _, _, function, args = heapq.heappop(self._events)
            function(*args)
            return
        if self.agent is not None and _is_due(self.agent, self.now):
            self._feed(self.agent.handle_timeout)
        if self.mcu is not None and _is_due(self.mcu, self.now):
            self._perform_mcu(self.mcu.handle_timeout(self.now))

    # The agent's effects.

    def _feed(self, method, *args) -> None:
        self._perform(method(*args, self.now))

    def _perform(self, found) -> None:
        for effect in found:
            handler = self._PERFORM.get(type(effect))
            if handler is not None:
                handler(self, effect)

    def _answer(self, name, *args) -> None:
        """An input, unless the agent that asked has lost its power."""
        self.at(_HTTP, self._feed_same, self.agent, name, args)

    def _feed_same(self, agent, name, args) -> None:
        if agent is not None and self.agent is agent:
            self._feed(getattr(agent, name), *args)

    def _serial(self, effect) -> None:
        self._send(effect.data, self._to_mcu)

    def _to_mcu(self, data) -> None:
        if self.mcu is not None:
            self._perform_mcu(self.mcu.receive_serial(data, self.now))

    def _to_agent(self, data) -> None:
        if self.agent is not None:
            self._feed(self.agent.receive_serial, data)

    def _send(self, data, deliver) -> None:
        for late, piece in self.spoil(data):
            self.at(_LATENCY + late + len(piece) * 10_000 // BAUD, deliver, piece)

    def _perform_mcu(self, found) -> None:
        for effect in found:
            if isinstance(effect, SendSerial):
                self._send(effect.data, self._to_agent)
            elif type(effect).__name__ == "Misbehaved":
                self.happened = True

    def _request(self, effect) -> None:
        if not self.cloud_is_up:
            self._answer("http_failed", effect.ref, "connection refused")
        elif "/update_and_check/" in effect.url:
            running = effect.body.rsplit(b"soft_version=", 1)[1].decode()
            if b"type=2&" in effect.body and running < NEW:
                answer = "soft_ver=%s&download_url=%s\r\n" % (self.offered, self.server.url)
                self._answer("http_response", effect.ref, 200, answer.encode())
            else:
                self._answer("http_response", effect.ref, 404, b"")
        else:
            self._answer("http_response", effect.ref, 200, b"host=m2m&port=1883&server_ts=1795289071&")

    def _connect(self, effect) -> None:
        if self.cloud_is_up:
            self._answer("mqtt_connected")
        else:
            self._answer("mqtt_lost", 0)

    def _save(self, effect) -> None:
        self._record = json.loads(json.dumps(effect.record))

    def _download(self, effect) -> None:
        try:
            image = FirmwareDownload(effect, self.store, None, lambda done, size: None).run()
        except DownloadError as error:
            self._answer("firmware", ota.FirmwareFailed(str(error)))
        else:
            self._answer("firmware", image)

    def _read(self, effect) -> None:
        # At once, as from a disk; but not before the effects behind this one.
        data = self.store.read(KIND_MCU, effect.offset, effect.size)
        self.at(0, self._feed_same, self.agent, "firmware", (ota.FirmwareData(data),))

    def _drop(self, effect) -> None:
        self.store.drop(effect.kind)

    def _notice(self, effect) -> None:
        self.log.append("%d: %s %s" % (self.now, effect.code, effect.detail))

    def _restart(self, effect) -> None:
        self.at(0, self._feed_same, self.agent, "start", ())

    _PERFORM = {
        SendSerial: _serial,
        e.HttpRequest: _request,
        e.MqttConnect: _connect,
        e.SaveConfig: _save,
        e.Restart: _restart,
        e.Notice: _notice,
        ota.Download: _download,
        ota.ReadFirmware: _read,
        ota.DropFirmware: _drop,
    }


def _is_due(end, now) -> bool:
    at = end.next_timeout()
    return at is not None and at <= now


# The faults: name -> a function that arms one in a world. Each strikes once, or for a while, and is over then.


def _spoil_download(change):
    def arm(world):
        def spoil(answer):
            world.happened = True
            return change(world.rng, answer)

        world.server.spoil = spoil

    return arm


def _cut(rng, answer):
    return answer[: rng.randrange(len(answer))]


def _corrupt(rng, answer):
    at = rng.randrange(answer.index(b"\r\n\r\n") + 4, len(answer))
    return answer[:at] + bytes((answer[at] ^ 1 << rng.randrange(8),)) + answer[at + 1 :]


def _corrupt_head(rng, answer):
    at = rng.randrange(answer.index(b"\r\n\r\n"))
    return answer[:at] + bytes((rng.randrange(256),)) + answer[at + 1 :]


def _wrong_image(**wrong):
    """Served until it was refused once."""

    def arm(world):
        key = wrong.get("key") and Ed25519PrivateKey.generate()
        image = world.rng.randbytes(3000) if wrong.get("image") else None
        given = {name: value for name, value in wrong.items() if name not in ("key", "image", "offered", "trust")}
        if wrong.get("trust"):
            # Of this product a signed one was seen before.
            public = world._key.public_key().public_bytes_raw().hex()
            world._record["firmware_keys"] = {PRODUCT_KEY: public}
            world.start_agent()
        world.sign(key or world._key, image, **given)
        if wrong.get("offered"):
            world.offered = wrong["offered"]
        for name in wrong.get("without", ()):
            del world.server.heads[name]
        _until_refused(world)

    return arm


def _unsigned(world):
    public = world._key.public_key().public_bytes_raw().hex()
    world._record["firmware_keys"] = {PRODUCT_KEY: public}
    world.start_agent()
    for name in ("Firmware-Key", "Firmware-Signature"):
        del world.server.heads[name]
    _until_refused(world)


def _until_refused(world):
    def look():
        if any(": %d " % e.NOTICE_FIRMWARE_FAILED in line for line in world.log):
            world.happened = True
            world.sign_right()
            world.push()
        else:
            world.at(1000, look)

    world.at(1000, look)


def _full_disk(world):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limited(answer):
        # No file may grow beyond this: writing fails as on a disk without room.
        resource.setrlimit(resource.RLIMIT_FSIZE, (world.rng.randrange(1, len(world.image)), hard))
        world.happened = True
        return answer

    world.server.spoil = limited
    world.at(8000, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard)))


def _bootloader(name):
    def arm(world):
        is_first = name in ("no-ready", "wrong-md5")  # before there is any piece
        world.mcu.bootloader.order(name, 0 if is_first else world.rng.randrange(1, len(world.image)))

    return arm


def _power(which):
    def arm(world):
        # From the moment of the offer to well behind the last piece.
        def cut():
            world.happened = True
            getattr(world, "cut_power_of_" + which)()

        world.at(world.rng.randrange(1, 4000), cut)

    return arm


def _line(change):
    """Bad for some seconds."""

    def arm(world):
        def spoil(data):
            if world.rng.random() < 0.15:
                world.happened = True
                return change(world.rng, data)
            return [(0, data)]

        def end():
            world.spoil = lambda data: [(0, data)]

        world.spoil = spoil
        world.at(world.rng.randrange(2000, 20_000), end)

    return arm


def _flip(rng, data):
    at = rng.randrange(len(data))
    return [(0, data[:at] + bytes((rng.randrange(256),)) + data[at + 1 :])]


def _cloud_restart(world):
    def down():
        world.happened = True
        world.cloud_is_up = False
        world._answer("mqtt_lost", 0)
        world.at(world.rng.randrange(1000, 300_000), up)

    def up():
        world.cloud_is_up = True

    world.at(world.rng.randrange(1, 3000), down)


WORLD_FAULTS = {
    "download cut anywhere": _spoil_download(_cut),
    "download with a wrong bit": _spoil_download(_corrupt),
    "download with a wrong head": _spoil_download(_corrupt_head),
    "download refused": _spoil_download(lambda rng, answer: b""),
    "image of another product": _wrong_image(product_key="f" * 32),
    "image for other hardware": _wrong_image(hard="00000002"),
    "image with a signature by nobody we trust": _wrong_image(key=True, trust=True),
    "older image, signed": _wrong_image(soft="00000004", image=True, trust=True),
    "older image, offered as such": _wrong_image(soft="00000004", image=True, offered="00000004"),
    "unsigned image after signed ones": _unsigned,
    "disk full": _full_disk,
    "power cut of the module": _power("agent"),
    "power cut of the MCU": _power("mcu"),
    "cloud restarted": _cloud_restart,
    "frames lost": _line(lambda rng, data: []),
    "frames repeated": _line(lambda rng, data: [(0, data), (rng.randrange(50), data)]),
    "frames late, out of order": _line(lambda rng, data: [(rng.randrange(1, 400), data)]),
    "noise on the line": _line(_flip),
    **{"MCU: " + FAULTS[name]: _bootloader(name) for name in FAULTS},
}


def run_with(fault: str, folder: Path, seed: int) -> tuple[bool, int]:
    """(whether the fault struck, virtual milliseconds to the new version); Broken when it goes wrong."""
    world = FirmwareWorld(folder, seed)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        WORLD_FAULTS[fault](world)
        world.at(500, world.push)
        took = world.run()
        return world.happened, took
    except Broken as error:
        raise Broken("%s, seed %d: %s" % (fault, seed, error)) from None
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        world.close()
