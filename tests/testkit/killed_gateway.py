"""A gateway that is killed again and again while an MCU reports, and what came of all reports in the end.

Everything is real: the process, the pty, mosquitto, the disk. Only the HTTP side of the cloud is a stub.
"""

import asyncio
import contextlib
import itertools
import random
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import paho.mqtt.client as mqtt
from gagent_linux.outbox_file import OutboxFile
from gagent_linux.outbox_mark import OutboxMark
from gagent_linux.storage import IdentityFile
from paho.mqtt.enums import CallbackAPIVersion

from .device_api_stub import DeviceApiStub, did_of
from .heard import LogText
from .mosquitto_running import Mosquitto
from .numbering_mcu import NumberingMcu, number_of
from .patience import PATIENCE_S
from .processes_running import Processes, until

_NAME = "agent"


@dataclass
class Figures:
    """What is known after some kills."""

    kills: int = 0
    online_kills: int = 0
    acked: int = 0
    arrived: int = 0
    lost: int = 0
    out_of_order: int = 0
    duplicates: int = 0
    most_duplicates: int = 0
    most_stored: int = 0
    unreadable: list[str] = field(default_factory=list)

    def add(self, other: "Figures") -> None:
        """Take in those of another gateway."""
        for name in ("kills", "online_kills", "acked", "arrived", "lost", "out_of_order", "duplicates"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("most_duplicates", "most_stored"):
            setattr(self, name, max(getattr(self, name), getattr(other, name)))
        self.unreadable += other.unreadable


class KilledGateway:
    """One gateway with one MCU; its files go into `folder`, `mac` makes its did."""

    def __init__(self, folder: Path, mac: str, api_url: str, broker: Mosquitto, chance: random.Random) -> None:
        folder.mkdir()
        self.did = did_of(mac)
        self._folder = folder
        self._chance = chance
        self._state = folder / "state"
        self._processes = Processes(folder)
        self._broker = broker
        self._mcu = NumberingMcu(folder, "mcu")
        self._settings = folder / "gagent.toml"
        self._settings.write_text(
            'api = "%s"\nstate = "%s"\n[[port]]\nport = "%s"\nname = "%s"\nmac = "%s"\n'
            % (api_url, self._state, self._mcu.path, _NAME, mac)
        )
        self._app = mqtt.Client(CallbackAPIVersion.VERSION2)
        self._arrived: list[int] = []
        # How much had arrived of each life when it was over.
        self._at_kill: list[int] = []
        self._fence = "fence/" + self.did
        self._echo = threading.Event()
        self._figures = Figures()

    def run(self, kills: int, longest_s: float, on_kill: Callable[[], None] = lambda: None) -> Figures:
        """Kill it `kills` times, each at a random moment of its first `longest_s` seconds, then let it finish."""
        self._listen()
        self._mcu.start()
        try:
            self._start().says("online, did")
            self._mcu.go()
            for _ in range(kills):
                self._kill_once(longest_s)
                on_kill()
            self._finish()
        finally:
            self._mcu.stop()
            self._processes.end()
            self._app.disconnect()
            self._app.loop_stop()
        return self._count()

    def _listen(self) -> None:
        ready = threading.Event()
        self._app.on_connect = lambda app, *_: app.subscribe([("dev2app/" + self.did, 1), (self._fence, 1)])
        self._app.on_subscribe = lambda *_: ready.set()
        self._app.on_message = lambda app, data, message: self._hear(message)
        self._app.connect(self._broker.host, self._broker.port)
        self._app.loop_start()
        assert ready.wait(PATIENCE_S)

    def _hear(self, message: mqtt.MQTTMessage) -> None:
        if message.topic == self._fence:
            self._echo.set()
        else:
            self._arrived.append(number_of(message.payload))

    def _let_arrive(self) -> None:
        """Until all is here that was written to the broker by now."""
        # It looks at all its connections in turn: what was there before the first question is read before the second.
        for _ in range(2):
            self._echo.clear()
            self._app.publish(self._fence, qos=1)
            assert self._echo.wait(PATIENCE_S)

    def _start(self):
        self._process = self._processes.start("gagent_linux", "run", "--config", self._settings)
        return self._process

    def _kill_once(self, longest_s: float) -> None:
        time.sleep(self._chance.uniform(0, longest_s))
        self._process.kill()
        self._figures.kills += 1
        self._figures.online_kills += "online, did" in self._process.stderr
        self._let_arrive()
        self._at_kill.append(len(self._arrived))
        self._look_at_disk()
        self._processes.forget(self._process)
        self._start()

    def _look_at_disk(self) -> None:
        """On a copy: reading the outbox finishes what the kill left half done."""
        copy = self._folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self._state, copy, ignore=shutil.ignore_patterns("*.sock"))
        figures = self._figures
        try:
            record = IdentityFile(str(copy), _NAME).load()
            if record is None or record.get("did") != self.did:
                figures.unreadable.append("identity: %s" % record)
            outbox = OutboxFile(str(copy / (_NAME + ".outbox")))
            rows = outbox.load()
            outbox.close()
            delivered = OutboxMark(str(copy / (_NAME + ".delivered")), LogText(0).port).load()
            waiting = sum(row.seq > delivered for row in rows)
            figures.most_stored = max(figures.most_stored, waiting)
            figures.unreadable += outbox.damage
        except Exception as error:  # whatever it is, it is a finding
            figures.unreadable.append(repr(error))

    def _finish(self) -> None:
        self._process.says("online, did")
        self._mcu.pause()
        until(self._mcu.is_quiet, "the MCU's last report is acked")
        acked = set(self._mcu.acked)
        with contextlib.suppress(AssertionError):  # then they are lost, and counted
            until(lambda: acked <= set(self._arrived), "all that was acked arrived")
        self._process.stop()

    def _count(self) -> Figures:
        figures, arrived = self._figures, self._arrived
        figures.acked = len(self._mcu.acked)
        figures.arrived = len(set(arrived))
        figures.lost = len(set(self._mcu.acked) - set(arrived))
        seen: set[int] = set()
        repeated = []
        highest = 0
        for at, number in enumerate(arrived):
            if number in seen:
                repeated.append(at)
            elif number < highest:
                figures.out_of_order += 1
            seen.add(number)
            highest = max(highest, number)
        figures.duplicates = len(repeated)
        limits = [0, *self._at_kill, len(arrived) + 1]
        for low, high in itertools.pairwise(limits):
            figures.most_duplicates = max(figures.most_duplicates, sum(low <= at < high for at in repeated))
        return figures


@contextlib.contextmanager
def device_api_running(broker: Mosquitto) -> Iterator[str]:
    """The URL of the stub, in a thread of its own."""
    url: list[str] = []
    ready, over = threading.Event(), threading.Event()

    async def serve() -> None:
        async with DeviceApiStub(broker.port).running() as stub:
            url.append(stub.url)
            ready.set()
            while not over.is_set():  # noqa: ASYNC110  the event is another thread's
                await asyncio.sleep(0.05)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert ready.wait(PATIENCE_S)
        yield url[0]
    finally:
        over.set()
        thread.join()
