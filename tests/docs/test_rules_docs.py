"""docs/rules.md says what the tables say."""

from pathlib import Path

import pytest

from monitor.analysis.health import HEALTH_RULES
from monitor.analysis.rules import RULES
from monitor.analysis.rules_docs import render

DOCUMENT = Path(__file__).parents[2] / "docs" / "rules.md"


def test_document_is_fresh() -> None:
    """The committed document is what the tables generate."""
    assert DOCUMENT.read_text() == render()


@pytest.mark.parametrize("rule", [*RULES, *HEALTH_RULES], ids=lambda rule: rule.id)
def test_every_rule_is_explained(rule: object) -> None:
    """Each rule has a row with its id, what it means and what would make it wrong."""
    row = next(r for r in (*RULES, *HEALTH_RULES) if r is rule)
    line = next(
        line
        for line in DOCUMENT.read_text().splitlines()
        if line.startswith(f"| `{row.id}` ") and row.state.value in line and row.meaning in line
    )
    assert row.meaning.endswith(".")
    assert row.wrong_when.endswith(".")
    assert row.wrong_when in line
