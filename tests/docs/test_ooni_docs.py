"""docs/ooni.md names what there is, and claims nothing that is not."""

import re
from pathlib import Path

from monitor.analysis.judge.rules.table import RULES
from monitor.ooni.entries import BOGON_DIALLED
from monitor.ooni.ooni_format import TESTS

OONI = (Path(__file__).parents[2] / "docs/ooni.md").read_text(encoding="utf-8")


def test_every_test_that_is_imported_is_documented_and_no_other() -> None:
    """The first table has one row for each test."""
    assert set(re.findall(r"^\| `([a-z_]+)`", OONI, flags=re.MULTILINE)) == set(TESTS)


def test_every_rule_named_exists() -> None:
    """Words like `control.missing` are rules of the table."""
    rules = {rule.id for rule in RULES} | {"vantage.ok"}
    named = set(
        re.findall(r"`((?:control|vantage|http|endpoint|tls|dns|tcp|loss)\.[a-z_]+)`", OONI)
    )
    assert named
    assert named <= rules


def test_reason_of_dialled_bogons_is_documented() -> None:
    """It stands in what is kept."""
    assert f"`{BOGON_DIALLED}`" in OONI
