"""What it costs a report to be on disk before its ack: both settings of `durability`, in turn.

to subscriber    just before the frame is written to the line -> the subscriber's recv returns
to its ack       the same -> the read that brings the ack returns
"""

import select
import time
from pathlib import Path
from typing import Any

from agent import ALWAYS, OFFLINE, running_agent
from broker import Broker
from client import Client
from device_api import running_device_api
from errors import BenchError
from figure import Baseline, Figure, quantile
from mcu import PATIENCE_S, Mcu, mcus_on_ptys
from plan import Plan

from gagent import wire
from mcu_proto.const import CMD_P0_UP, ack_of
from mcu_proto.datapoint import Schema

_WAYS = ("to subscriber", "to its ack")


def measure(plan: Plan, definition: dict[str, Any], broker: Broker, folder: Path) -> list[Figure]:
    """p50 of both ways with both settings."""
    schema = Schema.from_definition(definition)
    taken: dict[str, list[tuple[float, float]]] = {ALWAYS: [], OFFLINE: []}
    with running_device_api(broker) as api, Client(broker, "bench", "dev2app/#") as app:
        for _ in range(plan.runs):
            for setting, values in taken.items():
                home = folder / setting
                home.mkdir(exist_ok=True)
                with (
                    mcus_on_ptys(schema.product_key, 1) as mcus,
                    running_agent(home, api, mcus, setting) as agent,
                ):
                    agent.wait_online(mcus)
                    values.append(_medians(plan.messages, schema, mcus[0], app))
    return [figure for way, name in enumerate(_WAYS) for figure in _figures(name, way, taken)]


def _medians(count: int, schema: Schema, mcu: Mcu, app: Client) -> tuple[float, float]:
    warm_up = max(1, count // 5)
    reports = [schema.encode_report({"energy": i}) for i in range(warm_up + count)]
    taken = [_report(p0, i & 0xFF, mcu, app) for i, p0 in enumerate(reports)][warm_up:]
    return quantile([way[0] for way in taken], 0.5), quantile([way[1] for way in taken], 0.5)


def _report(p0: bytes, sn: int, mcu: Mcu, app: Client) -> tuple[float, float]:
    """Milliseconds (to the subscriber, to the ack), whichever comes first."""
    envelope = wire.encode(wire.CLOUD_REPORT, p0)
    ends: list[Mcu | Client] = [mcu, app]
    began = mcu.report(p0, sn)
    arrived_at = acked_at = 0
    while not (arrived_at and acked_at):
        readable = select.select(ends, (), (), PATIENCE_S)[0]
        if not readable:
            raise BenchError("a report did not arrive, or was not acked, within %d s" % PATIENCE_S)
        if mcu in readable and any(frame.cmd == ack_of(CMD_P0_UP) for frame in mcu.take()):
            acked_at = mcu.heard_at
        if app in readable and envelope in app.take():
            arrived_at = time.perf_counter_ns()
    return (arrived_at - began) / 1e6, (acked_at - began) / 1e6


def _figures(name: str, way: int, taken: dict[str, list[tuple[float, float]]]) -> list[Figure]:
    always, offline = ([values[way] for values in taken[setting]] for setting in (ALWAYS, OFFLINE))
    label = 'durability "%s", report ' + name + ", p50"
    return [
        Figure(label % OFFLINE, "ms", offline),
        Figure(label % ALWAYS, "ms", always, Baseline('"offline"', offline)),
    ]
