"""The story itself: a cloud, an MCU and one agent, each step told when it was seen from its far end."""

import argparse
import asyncio
import contextlib
import json
import shlex
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from localcloud.app import Cloud
from mcu_debugger.mcu_events import Controlled, InfoSent, StatusChanged
from mcu_debugger.view import event_line
from open_api_client import OpenApiClient
from parts import SimulatedMcu, make_cloud, make_gateway
from story import Story

from gagent import wire
from mcu_proto.const import STATUS_CLOUD
from mcu_proto.datapoint import Schema

APP_ID = "0123456789abcdef0123456789abcdef"
DEMO_SECRET = "fedcba9876543210fedcba9876543210"  # noqa: S105 - of a product that exists here only
# Seconds a step may take before the demo says that it did not happen.
PATIENCE_S = 20
# A real MCU may have to be plugged in first.
PATIENCE_WITH_HARDWARE_S = 600
FIRST_STATE = {"water_in": 28.5, "water_out": 31.0, "outdoor_temp": 7.5, "target_temp": 40}
ORDER = {"power": True, "mode": "heat", "target_temp": 45.5}


class NotSeen(Exception):
    """A step did not happen; the text says which and what to look at."""


class Demo:
    """One run. `heard` has what the simulated MCU reported, in order."""

    def __init__(self, arguments: argparse.Namespace, folder: Path, definition: dict[str, Any] | None) -> None:
        self._arguments = arguments
        self._folder = folder
        self._definition = definition
        self._story = Story("gagent: a device, its module and its cloud on this machine")
        self._heard: list[Any] = []
        self._news = asyncio.Event()
        self._log_path = folder / "gagent.log"
        self._patience = arguments.patience or PATIENCE_S
        self._began = int(time.time())

    async def run(self) -> None:
        """The story, then (unless --once) everything stays up until Ctrl-C."""
        # What was begun is undone. Ctrl-C would do so by itself, but not where a shell started this in the background.
        task = asyncio.current_task()
        assert task is not None
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        async with self._cloud() as cloud:
            app = OpenApiClient("http://127.0.0.1:%d" % cloud.http_port, APP_ID)
            self._story.step("cloud", "local cloud is up: %s, MQTT on 127.0.0.1:%d" % (app.root, cloud.mqtt_port))
            if self._arguments.port or self._definition is None:
                await self._with_hardware(cloud, app)
            else:
                await self._with_simulator(cloud, app, self._definition)

    async def _with_simulator(self, cloud: Cloud, app: OpenApiClient, definition: dict[str, Any]) -> None:
        story = self._story
        product = cloud.add_product(definition, DEMO_SECRET)
        schema = Schema.from_definition(definition)
        story.step("cloud", 'product "%s" added, %d attributes' % (product.name, len(schema.attrs)))
        mcu = SimulatedMcu(definition, FIRST_STATE, self._hear)
        mcu.start()
        story.step("MCU", "simulated MCU waits on %s" % mcu.path)
        try:
            async with self._agent(app.root, mcu.path):
                await self._until(lambda: self._has_heard(InfoSent), "the module asks the MCU who it is")
                story.step("MCU", "the module asked who it is and was told: product %s" % schema.product_key)
                await self._until(lambda: self._knows_online(), "the MCU is told that the module is online")
                story.step("MCU", "the module's status word says: logged in to the cloud")
                device = await self._bind(cloud, app, product.product_key)
                await self._play(app, mcu, device["did"])
                story.text(_summary(story.steps))
                if not self._arguments.once:
                    await self._stay(app, device["did"], mcu.path, "power")
        finally:
            mcu.stop()

    async def _play(self, app: OpenApiClient, mcu: SimulatedMcu, did: str) -> None:
        story = self._story
        mcu.set(child_lock=True)
        await self._until_attrs(app, did, {"child_lock": 1, "water_out": 31})
        story.step("app", "reads what the MCU reported when its lock was pressed: child_lock = 1, water_out = 31")
        await app.control(did, ORDER)
        await self._until(lambda: self._was_controlled(ORDER), "the MCU gets the control")
        story.step("MCU", "was controlled: %s" % _shown(ORDER))
        await self._until_attrs(app, did, {"target_temp": 45.5, "mode": "heat"})
        story.step("app", "sees the new state that the MCU reported back: %s" % _shown(ORDER))
        story.text("          the MCU raises an alert (the protocol lets it report what it measures every 6 s) ...")
        mcu.set(alert_frost=True)
        await self._until_attrs(app, did, {"alert_frost": 1})
        story.step("app", "sees the alert that the MCU raised: alert_frost = 1")

    async def _with_hardware(self, cloud: Cloud, app: OpenApiClient) -> None:
        arguments = self._arguments
        if self._definition is not None:
            product = cloud.add_product(self._definition, arguments.secret or DEMO_SECRET)
            self._story.step("cloud", 'product "%s" added' % product.name)
        async with self._agent(app.root, arguments.port):
            self._story.text("waiting for an MCU on %s at %d baud ..." % (arguments.port, arguments.baud))
            agent = self._gateway.runners[0].agent
            patience = arguments.patience or PATIENCE_WITH_HARDWARE_S
            is_there = "an MCU answers on %s" % arguments.port
            await self._until(lambda: agent.snapshot()["state"] == "run", is_there, patience)
            seen = agent.snapshot()
            self._story.step("module", "the MCU told who it is: product %s" % seen["product_key"])
            self._check_product(seen["product_key"])
            device = await self._bind(cloud, app, seen["product_key"])
            await app.control_raw(device["did"], b"\x02")
            answer = await self._until_message(app, device["did"])
            self._story.step("app", "asked for the state, the MCU answered: %s" % self._decoded(answer))
            self._story.text(_summary(self._story.steps))
            if not arguments.once:
                await self._stay(app, device["did"], arguments.port, "")

    async def _bind(self, cloud: Cloud, app: OpenApiClient, product_key: str) -> dict[str, Any]:
        product = cloud.store.products.get(product_key)
        assert product is not None
        agent = self._gateway.runners[0].agent
        # The broker answers the module first, and tells the cloud then.
        await self._until(lambda: bool(cloud.sessions.is_online(agent.snapshot()["did"])), "the device is online")
        mac = agent.snapshot()["mac"]
        await app.create_user("demo-phone")
        device = await app.bind(product_key, product.secret, mac)
        if not device["is_online"]:
            raise NotSeen("the cloud shows the device as offline")
        self._story.step(
            "app", "user bound the device %s (mac %s): online, role %s" % (device["did"], mac, device["role"])
        )
        return device

    async def _stay(self, app: OpenApiClient, did: str, port: str, writable: str) -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        self._story.text(_next_commands(app, did, port, writable, self._log_path))
        told = len(self._heard)
        while not stop.is_set():
            for effect in self._heard[told:]:
                line = event_line(effect)
                if line:
                    self._story.event("MCU", line)
            told = len(self._heard)
            self._news.clear()
            _, pending = await asyncio.wait(
                [asyncio.create_task(stop.wait()), asyncio.create_task(self._news.wait())],
                return_when=asyncio.FIRST_COMPLETED,
            )
            for task in pending:
                task.cancel()
        self._story.text("stopping")

    @contextlib.asynccontextmanager
    async def _cloud(self) -> AsyncIterator[Cloud]:
        a = self._arguments
        cloud = make_cloud(self._folder / "cloud", a.http_port, a.mqtt_port, a.broker)
        await cloud.start()
        try:
            yield cloud
        finally:
            await cloud.stop()

    @contextlib.asynccontextmanager
    async def _agent(self, api: str, port: str) -> AsyncIterator[None]:
        with self._log_path.open("a", encoding="utf-8") as log:
            self._gateway = make_gateway(api, self._folder / "identity", port, self._arguments.baud, log)
            self._gateway.start()
            if not self._gateway.runners:
                raise NotSeen("the agent cannot start")
            try:
                yield
            finally:
                self._gateway.stop()

    # What was seen.

    def _hear(self, effect: Any) -> None:
        self._heard.append(effect)
        self._news.set()

    def _has_heard(self, kind: type) -> bool:
        return any(isinstance(effect, kind) for effect in self._heard)

    def _knows_online(self) -> bool:
        return any(isinstance(e, StatusChanged) and e.status & STATUS_CLOUD for e in self._heard)

    def _was_controlled(self, order: dict[str, Any]) -> bool:
        return any(isinstance(effect, Controlled) and effect.values == order for effect in self._heard)

    async def _until_attrs(self, app: OpenApiClient, did: str, wanted: dict[str, Any]) -> None:
        async def shown() -> bool:
            attrs = await app.attrs(did, self._began)
            return all(attrs.get(name) == value for name, value in wanted.items())

        await self._until(shown, "the cloud shows %s" % _shown(wanted))

    async def _until_message(self, app: OpenApiClient, did: str) -> bytes:
        """P0 of the first answer to a read or report that crossed the cloud."""
        found: list[bytes] = []

        async def came() -> bool:
            for message in await app.messages(did, self._began):
                envelope = wire.decode(bytes.fromhex(message["payload_bin"]))
                if message["type"] == "dev2app" and envelope.p0:
                    found.append(envelope.p0)
            return bool(found)

        await self._until(came, "the MCU answers a read")
        return found[0]

    def _check_product(self, product_key: str) -> None:
        given = self._definition and str(self._definition["product_key"]).lower()
        if given and given != product_key:
            raise NotSeen("--product is the definition of %s, the MCU is another product: give its own" % given)

    def _decoded(self, p0: bytes) -> str:
        if self._definition is None:
            return "%s (give its definition with --product to see attributes)" % p0.hex(" ")
        return _shown(Schema.from_definition(self._definition).decode(p0))

    async def _until(
        self, is_true: "Callable[[], bool | Awaitable[bool]]", what: str, patience: int | None = None
    ) -> None:
        """Returns when it is true; NotSeen when it did not become so in time."""
        patience = patience or self._patience
        deadline = time.monotonic() + patience
        while True:
            answer = is_true()
            if answer if isinstance(answer, bool) else await answer:
                return
            if time.monotonic() > deadline:
                raise NotSeen("did not happen in %d s: %s; the agent's log:\n%s" % (patience, what, self._tail()))
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                # What the cloud shows comes without an event: look again soon.
                await asyncio.wait_for(self._news.wait(), 0.05)

    def _tail(self) -> str:
        lines = self._log_path.read_text(encoding="utf-8").splitlines()
        return "\n".join(lines[-8:])

    def failed(self, error: Exception) -> None:
        self._story.failure(str(error))


def _shown(values: dict[str, Any]) -> str:
    return ", ".join("%s = %s" % (name, value) for name, value in values.items())


def _summary(steps: int) -> str:
    return "%d steps, each seen from its far end" % steps


def _next_commands(app: OpenApiClient, did: str, port: str, writable: str, log: Path) -> str:
    headers = "-H 'X-Gizwits-Application-Id: %s' -H 'X-Gizwits-User-token: %s'" % (app.app_id, app.token)
    lines = ["", "Everything keeps running until Ctrl-C. Try:", "  H=(%s)" % headers]
    lines.append('  curl "${H[@]}" %s/app/bindings' % app.root)
    lines.append('  curl "${H[@]}" %s/app/devdata/%s/latest' % (app.root, did))
    if writable:
        body = shlex.quote(json.dumps({"attrs": {writable: 0}}))
        lines.append('  curl "${H[@]}" -d %s %s/app/control/%s' % (body, app.root, did))
    lines += ["  tail -f %s        the agent's story; its serial line is %s" % (log, port), ""]
    return "\n".join(lines)
