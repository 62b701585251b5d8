"""Fills in the "out" lines of transcripts from what the code does now. Read the difference before it is committed.

.venv/bin/python tests/record_transcript.py tests/transcripts/agent_boot.jsonl ...
"""

import json
import sys
from pathlib import Path

import upy_runner


def main(paths: list[str]) -> int:
    if not paths:
        print(__doc__, file=sys.stderr)
        return 2
    for path in paths:
        lines = Path(path).read_text().splitlines()
        Path(path).write_text("".join(line + "\n" for line in recorded(lines)))
        print("recorded " + path)
    return 0


def recorded(lines: list[str]) -> list[str]:
    """The transcript with an "out" line after every "in" line; everything else stays as it is."""
    machine = upy_runner.make_machine(json.loads(lines[0]))
    out = [lines[0]]
    for line in lines[1:]:
        row = json.loads(line)
        if "in" in row:
            effects = upy_runner.give(machine, row)
            out += [line, json.dumps({"out": effects, "next": machine.next_timeout()})]
    return out


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
