"""The mutation score of each file and the names of what survived, from what mutmut prints:

    mutmut results --all true | python tests/mutation_score.py

Exits 1 when the whole score is under LEAST. `mutmut show NAME` prints what a mutant changed.
"""

import sys
from collections import Counter

LEAST = 95
# What does not end is seen by whoever waits for it.
KILLED = ("killed", "timeout")


def read(lines):
    """{file: Counter of outcomes} and the names of the survivors."""
    files = {}
    survivors = []
    for line in lines:
        name, mark, outcome = line.strip().partition(": ")
        if not mark:
            continue
        file = "/".join(name.split(".")[:-1]) + ".py"
        files.setdefault(file, Counter())["killed" if outcome in KILLED else outcome] += 1
        if outcome not in KILLED:
            survivors.append("%s: %s" % (name, outcome))
    return files, survivors


def score(outcomes):
    """Percent killed."""
    return 100 * outcomes["killed"] / outcomes.total()


def main():
    files, survivors = read(sys.stdin)
    if not files:
        sys.exit("no results: run mutmut first")
    print("\n".join(survivors), end="\n\n")
    print("%-34s %8s %8s %9s %7s" % ("file", "mutants", "killed", "survived", "score"))
    for file, outcomes in [*sorted(files.items()), ("all", sum(files.values(), Counter()))]:
        total = outcomes.total()
        print(
            "%-34s %8d %8d %9d %6.1f%%" % (file, total, outcomes["killed"], total - outcomes["killed"], score(outcomes))
        )
    return score(sum(files.values(), Counter())) < LEAST


if __name__ == "__main__":
    sys.exit(main())
