"""The fonts of charts, reports and pictures of events, and how wide they set a text.

Noto Sans has the letters of Latin, Cyrillic and Greek, Noto Sans Arabic those of Arabic script,
also of Urdu, and others those of names. They come with shutwatch, so that the same text looks the
same everywhere.
"""

from collections.abc import Iterator, Set
from functools import cache, lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "fonts"
LATIN, ARABIC = "Noto Sans", "Noto Sans Arabic"
_OTHERS = ("Noto Sans Armenian", "Noto Sans Georgian", "Noto Sans Hebrew")
_INVISIBLE = "\u200c\u200d\u2066\u2067\u2068\u2069"
"""What joins and parts letters, and sets names apart."""


def families(*, rtl: bool) -> list[str]:
    """The fonts by preference: letters of Arabic script join only within one font."""
    return [*((ARABIC, LATIN) if rtl else (LATIN, ARABIC)), *_OTHERS]


def font_files() -> list[tuple[str, bool, Path]]:
    """Family, whether bold, and file of each font."""
    return [
        (family, bold, FOLDER / f"{family.replace(' ', '')}-{'Bold' if bold else 'Regular'}.ttf")
        for family in families(rtl=False)
        for bold in (False, True)
    ]


def fit(text: str, known: Set[int]) -> str:
    """`text` with the number of each character that the fonts lack in its place."""
    return "".join(
        one if ord(one) in known or one in _INVISIBLE else f"[U+{ord(one):04X}]" for one in text
    )


@cache
def _fonts(bold: bool) -> list[tuple[frozenset[int], Any]]:
    """The characters of each font, and the font. Raises ImportError without uharfbuzz."""
    import uharfbuzz

    faces = [
        uharfbuzz.Face(uharfbuzz.Blob.from_file_path(file))
        for _, is_bold, file in font_files()
        if is_bold == bold
    ]
    return [(frozenset(face.unicodes), uharfbuzz.Font(face)) for face in faces]


@cache
def characters(family: str) -> frozenset[int]:
    """Those that a font has, regular or bold. Raises ImportError without uharfbuzz, and OSError
    where a font is not there."""
    import uharfbuzz

    faces = (
        uharfbuzz.Face(uharfbuzz.Blob(file.read_bytes()))
        for name, _, file in font_files()
        if name == family
    )
    return frozenset[int]().union(*(face.unicodes for face in faces))


def fitted(text: str) -> str:
    """`text` as `fit` makes it, for the fonts of this module."""
    return fit(text, frozenset[int]().union(*(known for known, _ in _fonts(False))))


@lru_cache(maxsize=2000)
def width(text: str, size: float, *, bold: bool = False) -> float:
    """Of one line, in the unit of `size`, letters joined where their script joins them."""
    import uharfbuzz

    fonts, total = _fonts(bold), 0

    def number(letter: str) -> int:
        return next((n for n, (known, _) in enumerate(fonts) if ord(letter) in known), 0)

    for font, run in groupby(text, number):
        buffer = uharfbuzz.Buffer()
        buffer.add_str("".join(run))
        buffer.guess_segment_properties()
        uharfbuzz.shape(fonts[font][1], buffer)
        total += sum(glyph.x_advance for glyph in buffer.glyph_positions)
    return float(total * size / fonts[0][1].face.upem)


def lines(text: str, size: float, room: float, *, bold: bool = False) -> list[str]:
    """`text` as the fonts have it, in lines no wider than `room`; a wider word is broken."""
    parts = map(fitted, text.split("\n"))
    return [line for part in parts for line in _broken(part, size, room, bold)]


def _broken(text: str, size: float, room: float, bold: bool) -> Iterator[str]:
    line = ""
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        if width(longer, size, bold=bold) <= room:
            line = longer
            continue
        if line:
            yield line
        line = ""
        for letter in word:
            if line and width(line + letter, size, bold=bold) > room:
                yield line
                line = ""
            line += letter
    yield line
