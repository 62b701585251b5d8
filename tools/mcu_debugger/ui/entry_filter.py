"""Which rows are wanted: a line of words, all of which must hold. Pure.

report target_temp      rows that hold both texts            cmd:05,06      these commands
-heartbeat              not those                            from:mcu       who sent it: mcu, module, line
error                   bad frames, repetitions, no ack      sn:17          this sn
rtt>50                  acks that took longer, in ms
"""

import re
from collections.abc import Callable

from .entry import ERRORS, Entry

Test = Callable[[Entry], bool]


class FilterError(Exception):
    """A word that means nothing; the text says what was expected."""


def parse_filter(text: str) -> Test:
    """The test of a filter line; an empty one wants everything. FilterError names the word that cannot be."""
    tests = [_parse_word(word) for word in text.lower().split()]
    return lambda entry: all(test(entry) for test in tests)


def _parse_word(word: str) -> Test:
    if word.startswith("-") and len(word) > 1:
        wanted = _parse_word(word[1:])
        return lambda entry: not wanted(entry)
    if word in ("error", "errors"):
        return lambda entry: entry.kind in ERRORS
    if word.startswith("rtt"):
        return _parse_rtt(word)
    key, colon, value = word.partition(":")
    if colon and key in _KEYS:
        return _KEYS[key](value)
    return lambda entry: word in entry.plain


def _parse_rtt(word: str) -> Test:
    match = re.fullmatch(r"rtt([<>])(\d+(?:\.\d+)?)", word)
    if match is None:
        raise FilterError("%s: expected rtt>50 or rtt<50, in ms" % word)
    limit = float(match[2]) * 1000
    is_over = match[1] == ">"

    def test(entry: Entry) -> bool:
        rtt = getattr(entry.event, "rtt_us", None)
        return rtt is not None and (rtt > limit if is_over else rtt < limit)

    return test


def _commands(value: str) -> Test:
    codes = value.split(",")
    if not all(re.fullmatch("[0-9a-f]{1,2}", code) for code in codes):
        raise FilterError("cmd:%s: expected hex commands, like cmd:05,06" % value)
    wanted = {code.rjust(2, "0") for code in codes}
    return lambda entry: entry.code in wanted


def _senders(value: str) -> Test:
    if value not in ("mcu", "module", "line"):
        raise FilterError("from:%s: expected from:mcu, from:module or from:line" % value)
    return lambda entry: entry.sender.lower() == value


def _sns(value: str) -> Test:
    if not value.isdecimal():
        raise FilterError("sn:%s: expected a number, like sn:17" % value)
    return lambda entry: entry.sn == value


_KEYS = {"cmd": _commands, "from": _senders, "sn": _sns}
