"""How soon a started process is of use: from its start until the MCU is told that its module is online.

Cold: without an identity, so it asks the MCU who it is, registers, asks for the broker, logs in and subscribes. Warm:
with the identity of the start before.
"""

from pathlib import Path

from agent import interpreter_start_ms, running_agent
from broker import Broker
from device_api import running_device_api
from figure import Baseline, Figure
from mcu import mcus_on_ptys
from plan import Plan


def measure(plan: Plan, product_key: str, broker: Broker, folder: Path) -> list[Figure]:
    """First byte, cold start and warm start, beside an interpreter that does nothing."""
    first, cold, warm, bare = [], [], [], []
    with running_device_api(broker) as api:
        # Not counted: the first one may have to compile.
        _start(product_key, api, _made(folder / "first"))
        for run in range(plan.runs):
            home = _made(folder / str(run))
            bare.append(interpreter_start_ms())
            heard, online = _start(product_key, api, home)
            first.append(heard)
            cold.append(online)
            warm.append(_start(product_key, api, home)[1])
    base = Baseline("bare Python start", bare)
    return [
        Figure("bare Python, start to end", "ms", bare),
        Figure("start to first serial byte", "ms", first, base),
        Figure("cold start to online", "ms", cold, base),
        Figure("warm start to online", "ms", warm, base),
    ]


def _start(product_key: str, api: str, folder: Path) -> tuple[float, float]:
    """Milliseconds from the start to (the first serial byte, the status word that says online)."""
    with mcus_on_ptys(product_key, 1) as mcus, running_agent(folder, api, mcus) as agent:
        agent.wait_online(mcus)
        mcu = mcus[0]
        return (mcu.first_heard_at - agent.started_at) / 1e6, (mcu.heard_at - agent.started_at) / 1e6


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
