"""How wide a text is, and where it is broken."""

import pytest
import uharfbuzz
from hypothesis import given
from hypothesis import strategies as st

from monitor.charts.letters import families, font_files, lines, width

TEXTS = st.text(st.sampled_from("aWмжñ ا ب پ ے(1中"), max_size=60)


@pytest.mark.parametrize("word", ["پاکستان", "باكستان"])
def test_letters_of_arabic_script_are_joined(word: str) -> None:
    """A joined word is narrower than its letters."""
    assert width(word, 9) < 0.9 * sum(width(letter, 9) for letter in word)


def test_width_is_that_of_the_font() -> None:
    """In thousandths of its size, of two scripts together, and wider when bold."""
    assert width("A", 1000) == 639
    assert width("Aپ", 9) == pytest.approx(width("A", 9) + width("پ", 9))
    assert width("Open", 9, bold=True) > width("Open", 9)


def test_bold_fonts_have_the_characters_of_the_others() -> None:
    """A title lacks no letter that a label has."""
    known = dict[tuple[str, bool], set[int]]()
    for family, bold, file in font_files():
        face = uharfbuzz.Face(uharfbuzz.Blob.from_file_path(file))
        known[family, bold] = set(face.unicodes)
    for family in families(rtl=True):
        assert len(known[family, False]) > 50
        assert known[family, True] == known[family, False]


@given(text=TEXTS, room=st.floats(50, 300))
def test_lines_fit_and_lose_nothing(text: str, room: float) -> None:
    """Only spaces at which a line was broken are gone."""
    found = lines(text, 9, room)
    assert max(width(line, 9) for line in found) <= room
    said = "".join(found).replace(" ", "")
    assert said == text.replace(" ", "").replace("中", "[U+4E2D]")


def test_a_word_is_broken_only_where_it_is_wider_than_a_line() -> None:
    """Else lines end between words."""
    name = "Pakistan Telecommunication"
    assert lines(f"{name}\nAS1", 9, 100) == [*name.split(), "AS1"]
    assert lines(name, 9, 130) == [name]
    assert len(lines("W" * 40, 9, 100)) > 3
