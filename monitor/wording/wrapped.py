"""Long lines of text, broken between words, with the rest below where the text begins."""

import re
import textwrap

_LABEL = re.compile(r" *(?:- |\S+(?: \S+)* {2,})")
"""A bullet, or what stands before a gap: the text begins behind it."""
_WIDEST = 24
"""Columns of a label; what is wider is a sentence with a gap in it."""


def wrapped(line: str, width: int) -> str:
    """`line` in lines of at most `width` characters, but for words that are longer."""
    if len(line) <= width:
        return line
    label = _LABEL.match(line)
    margin = label.end() if label else 0
    if not 0 < margin <= min(_WIDEST, width // 2):
        margin = len(line) - len(line.lstrip(" "))
    return textwrap.fill(
        line,
        width,
        subsequent_indent=" " * margin,
        break_long_words=False,
        break_on_hyphens=False,
    )
