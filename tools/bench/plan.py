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


# Each timing of the codec takes about 0.1 s, and a p99 of 500 is the fifth worst.
FULL = Plan(runs=5, stream_bytes=400_000, messages=500, ports=8, settle_s=1.0, idle_s=6.0)
# Every figure once, none of them worth anything: to see that the bench works.
QUICK = Plan(runs=1, stream_bytes=5_000, messages=10, ports=2, settle_s=0.05, idle_s=0.1)
