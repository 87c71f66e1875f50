"""How wide a text is, where its lines end, and its letters as pixels.

The fonts are those of reports. Letters of Arabic script are joined and run from right to left.
Pillow does that where the system has FriBidi; else the letters come from matplotlib, which needs
nothing of the system, but a second and 30 MB when it is first used.
"""

from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Protocol

from monitor.report.optional_libraries import arabic_script_fonts, fonts, library
from monitor.wording.languages import Language

ISOLATES, END = "\u2066\u2067\u2068", "\u2069"
_INVISIBLE = frozenset("\u200c\u200d\u200e\u200f" + ISOLATES + END)
_KERNING = 4
"""Pixels that a line may be wider than its words and spaces."""
_KEPT = 2048
"""Widths of words that a typesetter remembers."""
_MEASURED = 40
"""Pixels of the letters that matplotlib measures: it does not fit them to the pixels, so that
others are wider in proportion."""
_RIGHT_TO_LEFT = "\u200f"
"""A mark without width, which gives a line its direction."""


class _Letters(Protocol):
    """One font of one language."""

    def width(self, text: str, size: int) -> float:
        """Pixels."""

    def paint(self, strip: Any, x: float, base: float, text: str, size: int) -> None:
        """Paint a text white on an image: it begins at `x` and stands on `base`."""


class _ByPillow:
    """By Pillow, with Raqm."""

    def __init__(self, file: Path, language: Language) -> None:
        self._file, self._truetype = str(file), library("PIL.ImageFont").truetype
        self._draw_on = library("PIL.ImageDraw").Draw
        self._sized: dict[int, Any] = {}
        self._how = {"direction": language.direction, "language": language.code}
        self._anchor = "rs" if language.direction == "rtl" else "ls"

    def _font(self, size: int) -> Any:
        if size not in self._sized:
            self._sized[size] = self._truetype(self._file, size)
        return self._sized[size]

    def width(self, text: str, size: int) -> float:
        return float(self._font(size).getlength(text, **self._how))

    def paint(self, strip: Any, x: float, base: float, text: str, size: int) -> None:
        font, anchor = self._font(size), self._anchor
        draw = self._draw_on(strip)
        draw.text((x, base), text, font=font, fill=255, anchor=anchor, **self._how)


class _ByMatplotlib:
    """By matplotlib, which draws the charts of reports."""

    def __init__(self, file: Path, language: Language) -> None:
        self._file, self._language = str(file), language.code
        self._font_of = library("matplotlib.font_manager").get_font
        self._flags = library("matplotlib.ft2font").LoadFlags.NO_HINTING
        self._frombytes = library("PIL.Image").frombytes
        self._rtl = language.direction == "rtl"
        self._widths: dict[str, float] = {}

    def _set(self, text: str, size: int) -> Any:
        font = self._font_of(self._file)
        font.set_size(size, 72)
        marked = f"{_RIGHT_TO_LEFT}{text}" if self._rtl else text
        font.set_text(marked, 0.0, flags=self._flags, language=self._language)
        return font

    def width(self, text: str, size: int) -> float:
        if text not in self._widths:
            if len(self._widths) >= _KEPT:
                self._widths.clear()
            self._widths[text] = self._set(text, _MEASURED).get_width_height()[0] / 64 / _MEASURED
        return self._widths[text] * size

    def paint(self, strip: Any, x: float, base: float, text: str, size: int) -> None:
        font = self._set(text, size)
        width, _ = font.get_width_height()
        below = font.get_descent() / 64
        font.draw_glyphs_to_bitmap(antialiased=True)
        pixels = font.get_image()
        high, wide = pixels.shape
        mask = self._frombytes("L", (wide, high), pixels.tobytes())
        left = x - width / 64 if self._rtl else x
        strip.paste(255, (round(left), round(base + below - high)), mask)


class Typesetter:
    """Fonts of one language, and how wide they are. Not for two threads at once."""

    def __init__(self, language: Language, *, by_matplotlib: bool = False) -> None:
        """Raises MissingExtraError, and OSError where a font is not there. `by_matplotlib` asks for
        what is used where Pillow cannot join letters."""
        self.direction = language.direction
        if self.direction == "rtl":
            folder, names = arabic_script_fonts(), ("NotoSansArabic-Regular", "NotoSansArabic-Bold")
        else:
            folder, names = fonts(), ("DejaVuSans", "DejaVuSans-Bold")
        files = [folder / f"{name}.ttf" for name in names]
        self._known = _characters(files[0]) & _characters(files[1])
        joins = library("PIL.features").check("raqm") and not by_matplotlib
        letters: Callable[[Path, Language], _Letters] = _ByPillow if joins else _ByMatplotlib
        self._letters = [letters(file, language) for file in files]

        self._width = lru_cache(_KEPT)(self._measured)

    def _measured(self, text: str, size: int, bold: bool) -> float:
        return self._letters[bold].width(text, size)

    def width(self, text: str, size: float, *, bold: bool = False) -> float:
        """Pixels."""
        return self._width(text, round(size), bold)

    def paint(
        self, strip: Any, x: float, base: float, text: str, size: float, *, bold: bool = False
    ) -> None:
        """Paint a line white on an image: it begins at `x`, pixels from the left, and stands on
        `base`, pixels from the top."""
        self._letters[bold].paint(strip, x, base, text, round(size))

    def fit(self, text: str) -> str:
        """`text` as it can be drawn: a character that the fonts lack becomes its number."""
        return "".join(
            one if one in _INVISIBLE or ord(one) in self._known else f"[U+{ord(one):04X}]"
            for one in text
        )

    def wrapped(self, text: str, size: float, room: float, *, bold: bool = False) -> list[str]:
        """The lines of a text, each at most `room` pixels wide. Nothing is left out."""

        def wide(part: str) -> float:
            return self.width(part, size, bold=bold)

        # Of words and spaces, since a whole line is slow to set and each is tried in many sizes.
        space, room = wide("n n") - wide("nn"), room - _KERNING
        lines, line, taken = list[str](), "", 0.0
        for word in text.split(" "):
            more = wide(word)
            if line and taken + space + more <= room:
                line, taken = f"{line} {word}", taken + space + more
                continue
            if line:
                lines.append(line)
            line, taken = f"{_left_open(line)}{word}", more
            while taken > room:
                most = _most(line, lambda part: wide(part) <= room)
                if most >= len(line):
                    break
                lines.append(line[:most])
                line = f"{_left_open(line[:most])}{line[most:]}"
                taken = wide(line)
        return [_balanced(one) for one in (*lines, line)]


def _most(line: str, fits: Callable[[str], bool]) -> int:
    """How many characters of a word that is too long stand in one line, at least one."""
    least, most = 1, len(line)
    while most - least > 1:
        middle = (least + most) // 2
        least, most = (middle, most) if fits(line[:middle]) else (least, middle)
    return max(least, len(_left_open(line)) + 1)


def _left_open(line: str) -> str:
    """The isolates that a line begins and does not end: the next line begins with them again."""
    begun: list[str] = []
    for one in line:
        if one in ISOLATES:
            begun.append(one)
        elif one == END and begun:
            begun.pop()
    return "".join(begun)


def _balanced(line: str) -> str:
    return line + END * len(_left_open(line))


@cache
def _characters(file: Path) -> frozenset[int]:
    """Those that a font has. Raises MissingExtraError, and OSError."""
    shaping = library("uharfbuzz")
    return frozenset(shaping.Face(shaping.Blob(file.read_bytes())).unicodes)


@cache
def typesetter(language: Language) -> Typesetter:
    """The typesetter of a language. Raises MissingExtraError, and OSError."""
    return Typesetter(language)
