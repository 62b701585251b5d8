"""A small program, as a step of the chip's build takes and gives it, run on this interpreter."""

from collections.abc import Iterable


def ran(source: str, numbers: Iterable[int]) -> object:
    """What its function `run` gives for these numbers."""
    scope: dict = {}
    exec(source, scope)
    return scope["run"](numbers)
