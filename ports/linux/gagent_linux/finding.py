"""What `gagent doctor` found out about one layer, and how it is shown."""

from typing import NamedTuple


class Finding(NamedTuple):
    """`fix` says what to do about a layer that fails; a layer without one works."""

    layer: str
    seen: str
    fix: str = ""

    def is_good(self) -> bool:
        return not self.fix


def describe(finding: Finding) -> str:
    """One line, and the fix below it."""
    word = "ok  " if finding.is_good() else "FAIL"
    line = "%s  %-12s %s" % (word, finding.layer, finding.seen)
    return line if finding.is_good() else "%s\n%20s%s" % (line, "-> ", finding.fix)
