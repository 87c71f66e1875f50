"""Draws the picture of an event: fpdf2 sets its text, with the fonts of reports, and PDFium makes
pixels of the PDF. Where a library is missing, there is no picture."""

import io
import logging
import re
import threading
from functools import cache
from itertools import product
from typing import Any

import msgspec

from monitor.charts.letters import fit
from monitor.report.optional_libraries import installed, library
from monitor.report.pdf import add_fonts
from monitor.server.page import STYLE, TEMPLATES
from monitor.server.preview_text import HEIGHT, WIDTH, Preview, Shape

MARGIN, BAND = 64, 22
"""Pixels beside the text, and of the coloured band at the side where lines begin."""
SCALES = tuple(product((1.0, 0.86, 0.76, 0.64, 0.55, 0.47, 0.4), (1.0, 0.8)))
"""Sizes to try, of all letters and of the title besides, until everything fits."""
TOP, TAG = 42, 29
"""Pixels above the first tag, and of its letters."""
TOKENS = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", STYLE.partition("@media")[0]))
"""The page's colours in light mode."""
COLOURS = 64
"""Of a file: the page's own, and shades at the edges of letters."""
_SMALL, _BELOW = 22, 30
"""Pixels of the letters at the bottom, and below them."""
_STYLES = {  # band, tag
    "blocked": ("blocked", "blocked"),
    "suspected": ("degraded-strong", "degraded"),
    "grey": ("rail", "grey"),
}
_RING = '<circle cx="50" cy="50" r="43"/>'
_MARKS = {
    Shape.BARRED: '<path d="M20 13A47 47 0 0 1 97 40H3A47 47 0 0 1 20 13z" fill="{ink}" '
    'stroke="none"/><path d="M20 87A47 47 0 0 0 97 60H3A47 47 0 0 0 20 87z" fill="{ink}" '
    'stroke="none"/><path d="M11 34v32M89 34v32" stroke-width="18"/>',
    Shape.ASKED: _RING + '<path d="M36 39a14 14 0 1 1 14 14v12M50 70v11"/>',
    Shape.HALF: _RING + '<path d="M50 7a43 43 0 0 0 0 86z" fill="{ink}"/>',
    Shape.DASHED: '<circle cx="50" cy="50" r="43" stroke-dasharray="20 13.8"/>',
    Shape.STOPPED: _RING + '<path d="M33 50h34" stroke-width="34"/>',
    Shape.CROSSED: _RING + '<path d="M31 31l38 38M69 31l-38 38"/>',
}
_LIBRARIES = ("fpdf", "pypdfium2", "PIL", "uharfbuzz")
_DRAWING = threading.Lock()
"""PDFium is not for two threads at once."""


@cache
def drawable() -> bool:
    """Whether this program can draw pictures. Loads none of what draws them, which takes most of a
    second: the page of the event waits for this."""
    return all(map(installed, _LIBRARIES))


def picture(preview: Preview) -> bytes:
    """The picture as PNG. Raises MissingExtraError, and OSError where a font is not there."""
    return painted(typeset(preview))


def painted(made: bytes) -> bytes:
    """The last page of a PDF that `typeset` made, as PNG."""
    written = io.BytesIO()
    with _DRAWING:
        document = library("pypdfium2").PdfDocument(made)
        image = document[len(document) - 1].render().to_pil().quantize(COLOURS)
        document.close()
    image.save(written, "PNG")
    return written.getvalue()


def typeset(preview: Preview) -> bytes:
    """A PDF whose last page is the picture, a point for a pixel. Each page before it is the upper
    part in a size in which not everything fits."""
    # It logs what fonts have that a PDF does not need.
    logging.getLogger("fontTools").setLevel(logging.ERROR)
    pdf = library("fpdf").FPDF(unit="pt", format=(WIDTH, HEIGHT))
    pdf.set_auto_page_break(False)
    pdf.c_margin = 0
    pdf.alias_nb_pages("")  # else "{nb}" in a name becomes the number of pages
    drawing = _Drawing(pdf, *add_fonts(pdf, preview.language, preview.texts), preview)
    for scale, title in SCALES:
        if drawing.begin(scale, scale * title):
            break
    drawing.finish()
    return bytes(pdf.output())


class _Facts(msgspec.Struct, frozen=True):
    """How the facts are set in one size."""

    size: float
    column: float
    """Where their texts begin, beside their names."""
    heights: tuple[float, ...]
    tall: float
    """All of them, and what is between."""


class _Drawing:
    """A picture, page by page in smaller sizes. fpdf2 takes most of its time to break lines, so the
    lower part is drawn once it fits, and measured once in each size."""

    def __init__(self, pdf: Any, family: str, known: frozenset[int], preview: Preview) -> None:
        self._pdf, self._family, self._known, self._preview = pdf, family, known, preview
        self._rtl = preview.language.direction == "rtl"
        self._leading = 1.52 if self._rtl else 1.26
        self._band, self._tag = _STYLES[preview.colour]
        self._y = 0.0
        self._footer_height = 0.0
        self._size = 0.0
        self._measured: dict[float, _Facts] = {}

    def begin(self, scale: float, title: float) -> bool:
        """Draw the upper part on a page of its own; whether the lower part fits below it."""
        self._pdf.add_page()
        self._draw_band()
        self._y = 0.0
        self._footer_height = self._footer_height or self._footer(drawn=False)
        self._y = float(TOP)
        self._tags(TAG * scale)
        self._y += 20 * scale
        self._write(self._preview.title, 58 * title, style="B")
        self._y += 10 * scale
        self._size = 29 * scale
        self._write(self._preview.meaning, self._size, ink="dim")
        return self._y + 0.6 * self._size + self._facts().tall <= self._floor

    def finish(self) -> None:
        """Draw the lower part on the last page."""
        self._draw_facts(self._facts())
        self._y = HEIGHT - _BELOW - self._footer_height
        self._footer()

    @property
    def _floor(self) -> float:
        """Where the facts must end."""
        return HEIGHT - _BELOW - self._footer_height - 14

    def _left(self, begins: float, width: float) -> float:
        return WIDTH - begins - width if self._rtl else begins

    def _width(self, text: str, size: float, style: str = "") -> float:
        self._pdf.set_font(self._family, style, size)
        return float(self._pdf.get_string_width(fit(text, self._known)))

    def _write(
        self,
        text: str,
        size: float,
        begins: float = 0,
        *,
        style: str = "",
        ink: str = "ink",
        drawn: bool = True,
    ) -> float:
        """A paragraph, so far from the margin, below all others. Returns its height."""
        if not text:
            return 0.0
        room, start = WIDTH - 2 * MARGIN - begins, self._y
        self._pdf.set_font(self._family, style, size)
        self._pdf.set_text_color(TOKENS[ink])
        self._pdf.set_xy(self._left(MARGIN + begins, room), start)
        said, line, align = fit(text, self._known), size * self._leading, "R" if self._rtl else "L"
        height: float = self._pdf.multi_cell(
            room, line, said, align=align, dry_run=not drawn, output="HEIGHT"
        )
        self._y += height if drawn else 0
        return height

    def _draw_band(self) -> None:
        """Full for what is sure or over, else striped."""
        left, right = self._left(0, BAND), self._left(0, BAND) + BAND
        self._pdf.set_fill_color(TOKENS[self._band])
        if self._preview.shape is Shape.BARRED or self._preview.colour == "grey":
            self._pdf.rect(left, 0, BAND, HEIGHT, "F")
            return
        for top in range(-BAND, HEIGHT, 2 * BAND):
            middle, under = top + BAND, top + 2 * BAND
            corners = (left, middle), (right, top), (right, middle), (left, under)
            self._pdf.polygon(corners, style="F")

    def _image(self, svg: bytes, begins: float, top: float, side: float) -> None:
        self._pdf.image(io.BytesIO(svg), self._left(MARGIN + begins, side), top, side, side)

    def _tags(self, size: float) -> None:
        begins, tall, pad = 0.0, size * self._leading * 1.3, 0.75 * size
        mark, style, kind = 1.4 * size, "B", self._tag
        for text in self._preview.tags:
            width = self._width(text, size, style) + mark + 2 * pad
            if begins + width > WIDTH - 2 * MARGIN:
                begins, self._y = 0.0, self._y + tall + 0.3 * size
            left, top = self._left(MARGIN + begins, width), self._y
            self._pdf.set_fill_color(TOKENS[kind])
            # fpdf2 draws corners of exactly half the height square.
            self._pdf.rect(left, top, width, tall, "F", True, tall / 2.01)
            if mark:
                ink = TOKENS[f"{kind}-ink"]
                head = f'<g fill="none" stroke="{ink}" stroke-width="12">'
                drawn = f"{head}{_MARKS[self._preview.shape].format(ink=ink)}</g>"
                svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100">{drawn}</svg>'
                self._image(svg.encode(), begins + pad, top + (tall - size) / 2, size)
            self._y += 0.15 * size * self._leading
            self._write(text, size, begins + mark + pad, style=style, ink=f"{kind}-ink")
            begins, self._y = begins + width + 0.5 * size, top
            mark, style, kind = 0.0, "", "grey"
        self._y += tall

    def _facts(self) -> _Facts:
        size, facts = self._size, self._preview.facts
        if size not in self._measured:
            column = size + max(self._width(name, size, "B") for name, _ in facts)
            heights = tuple(self._write(text, size, column, drawn=False) for _, text in facts)
            tall = sum(heights) + 0.3 * size * (len(heights) - 1)
            self._measured[size] = _Facts(size, column, heights, tall)
        return self._measured[size]

    def _draw_facts(self, facts: _Facts) -> None:
        """At the bottom, but not far below what stands above."""
        size = facts.size
        self._y += max(0.6 * size, min(self._floor - self._y - facts.tall, 2.2 * size))
        for (name, text), height in zip(self._preview.facts, facts.heights, strict=True):
            top = self._y
            self._write(name, size, style="B", ink="dim")
            self._y = top
            self._write(text, size, facts.column)
            self._y = top + height + 0.3 * size

    def _footer(self, *, drawn: bool = True) -> float:
        """That the translation is a draft, the time, and the site. Returns its height."""
        above = (self._preview.draft, self._preview.as_of)
        tall = sum(self._write(text, _SMALL, ink="dim", drawn=drawn) for text in above)
        if drawn:
            icon = (TEMPLATES / "icon.svg").read_bytes()
            self._image(icon, 0, self._y + (_SMALL * self._leading - 28) / 2, 28)
        return tall + self._write(self._preview.site, _SMALL, 36, style="B", drawn=drawn)
