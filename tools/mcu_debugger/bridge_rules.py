"""Rules of the bridge: which frames it meddles with, and how. One rule a line:

    ACTION [VALUE] [from module|mcu] [cmd XX] [action XX] [chance N%] [nth N] [times N]

    drop                   the frame is not passed on          from     who sent it, else both
    delay TIME             it is passed on so much later       cmd      its command, in hex
    corrupt                one bit of it is turned over        action   the first byte of its P0, in hex
    cut                    only its first half is passed on    chance   of so many percent
    twice                  it is passed on twice               nth      every Nth that matches
    replace HEX            these bytes are passed on instead   times    so often, then no more

Pure; the dice are seeded, so that the same traffic meets the same fate.
"""

import random
from collections import namedtuple

from mcu_proto.const import CMD_P0_DOWN, CMD_P0_UP, MCU, MODULE, ack_of
from mcu_proto.frame import BadFrame, Frame

from .duration import DurationError, parse_duration
from .hexdump import HexError, parse_hex

# `value` is the ms of a delay, the bytes of a replacement, else None; None in a condition: whatever it is.
Rule = namedtuple("Rule", ("text", "action", "value", "sender", "cmd", "p0_action", "chance", "nth", "times"))
# What becomes of a frame: the rule that did it, the bytes that are passed on, and how many ms later.
Fate = namedtuple("Fate", ("rule", "pieces", "delay"))

ACTIONS = ("drop", "delay", "corrupt", "cut", "twice", "replace")
ENDS = {"module": MODULE, "mcu": MCU}
_WITH_P0 = (CMD_P0_DOWN, ack_of(CMD_P0_DOWN), CMD_P0_UP)


class RuleError(Exception):
    """A rule that cannot be; the text says what was expected."""


def parse_rule(words: list[str]) -> Rule:
    """The words of one rule."""
    if not words or words[0] not in ACTIONS:
        raise RuleError("expected a rule that begins with one of %s" % ", ".join(ACTIONS))
    action, *rest = words
    value: object = None
    if action in ("delay", "replace"):
        if not rest:
            raise RuleError("%s: expected %s" % (action, "a time like 200ms" if action == "delay" else "bytes in hex"))
        value = _value(action, rest.pop(0))
    conditions: dict = {}
    if len(rest) % 2:
        raise RuleError("%s: expected a condition and its value, like cmd 05" % rest[-1][:40])
    for name, text in zip(rest[::2], rest[1::2], strict=True):
        if name not in _CONDITIONS:
            raise RuleError("unknown condition %s, expected one of %s" % (name[:40], ", ".join(_CONDITIONS)))
        field, parse = _CONDITIONS[name]
        conditions[field] = parse(text)
    fields = dict.fromkeys(("sender", "cmd", "p0_action", "chance", "nth", "times")) | conditions
    return Rule(" ".join(words), action, value, **fields)


class Rulebook:
    """Rules in their order; the first that applies decides."""

    def __init__(self) -> None:
        # [rule, how many matched, how many it was applied to]
        self._rows: list[list] = []
        # Not for secrets: the same dice every time are the point.
        self._dice = random.Random(1)  # noqa: S311

    def add(self, rule: Rule) -> None:
        self._rows.append([rule, 0, 0])

    def remove(self, number: int) -> bool:
        """The rule of that number, from 1; False when there is none."""
        if not 1 <= number <= len(self._rows):
            return False
        del self._rows[number - 1]
        return True

    def rows(self) -> list[tuple]:
        """(number, text, applied so often)."""
        return [(str(i), rule.text, str(applied)) for i, (rule, _, applied) in enumerate(self._rows, 1)]

    def concerns(self, sender: int) -> bool:
        """True when any rule may touch what this end sends."""
        return any(rule.sender in (None, sender) for rule, _, _ in self._rows)

    def judge(self, sender: int, wire: bytes, item: object) -> Fate | None:
        """What becomes of a frame; None: it passes as it is."""
        for row in self._rows:
            rule = row[0]
            if not _matches(rule, sender, item) or (rule.times is not None and row[2] >= rule.times):
                continue
            row[1] += 1
            if rule.nth is not None and row[1] % rule.nth:
                continue
            if rule.chance is not None and self._dice.random() >= rule.chance:
                continue
            row[2] += 1
            delay = rule.value if rule.action == "delay" else 0
            return Fate(rule, self._pieces(rule, wire), delay)
        return None

    def _pieces(self, rule: Rule, wire: bytes) -> list[bytes]:
        if rule.action == "corrupt":
            # Not in the header: a frame that is not one would be noise.
            at = self._dice.randrange(2, len(wire)) if len(wire) > 2 else 0
            return [wire[:at] + bytes((wire[at] ^ 1 << self._dice.randrange(8),)) + wire[at + 1 :]]
        return {
            "drop": [],
            "delay": [wire],
            "cut": [wire[: len(wire) // 2]],
            "twice": [wire, wire],
            "replace": [rule.value],
        }[rule.action]


def _matches(rule: Rule, sender: int, item: object) -> bool:
    if rule.sender not in (None, sender) or not isinstance(item, Frame | BadFrame):
        return False
    if rule.cmd is not None and item.cmd != rule.cmd:
        return False
    if rule.p0_action is None:
        return True
    return isinstance(item, Frame) and item.cmd in _WITH_P0 and item.payload[:1] == bytes((rule.p0_action,))


def _value(action: str, text: str) -> object:
    try:
        return parse_duration(text) if action == "delay" else parse_hex(text)
    except (DurationError, HexError) as e:
        raise RuleError("%s: %s" % (action, e)) from None


def _end(text: str) -> int:
    if text not in ENDS:
        raise RuleError("from %s: expected module or mcu" % text[:40])
    return ENDS[text]


def _byte(text: str) -> int:
    try:
        number = int(text, 16)
    except ValueError:
        number = -1
    if not 0 <= number <= 0xFF:
        raise RuleError("%s is no byte, expected two hex digits" % text[:40])
    return number


def _percent(text: str) -> float:
    if not text.endswith("%") or not text[:-1].isdecimal() or not 0 < int(text[:-1]) <= 100:
        raise RuleError("%s is no chance, expected one like 10%%" % text[:40])
    return int(text[:-1]) / 100


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise RuleError("%s is no number over 0" % text[:40])
    return int(text)


_CONDITIONS = {
    "from": ("sender", _end),
    "cmd": ("cmd", _byte),
    "action": ("p0_action", _byte),
    "chance": ("chance", _percent),
    "nth": ("nth", _count),
    "times": ("times", _count),
}
