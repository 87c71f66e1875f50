"""A drawing as SVG, whose text stays text, and the same as PNG."""

from html import escape
from math import ceil

from monitor.charts.letters import families, fitted, font_files, width

INK, SIZE = "#1a1a1a", 9.0
"""Colour and height of letters; lengths are in points."""
_SCREEN = 96 / 72
"""Pixels of a screen in a point."""


class Drawing:
    """Shapes and texts, each by its upper left corner, later ones above earlier ones."""

    def __init__(self, width: float, *, rtl: bool) -> None:
        """`rtl`: whether lines of text run from right to left."""
        self.width, self._rtl = width, rtl
        self._parts: list[str] = []

    def rect(
        self, x: float, y: float, wide: float, tall: float, colour: str, opacity: float = 1
    ) -> None:
        """A filled rectangle."""
        clear = f' fill-opacity="{opacity}"' if opacity < 1 else ""
        self._parts.append(
            f'<rect x="{x:.2f}" y="{y:.2f}" width="{wide:.2f}" height="{tall:.2f}" '
            f'fill="{colour}"{clear}/>'
        )

    def path(self, d: str, colour: str = INK, wide: float = 0.8, dashes: str = "") -> None:
        """A line, by SVG's commands; `dashes` in multiples of its width."""
        lengths = " ".join(f"{float(one) * wide:g}" for one in dashes.split())
        dashed = f' stroke-dasharray="{lengths}"' if lengths else ""
        self._parts.append(
            f'<path d="{d}" fill="none" stroke="{colour}" stroke-width="{wide:g}"{dashed}/>'
        )

    def text(
        self,
        x: float,
        baseline: float,
        text: str,
        *,
        size: float = SIZE,
        bold: bool = False,
        colour: str = INK,
        name: bool = False,
    ) -> None:
        """A line from `x` on. In whatever font a reader has, it takes the room measured for it. A
        name runs as its letters do, other text as the language does, whatever it begins with."""
        room = width(text, size, bold=bold)
        if not room:
            return
        isolate = "\u2068" if name else "\u2067"  # first strong letter, right to left
        shown = f"{isolate}{text}\u2069" if self._rtl else text
        weight = ' font-weight="bold"' if bold else ""
        self._parts.append(
            f'<text x="{x:.2f}" y="{baseline:.2f}" textLength="{room:.2f}" '
            f'lengthAdjust="spacingAndGlyphs" font-size="{size:g}" fill="{colour}"{weight}>'
            f"{escape(shown)}</text>"
        )

    def svg(self, height: float, title: str) -> str:
        """The document, on white, with a title for who does not see it."""
        height = 3 * ceil(height / 3)  # whole pixels
        named = [f"'{name}'" for name in (*families(rtl=self._rtl), "DejaVu Sans")]
        head = (
            '<svg xmlns="http://www.w3.org/2000/svg" role="img" direction="ltr" '
            f'width="{self.width * _SCREEN:.0f}" height="{height * _SCREEN:.0f}" '
            f'viewBox="0 0 {self.width:g} {height:g}" font-family="{", ".join(named)}, sans-serif">'
        )
        about = f"<title>{escape(fitted(title))}</title>"
        paper = '<rect width="100%" height="100%" fill="#fff"/>'
        return "\n".join((head, about, paper, *self._parts, "</svg>\n"))


def png(svg: str, scale: float) -> bytes:
    """The drawing, `scale` pixels for a pixel of the screen, with our fonts and no others, so that
    the same drawing gives the same bytes. Raises ImportError without resvg-py."""
    import resvg_py

    files = [str(file) for _, _, file in font_files()]
    return resvg_py.svg_to_bytes(
        svg_string=svg, zoom=scale, skip_system_fonts=True, font_files=files
    )
