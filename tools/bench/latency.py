"""How long the agent takes to carry a message, one at a time: from the serial line to a subscriber and back.

    report     just before the frame is written to the line -> the subscriber's recv returns
    control    just before the publish -> the read that brings the last byte of the 03 frame returns
    answered   the same publish -> the app's recv returns with the 0x94 that the MCU's ack caused

The baseline is one message through the same broker without an agent, in the same run. One app publishes and subscribes
for all of them: the embedded broker has an account for one.
"""

import gc
from pathlib import Path
from typing import Any

from agent import AgentProcess, mac_of, running_agent
from broker import Broker
from client import Client
from device_api import did_of, running_device_api
from figure import Baseline, Figure, quantile
from mcu import Mcu, mcus_on_ptys
from plan import Plan

from gagent import topics, wire
from mcu_proto.const import CMD_P0_DOWN, CMD_P0_UP, ack_of
from mcu_proto.datapoint import Schema

_DID = did_of(mac_of(0))
_APP = "bench"
# Not a device of this broker's: the baseline's messages cross nobody else.
_BARE = topics.dev2app("0" * 22)


def measure(plan: Plan, definition: dict[str, Any], broker: Broker, folder: Path) -> list[Figure]:
    """p50 and p99 of reports and controls, and the CPU time of a report."""
    schema = Schema.from_definition(definition)
    with (
        running_device_api(broker) as api,
        mcus_on_ptys(schema.product_key, 1) as mcus,
        running_agent(folder, api, mcus) as agent,
        Client(broker, _APP, "dev2app/#") as app,
    ):
        agent.wait_online(mcus)
        crossing = _Crossing(schema, mcus[0], app)
        crossing.run(max(1, plan.messages // 5), agent)
        runs = [crossing.run(plan.messages, agent) for _ in range(plan.runs)]
    return _figures(runs)


class _Crossing:
    """Messages on their way across an agent that is online."""

    def __init__(self, schema: Schema, mcu: Mcu, app: Client) -> None:
        self._schema = schema
        self._mcu = mcu
        self._app = app

    def run(self, count: int, agent: AgentProcess) -> dict[str, list[float]]:
        """Milliseconds of `count` messages of each kind; "cpu" has the microseconds of CPU of a report."""
        # No two frames alike: the link takes a repeated one for a retransmission.
        reports = [self._schema.encode_report({"energy": i}) for i in range(count)]
        controls = [self._schema.encode_control({"timer": i % 1000}) for i in range(count)]
        gc.collect()
        gc.disable()
        try:
            bare = [self._bare(wire.encode(wire.CLOUD_REPORT, p0)) for p0 in reports]
            cpu = agent.cpu_ns()
            report = [self._report(p0, i & 0xFF) for i, p0 in enumerate(reports)]
            cpu = agent.cpu_ns() - cpu
            both = [self._control(p0, i) for i, p0 in enumerate(controls)]
        finally:
            gc.enable()
        return {
            "bare": bare,
            "report": report,
            "control": [taken for taken, _ in both],
            "answered": [answered for _, answered in both],
            "cpu": [cpu / 1000 / count],
        }

    def _bare(self, payload: bytes) -> float:
        began = self._app.publish(_BARE, payload)
        return (self._app.receive(payload) - began) / 1e6

    def _report(self, p0: bytes, sn: int) -> float:
        began = self._mcu.report(p0, sn)
        ended = self._app.receive(wire.encode(wire.CLOUD_REPORT, p0))
        self._mcu.wait_for(ack_of(CMD_P0_UP))
        return (ended - began) / 1e6

    def _control(self, p0: bytes, sn: int) -> tuple[float, float]:
        envelope = wire.encode(wire.CLOUD_CONTROL, p0, sn)
        began = self._app.publish(topics.app2dev(_DID, _APP), envelope)
        self._mcu.wait_for(CMD_P0_DOWN, p0)
        taken = self._mcu.heard_at
        answered = self._app.receive(wire.encode(wire.CLOUD_CONTROL_ACK, b"", sn))
        return (taken - began) / 1e6, (answered - began) / 1e6


_ROWS = (
    ("bare", "broker alone, publish to subscriber"),
    ("report", "report, last serial byte to subscriber"),
    ("control", "control, publish to last serial byte"),
    ("answered", "control, publish to its ack at the app"),
)
_SHARES = ((0.5, "p50"), (0.99, "p99"))


def _figures(runs: list[dict[str, list[float]]]) -> list[Figure]:
    figures = []
    for key, name in _ROWS:
        for share, label in _SHARES:
            values = [quantile(run[key], share) for run in runs]
            base = Baseline("broker alone %s" % label, [quantile(run["bare"], share) for run in runs])
            figures.append(Figure("%s, %s" % (name, label), "ms", values, None if key == "bare" else base))
    figures.append(Figure("CPU time of a report", "us", [run["cpu"][0] for run in runs]))
    return figures
