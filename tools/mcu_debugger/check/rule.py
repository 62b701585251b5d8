"""A rule of the serial manual that shows from the module's side, and how to try it."""

from collections import namedtuple

# `section` is where the manual says it, `text` the rule in one line, `probe(bench)` tries it: it returns what was
# measured ("" for nothing) or raises Broken or NotSeen. `kind`: ACTIVE, PASSIVE or SLOW.
Rule = namedtuple("Rule", ("id", "section", "text", "kind", "probe"))

ACTIVE = "active"
# Judges what was heard during the whole run, so it comes last.
PASSIVE = "passive"
# Takes minutes.
SLOW = "slow"
