"""Push rules and results as people write and read them, in the command and in the console.

window     02:00-05:00, in the cloud's day; it may span midnight
addresses  one a line, letters and digits
date       2027-01-31 or 2027-01-31T08:00
results    did,mac,state,percent,detail,at
"""

import csv
import datetime
import io
import re
from collections.abc import Iterable

from .ota_orders import OtaError
from .store.firmware import Firmware, PushRule
from .store.upgrades import Result

_COLUMNS = ("did", "mac", "state", "percent", "detail", "at")
# What begins so is a formula to a spreadsheet, and a device may say anything.
_FORMULA = ("=", "+", "-", "@")


def parse_window(text: str) -> tuple[int, int]:
    """First and last minute of the day, the same two for "": the whole day; OtaError when it is no window."""
    if not text:
        return 0, 0
    match = re.fullmatch(r"([01]?[0-9]|2[0-3]):([0-5][0-9])-([01]?[0-9]|2[0-3]):([0-5][0-9])", text)
    if match is None:
        raise OtaError("window %.30r: expected HH:MM-HH:MM such as 02:00-05:00" % text)
    first, first_minute, end, end_minute = (int(part) for part in match.groups())
    return first * 60 + first_minute, end * 60 + end_minute


def parse_addresses(text: str) -> tuple[str, ...]:
    """In lower case; OtaError when there are none, or what is none among them."""
    lines = text.split()
    if not lines or not all(re.fullmatch(r"[0-9A-Za-z]{1,32}", line) for line in lines):
        raise OtaError("addresses: expected one a line, letters and digits only such as 6CC7ECAABBCC")
    return tuple(line.lower() for line in lines)


def parse_date(text: str) -> float:
    """Unix seconds; OtaError when it is no date."""
    try:
        return datetime.datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        raise OtaError("date %.30r: expected 2027-01-31 or 2027-01-31T08:00" % text) from None


def standing(firmware: Firmware) -> str:
    """How far the trial is."""
    if firmware.verified_at is not None:
        return "verified"
    return "on trial with %s" % firmware.test_did if firmware.test_did else "not verified"


def rule_line(rule: PushRule) -> str:
    """A rule with its number and whether it runs."""
    return "  ".join(("rule %d" % rule.id, "running" if rule.is_running else "stopped", rule_words(rule)))


def rule_words(rule: PushRule) -> str:
    """Whom a rule is for, and when."""
    parts = ["%d %%" % rule.percent]
    if rule.from_versions:
        parts.append("from " + " or ".join(rule.from_versions))
    if rule.macs:
        parts.append("%d address%s" % (len(rule.macs), "" if len(rule.macs) == 1 else "es"))
    if rule.from_minute != rule.to_minute:
        parts.append("%02d:%02d-%02d:%02d" % (*divmod(rule.from_minute, 60), *divmod(rule.to_minute, 60)))
    parts.append("since " + _date(rule.starts_at))
    if rule.ends_at is not None:
        parts.append("until " + _date(rule.ends_at))
    return ", ".join(parts)


def table(results: Iterable[Result]) -> str:
    """The results as CSV."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_COLUMNS)
    for result in results:
        row = (result.did, result.mac, result.state, result.percent, result.detail, _date(result.at))
        writer.writerow("'" + cell if str(cell).startswith(_FORMULA) else cell for cell in map(str, row))
    return out.getvalue()


def _date(at: float) -> str:
    return datetime.datetime.fromtimestamp(at).isoformat(" ", "minutes")
