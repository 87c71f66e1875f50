"""docs/scenarios.md says what the matrix says."""

from pathlib import Path

from tests.scenarios.matrix_table import SCENARIOS, render

DOCUMENT = Path(__file__).parents[2] / "docs" / "scenarios.md"


def test_document_is_fresh() -> None:
    """The committed document is what the matrix generates."""
    assert DOCUMENT.read_text() == render()


def test_every_scenario_is_in_it() -> None:
    """Each row of the matrix has a line of its own."""
    lines = DOCUMENT.read_text().splitlines()
    for row in SCENARIOS:
        assert len([line for line in lines if line.startswith(f"| `{row.name}` |")]) == 1
