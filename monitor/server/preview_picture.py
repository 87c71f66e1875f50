"""Draws the picture of an event: its text is set first, by measured widths, and drawn afterwards.

Pillow draws it. Where a library or a font is missing, there is no picture.
"""

import io
import re
from collections.abc import Callable
from itertools import product
from typing import Any

import msgspec

from monitor.report.optional_libraries import MissingExtraError, library
from monitor.server.page import STYLE
from monitor.server.preview_letters import Typesetter, typesetter
from monitor.server.preview_text import HEIGHT, WIDTH, Preview, Shape

MARGIN, BAND = 64, 22
"""Pixels beside the text, and of the coloured band at the side where lines begin."""
_TOP, _BOTTOM = 46, 34
_SHADES = 15
"""Steps from one colour to another at the edges of letters: the file has at most 256 colours."""
_FINER = 4
"""Marks are drawn so many times as large, then made smaller: Pillow draws no smooth edges."""
_SCALES = (1.0, 0.92, 0.84, 0.76, 0.68, 0.6, 0.53, 0.46, 0.4)
"""Sizes to try, until everything fits."""
_TITLES = (1.0, 0.86, 0.74)
"""Sizes of the title to try with each, as parts of its own."""
_TAG, _TITLE, _BODY, _SMALL, _SITE = 29.0, 60.0, 29.0, 22.0, 23.0
"""Sizes of letters in pixels."""
_LEADING = {"ltr": 1.26, "rtl": 1.52}
"""Distance of two lines as a part of their size: letters of Arabic script go higher and deeper."""
TOKENS = {
    **{
        name.replace("-", "_"): colour
        for name, colour in re.findall(r"--([\w-]+): (#[0-9a-f]{6})", STYLE.partition("@media")[0])
    },
    "navy": "#17324d",
    "stroke": "#d6322c",
}
"""The page's colours in light mode, and those of its icon."""
_BANDS = {"blocked": "blocked", "suspected": "degraded_strong", "grey": "rail"}
_TAGS = {"blocked": "blocked", "suspected": "degraded", "grey": "grey"}


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """A line of text at its place."""

    text: str
    begins: float
    """Pixels from the side where lines begin."""
    base: float
    """Pixels from the top to the line that letters stand on."""
    size: float
    bold: bool = False
    ink: str = "ink"
    ground: str = "card"
    """Names of colours of the page: of the letters, and of what they stand on."""


class Pill(msgspec.Struct, frozen=True, kw_only=True):
    """The ground of a tag."""

    begins: float
    top: float
    width: float
    height: float
    ground: str


class Square(msgspec.Struct, frozen=True, kw_only=True):
    """Where a mark stands."""

    begins: float
    top: float
    side: float


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """Where everything stands."""

    lines: tuple[Placed, ...]
    pills: tuple[Pill, ...]
    mark: Square
    """That of the state, in the first tag."""
    sign: Square
    """That of the program, before its name."""
    scale: float


# -- where everything stands ---------------------------------------------------------------------


def layout(preview: Preview, setter: Typesetter) -> Layout:
    """The largest letters with which everything fits; else the smallest ones."""
    for scale, title in product(_SCALES, _TITLES):
        setting = _Setting(preview, setter, scale, title)
        if setting.fits:
            break
    return setting.done()


class _Setting:
    """A picture that is being set in one size."""

    def __init__(self, preview: Preview, setter: Typesetter, scale: float, title: float) -> None:
        self._preview, self._setter, self._scale = preview, setter, scale
        self._leading = _LEADING[setter.direction]
        self._room = float(WIDTH - 2 * MARGIN)
        self._lines: list[Placed] = []
        self._pills: list[Pill] = []
        self._mark = self._sign = Square(begins=MARGIN, top=0, side=0)
        self._y = float(HEIGHT - _BOTTOM)
        self._footer()
        floor = self._y - 18
        self._y = float(_TOP)
        self._tags()
        self._title(_TITLE * scale * title)
        self._meaning(_BODY * scale)
        self._facts(floor)
        self.fits = self._y <= floor

    def done(self) -> Layout:
        return Layout(
            lines=tuple(self._lines),
            pills=tuple(self._pills),
            mark=self._mark,
            sign=self._sign,
            scale=self._scale,
        )

    def _put(
        self,
        text: str,
        begins: float,
        size: float,
        *,
        bold: bool = False,
        ink: str = "ink",
        ground: str = "card",
    ) -> None:
        """A line below all others."""
        base = self._y + size * self._leading * 0.77
        self._lines.append(
            Placed(
                text=text,
                begins=begins,
                base=base,
                size=size,
                bold=bold,
                ink=ink,
                ground=ground,
            )
        )
        self._y += size * self._leading

    def _wrapped(self, text: str, size: float, room: float, *, bold: bool = False) -> list[str]:
        return self._setter.wrapped(self._setter.fit(text), size, room, bold=bold)

    def _title(self, size: float) -> None:
        """In lines of about the same length."""
        lines = self._wrapped(self._preview.title, size, self._room, bold=True)
        narrow, wide = 0.5, 1.0
        while len(lines) > 1 and wide - narrow > 0.03:
            middle = (narrow + wide) / 2
            tried = self._wrapped(self._preview.title, size, self._room * middle, bold=True)
            if len(tried) > len(lines):
                narrow = middle
            else:
                wide, lines = middle, tried
        self._y += (0.55 if self._setter.direction == "ltr" else 0.35) * size
        for line in lines:
            self._put(line, MARGIN, size, bold=True)

    def _meaning(self, size: float) -> None:
        text = self._preview.meaning
        self._y += 0.35 * size
        for line in self._wrapped(text, size, self._room) if text else ():
            self._put(line, MARGIN, size, ink="dim")

    def _tags(self) -> None:
        size = _TAG * self._scale
        height, side = size * max(1.75, self._leading * 1.2), size * 0.75
        begins = float(MARGIN)
        for number, text in enumerate(self._preview.tags):
            first = not number
            kind = _TAGS[self._preview.colour] if first else "grey"
            before = side + 1.4 * size if first else side
            lines = self._wrapped(text, size, self._room - before - side, bold=first)
            widest = max(self._setter.width(line, size, bold=first) for line in lines)
            width = before + widest + side
            if not first and begins + width > MARGIN + self._room:
                begins = float(MARGIN)
                self._y += height + 0.35 * size
            tall = height + (len(lines) - 1) * size * self._leading
            top = self._y
            self._pills.append(Pill(begins=begins, top=top, width=width, height=tall, ground=kind))
            if first:
                middle = top + (tall - size) / 2
                self._mark = Square(begins=begins + side, top=middle, side=size)
            self._y += (height - size * self._leading) / 2
            for line in lines:
                self._put(line, begins + before, size, bold=first, ink=f"{kind}_ink", ground=kind)
            self._y = top + tall - height
            begins += width + 0.5 * size
        self._y += height

    def _facts(self, floor: float) -> None:
        size = _BODY * self._scale
        names = [self._setter.fit(name) for name, _ in self._preview.facts]
        column = max(self._setter.width(name, size, bold=True) for name in names) + size
        rows = [self._wrapped(text, size, self._room - column) for _, text in self._preview.facts]
        between = 0.3 * size
        tall = sum(map(len, rows)) * size * self._leading + between * (len(rows) - 1)
        # At the bottom, but not far below what stands above.
        self._y += max(0.6 * size, min(floor - self._y - tall, 2.2 * size))
        for name, lines in zip(names, rows, strict=True):
            top = self._y
            self._put(name, MARGIN, size, bold=True, ink="dim")
            self._y = top
            for line in lines:
                self._put(line, MARGIN + column, size)
            self._y += between
        self._y -= between

    def _footer(self) -> None:
        """From the bottom upwards: site and time, and that the translation is a draft."""
        preview, sign = self._preview, _SITE * 1.5
        site = self._wrapped(preview.site, _SITE, self._room - sign, bold=True)
        as_of = self._setter.fit(preview.as_of)
        width = self._setter.width(as_of, _SMALL)
        taken = sign + self._setter.width(site[-1], _SITE, bold=True) + 40
        beside = len(site) == 1 and taken + width <= self._room
        rows = self._wrapped(preview.draft, _SMALL, self._room) if preview.draft else []
        rows += [] if beside else self._wrapped(as_of, _SMALL, self._room)
        line = _SITE * self._leading
        last = self._y - line * len(site)
        self._y = top = last - len(rows) * _SMALL * self._leading - (10 if rows else 0)
        for row in rows:
            self._put(row, MARGIN, _SMALL, ink="dim")
        side = _SITE * 1.2
        self._sign = Square(begins=MARGIN, top=last + (line - side) / 2, side=side)
        self._y = last
        for row in site:
            self._put(row, MARGIN + sign, _SITE, bold=True)
        if beside:
            self._y = last
            self._put(as_of, MARGIN + self._room - width, _SMALL, ink="dim")
        self._y = top


# -- the drawing ---------------------------------------------------------------------------------


def picture(preview: Preview) -> bytes:
    """The picture as PNG. Raises MissingExtraError, and OSError where a font is not there."""
    setter = typesetter(preview.language)
    return _Drawing(preview, setter, layout(preview, setter)).png()


def drawable(preview: Preview) -> bool:
    """Whether this program can draw that picture."""
    try:
        typesetter(preview.language)
    except (MissingExtraError, OSError):
        return False
    return True


class _Drawing:
    """Pixels are numbers of colours: what is painted where lies on one known ground, so the file
    has exactly the page's colours and the shades between two of them."""

    def __init__(self, preview: Preview, setter: Typesetter, setting: Layout) -> None:
        self._setter = setter
        self._rtl = setter.direction == "rtl"
        self._draw_on = library("PIL.ImageDraw").Draw
        self._new = library("PIL.Image").new
        self._colours: dict[tuple[int, ...], int] = {}
        self._image = self._new("L", (WIDTH, HEIGHT), self._number(_rgb("card")))
        band = _BANDS[preview.colour]
        sure = preview.shape is Shape.BARRED or preview.colour == "grey"
        paint = _full if sure else _striped
        self._paste(0, 0, (BAND, HEIGHT), "card", band, paint)
        for pill in setting.pills:
            sides = (pill.width, pill.height)
            self._paste(pill.begins, pill.top, sides, "card", pill.ground, _rounded)
        tag = setting.pills[0].ground
        self._square(setting.mark, tag, f"{tag}_ink", _MARKS[preview.shape])
        for ground, colour, part in _SIGN:
            self._square(setting.sign, ground, colour, part)
        for line in setting.lines:
            self._text(line)

    def png(self) -> bytes:
        """The file."""
        self._image.putpalette([part for colour in self._colours for part in colour])
        written = io.BytesIO()
        self._image.save(written, "PNG")
        return written.getvalue()

    def _number(self, colour: tuple[int, ...]) -> int:
        return self._colours.setdefault(colour, len(self._colours))

    def _text(self, line: Placed) -> None:
        """A line of text on a strip as wide as the picture."""
        above, below = round(line.size * 1.5), round(line.size)
        top = round(line.base) - above
        strip = self._new("L", (WIDTH, above + below), 0)
        x = WIDTH - line.begins if self._rtl else line.begins
        self._setter.paint(strip, x, above, line.text, line.size, bold=line.bold)
        self._stamp(strip, 0, top, line.ground, line.ink)

    def _square(
        self, at: Square, ground: str, colour: str, drawn: Callable[[Any, float], None]
    ) -> None:
        """What `drawn` paints on a square of 100 by 100."""
        scale = round(at.side) * _FINER / 100
        sides = (at.side, at.side)
        self._paste(at.begins, at.top, sides, ground, colour, lambda draw, _: drawn(draw, scale))

    def _paste(
        self,
        begins: float,
        top: float,
        sides: tuple[float, float],
        ground: str,
        colour: str,
        drawn: Callable[[Any, tuple[int, int]], None],
    ) -> None:
        """What `drawn` paints, with smooth edges, on a box by the side where lines begin."""
        width, height = map(round, sides)
        finer = (width * _FINER, height * _FINER)
        mask = self._new("L", finer, 0)
        drawn(self._draw_on(mask), finer)
        left = WIDTH - begins - width if self._rtl else begins
        self._stamp(mask.reduce(_FINER), round(left), round(top), ground, colour)

    def _stamp(self, mask: Any, left: int, top: int, ground: str, colour: str) -> None:
        """Paint one colour on one ground, as much of it as the mask has."""
        ends = list(zip(_rgb(ground), _rgb(colour), strict=True))
        shades = [
            self._number(tuple(round(one + (other - one) * step / _SHADES) for one, other in ends))
            for step in range(_SHADES + 1)
        ]
        steps = [round(level * _SHADES / 255) for level in range(256)]
        painted = mask.point([shades[step] for step in steps])
        self._image.paste(painted, (left, top), mask.point([255 * (step > 0) for step in steps]))


def _rgb(name: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(TOKENS[name].removeprefix("#")))


def _full(draw: Any, sides: tuple[int, int]) -> None:
    draw.rectangle((0, 0, *sides), fill=255)


def _striped(draw: Any, sides: tuple[int, int]) -> None:
    width, height = sides
    for top in range(-width, height, 2 * width):
        corners = ((0, top + width), (width, top), (width, top + width), (0, top + 2 * width))
        draw.polygon(corners, fill=255)


def _rounded(draw: Any, sides: tuple[int, int]) -> None:
    width, height = sides
    radius = min(height, 60 * _FINER) / 2
    draw.rounded_rectangle((0, 0, width - 1, height - 1), radius=radius, fill=255)


def _ring(draw: Any, u: float, width: float = 11) -> None:
    draw.ellipse((2 * u, 2 * u, 98 * u, 98 * u), outline=255, width=round(width * u))


def _barred(draw: Any, u: float) -> None:
    draw.ellipse((0, 0, 100 * u, 100 * u), fill=255)
    draw.rectangle((20 * u, 40 * u, 80 * u, 60 * u), fill=0)


def _asked(draw: Any, u: float) -> None:
    _ring(draw, u)
    draw.arc((33 * u, 20 * u, 67 * u, 54 * u), 180, 90, fill=255, width=round(10 * u))
    draw.line((50 * u, 49 * u, 50 * u, 64 * u), fill=255, width=round(10 * u))
    draw.ellipse((43.5 * u, 69 * u, 56.5 * u, 82 * u), fill=255)


def _half(draw: Any, u: float) -> None:
    _ring(draw, u)
    draw.pieslice((2 * u, 2 * u, 98 * u, 98 * u), 90, 270, fill=255)


def _dashed(draw: Any, u: float) -> None:
    for start in range(0, 360, 45):
        box = (2 * u, 2 * u, 98 * u, 98 * u)
        draw.arc(box, start, start + 26, fill=255, width=round(12 * u))


def _stopped(draw: Any, u: float) -> None:
    _ring(draw, u)
    draw.rectangle((33 * u, 33 * u, 67 * u, 67 * u), fill=255)


def _crossed(draw: Any, u: float) -> None:
    _ring(draw, u)
    for left, right in ((30, 70), (70, 30)):
        draw.line((left * u, 30 * u, right * u, 70 * u), fill=255, width=round(12 * u))


_MARKS = {
    Shape.BARRED: _barred,
    Shape.ASKED: _asked,
    Shape.HALF: _half,
    Shape.DASHED: _dashed,
    Shape.STOPPED: _stopped,
    Shape.CROSSED: _crossed,
}


def _disc(draw: Any, u: float) -> None:
    draw.ellipse((0, 0, 100 * u, 100 * u), fill=255)


def _eye(draw: Any, u: float) -> None:
    upper = [(x, 32 * (1 - ((x - 50) / 43) ** 2) ** 0.8) for x in range(7, 94)]
    outline = [*((x, 50 - y) for x, y in upper), *((x, 50 + y) for x, y in reversed(upper))]
    draw.polygon([(x * u, y * u) for x, y in outline], fill=255)


def _pupil(draw: Any, u: float) -> None:
    draw.ellipse((32 * u, 32 * u, 68 * u, 68 * u), fill=255)


def _stroke(draw: Any, u: float) -> None:
    draw.line((20 * u, 86 * u, 82 * u, 14 * u), fill=255, width=round(11 * u))


_SIGN = (
    ("card", "navy", _disc),
    ("navy", "card", _eye),
    ("card", "navy", _pupil),
    ("navy", "stroke", _stroke),
)
"""The icon of the page, part by part, each with the ground it lies on and its colour."""
