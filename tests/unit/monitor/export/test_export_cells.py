"""Cells: what a spreadsheet would run does not run, and everything else stays what it was."""

import csv
import io
import math
import re
import unicodedata
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.export.cells import cell, text_cell


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        '=HYPERLINK("http://evil.example","x")',
        "=cmd|' /C calc'!A0",
        "  =1+1",
        "\u00a0\u3000=1+1",
        '"=1+1"',
        "'=1+1",
        " ' \" =1+1",
        "“=1+1”",
        "＝1+1",
        "＋1",
        "－1",
        "＠SUM(A1)",
        "−1",
        "\u200c=1+1",
    ],
)
def test_a_formula_becomes_text(text: str) -> None:
    """An apostrophe comes first, so the sign is not; taking it away gives the text back."""
    assert text_cell(text) == f"'{text}"


@pytest.mark.parametrize("lead", ["\t", "\r", "\n", "\r\n", "\x00", "\u200b", "\ufeff", "\u202e"])
def test_a_formula_behind_something_invisible_is_not_one(lead: str) -> None:
    """Tabs, line ends and invisible characters in front are written out, so the sign is inside."""
    assert re.fullmatch(r"(\\u[0-9a-f]{4})+=1\+1", text_cell(f"{lead}=1+1"))


def test_a_formula_behind_a_semicolon_is_text() -> None:
    """Where semicolons separate, the rest of a cell becomes a cell of its own."""
    assert text_cell("News; =1+1;-2") == "News;' =1+1;'-2"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x.com",
        "https://x.com/?a=1&b=-2",
        "dns_nxdomain_error",
        "AS17557 AS9541",
        "a, b - c = d @ e",
        "می\u200cخواهم",
        "हिन्\u200dदी",
        "😀👩\u200d👩\u200d👧 +1 later",
        "O'Brien",
        '"quoted"',
        "; and so on",
        "2024-02-17T12:00:00.000000Z",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    """URLs, names, other scripts and emoji are what they were."""
    assert text_cell(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\r\nc\td", r"a\u000ab\u000d\u000ac\u0009d"),
        ("nul\x00 esc\x1b[31m del\x7f nel\x85", r"nul\u0000 esc\u001b[31m del\u007f nel\u0085"),
        ("exe.\u202egpj", r"exe.\u202egpj"),
        ("\u2066a\u2069\u200e\u200f\u061c", r"\u2066a\u2069\u200e\u200f\u061c"),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
        ("line\u2028and\u2029", r"line\u2028and\u2029"),
        ("half\ud800", r"half\ud800"),
        ("tag\U000e0041", r"tag\U000e0041"),
    ],
)
def test_what_cannot_be_seen_is_written_out(text: str, shown: str) -> None:
    """Control and direction characters are shown as escapes instead of taking effect."""
    assert text_cell(text) == shown


ANY_TEXT = st.text(st.characters(), max_size=30) | st.text(
    "=+-@;'\" \t\r\n,\u202e\u200c＝a", max_size=12
)


@given(ANY_TEXT)
def test_no_text_gets_through_as_a_formula(text: str) -> None:
    """Whatever the text: its cell, and any part a semicolon cuts off, starts with no sign, and
    holds nothing that UTF-8 or a line-based tool trips over."""
    shown = text_cell(text)
    shown.encode("utf-8")
    for part in shown.split(";"):
        visible = part.strip().lstrip('"`´‘’“”«»\u200c\u200d \u00a0')
        assert not visible.startswith(tuple("=+-@＝＋－＠"))
    kept = {unicodedata.category(char) for char in shown} & {"Cc", "Zl", "Zp", "Cs"}
    assert not kept
    assert "\u202e" not in shown
    assert shown.splitlines() in ([shown], [])


@given(ANY_TEXT)
def test_rfc_4180_carries_any_cell(text: str) -> None:
    """Commas and quotes in a cell do not make it two: a reader gets the cell that was written."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(["before", text_cell(text), "after"])
    assert next(csv.reader(io.StringIO(out.getvalue()))) == ["before", text_cell(text), "after"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (-5, "-5"),
        (4294967295, "4294967295"),
        (0.0, "0.0"),
        (-0.105, "-0.105"),
        (0.1 + 0.2, "0.30000000000000004"),
        (math.inf, "inf"),
        (-math.inf, "'-inf"),
        (math.nan, "nan"),
        (datetime(2024, 2, 17, 12, 0, tzinfo=UTC), "2024-02-17T12:00:00.000000Z"),
    ],
)
def test_values_that_are_not_text(value: float | datetime | None, shown: str) -> None:
    """Numbers stay numbers, negative ones too; an infinite one, which is none, is text."""
    assert cell(value) == shown
