"""Times as people write them: 500ms, 2s, 1.5s, 3m, 1h."""

import re

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}


class DurationError(Exception):
    """Text that is no time; it says what was expected."""


def parse_duration(text: str) -> int:
    """Milliseconds."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise DurationError("%s is no time, expected a number and ms, s, m or h, like 2s" % (text[:40] or "nothing"))
    return int(float(match[1]) * _UNITS[match[2]])
