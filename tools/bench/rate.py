"""How many reports a second one port takes, from an MCU that sends by the clock and waits for no ack.

    taken    reports a second from the first one's due time to the last one's ack
    kept     that is the rate offered, within a twentieth
    wait     from the moment a report is due to its ack; it grows while the line is held
    lost     acked and not arrived, or not acked at all

A real MCU would send again what is not acked within 200 ms. This one does not, so that whatever the agent drops shows.
"""

import time
from pathlib import Path
from typing import Any, NamedTuple

from agent import running_agent
from broker import Broker
from client import Client
from device_api import running_device_api
from figure import Figure
from mcu import Mcu, mcus_on_ptys
from plan import Plan
from traffic import Traffic

from gagent import wire
from mcu_proto.datapoint import Schema

# Reports due in the same millisecond leave in one write, so that the bench leaves the processor to the others.
_TICK_S = 0.001
_KEPT = 0.95


def measure(plan: Plan, definition: dict[str, Any], broker: Broker, folder: Path) -> list[Figure]:
    """The highest rate that is kept, what happens at the highest offered, and what is lost at all of them."""
    schema = Schema.from_definition(definition)
    with (
        running_device_api(broker) as api,
        mcus_on_ptys(schema.product_key, 1) as mcus,
        running_agent(folder, api, mcus) as agent,
        Client(broker, "bench", "dev2app/#") as app,
    ):
        agent.wait_online(mcus)
        source = _Source(schema, mcus[0], app)
        runs = [[source.step(rate, plan.rate_s) for rate in plan.rates] for _ in range(plan.runs)]
    most = "one port, %s reports/s offered" % format(plan.rates[-1], ",")
    return [
        Figure("one port, highest report rate kept", "reports/s", [_highest_kept(run) for run in runs]),
        Figure(most + ", taken", "reports/s", [run[-1].taken for run in runs]),
        Figure(most + ", longest wait", "ms", [run[-1].wait_ms for run in runs]),
        Figure("one port, lost at all rates", "reports", [sum(step.lost for step in run) for run in runs]),
    ]


class _Step(NamedTuple):
    rate: int
    taken: float
    wait_ms: float
    lost: int


class _Source:
    """One MCU, and the app that hears of its reports."""

    def __init__(self, schema: Schema, mcu: Mcu, app: Client) -> None:
        self._schema = schema
        self._mcu = mcu
        self._traffic = Traffic([mcu], app)
        self._made = 0

    def step(self, rate: int, seconds: float) -> _Step:
        """Offer so many reports a second for so long."""
        p0s = self._reports(max(1, round(rate * seconds)))
        expected = {wire.encode(wire.CLOUD_REPORT, p0) for p0 in p0s}
        traffic = self._traffic
        traffic.forget()
        began = time.monotonic()
        self._offer(p0s, began, rate)
        traffic.carry_until(lambda: len(traffic.acked_at) >= len(p0s) and len(traffic.arrived) >= len(p0s))
        waits = [at - began - i / rate for i, at in enumerate(traffic.acked_at)]
        return _Step(
            rate,
            len(waits) / (traffic.acked_at[-1] - began) if waits else 0.0,
            1000 * max(waits, default=0.0),
            len(expected - traffic.arrived) or len(p0s) - len(waits),
        )

    def _offer(self, p0s: list[bytes], began: float, rate: int) -> None:
        sent = 0
        while sent < len(p0s):
            due = min(len(p0s), int((time.monotonic() - began) * rate) + 1)
            if due > sent and not self._mcu.is_held():
                self._mcu.report_all(p0s[sent:due], sent)
                sent = due
            self._traffic.turn(_TICK_S)

    def _reports(self, count: int) -> list[bytes]:
        # No two alike in the whole stage.
        self._made += count
        return [self._schema.encode_report({"energy": i}) for i in range(self._made - count, self._made)]


def _highest_kept(run: list[_Step]) -> float:
    return max((step.rate for step in run if step.taken >= _KEPT * step.rate and not step.lost), default=0)
