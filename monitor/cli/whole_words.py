"""Tables that break lines between words, as long as there is room for the longest words."""

from collections.abc import Sequence

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Column, Table

_GAP = 2
"""Between two columns."""


class WholeWords(Table):
    """A table without lines. A plain one cuts its widest columns first, in the middle of words."""

    def __init__(self, title: str | None, header_style: str) -> None:
        super().__init__(
            title=title,
            title_justify="left",
            box=None,
            pad_edge=False,
            show_edge=False,
            header_style=header_style,
        )

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Give each column its width, then print."""

        def size(column: Column) -> tuple[int, int]:
            cells = (column.header, *column.cells)
            found = [Measurement.get(console, options, cell) for cell in cells]
            line = max(one.maximum for one in found)
            return line if column.no_wrap else max(one.minimum for one in found), line

        room = options.max_width - _GAP * (len(self.columns) - 1)
        sizes = [size(column) for column in self.columns]
        for column, width in zip(self.columns, fitted(sizes, room), strict=True):
            column.width = width
        yield from super().__rich_console__(console, options)


def fitted(sizes: Sequence[tuple[int, int]], room: int) -> list[int]:
    """The width of each column, by its longest word and its longest line.

    Each has room for its longest word, or where that is too much, only the longest words are cut.
    What is left goes first to those that need least to have their lines whole."""
    words = [word for word, _ in sizes]
    levels = range(max(words), 0, -1)
    level = next((n for n in levels if sum(min(n, word) for word in words) <= room), 1)
    widths = [min(level, word) for word in words]
    wants = [line - width for (_, line), width in zip(sizes, widths, strict=True)]
    spare = max(0, room - sum(widths))
    by_want = sorted(range(len(sizes)), key=wants.__getitem__)
    for sharing, column in zip(range(len(sizes), 0, -1), by_want, strict=True):
        more = min(wants[column], spare // sharing)
        widths[column] += more
        spare -= more
    return widths
