"""What a process costs while nothing happens: memory of one port and of many, and CPU time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent import AgentProcess, Memory, interpreter_memory, running_agent
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
            home = folder / str(run)
            home.mkdir()
            with _online(home, api, product_key, 1) as (agent, mcus):
                _idle(mcus, plan.settle_s)
                one.append(agent.memory())
                used, began = agent.cpu_ns(), time.monotonic_ns()
                _idle(mcus, plan.idle_s)
                cpu.append(100 * (agent.cpu_ns() - used) / (time.monotonic_ns() - began))
            with _online(home, api, product_key, plan.ports) as (agent, mcus):
                _idle(mcus, plan.settle_s)
                many.append(agent.memory())
    return _figures(plan.ports, bare, one, many) + [Figure("CPU, idle, online, one port", "% of a core", cpu)]


@contextmanager
def _online(folder: Path, api: str, product_key: str, ports: int) -> Iterator[tuple[AgentProcess, list[Mcu]]]:
    with mcus_on_ptys(product_key, ports) as mcus, running_agent(folder, api, mcus) as agent:
        agent.wait_online(mcus)
        yield agent, mcus


def _idle(mcus: list[Mcu], seconds: float) -> None:
    """Let time pass; heartbeats are answered."""
    serve(mcus, lambda: False, seconds)


def _figures(ports: int, bare: list[Memory], one: list[Memory], many: list[Memory]) -> list[Figure]:
    figures = []
    for field, name in (("resident", "resident (RSS)"), ("proportional", "proportional (Pss)")):
        empty, single, full = ([getattr(memory, field) for memory in taken] for taken in (bare, one, many))
        base = Baseline("bare Python", empty)
        more = [(after - before) / (ports - 1) for before, after in zip(single, full, strict=True)]
        figures += [
            Figure("bare Python, %s" % name, "MB", empty),
            Figure("one port, %s" % name, "MB", single, base),
            Figure("%d ports, %s" % (ports, name), "MB", full, base),
            Figure("each further port, %s" % name, "MB", more),
        ]
    return figures
