"""What may be typed while listening, and between module and MCU. See `commands`."""

from mcu_proto.datapoint import Schema

from .bridge import Bridge
from .bridge_rules import ENDS, Rule, RuleError, parse_rule
from .commands import QUIT, Command, CommandError, Table, help_command, hex_words, no_words, quit_command
from .note_command import note_command


def _rule(words: list[str], schema: Schema | None) -> Rule:
    try:
        return parse_rule(words)
    except RuleError as e:
        raise CommandError(str(e)) from None


def _number(words: list[str], schema: Schema | None) -> int:
    if len(words) != 1 or not words[0].isdecimal():
        raise CommandError("expected the number of a rule, `rules` lists them")
    return int(words[0])


def _injection(words: list[str], schema: Schema | None) -> tuple:
    if len(words) < 2 or words[0] not in ENDS:
        raise CommandError("expected module or mcu, then bytes in hex")
    return ENDS[words[0]], hex_words(words[1:], schema)


def _add(bridge: Bridge, rule: Rule, now: int) -> tuple:
    bridge.rules.add(rule)
    return [], []


def _remove(bridge: Bridge, number: int, now: int) -> tuple:
    return [], [] if bridge.rules.remove(number) else ["? there is no rule %d" % number]


TAP_COMMANDS = {"note": note_command()}
TAP_COMMANDS["help"] = help_command(TAP_COMMANDS)
TAP_COMMANDS[QUIT] = quit_command()

BRIDGE_COMMANDS = {
    "rule": Command("rule ACTION [VALUE] [CONDITION VALUE ...]", "meddle with frames from now on", _rule, _add),
    "rules": Command(
        "rules",
        "the rules in force, and how often each was applied",
        no_words,
        lambda bridge, argument, now: ([], [Table(("number", "rule", "applied"), bridge.rules.rows())]),
    ),
    "unrule": Command("unrule NUMBER", "take a rule back", _number, _remove),
    "inject": Command(
        "inject module|mcu HEX",
        "send bytes to one end",
        _injection,
        lambda bridge, what, now: (bridge.inject(*what), []),
    ),
    "note": note_command(),
}
BRIDGE_COMMANDS["help"] = help_command(BRIDGE_COMMANDS)
BRIDGE_COMMANDS[QUIT] = quit_command()
