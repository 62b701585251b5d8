"""Runs the steps of a profile on a bench: one result after the other.

A step passes when it returns, fails on `Broken`, and is skipped on `NotSeen` or when it needs a person and there is
none.
"""

import contextlib
from collections import namedtuple
from collections.abc import Iterator
from typing import Protocol

from mcu_proto import const as c
from mcu_proto.datapoint import WRITABLE
from mcu_proto.errors import AttrError
from mcu_proto.frame import Frame

from ..view import value_text
from .attributes import control, is_same, read_values, schema_of
from .bench import Bench
from .profile import REQUESTS, Profile, Step
from .rule import SLOW
from .rules import RULES
from .verdict import Broken, NotSeen

# `section` is that of the manual, "" for a step of the person's own; `seconds` what it took.
Result = namedtuple("Result", ("name", "section", "text", "verdict", "detail", "seconds"))

PASS = "pass"  # noqa: S105 - a verdict, no password
FAIL = "FAIL"
SKIP = "skip"

# A real MCU may be booting when the test begins.
_ANSWER_WITHIN = 10_000
# Between two reads that wait for a value.
_READ_AGAIN = 200


class Person(Protocol):
    """Who stands at the bench; None where nobody does."""

    def tell(self, text: str) -> None: ...

    def ask(self, question: str) -> bool: ...


class Run:
    """`profile` on `bench`; `is_slow` also tries rules that take minutes."""

    def __init__(self, profile: Profile, bench: Bench, person: Person | None, is_slow: bool) -> None:
        self._profile = profile
        self._bench = bench
        self._person = person
        self._is_slow = is_slow
        self._before: dict | None = None

    def results(self) -> Iterator[Result]:
        """A result per step, as it is tried; after a failure nothing more when the profile says so."""
        first = self._try(Step("the MCU answers 01", "", "handshake", None, {}, {}, _ANSWER_WITHIN))
        yield first
        if first.verdict == FAIL:
            return
        try:
            for step in self._profile.steps:
                result = self._try(step)
                yield result
                if result.verdict == FAIL and self._profile.stop_at_failure:
                    return
        finally:
            self._restore()

    def _try(self, step: Step) -> Result:
        begin = self._bench.now()
        try:
            detail, verdict = self._do(step), PASS
        except Broken as e:
            detail, verdict = str(e), FAIL
        except NotSeen as e:
            detail, verdict = str(e), SKIP
        seconds = (self._bench.now() - begin) / 1000
        if step.kind == "rule":
            rule = RULES[step.value]
            return Result(rule.id, rule.section, rule.text, verdict, detail, seconds)
        return Result(step.name, "", step.name, verdict, detail, seconds)

    def _do(self, step: Step) -> str:
        if step.tell or step.kind == "ask":
            if self._person is None:
                raise NotSeen("needs a person")
            if step.tell:
                self._person.tell(step.tell)
        detail = self._KINDS[step.kind](self, step)
        if step.expect or step.between:
            detail = self._expect(step)
        return detail

    def _handshake(self, step: Step) -> str:
        until = self._bench.now() + step.within
        while True:
            with contextlib.suppress(Broken):
                self._bench.ask(c.CMD_GET_INFO, sn=0)
                return ""
            if self._bench.now() >= until:
                raise Broken(
                    "nobody answers 01 within %d s: are RX and TX crossed, is the ground common, is the speed right?"
                    % (step.within // 1000)
                )

    def _rule(self, step: Step) -> str:
        rule = RULES[step.value]
        if rule.kind == SLOW and not self._is_slow:
            raise NotSeen("takes minutes: --slow tries it")
        if self._before is None and self._bench.schema is not None:
            self._before = {}
            with contextlib.suppress(Broken, NotSeen):
                self._before = read_values(self._bench)
        return rule.probe(self._bench)

    def _set(self, step: Step) -> str:
        ack = control(self._bench, step.value)
        if ack.item.payload:
            raise Broken("the ack of a control has %d bytes of payload, expected none" % len(ack.item.payload))
        return "acked after %d ms" % ack.rtt

    def _status(self, step: Step) -> str:
        self._bench.ask(c.CMD_MODULE_STATUS, step.value.to_bytes(2, "big"))
        return ""

    def _request(self, step: Step) -> str:
        cmd = REQUESTS[step.value]
        found = self._bench.wait(
            lambda heard: isinstance(heard.item, Frame) and heard.item.cmd == cmd, step.within, self._bench.mark()
        )
        if found is None:
            raise Broken("no %02x came within %d ms" % (cmd, step.within))
        return "payload %s" % (found.item.payload.hex(" ") or "empty")

    def _ask(self, step: Step) -> str:
        if self._person is None or not self._person.ask(step.value):
            raise Broken("the person said no to: %s" % step.value)
        return "the person said yes"

    def _wait(self, step: Step) -> str:
        self._bench.listen(step.value)
        return ""

    def _expect(self, step: Step) -> str:
        until = self._bench.now() + step.within
        try:
            wanted = {name: _as_read(self._bench, name, value) for name, value in step.expect.items()}
            for name in step.between:
                schema_of(self._bench).attr(name)
        except AttrError as e:
            raise Broken(str(e)) from None
        while True:
            values = read_values(self._bench)
            wrong = _wrong(self._bench, values, wanted, step.between)
            if not wrong:
                return ", ".join("%s %s" % (name, value_text(values[name])) for name in (*wanted, *step.between))
            if self._bench.now() >= until:
                raise Broken("%s after %d ms" % (wrong, step.within))
            self._bench.listen(_READ_AGAIN)

    _KINDS = {
        "handshake": _handshake,
        "rule": _rule,
        "set": _set,
        "status": _status,
        "request": _request,
        "ask": _ask,
        "wait": _wait,
        "check": lambda self, step: "",
    }

    def _restore(self) -> None:
        """What the rules changed goes back to what it was."""
        schema = self._bench.schema
        if not self._before or schema is None:
            return
        names = {attr.name for attr in schema.attrs if attr.access == WRITABLE}
        before = {name: value for name, value in self._before.items() if name in names}
        beyond = schema.beyond_limits(before)
        with contextlib.suppress(Broken):
            control(self._bench, {name: value for name, value in before.items() if name not in beyond})
            self._bench.listen(_READ_AGAIN)


def _as_read(bench: Bench, name: str, value: object) -> object:
    """The value in the form in which it is read: a label for an index, bytes for hex."""
    schema = schema_of(bench)
    return schema.decode(schema.encode_report({name: value}))[name]


def _wrong(bench: Bench, values: dict, expect: dict, between: dict) -> str:
    schema = schema_of(bench)
    for name, wanted in expect.items():
        if not is_same(schema.attr(name), values.get(name), wanted):
            return "%s is %s, expected %s" % (name, value_text(values.get(name)), value_text(wanted))
    for name, (low, high) in between.items():
        value = values.get(name)
        if not isinstance(value, int | float) or not low <= value <= high:
            return "%s is %s, expected %s to %s" % (name, value_text(value), low, high)
    return ""
