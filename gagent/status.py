"""The signal level of the module status word. Serial manual, chapter 4.2."""

# The lowest percentage of each level from 1 to 7.
_LEVELS = (1, 20, 40, 50, 60, 70, 80)


def signal_bits(percent) -> int:
    """Bits 8 to 10 of the status word for a signal strength in percent."""
    level = 0
    for floor in _LEVELS:
        if percent >= floor:
            level += 1
    return level << 8
