"""docs/rules.md says what the tables say."""

from pathlib import Path

import pytest

from monitor.analysis.judge.rules.rule import Rule
from monitor.analysis.judge.rules.table import RULES
from monitor.analysis.rules_docs import render
from monitor.analysis.throttling.rules_table import THROTTLING_RULES, TransferRule
from monitor.analysis.vantage.health import HEALTH_RULES, HealthRule

DOCUMENT = Path(__file__).parents[2] / "docs" / "rules.md"


def test_document_is_fresh() -> None:
    """The committed document is what the tables generate."""
    assert DOCUMENT.read_text() == render()


ROWS: list[Rule | HealthRule | TransferRule] = [*RULES, *HEALTH_RULES, *THROTTLING_RULES]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_every_rule_is_explained(row: Rule | HealthRule | TransferRule) -> None:
    """Each rule has a row with its id, what it means and what would make it wrong."""
    line = next(
        line
        for line in DOCUMENT.read_text().splitlines()
        if line.startswith(f"| `{row.id}` ") and row.state.value in line and row.meaning in line
    )
    assert row.meaning.endswith(".")
    assert row.wrong_when.endswith(".")
    assert row.wrong_when in line
