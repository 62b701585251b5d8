"""Prints the bytes of every file compiled for a chip, and of every profile, beside its budget (`make size`).

It lowers the budgets to them. A profile is less than its files: what it does not use is left out of it.

A budget only goes down by this command; a new file gets the size it has. To raise one, edit `mpy_budget.json` and say
in the commit why the bytes are worth their heap.
"""

import json
import sys
import tempfile
from pathlib import Path

from testkit import parts, upy

# The row of a profile: of everything that it delivers.
PROFILE = "profile %s"
BUDGET = Path(__file__).parent / "mpy_budget.json"


def main() -> int:
    reason = parts.missing("micropython")
    if reason:
        print("make size " + reason, file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        sizes = measured(Path(folder))
    budget = read_budget()
    print(table(sizes, budget))
    BUDGET.write_text(json.dumps(lowered(sizes, budget), indent=4) + "\n")
    return 1 if over(sizes, budget) else 0


def measured(folder: Path) -> dict[str, int]:
    """File or profile -> bytes; what is compiled goes into `folder`."""
    files = upy.file_sizes(folder / "files")
    return files | {PROFILE % name: size for name, size in upy.profile_sizes(folder).items()}


def read_budget() -> dict[str, int]:
    """File -> bytes; empty when there is none yet."""
    return json.loads(BUDGET.read_text()) if BUDGET.exists() else {}


def lowered(sizes: dict[str, int], budget: dict[str, int]) -> dict[str, int]:
    """The budget that these sizes leave: never higher than before, without the files that are gone."""
    return {name: min(size, budget.get(name, size)) for name, size in sorted(sizes.items())}


def over(sizes: dict[str, int], budget: dict[str, int]) -> list[str]:
    """A line for every file that is over its budget or has none."""
    lines = []
    for name, size in sorted(sizes.items()):
        if name not in budget:
            lines.append("%s has no budget: `make size` gives it one of %d bytes" % (name, size))
        elif size > budget[name]:
            lines.append("%s compiles to %d bytes, its budget is %d" % (name, size, budget[name]))
    return lines


def table(sizes: dict[str, int], budget: dict[str, int]) -> str:
    """Sizes and budgets for people."""
    rows = [(name, size, _beside(size, budget.get(name))) for name, size in sorted(sizes.items())]
    return "\n".join(["%-48s %6d  %s" % row for row in rows])


def _beside(size: int, limit: "int | None") -> str:
    if limit is None:
        return "new"
    if size > limit:
        return "over its budget of %d" % limit
    return "%d below its budget" % (limit - size) if size < limit else ""


if __name__ == "__main__":
    sys.exit(main())
