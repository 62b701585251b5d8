"""How soon the modules are back when their broker was away: from its first word until the MCU is told.

Each wait is drawn at random, so every port of every run is a value of its own; each has a session and draws for itself.
"""

import time
from contextlib import ExitStack
from pathlib import Path

from agent import running_agent
from broker import Broker, running_broker
from device_api import running_device_api
from errors import BenchError
from figure import Figure
from mcu import PATIENCE_S, Mcu, mcus_on_ptys, serve
from plan import Plan

# The fourth wait is at most 16 s, and one that was begun before the return counts.
_RETURN_S = 60


def measure(plan: Plan, product_key: str, broker: Broker, folder: Path) -> list[Figure]:
    """Seconds, with a broker of the same kind that may be ended."""
    values = []
    for run in range(plan.runs):
        home = folder / str(run)
        home.mkdir()
        values += _outage(plan, product_key, broker.kind, home)
    return [Figure("broker away %.3g s, online after its return" % plan.away_s, "s", values)]


def _outage(plan: Plan, product_key: str, kind: str, folder: Path) -> list[float]:
    with ExitStack() as alive, mcus_on_ptys(product_key, plan.outage_ports) as mcus:
        broker = alive.enter_context(running_broker(kind, folder))
        with running_device_api(broker) as api, running_agent(folder, api, mcus) as agent:
            agent.wait_online(mcus)
            alive.close()
            back_at = time.monotonic() + plan.away_s
            if not serve(mcus, lambda: not any(mcu.online for mcu in mcus), PATIENCE_S):
                raise BenchError("the broker is away, and an MCU was not told within %d s" % PATIENCE_S)
            serve(mcus, lambda: False, back_at - time.monotonic())
            with running_broker(kind, folder, broker.port):
                return _returns(mcus)


def _returns(mcus: list[Mcu]) -> list[float]:
    began = time.perf_counter_ns()
    if not serve(mcus, lambda: all(mcu.online for mcu in mcus), _RETURN_S):
        raise BenchError("not online within %d s of the broker's return" % _RETURN_S)
    return [(mcu.online_at - began) / 1e9 for mcu in mcus]
