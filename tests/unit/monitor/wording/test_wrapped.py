"""Long lines are broken between words, below where their text begins."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.wording.wrapped import wrapped


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        ("short", ["short"]),
        ("one two three four five", ["one two three four", "five"]),
        ("  - one two three four", ["  - one two three", "    four"]),
        ("  how  a b c d e f g h", ["  how  a b c d e f g", "       h"]),
        ("  an indented line of text", ["  an indented line", "  of text"]),
        ("see https://example.org/a-b-c-d", ["see", "https://example.org/a-b-c-d"]),
    ],
)
def test_a_long_line_goes_on_below_its_text(line: str, lines: list[str]) -> None:
    """After a bullet or a label, and never in the middle of a word."""
    assert wrapped(line, 20).splitlines() == lines


@given(st.text("ab -", max_size=200), st.integers(20, 60))
def test_no_word_is_lost(line: str, width: int) -> None:
    """Whatever the line, the words are the same, and only a long word is wider than asked."""
    made = wrapped(line, width)
    assert made.split() == line.split()
    assert all(len(one) <= width or " " not in one.strip() for one in made.splitlines())
