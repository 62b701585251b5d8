"""What a process costs while nothing happens: memory of one port and of many, and CPU time."""

import time
from pathlib import Path

from agent import Memory, interpreter_memory, running_agent
from broker import Broker
from device_api import running_device_api
from figure import Baseline, Figure
from mcu import Mcu, mcus_on_ptys, serve
from plan import Plan


def measure(plan: Plan, product_key: str, broker: Broker, folder: Path) -> list[Figure]:
    """Memory and idle CPU of processes that are online."""
    bare, one, many, cpu = [], [], [], []
    with running_device_api(broker) as api:
        for run in range(plan.runs):
            bare.append(interpreter_memory())
            for found, count in ((one, 1), (many, plan.ports)):
                home = folder / ("%d-%d" % (run, count))
                home.mkdir()
                with mcus_on_ptys(product_key, count) as mcus, running_agent(home, api, mcus) as agent:
                    agent.wait_online(mcus)
                    _idle(mcus, plan.settle_s)
                    found.append(agent.memory())
                    if count == 1:
                        used, began = agent.cpu_ns(), time.monotonic_ns()
                        _idle(mcus, plan.idle_s)
                        cpu.append(100 * (agent.cpu_ns() - used) / (time.monotonic_ns() - began))
    ...
