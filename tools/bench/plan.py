"""How much is measured."""

from typing import NamedTuple


class Plan(NamedTuple):
    """Sizes of one invocation; every figure has `runs` values."""

    runs: int
    stream_bytes: int  # of frames for one timing of the codec
    messages: int  # of each kind for one p50 and p99, after a fifth of them as a warm-up
    ports: int  # of the process that serves many
    settle_s: float  # from online until memory is read
    idle_s: float  # of one look at the CPU time
    rates: tuple[int, ...]  # reports a second that one port is offered
    rate_s: float  # of each of them
    away_s: float  # of the broker
    outage_ports: int  # that lose it together, each a value of its own
    busy_ports: int  # of the process that carries reports for many
    busy_s: float  # of its load


# Each timing of the codec takes about 0.1 s, and a p99 of 500 is the fifth worst.
FULL = Plan(
    runs=5,
    stream_bytes=400_000,
    messages=500,
    ports=8,
    settle_s=1.0,
    idle_s=6.0,
    rates=(1000, 3000, 4500, 6000, 9000, 15000),
    rate_s=1.0,
    away_s=3.0,
    outage_ports=4,
    busy_ports=64,
    busy_s=6.0,
)
# Every figure once, none of them worth anything: to see that the bench works.
QUICK = Plan(
    runs=1,
    stream_bytes=5_000,
    messages=10,
    ports=2,
    settle_s=0.05,
    idle_s=0.1,
    rates=(50, 100),
    rate_s=0.1,
    away_s=0.1,
    outage_ports=1,
    busy_ports=3,
    busy_s=0.2,
)
