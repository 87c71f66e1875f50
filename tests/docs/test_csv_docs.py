"""docs/csv.md is the promise made to those who cite the files: it is held to the code."""

import csv
import io
import re
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

import pytest

from monitor.analysis.events.event import EventState, Scope
from monitor.analysis.judge.rules.table import RULES
from monitor.analysis.verdict import Evidence, State
from monitor.export.csv import Kind, columns
from monitor.export.dictionary import write_dictionary
from probes.measurement import Purpose
from probes.vantage import VantageRole
from storage.values.rollup import DEFINITION, Period

TEXT = (Path(__file__).parents[2] / "docs" / "csv.md").read_text(encoding="utf-8")
ROW = re.compile(
    r"^\| `(?P<name>[^`]+)` \| (?P<unit>[^|]+) \| (?P<meaning>[^|]+) \|$", re.MULTILINE
)


def _documented(kind: Kind) -> list[tuple[str, str, str]]:
    (section,) = re.findall(rf"^## {kind}$(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    return ROW.findall(section)


@pytest.mark.parametrize("kind", Kind)
def test_every_column_is_documented_in_order(kind: Kind) -> None:
    """The data dictionary has exactly the columns of the file, in order, with their units."""
    written = [(column.name, column.unit) for column in columns(kind)]
    assert [(name, unit) for name, unit, _ in _documented(kind)] == written


@pytest.mark.parametrize("kind", Kind)
def test_every_column_has_a_meaning_and_a_name_of_its_own(kind: Kind) -> None:
    """Each meaning is a sentence, and no two columns of a file share a name."""
    rows = _documented(kind)
    assert rows
    assert all(meaning.endswith((".", "…")) and len(meaning) > 3 for *_, meaning in rows)
    assert len({name for name, *_ in rows}) == len(rows)


@pytest.mark.parametrize("kind", Kind)
def test_every_unit_is_explained_or_plain(kind: Kind) -> None:
    """Units are plain words, or explained under *The format*."""
    plain = {"text", "number", "bytes", "hex"}
    explained = set(re.findall(r"\*\*([^*]+)\*\*", TEXT.partition("## events")[0]))
    assert {column.unit for column in columns(kind)} <= plain | explained


def test_every_kind_has_a_section_and_an_example() -> None:
    """The document names each kind of file, and shows how to get it."""
    for kind in Kind:
        assert f"\n## {kind}\n" in TEXT
        assert f"shutwatch export csv {kind} " in TEXT


def test_every_method_a_rule_accuses_by_is_named() -> None:
    """The column lists the methods of all rules, and no other word but them."""
    (meaning,) = (meaning for name, _, meaning in _documented(Kind.VERDICTS) if name == "method")
    methods = {rule.method for rule in RULES if rule.method} | {"throttling"}
    assert set(re.findall(r"`([a-z_]+)`", meaning)) == methods


@pytest.mark.parametrize(
    ("kind", "column", "words"),
    [
        (Kind.MEASUREMENTS, "look", Purpose),
        (Kind.MEASUREMENTS, "vantage_role", VantageRole),
        (Kind.VERDICTS, "state", set(State) - {State.DEGRADED}),
        (Kind.VERDICTS, "evidence", Evidence),
        (Kind.EVENTS, "state", EventState),
        (Kind.AVAILABILITY, "period", Period),
        (Kind.EVENTS, "scope", Scope),
    ],
)
def test_every_word_a_cell_may_hold_is_named(
    kind: Kind, column: str, words: Iterable[StrEnum]
) -> None:
    """Columns with a fixed set of words list all of them."""
    (meaning,) = (meaning for name, _, meaning in _documented(kind) if name == column)
    assert {word.value for word in words} <= set(re.findall(r"`([a-z_]+)`", meaning))


@pytest.mark.parametrize("kind", Kind)
def test_the_shipped_dictionary_says_what_the_document_says(kind: Kind) -> None:
    """`shutwatch export dictionary` and docs/csv.md give each column the same meaning.

    A new column's meaning is also written to monitor/export/columns.csv.
    """
    shipped = {column.name: column.meaning for column in columns(kind)}
    assert {name: meaning for name, _, meaning in _documented(kind)} == shipped


def test_the_dictionary_is_a_csv_file_of_plain_sentences() -> None:
    """One row a column, in the order of the files, without Markdown."""
    out = io.StringIO(newline="")
    count = write_dictionary(out)
    header, *rows = csv.reader(io.StringIO(out.getvalue(), newline=""))
    assert header == ["file", "column", "unit", "meaning"]
    assert count == len(rows) == sum(len(columns(kind)) for kind in Kind)
    assert not [row for row in rows if re.search(r"`|\]\(", row[3])]
    assert ["events", "methods"] in [row[:2] for row in rows]


def test_availability_is_defined_in_one_sentence() -> None:
    """The document has the very sentence that every row carries."""
    assert f"    {DEFINITION}\n" in TEXT
