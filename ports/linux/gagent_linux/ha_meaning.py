"""What a number measures, guessed from the definition's unit, else from the last word of the attribute's name.

The two tables are all there is to it: a wrong unit is worse than none, so only what leaves little doubt is in them.
"""

import re
from typing import NamedTuple


class Meaning(NamedTuple):
    """Unit, device class and state class in the words of Home Assistant."""

    unit: str
    device_class: str = ""
    state_class: str = "measurement"


_CELSIUS = Meaning("°C", "temperature")
_FAHRENHEIT = Meaning("°F", "temperature")
_ENERGY = Meaning("kWh", "energy", "total_increasing")

# In lower case.
_UNITS = {
    "℃": _CELSIUS,
    "°c": _CELSIUS,
    "℉": _FAHRENHEIT,
    "°f": _FAHRENHEIT,
    "%": Meaning("%"),
    "%rh": Meaning("%", "humidity"),
    "w": Meaning("W", "power"),
    "kw": Meaning("kW", "power"),
    "wh": Meaning("Wh", "energy", "total_increasing"),
    "kwh": _ENERGY,
    "v": Meaning("V", "voltage"),
    "mv": Meaning("mV", "voltage"),
    "a": Meaning("A", "current"),
    "ma": Meaning("mA", "current"),
    "hz": Meaning("Hz", "frequency"),
    "pa": Meaning("Pa", "pressure"),
    "kpa": Meaning("kPa", "pressure"),
    "bar": Meaning("bar", "pressure"),
    "s": Meaning("s", "duration"),
    "min": Meaning("min", "duration"),
    "h": Meaning("h", "duration"),
    "lx": Meaning("lx", "illuminance"),
}
_LAST_WORDS = {
    "temp": _CELSIUS,
    "temperature": _CELSIUS,
    "humidity": Meaning("%", "humidity"),
    "battery": Meaning("%", "battery"),
    "voltage": Meaning("V", "voltage"),
    "hz": Meaning("Hz", "frequency"),
    "kwh": _ENERGY,
}
# The last word of room_temp, roomTemp, RoomTEMP and temp alike.
_LAST_WORD = re.compile(r"([A-Z]?[a-z]+|[A-Z]+)$")


def meaning_of(name: str, unit: str) -> Meaning:
    """The meaning of the number `name`; one of no unit when there is no telling."""
    if unit:
        return _UNITS.get(unit.lower(), Meaning(unit))
    word = _LAST_WORD.search(name)
    return _LAST_WORDS.get(word[1].lower(), Meaning("")) if word else Meaning("")
