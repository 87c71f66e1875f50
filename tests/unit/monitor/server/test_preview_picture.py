"""The picture of an event: its size, and that every text is in it, whole and inside."""

import io
import subprocess
import sys
from itertools import combinations

import pytest
from PIL import Image, ImageChops

from monitor.server.preview_letters import Typesetter, typesetter
from monitor.server.preview_picture import (
    MARGIN,
    TOKENS,
    Layout,
    Placed,
    layout,
    picture,
)
from monitor.server.preview_text import HEIGHT, WIDTH, Preview
from monitor.wording.languages import BY_CODE, LANGUAGES, Language
from storage.values.reviews import Mark
from tests.browser import seed
from tests.worlds.preview_world import BLOCK, REJECTED, STATES, named, preview, review

_ROOM = 2
"""Pixels by which letters may stand out of their line."""
_INVISIBLE = dict.fromkeys(map(ord, "\u2066\u2067\u2068\u2069"))
LONG = (
    "Société nationale des télécommunications du Congo et de la région des Grands Lacs",
    "W" * 80,
    "شركة الاتصالات الوطنية للهاتف المحمول والإنترنت ذات المسؤولية المحدودة في المنطقة",
    "Открытое акционерное общество междугородной и международной электрической связи",
    "Orange",
)
HUGE = named(*LONG)
EACH_LANGUAGE = pytest.mark.parametrize("language", LANGUAGES, ids=lambda one: one.code)
LONGEST_URL = f"https://{'watch.' * 8}example.org:10443"


def letters(text: str) -> str:
    """A text without spaces and marks of direction: what wrapping may change."""
    return text.translate(_INVISIBLE).replace(" ", "")


def box(setter: Typesetter, line: Placed) -> tuple[float, float, float, float]:
    """Where the letters of a line are, from the side where lines begin and from the top."""
    middle = 1.5 * WIDTH
    strip = Image.new("L", (3 * WIDTH, 300))
    setter.paint(strip, middle, 150, line.text, line.size, bold=line.bold)
    found = strip.getbbox()
    assert found is not None
    left, over, right, under = found
    first, last = left - middle, right - middle
    if setter.direction == "rtl":
        first, last = -last, -first
    across = line.begins + first, line.begins + last
    return across[0], line.base + over - 150, across[1], line.base + under - 150


def check(shown: Preview) -> Layout:
    """All of the text is drawn, every line is inside, and none lies on another."""
    setter = typesetter(shown.language)
    made = layout(shown, setter)
    drawn = letters("".join(line.text for line in made.lines))
    for text in shown.texts:
        assert letters(setter.fit(text)) in drawn, "cut off or left out"
    boxes = [box(setter, line) for line in made.lines]
    for line, (left, top, right, bottom) in zip(made.lines, boxes, strict=True):
        assert left >= MARGIN - _ROOM, line
        assert right <= WIDTH - MARGIN + _ROOM, line
        assert 0 <= top < bottom <= HEIGHT, line
    for (one, a), (other, b) in combinations(zip(made.lines, boxes, strict=True), 2):
        across = min(a[2], b[2]) - max(a[0], b[0])
        down = min(a[3], b[3]) - max(a[1], b[1])
        assert across <= _ROOM or down <= _ROOM, (one.text, other.text)
    for pill in made.pills:
        assert pill.begins + pill.width <= WIDTH - MARGIN + _ROOM
    return made


@EACH_LANGUAGE
@pytest.mark.parametrize("state", [*STATES, "rejected"])
def test_every_text_is_whole_and_inside(language: Language, state: str) -> None:
    """In each state, and with a person's review."""
    if state == "rejected":
        made = check(preview(language, BLOCK, *REJECTED))
    else:
        made = check(preview(language, STATES[state], review(Mark.CONFIRMED)))
    assert made.scale > 0.7, "it can be read"


@EACH_LANGUAGE
@pytest.mark.parametrize("reviews", [(), REJECTED, (review(Mark.CONFIRMED),)])
def test_the_longest_names_fit(language: Language, reviews: tuple) -> None:  # type: ignore[type-arg]
    """Of countries, networks, platforms and hosts; a word longer than a line is broken."""
    check(preview(language, HUGE, *reviews, url=LONGEST_URL))
    check(preview(language, named(*LONG, platform="W" * 90), *reviews, url=LONGEST_URL))


@EACH_LANGUAGE
def test_it_is_a_png_of_the_size_that_services_want(language: Language) -> None:
    """Small enough to be loaded over a bad line, with exact colours of the page."""
    made = picture(preview(language))
    assert len(made) < 60_000
    image = Image.open(io.BytesIO(made))
    assert (image.format, image.size) == ("PNG", (WIDTH, HEIGHT))
    drawn = image.convert("RGB")
    across = WIDTH - 5 if language.direction == "rtl" else 5
    assert _colour(drawn.getpixel((across, HEIGHT // 2))) == TOKENS["blocked"]
    assert _colour(drawn.getpixel((WIDTH // 2, 10))) == TOKENS["card"]
    found = {_colour(colour) for _, colour in drawn.getcolors(1 << 20) or ()}
    assert {TOKENS[name] for name in ("ink", "dim", "blocked", "grey")} <= found


def _colour(pixel: object) -> str:
    assert isinstance(pixel, tuple)
    return "#{:02x}{:02x}{:02x}".format(*pixel)


def test_the_same_text_gives_the_same_bytes() -> None:
    """What a client has already is not sent again."""
    assert picture(preview(BY_CODE["ur"])) == picture(preview(BY_CODE["ur"]))


def test_states_look_different_without_colour() -> None:
    """Each has a mark of its own in the first tag, for who prints or cannot see colours."""
    setter = typesetter(BY_CODE["en"])
    marks = dict[str, Image.Image]()
    for state in STATES:
        shown = preview(BY_CODE["en"], STATES[state])
        at = layout(shown, setter).mark
        image = Image.open(io.BytesIO(picture(shown))).convert("L")
        corner = round(at.begins), round(at.top)
        cut = image.crop((*corner, corner[0] + round(at.side), corner[1] + round(at.side)))
        low, high = cut.getextrema()
        assert isinstance(low, int)
        assert isinstance(high, int)
        # Black on white, whatever the colours were.
        grey = cut.point([255 * (level > (low + high) / 2) for level in range(256)])
        dark = cut.getpixel((0, 0)) == low
        marks[shown.shape] = ImageChops.invert(grey) if dark else grey
    assert len(marks) == 6
    for (one, a), (other, b) in combinations(marks.items(), 2):
        differs = ImageChops.difference(a.resize((30, 30)), b.resize((30, 30)))
        assert sum(differs.histogram()[128:]) > 40, (one, other)


def test_a_character_without_a_letter_becomes_its_number() -> None:
    """As in a report: an empty box says nothing."""
    made = check(preview(BY_CODE["en"], named("中国移动")))
    assert "[U+4E2D]" in " ".join(line.text for line in made.lines)
    assert not [line for line in made.lines if "中" in line.text]


@pytest.mark.parametrize("by_matplotlib", [False, True])
@pytest.mark.parametrize("code", ["ar", "fa", "ur"])
def test_letters_of_arabic_script_are_joined(code: str, by_matplotlib: bool) -> None:
    """A joined word is narrower than its letters; so too where the system has no FriBidi."""
    setter = Typesetter(BY_CODE[code], by_matplotlib=by_matplotlib)
    word = "پاکستان" if code != "ar" else "باكستان"
    apart = sum(setter.width(letter, 40) for letter in word)
    assert setter.width(word, 40) < 0.9 * apart


@EACH_LANGUAGE
def test_both_ways_to_set_letters_agree(language: Language) -> None:
    """In width and in where the ink is: nothing is out of order, or runs over the edge."""
    both = [Typesetter(language, by_matplotlib=one) for one in (False, True)]
    for line in layout(preview(language), both[0]).lines:
        inks = []
        for setter in both:
            strip = Image.new("L", (WIDTH, 200))
            x = WIDTH - line.begins if language.direction == "rtl" else line.begins
            setter.paint(strip, x, 120, line.text, line.size, bold=line.bold)
            inks.append(strip.getbbox())
        assert inks[0] is not None
        assert inks[1] is not None
        assert all(abs(one - other) <= 6 for one, other in zip(*inks, strict=True)), line.text
        widths = [setter.width(line.text, line.size, bold=line.bold) for setter in both]
        assert abs(widths[0] - widths[1]) <= 0.02 * widths[0] + 4


@pytest.mark.parametrize("missing", ["PIL", "matplotlib", "uharfbuzz"])
def test_without_a_library_the_page_is_there_and_no_picture(missing: str) -> None:
    """The extra `report` brings it; without it no tag names a picture."""
    program = f"""
import asyncio, sys
sys.modules["{missing}"] = None
from monitor.config.settings import ServerSettings
from monitor.metrics.scrapes import create_registry
from monitor.server import create_app
from monitor.server.access import Access
from tests.browser import seed
from tests.worlds.http_client import httpx

async def ask():
    shown = seed.publisher()
    access = Access(ServerSettings(public=True))
    app = create_app(shown, create_registry(shown), access=access)
    over = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=over, base_url="http://monitor") as client:
        page = await client.get("/events/{seed.EVENT}")
        picture = await client.get("/events/{seed.EVENT}.png")
    print(page.status_code, "og:title" in page.text, "og:image" in page.text, ".png" in page.text)
    print(picture.status_code)

asyncio.run(ask())
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout.split() == ["200", "True", "False", "False", "404"], done.stderr
