"""What each rule of the tables means, and what would make it wrong.

The sentences stand in the tables themselves, in English. A translation is optional; a sentence
without one is shown in English and marked as such.
"""

from collections.abc import Mapping

from monitor.analysis.judge.rules.table import RULES
from monitor.analysis.throttling.rules_table import THROTTLING_RULES
from monitor.analysis.vantage.health import HEALTH_RULES
from monitor.wording.words import Words

_TABLES = (*RULES, *THROTTLING_RULES)
RULE_MEANINGS: Mapping[str, str] = {rule.id: rule.meaning for rule in _TABLES}
RULE_DOUBTS: Mapping[str, str] = {rule.id: rule.wrong_when for rule in _TABLES}
HEALTH_RULE_MEANINGS: Mapping[str, str] = {rule.id: rule.meaning for rule in HEALTH_RULES}


def rule_meaning(words: Words, rule: str) -> str:
    """What a rule means, as a sentence; a dash for a rule of another version."""
    return sentence(words, RULE_MEANINGS.get(rule, ""))


def rule_doubt(words: Words, rule: str) -> str:
    """What would make a rule wrong, without "if"; a dash for a rule of another version."""
    return sentence(words, RULE_DOUBTS.get(rule, ""))


def sentence(words: Words, text: str) -> str:
    """A sentence of a table in this language, else marked as English; a dash for none."""
    if not text:
        return "–"
    return words.gettext(text) if words.has(text) else words.english(text)
