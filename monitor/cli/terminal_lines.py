"""Lines of text as a terminal shows them best. Agents load this module, so it imports no rich."""

import shutil
import sys
from collections.abc import Iterable, Iterator

from monitor.wording.wrapped import wrapped


def fitting(lines: Iterable[str]) -> Iterator[str]:
    """Lines to print on standard output: broken between words for a terminal, else as they are."""
    if not sys.stdout.isatty():
        yield from lines
        return
    width = shutil.get_terminal_size().columns
    for line in lines:
        yield wrapped(line, width)
