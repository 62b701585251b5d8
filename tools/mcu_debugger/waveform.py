"""Values over time for a simulated appliance: what a sensor shows while nobody types.

    sine LOW HIGH PERIOD      ramp LOW HIGH PERIOD      square LOW HIGH PERIOD      walk LOW HIGH STEP
    ... every TIME            how often the value is set anew, 1 s unless said

A random walk is the same in every run: its dice are seeded by the attribute's name. Pure: time comes in as `now`.
"""

import math
import random
from collections import namedtuple
from collections.abc import Callable, Iterable

from mcu_proto.datapoint import Attr, Schema
from mcu_proto.errors import AttrError

from .duration import DurationError, parse_duration

# `period` is in ms; of a walk it is the largest step, in the attribute's own unit.
Wave = namedtuple("Wave", ("name", "shape", "low", "high", "period", "every"))

EVERY = 1000
USAGE = "NAME sine|ramp|square LOW HIGH PERIOD, or NAME walk LOW HIGH STEP, each with [every TIME]"


class WaveError(Exception):
    """A waveform that cannot be; the text says what was expected."""


def parse_wave(words: list[str], schema: Schema) -> Wave:
    """NAME SHAPE LOW HIGH PERIOD [every TIME], checked against the product; AttrError or WaveError."""
    every = EVERY
    if len(words) > 2 and words[-2] == "every":
        every = _duration(words[-1])
        words = words[:-2]
    if len(words) != 5:
        raise WaveError("expected " + USAGE)
    name, shape, low, high, last = words
    if shape not in SHAPES and shape != "walk":
        raise WaveError("unknown shape %s, expected one of %s, walk" % (shape[:40], ", ".join(SHAPES)))
    attr = schema.attr(name)
    if attr.data_type == "binary":
        raise AttrError(name, "is binary, a waveform needs a number")
    low_end, high_end = _number(low), _number(high)
    for end in (low_end, high_end):
        # Refused now, not while it plays.
        schema.encode_report({name: in_type_of(attr, end)})
    period = _number(last) if shape == "walk" else _duration(last)
    if period <= 0 or every <= 0:
        raise WaveError("expected a period, a step and a time over 0")
    return Wave(name, shape, low_end, high_end, period, every)


def parse_waves(text: str, schema: Schema) -> list[Wave]:
    """A file of waveforms, one a line, `#` begins a comment; WaveError or AttrError names the line."""
    waves = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            waves.append(parse_wave(words, schema))
        except (WaveError, AttrError) as e:
            raise WaveError("line %d: %s" % (number, e)) from None
    return waves


class Waves:
    """What plays now, one waveform an attribute."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        # Name -> [wave, began at, due at, dice, where the walk is].
        self._playing: dict[str, list] = {}

    def play(self, wave: Wave, now: int) -> None:
        """From now on, in place of what the attribute played."""
        # Not for secrets: the same walk every time is the point.
        dice = random.Random(wave.name)  # noqa: S311
        self._playing[wave.name] = [wave, now, now, dice, (wave.low + wave.high) / 2]

    def stop(self, names: Iterable[str]) -> None:
        for name in names:
            self._playing.pop(name, None)

    def names(self) -> list[str]:
        return list(self._playing)

    def due_values(self, now: int) -> dict:
        """The values that are to be set now."""
        values = {}
        for name, state in self._playing.items():
            wave, began, due, dice, at = state
            if now < due:
                continue
            if wave.shape == "walk":
                state[4] = at = min(max(at + dice.uniform(-wave.period, wave.period), wave.low), wave.high)
            else:
                phase = (now - began) % wave.period / wave.period
                at = wave.low + (wave.high - wave.low) * SHAPES[wave.shape](phase)
            values[name] = in_type_of(self._schema.attr(name), at)
            # From the beginning, so that lateness does not add up.
            state[2] = began + ((now - began) // wave.every + 1) * wave.every
        return values

    def next_timeout(self) -> "int | None":
        return min((state[2] for state in self._playing.values()), default=None)


def in_type_of(attr: Attr, value: float) -> object:
    """A number as the attribute takes it: bools and enums only have whole ones."""
    return round(value) if attr.data_type in ("bool", "enum") else "%.6f" % value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise WaveError("%s is no number" % text[:40]) from None


def _duration(text: str) -> int:
    try:
        return parse_duration(text)
    except DurationError as e:
        raise WaveError(str(e)) from None


# Name -> phase 0 to 1 becomes height 0 to 1; a sine begins in the middle and rises.
SHAPES: dict[str, Callable[[float], float]] = {
    "sine": lambda phase: 0.5 + 0.5 * math.sin(2 * math.pi * phase),
    "ramp": lambda phase: phase,
    "square": lambda phase: 1.0 if phase < 0.5 else 0.0,
}
