"""How trying a rule or a step ends: it returns what was measured, or raises one of these."""


class Broken(Exception):
    """The MCU broke the rule; the text says what was got and what was expected."""


class NotSeen(Exception):
    """There was nothing to judge; the text says why, and what would help."""
