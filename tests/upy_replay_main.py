"""Replays a transcript in a program that is built as a chip's is: the steps that make one small change it as a whole.

    micropython -m main TRANSCRIPT

`testkit.upy_replay` builds it, with this file for `board/main.py` and `upy_replay_agent.py` or `upy_replay_link.py` for
the start of the port. Prints one RESULT line; exits 1 when anything differs. Runs under CPython too.
"""

import json
import sys

from gagent_upy import start


def replay(file):
    """How many times something was expected, and what came instead the first time that it did not come."""
    give = start.make(json.loads(file.readline()))
    count = 0
    for line in file:
        row = json.loads(line)
        if "in" in row:
            found = give(row["in"][0], [_from_json(value) for value in row["in"][1:]], row["now"], row.get("with"))
            continue
        count += 1
        expected = (row["out"], row.get("next", found[1]))
        if found != expected:
            return count, "%d: got %s, expected %s" % (count, found, expected)
    return count, ""


def _from_json(value):
    if isinstance(value, dict) and "hex" in value:
        return bytes.fromhex(value["hex"])
    if isinstance(value, list):
        return [_from_json(item) for item in value]
    return value


with open(sys.argv[1]) as transcript:
    times, wrong = replay(transcript)
print("RESULT failed " + wrong if wrong else "RESULT ok transcript=%d" % times)
sys.exit(1 if wrong else 0)
