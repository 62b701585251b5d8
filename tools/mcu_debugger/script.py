"""A script for a role: lines that act and lines that wait for the other end, one after the other.

    set power on mode heat              at once; any command of the role's console
    after 2s set water_in 31.5          2 s after the line before was done
    every 500ms time                    again and again from now on, the first time after 500 ms; the next line follows
    expect power true within 10s        waits until the attribute has that value, however it came by it
    expect online within 60s            waits for a fact of the role: of `sim`, the module is in the cloud
    quit                                ends; without it the role goes on after the last line

`#` begins a comment. An `expect` that is not met in time ends the run with exit code 1. Pure: time comes in as `now`.
"""

import shlex
from collections import namedtuple
from typing import Any

from mcu_proto.datapoint import Schema
from mcu_proto.errors import AttrError

from .commands import QUIT, Call, CommandError, parse_command, parse_values
from .duration import DurationError, parse_duration
from .view import value_text

# One line: wait until it is so or the time is over, then do. `call` is None for an expectation; `name` is an attribute
# or one of the role's facts, `value` what is expected of it, None for a fact that must be true.
Step = namedtuple("Step", ("line", "kind", "time", "call", "name", "value"))


class ScriptError(Exception):
    """A line that cannot work; the text names it."""


def parse_script(text: str, schema: Schema | None, commands: dict, facts: tuple) -> list[Step]:
    """The steps of a script, checked against the role and the product; ScriptError names the first bad line."""
    steps = []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.partition("#")[0].strip()
        if not line:
            continue
        try:
            steps.append(_parse_line(number, line, schema, commands, facts))
        except (CommandError, AttrError) as e:
            raise ScriptError("line %d: %s: %s" % (number, line[:60], e)) from None
    return steps


class ScriptRun:
    """Performs the steps on a player; `result` is None until the script ends it, then the exit code."""

    def __init__(self, steps: list[Step], player: Any) -> None:
        self.result: int | None = None
        self._steps = steps
        self._player = player
        self._at = 0
        self._since = 0
        self._repeats: list = []

    def start(self, now: int) -> tuple:
        """Perform what is due at once: (effects, outputs), like every input."""
        self._since = now
        return self.advance(now)

    def advance(self, now: int) -> tuple:
        """Go as far as time and the simulator's state allow; call it after every event and timeout."""
        effects: list = []
        outputs: list = []
        for i, (due, step) in enumerate(self._repeats):
            if now >= due:
                self._repeats[i] = (now + step.time, step)
                self._perform(step, now, effects, outputs)
        while self.result is None and self._at < len(self._steps):
            step = self._steps[self._at]
            if not self._DO[step.kind](self, step, now, effects, outputs):
                break
            self._at += 1
            self._since = now
        return effects, outputs

    def next_timeout(self) -> "int | None":
        """When `advance` has something to do for time's sake."""
        if self.result is not None:
            return None
        dues = [due for due, step in self._repeats]
        if self._at < len(self._steps):
            dues.append(self._since + self._steps[self._at].time)
        return min(dues, default=None)

    def unmet(self) -> int:
        """How many expectations are still open."""
        return sum(1 for step in self._steps[self._at :] if step.kind == "expect")

    def _after(self, step: Step, now: int, effects: list, outputs: list) -> bool:
        if now < self._since + step.time:
            return False
        self._perform(step, now, effects, outputs)
        return True

    def _every(self, step: Step, now: int, effects: list, outputs: list) -> bool:
        self._repeats.append((now + step.time, step))
        return True

    def _expect(self, step: Step, now: int, effects: list, outputs: list) -> bool:
        seen = self._is_seen(step)
        if seen:
            outputs.append("line %d: %s, as expected" % (step.line, _wish(step)))
        elif now >= self._since + step.time:
            outputs.append("line %d: expected %s within %d ms, not seen" % (step.line, _wish(step), step.time))
            self.result = 1
        return seen

    _DO = {"after": _after, "every": _every, "expect": _expect}

    def _is_seen(self, step: Step) -> bool:
        facts = self._player.facts()
        if step.name in facts:
            return bool(facts[step.name]) if step.value is None else facts[step.name] == step.value
        return step.name in self._player.values and self._player.values[step.name] == step.value

    def _perform(self, step: Step, now: int, effects: list, outputs: list) -> None:
        if step.call.name == QUIT:
            self.result = 0
            return
        done, said = step.call.run(self._player, step.call.argument, now)
        effects += done
        outputs += said


def _parse_line(number: int, line: str, schema: Schema | None, commands: dict, facts: tuple) -> Step:
    word, _, rest = line.partition(" ")
    if word == "expect":
        return _parse_expect(number, rest, schema, facts)
    if word not in ("after", "every"):
        return Step(number, "after", 0, parse_command(line, schema, commands), None, None)
    text, _, rest = rest.strip().partition(" ")
    time = _parse_duration(text)
    if word == "every" and time == 0:
        raise CommandError("expected a time over 0")
    return Step(number, word, time, parse_command(rest, schema, commands), None, None)


def _parse_expect(number: int, text: str, schema: Schema | None, facts: tuple) -> Step:
    words = _words(text)
    if len(words) < 3 or words[-2] != "within":
        raise CommandError("expected NAME VALUE within TIME, or %s within TIME" % " or ".join(facts))
    time = _parse_duration(words[-1])
    what: Call | None = None
    if words[0] in facts and len(words) in (3, 4):
        return Step(number, "expect", time, what, words[0], words[1] if len(words) == 4 else None)
    if len(words) != 4:
        raise CommandError("expected one NAME VALUE before within")
    if schema is None:
        raise CommandError("attributes need --product FILE")
    values = parse_values(words[:2], schema)
    # In the form in which the player holds it: a label for an index, a number for its text.
    value = schema.decode(schema.encode_report(values))[words[0]]
    return Step(number, "expect", time, what, words[0], value)


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as e:
        raise CommandError("%s: close the quotation mark" % e) from None


def _parse_duration(text: str) -> int:
    try:
        return parse_duration(text)
    except DurationError as e:
        raise CommandError(str(e)) from None


def _wish(step: Step) -> str:
    return step.name if step.value is None else "%s %s" % (step.name, value_text(step.value))
