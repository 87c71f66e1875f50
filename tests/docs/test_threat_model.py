"""docs/threat-model.md has each attacker, a whole row for each threat, and tests that exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from probes.layers.scrub import Scrubber
from tests.unit.probes.layers.test_address_writings import BEHIND_NAT, EXITS, comes_through
from tests.worlds.address_writings import BEYOND, ENCODINGS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/threat-model.md").read_text()
COLUMNS = ("threat", "defence", "test", "what remains")
ATTACKERS = (
    *("host", "network", "state CA", "seized device", "seized collector", "hostile agent"),
    *("hostile control", "stranger", "reader of published data"),
)


def _cells(line: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def _rows() -> list[dict[str, str]]:
    """The rows of all tables of threats."""
    lines = TEXT.split("## The rows")[1].splitlines()
    cells = [_cells(line) for line in lines if line.startswith("|")]
    return [
        dict(zip(COLUMNS, row, strict=True))
        for row in cells
        if row != list(COLUMNS) and not row[0].startswith("---")
    ]


ROWS = _rows()


@cache
def _tests_in(file: str) -> frozenset[str]:
    """Names of the test functions of a file, those in classes as `Class::function`."""
    tree = ast.parse((ROOT / file).read_text())
    found = {
        one.name for one in tree.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    found |= {
        f"{group.name}::{one.name}"
        for group in tree.body
        if isinstance(group, ast.ClassDef)
        for one in group.body
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    return frozenset(found)


def test_every_attacker_is_named_with_what_they_have_and_want() -> None:
    """The table of attackers has the nine, in order, and each has a heading below."""
    table = TEXT.split("## The attackers")[1].split("## ")[0]
    named = [_cells(line)[0] for line in table.splitlines() if line.startswith("|")]
    assert tuple(named[2:]) == ATTACKERS
    headings = re.findall(r"^### (.+)$", TEXT, re.MULTILINE)
    assert [heading.lower() for heading in headings] == [who.lower() for who in ATTACKERS]


@pytest.mark.parametrize("row", ROWS, ids=[row["threat"][:40] for row in ROWS])
def test_a_row_is_whole_and_its_tests_exist(row: dict[str, str]) -> None:
    """Every cell says something; every named test is a function in the file that is named."""
    assert all(row.values()), row
    named = re.findall(r"`([\w/]+\.py)::([\w:]+)`", row["test"])
    assert named, f"{row['test']!r} names no test as `file::function`"
    for file, function in named:
        assert (ROOT / file).is_file(), file
        assert function in _tests_in(file), f"{function} is not in {file}"


def test_every_attacker_has_threats() -> None:
    """Below each heading stands a table with a row, and every row stands below a heading."""
    sections = re.split(r"^### ", TEXT.split("## The rows")[1], flags=re.MULTILINE)
    counts = [sum(line.startswith("|") for line in one.splitlines()) - 2 for one in sections[1:]]
    assert min(counts) > 0
    assert sum(counts) == len(ROWS)


def test_the_ways_to_write_an_address_are_counted() -> None:
    """Both documents say how many come through, as the table of ways has it."""
    unknown = [
        one.name
        for one in ENCODINGS
        if comes_through(one, EXITS[one.version], Scrubber([BEHIND_NAT]))
    ]
    more = len(set(unknown) - set(BEYOND))
    assert f"removed in {len(ENCODINGS) - len(BEYOND)} ways" in TEXT
    assert (len(BEYOND), f"{more} more while the address is unknown" in TEXT) == (8, True)
    assert "Eight ways (" in TEXT
    assert f"Eight of {len(ENCODINGS)} tested ways" in (ROOT / "docs/risk.md").read_text()
