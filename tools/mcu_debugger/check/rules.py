"""All rules, by id, in the order in which they are best tried: what restarts the MCU comes last."""

from .rule import Rule
from .rules_line import LINE_RULES
from .rules_management import MANAGEMENT_RULES
from .rules_p0 import P0_RULES
from .rules_reports import REPORT_RULES
from .rules_transfer import TRANSFER_RULES

RULES: dict[str, Rule] = {
    rule.id: rule for rule in (*LINE_RULES, *MANAGEMENT_RULES, *P0_RULES, *REPORT_RULES, *TRANSFER_RULES)
}
