"""What a process costs that serves many busy MCUs: each reports some times a second, in turn."""

import time
from pathlib import Path
from typing import Any

from agent import AgentProcess, running_agent
from broker import Broker
from client import Client
from device_api import running_device_api
from figure import Figure
from mcu import Mcu, mcus_on_ptys
from plan import Plan
from traffic import Traffic

from gagent import wire
from mcu_proto.datapoint import Schema

_PER_S = 6


def measure(plan: Plan, definition: dict[str, Any], broker: Broker, folder: Path) -> list[Figure]:
    """CPU time while the reports come, and how many of them do not arrive."""
    schema = Schema.from_definition(definition)
    with (
        running_device_api(broker) as api,
        mcus_on_ptys(schema.product_key, plan.busy_ports) as mcus,
        running_agent(folder, api, mcus) as agent,
        Client(broker, "bench", "dev2app/#") as app,
    ):
        agent.wait_online(mcus)
        load = _Load(schema, mcus, app)
        load.run(max(1, load.per_s // 2), agent)
        runs = [load.run(max(1, round(load.per_s * plan.busy_s)), agent) for _ in range(plan.runs)]
    name = "%d ports, %d reports/s each" % (plan.busy_ports, _PER_S)
    return [
        Figure(name + ", CPU", "% of a core", [cpu for cpu, _ in runs]),
        Figure(name + ", lost", "reports", [lost for _, lost in runs]),
    ]


class _Load:
    """MCUs that report in turn, evenly spread."""

    def __init__(self, schema: Schema, mcus: list[Mcu], app: Client) -> None:
        self.per_s = _PER_S * len(mcus)
        self._schema = schema
        self._mcus = mcus
        self._traffic = Traffic(mcus, app)
        self._sent = 0

    def run(self, count: int, agent: AgentProcess) -> tuple[float, float]:
        """(% of a core, reports lost) of that many."""
        # No two alike, whichever port they come from.
        p0s = [self._schema.encode_report({"energy": self._sent + i}) for i in range(count)]
        expected = {wire.encode(wire.CLOUD_REPORT, p0) for p0 in p0s}
        traffic = self._traffic
        traffic.forget()
        used, began = agent.cpu_ns(), time.monotonic()
        for i, p0 in enumerate(p0s):
            while (left := began + i / self.per_s - time.monotonic()) > 0:
                traffic.turn(left)
            turn, port = divmod(self._sent, len(self._mcus))
            self._mcus[port].report(p0, turn & 0xFF)
            self._sent += 1
        traffic.carry_until(lambda: traffic.arrived >= expected and len(traffic.acked_at) >= count)
        cpu = (agent.cpu_ns() - used) / 1e9 / (time.monotonic() - began)
        return 100 * cpu, float(len(expected - traffic.arrived))
