"""The effect of players that sit between two lines; those with one line have `SendSerial` of the link."""

from collections import namedtuple

# Write `data` to the line at whose far end `to` is; `is_new` is False for what came from the other line.
Forward = namedtuple("Forward", ("to", "data", "is_new"))
