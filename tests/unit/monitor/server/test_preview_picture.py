"""The picture of an event: its size, and that every text is in it, whole and inside."""

import io
import subprocess
import sys
import unicodedata
from collections import Counter
from functools import cache
from itertools import combinations

import fpdf
import pypdfium2
import pytest
from msgspec.structs import replace
from PIL import Image, ImageChops

from monitor.charts.letters import characters, families, fit
from monitor.report.pdf import add_fonts
from monitor.server.preview_picture import (
    MARGIN,
    SCALES,
    TAG,
    TOKENS,
    TOP,
    painted,
    picture,
    typeset,
)
from monitor.server.preview_text import HEIGHT, WIDTH, Preview
from monitor.wording.languages import BY_CODE, LANGUAGES, Language
from storage.values.reviews import Mark
from tests.browser import seed
from tests.worlds.preview_world import BLOCK, REJECTED, STATES, named, preview, review

_ROOM = 2
"""Pixels by which letters may stand out of their line."""
_OVERLAP = {"ltr": 5, "rtl": 17}
"""Pixels by which two pieces of text may overlap: joined letters reach over one another, and
a mark of a letter stands above or below it."""
_WRITTEN = str.maketrans(")]", "([", "\u2066\u2067\u2068\u2069\u200c\u200d")
"""PDFium turns brackets round in lines from right to left, and leaves out marks without width."""
LONG = (
    "Société nationale des télécommunications du Congo et de la région des Grands Lacs",
    "W" * 80,
    "شركة الاتصالات الوطنية للهاتف المحمول والإنترنت ذات المسؤولية المحدودة في المنطقة",
    "Открытое акционерное общество междугородной и международной электрической связи",
    "Orange",
)
HUGE = named(*LONG)
LONGEST_URL = f"https://{'watch.' * 8}example.org:10443"


def letters(text: str) -> Counter[str]:
    """How often each character is in a text, in whatever order lines run."""
    plain = unicodedata.normalize("NFKC", text.translate(_WRITTEN))
    return Counter(one for one in plain if not one.isspace() and one.isprintable())


KNOWN = frozenset[int]().union(*map(characters, families(rtl=False)))
laid_out = cache(typeset)
"""The same text is set once for all that a test asks of it."""


def check(shown: Preview) -> int:
    """All of the text is drawn, and every letter is inside. Returns the number of sizes tried."""
    document = pypdfium2.PdfDocument(laid_out(shown))
    page = document[len(document) - 1]
    assert page.get_size() == (WIDTH, HEIGHT)
    assert len(document) < len(SCALES), "it fits in one size"
    text = page.get_textpage()
    # A joined letter without a character of its own adds some to what PDFium finds.
    assert not letters(fit("".join(shown.texts), KNOWN)) - letters(text.get_text_range())
    boxes = [text.get_charbox(number) for number in range(text.count_chars())]
    seen = [box for box in boxes if box[2] > box[0]]
    assert len(seen) > 50
    for left, bottom, right, top in seen:
        assert left >= MARGIN - _ROOM
        assert right <= WIDTH - MARGIN + _ROOM
        assert 0 <= bottom <= top <= HEIGHT
    rects = [text.get_rect(number) for number in range(text.count_rects())]
    overlap = _OVERLAP[shown.language.direction]
    for one, other in combinations(rects, 2):
        across = min(one[2], other[2]) - max(one[0], other[0])
        assert min(across, min(one[3], other[3]) - max(one[1], other[1])) < overlap
    return len(document)


_SHOWN = (*STATES, "rejected")
SAMPLE = {(code, _SHOWN[n % len(_SHOWN)]) for n, code in enumerate(BY_CODE)} | {
    ("ur", state) for state in _SHOWN
}
"""To typeset a picture takes a second: CI does so with each language, each state and with all
states in one, `make soak` with all of them in each."""
PAINTED = {"en", "ur"}
LONGEST = {("ur", 0), ("ru", 0), ("fr", 0)}
"""The same for long names: the languages with the longest words, and the tallest lines."""


@pytest.mark.parametrize(
    ("language", "state"),
    [
        pytest.param(
            *(one, state),
            id=f"{one.code}-{state}",
            marks=[] if (one.code, state) in SAMPLE else [pytest.mark.soak],
        )
        for one in LANGUAGES
        for state in _SHOWN
    ],
)
def test_every_text_is_whole_and_inside(language: Language, state: str) -> None:
    """In each state, and with a person's review."""
    if state == "rejected":
        tried = check(preview(language, BLOCK, *REJECTED))
    else:
        tried = check(preview(language, STATES[state], review(Mark.CONFIRMED)))
    assert SCALES[tried - 1][0] > 0.7, "it can be read"


@pytest.mark.parametrize(
    ("language", "reviews"),
    [
        pytest.param(
            *(language, reviews),
            id=f"{language.code}-{number}",
            marks=[] if (language.code, number) in LONGEST else [pytest.mark.soak],
        )
        for language in LANGUAGES
        for number, reviews in enumerate((REJECTED, (), (review(Mark.CONFIRMED),)))
    ],
)
def test_the_longest_names_fit(language: Language, reviews: tuple) -> None:  # type: ignore[type-arg]
    """Of countries, networks, platforms and hosts; a word longer than a line is broken."""
    check(preview(language, HUGE, *reviews, url=LONGEST_URL))
    check(preview(language, named(*LONG, platform="W" * 90), *reviews, url=LONGEST_URL))


@pytest.mark.parametrize(
    "language",
    [
        pytest.param(one, id=one.code, marks=[] if one.code in PAINTED else [pytest.mark.soak])
        for one in LANGUAGES
    ],
)
def test_it_is_a_png_of_the_size_that_services_want(language: Language) -> None:
    """Small enough to be loaded over a bad line, with exact colours of the page. A language of
    each direction stands for the others."""
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
    marks = dict[str, Image.Image]()
    for state in STATES:
        shown = preview(BY_CODE["en"], STATES[state])
        size = TAG * SCALES[check(shown) - 1][0]
        left, top = MARGIN + 0.75 * size, TOP + (1.26 * 1.3 - 1) / 2 * size
        image = Image.open(io.BytesIO(painted(laid_out(shown)))).convert("L")
        cut = image.crop((round(left), round(top), round(left + size), round(top + size)))
        low, high = cut.getextrema()
        assert isinstance(low, int)
        assert isinstance(high, int)
        # Black on white, whatever the colours were.
        grey = cut.point([255 * (level > (low + high) / 2) for level in range(256)])
        marks[shown.shape] = ImageChops.invert(grey) if grey.getpixel((0, 0)) == 0 else grey
    assert len(marks) == 6
    for (one, a), (other, b) in combinations(marks.items(), 2):
        differs = ImageChops.difference(a.resize((30, 30)), b.resize((30, 30)))
        assert sum(differs.histogram()[128:]) > 40, (one, other)


def test_a_character_without_a_letter_becomes_its_number() -> None:
    """As in a report: an empty box says nothing."""
    shown = preview(BY_CODE["en"], named("中国移动"))
    check(shown)
    said = pypdfium2.PdfDocument(laid_out(shown))[0].get_textpage().get_text_range()
    assert "[U+4E2D]" in said
    assert "中" not in said


@pytest.mark.parametrize("code", ["ar", "fa", "ur"])
def test_letters_of_arabic_script_are_joined(code: str) -> None:
    """A joined word is narrower than its letters."""
    pdf = fpdf.FPDF(unit="pt")
    family, _ = add_fonts(pdf, BY_CODE[code])
    pdf.set_font(family, size=40)
    word = "پاکستان" if code != "ar" else "باكستان"
    joined, apart = pdf.get_string_width(word), sum(map(pdf.get_string_width, word))
    for font in pdf.fonts.values():
        font.close()  # type: ignore[union-attr] # all are from files
    assert joined < 0.9 * apart


_WATCHED: list[list[str]] = []


def _audit(event: str, _: object) -> None:
    if _WATCHED and event in ("socket.getaddrinfo", "socket.connect", "urllib.Request"):
        _WATCHED[-1].append(event)


@pytest.mark.parametrize(
    "ill",
    [
        '<img src="http://192.0.2.1/x.png">',
        "<script>alert(1)</script>",
        "**__[a](http://192.0.2.1/)__**",
        "{{ 7 * 7 }} {nb} &lt; %(x)s",
        "</g></svg><image href='http://192.0.2.1/y'/>",
    ],
)
def test_hostile_text_is_only_text(ill: str) -> None:
    """It is drawn letter by letter: no markup, no link, no connection."""
    sys.addaudithook(_audit)
    shown = replace(preview(BY_CODE["en"]), title=ill, site=ill, tags=(ill,))
    _WATCHED.append([])
    try:
        check(shown)
        made = laid_out(shown)
        painted(made)
    finally:
        used = _WATCHED.pop()
    assert not used
    assert b"/URI" not in made
    said = pypdfium2.PdfDocument(made)
    text = said[len(said) - 1].get_textpage().get_text_range()
    assert "".join(ill.split()) in "".join(text.split())


def test_without_a_library_the_page_is_there_and_no_picture() -> None:
    """The extra `report` brings each of them; without one no tag names a picture. To know that, the
    page loads nothing that draws, for which its first reader would wait."""
    program = f"""
import asyncio, sys
from monitor.config.settings import ServerSettings
from monitor.metrics.scrapes import create_registry
from monitor.server import create_app
from monitor.server.access import Access
from monitor.server.preview_picture import drawable
from tests.browser import seed
from tests.worlds.http_client import httpx

async def ask(missing):
    sys.modules[missing] = None
    drawable.cache_clear()
    shown = seed.publisher()
    access = Access(ServerSettings(public=True))
    app = create_app(shown, create_registry(shown), access=access)
    over = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=over, base_url="http://monitor") as client:
        page = await client.get("/events/{seed.EVENT}")
        print("fontTools" in sys.modules, end=" ")
        picture = await client.get("/events/{seed.EVENT}.png")
    print(page.status_code, "og:title" in page.text, "og:image" in page.text, end=" ")
    print(".png" in page.text, picture.status_code)
    del sys.modules[missing]

for one in "PIL", "fpdf", "pypdfium2", "uharfbuzz":
    asyncio.run(ask(one))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout.splitlines() == ["False 200 True False False 404"] * 4, done.stderr
