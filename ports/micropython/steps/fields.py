"""Which place each field has in plain tuples: the same one in every tuple that has a field of that name.

So `item.frame` is `item[2]` whichever of several kinds `item` is. Place 0 is the number of the kind. A tuple is as long
as the highest place in it, and what is not its own in between is None.
"""

from collections import defaultdict
from collections.abc import Iterable

# Heap comes in blocks of so many words, of which a tuple takes two for itself.
_WORDS = 4
_HEAD = 2


def places_of(kinds: "Iterable[list[str]]", before: "Iterable[tuple[str, str]]" = ()) -> "dict[str, int]":
    """Field -> place, from 1 on, of kinds of tuples with these fields.

    `before` are pairs of fields of one kind of which the first must have the lower place, so that a display evaluates
    what it is made of in the order of the call that it stands for; ValueError when that cannot be.
    """
    kinds = list(kinds)
    laying = _Laying(kinds, set(before))
    order = list(dict.fromkeys(name for fields in kinds for name in fields))
    places = laying.laid(order)
    # Whoever gains by it comes first.
    better = True
    while better:
        better = False
        for name in list(order):
            other = [name, *(item for item in order if item != name)]
            tried = laying.laid(other)
            if laying.cost(tried) < laying.cost(places):
                order, places, better = other, tried, True
    return places


class _Laying:
    """Lays fields, one after the other, each to its lowest free place."""

    def __init__(self, kinds: "list[list[str]]", before: "set[tuple[str, str]]") -> None:
        self._kinds = kinds
        self._near: defaultdict[str, set[str]] = defaultdict(set)
        self._lower: defaultdict[str, set[str]] = defaultdict(set)
        for fields in kinds:
            for name in fields:
                self._near[name] |= set(fields) - {name}
        for first, second in before:
            self._lower[second].add(first)

    def laid(self, order: "list[str]") -> "dict[str, int]":
        """In this order, but what must be lower before what must be higher."""
        places: dict[str, int] = {}
        under_way: list[str] = []
        for name in order:
            self._lay(name, places, under_way)
        return places

    def cost(self, places: "dict[str, int]") -> "tuple[int, int]":
        """Blocks of heap of one tuple of each kind, and their words."""
        words = [_HEAD + 1 + max((places[name] for name in fields), default=0) for fields in self._kinds]
        return sum((size + _WORDS - 1) // _WORDS for size in words), sum(words)

    def _lay(self, name: str, places: "dict[str, int]", under_way: "list[str]") -> None:
        if name in places:
            return
        if name in under_way:
            names = ", ".join(under_way[under_way.index(name) :])
            raise ValueError("fields are evaluated in contrary orders, %s: give one another name" % names)
        under_way.append(name)
        for other in sorted(self._lower[name]):
            self._lay(other, places, under_way)
        under_way.pop()
        place = max((places[other] for other in self._lower[name]), default=0) + 1
        taken = {places[other] for other in self._near[name] if other in places}
        while place in taken:
            place += 1
        places[name] = place
