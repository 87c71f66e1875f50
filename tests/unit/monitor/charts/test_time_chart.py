"""Charts: every text inside and on its own room, in both directions, of any span."""

import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import combinations
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from PIL import Image

from monitor.charts.letters import width
from monitor.charts.svg import png
from monitor.charts.time_chart import Bar, Key, Lane, Line, Mark, Panel, TimeChart, draw
from monitor.wording.languages import BY_CODE
from monitor.wording.words import words_in
from tests.properties import examples

START = datetime(2024, 2, 17, 12, 3, tzinfo=UTC)
SCRIPTS = "მაგთიკომი Բջջային בזק زونگ Ростелеком"
NAMES = ("Jazz", "W" * 27, *SCRIPTS.split(), "中国移动通信集团", "<b>&amp;\x00\u202e")
CODES = pytest.mark.parametrize("code", ["en", "ar", "es", "fa", "ru", "ur"])
TEXT = "{http://www.w3.org/2000/svg}text"
_MARKS = str.maketrans("", "", "\u2067\u2068\u2069")

Box = tuple[float, float, float, float]


def chart(span: timedelta = timedelta(days=3), rows: int = 9, since: datetime = START) -> TimeChart:
    """Lanes and lines with these names, all of them also in the legend."""
    until = since + span
    named = [f"{NAMES[row % len(NAMES)]}\nAS{64496 + row}" for row in range(rows)]
    mark = Mark(since + span * 0.3, since + span * 0.4)
    lanes = [Lane(name, [Bar(since, since + span / 2, "#b2182b")]) for name in named]
    shares = [(since, 1.0), (since + span / 4, None), (since + span / 2, 0.25)]
    return TimeChart(
        width=606,
        since=since,
        until=until,
        axis="UTC, 2024-02-17 12:03 to some other day",
        panels=[
            Panel(title=f"X: {'a long title ' * 12}", note="+ 3 more", lanes=lanes, marks=[mark]),
            Panel(title="X", lines=[Line("#1b6ca8", "1 2", shares)], marks=[mark]),
        ],
        legend=[Key(name.replace("\n", " "), "#1b6ca8", "") for name in named],
        credit="Data: somebody",
    )


def boxes(svg: str) -> tuple[Box, list[tuple[str, Box]]]:
    """The picture's own, and each text's, without the room below letters and above them."""
    root = ElementTree.fromstring(svg)  # noqa: S314 # our own
    _, _, wide, tall = map(float, root.attrib["viewBox"].split())

    def found() -> Iterator[tuple[str, Box]]:
        for one in root.iter(TEXT):
            text, size = (one.text or "").translate(_MARKS), float(one.attrib["font-size"])
            room = width(text, size, bold=one.get("font-weight") == "bold")
            assert float(one.attrib["textLength"]) == pytest.approx(room, abs=0.01)
            x, y = float(one.attrib["x"]), float(one.attrib["y"])
            yield text, (x, y - 0.75 * size, x + room, y + 0.22 * size)

    return (0, 0, wide, tall), list(found())


def check(svg: str) -> list[str]:
    """All texts, none of which leaves the picture or touches another."""
    picture, texts = boxes(svg)
    for text, box in texts:
        assert box[0] >= 0, text
        assert box[1] >= 0, text
        assert box[2] <= picture[2], text
        assert box[3] <= picture[3], text
    for (one, a), (other, b) in combinations(texts, 2):
        across = min(a[2], b[2]) - max(a[0], b[0])
        assert min(across, min(a[3], b[3]) - max(a[1], b[1])) <= 0, (one, other)
    return [text for text, _ in texts]


@CODES
@pytest.mark.parametrize("rows", [1, 3, 24])
def test_no_text_is_cut_or_touches_another(code: str, rows: int) -> None:
    """Titles, names, ticks and legend, also those with letters that no font has."""
    said = "".join(check(draw(chart(rows=rows), words_in(BY_CODE[code]))))
    if rows > 8:
        for part in ("W" * 20, *SCRIPTS.split(), "[U+4E2D]", "<b>&amp;[U+0000][U+202E]"):
            assert part in said.replace(" ", "")


@CODES
@given(
    span=st.timedeltas(timedelta(minutes=1), timedelta(days=20 * 366)),
    offset=st.timedeltas(timedelta(0), timedelta(days=3000)),
)
@settings(max_examples=examples(25), deadline=None)
def test_ticks_of_any_span_tell_their_moment(code: str, span: timedelta, offset: timedelta) -> None:
    """Two or more, apart from each other, and no label twice under the same day or year."""
    words = words_in(BY_CODE[code])
    one = chart(span, rows=1, since=START + offset)
    svg = draw(one, words)
    check(svg)
    _, texts = boxes(svg)
    axis = max(y for text, (_, y, _, _) in texts if text.startswith("UTC, 2024"))
    below = sorted((round(y), x, text) for text, (x, y, _, _) in texts if axis - 32 < y < axis - 3)
    first_row = min(y for y, _, _ in below)
    labels = [(x, text) for y, x, text in below if y == first_row]
    larger = [(x, text) for y, x, text in below if y != first_row]
    assert 2 <= len(labels) <= 9
    assert larger, "the day or year of the first tick"
    known = [
        (max((at, said) for at, said in [(-1e9, larger[0][1]), *larger] if at < x + 30)[1], text)
        for x, text in labels
    ]
    assert len(set(known)) == len(known)


def test_lines_run_in_the_direction_of_their_language() -> None:
    """From right to left the title ends at the right, also one that begins with a Latin name; names
    keep their own direction; the legend is mirrored."""
    for code, isolate in (("en", ""), ("ar", "\u2067")):
        svg = draw(chart(rows=2), words_in(BY_CODE[code]))
        assert f">{isolate}X{chr(0x2069) if isolate else ''}</text>" in svg
        _, texts = boxes(svg)
        title = next(box for text, box in texts if text == "X")
        assert (title[0] == 6) == (code == "en")
        assert (title[2] == pytest.approx(600, abs=0.1)) == (code == "ar")
        keys = {text: box[0] for text, box in texts if text.endswith(("AS64496", "AS64497"))}
        first, second = keys["Jazz AS64496"], keys[f"{'W' * 27} AS64497"]
        assert (first < second) == (code == "en")
        assert ("\u2068Jazz AS64496\u2069" in svg) == (code == "ar")


def test_marks_and_bars_are_at_their_time() -> None:
    """A bar over the first half is half as wide as its lane; a mark's span ends where its line is;
    a line has a gap where nothing is known."""
    svg = draw(chart(rows=1), words_in())
    whole, half = (
        float(one) for one in re.findall(r'<rect [^>]*width="([\d.]+)"[^>]*fill="#[be]', svg)[:2]
    )
    assert half == pytest.approx(whole / 2, abs=0.02)
    (span,) = set(re.findall(r'x="([\d.]+)" y="[\d.]+" width="([\d.]+)"[^>]*opacity', svg))
    x, wide = map(float, span)
    (line,) = set(re.findall(r'd="M([\d.]+) [\d.]+V[\d.]+"[^>]*stroke="#000"', svg))
    assert x + wide == pytest.approx(float(line), abs=0.02)
    (shares,) = re.findall(r'd="([^"]+)"[^>]*stroke="#1b6ca8"[^>]*dasharray="1.8 3.6"', svg)
    assert shares.count("M") == 2


def test_a_mark_beyond_the_axis_is_not_drawn_at_its_end() -> None:
    """Where the time shown ends before the end of an event."""
    for days, drawn in ((9, 0), (0.5, 1)):
        marks = [Mark(None, START + timedelta(days=days))]
        panel = Panel(title="X", lanes=[Lane("Jazz", [])], marks=marks)
        shown = replace(chart(timedelta(days=1)), panels=[panel])
        assert draw(shown, words_in()).count('stroke="#000"') == drawn


@CODES
def test_the_picture_has_the_letters(code: str) -> None:
    """The same drawing gives the same pixels, with dark ones where each text is."""
    svg = draw(chart(), words_in(BY_CODE[code]))
    made = png(svg, 2)
    assert made == png(svg, 2)
    image = Image.open(io.BytesIO(made))
    assert image.size[0] == 606 * 96 / 72 * 2
    assert image.getchannel("A").getextrema() == (255, 255)
    grey, scale = image.convert("L"), image.size[0] / 606
    for text, box in boxes(svg)[1]:
        left, top, right, bottom = (round(scale * one) for one in box)
        darkest = grey.crop((left, top, right, bottom)).histogram()[:140]
        assert sum(darkest), text
