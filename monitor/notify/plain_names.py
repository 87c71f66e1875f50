"""Names that others chose, made safe for a message.

A network's name, or any other text that is not ours, must not end the line, change the direction of
the text, or use the markup of the service that shows it: no link, no bold type, no mention that
wakes a whole channel. Services differ, so everything that any of them reads as markup is removed.
"""

import re
import unicodedata

LONGEST_NAME = 60
_MARKUP = re.compile(r"[*_~`|#<>\[\]{}@\\=^$:;\"]|//+")
_SPACE = re.compile(r"\s+")
_JOINERS = "\u200c\u200d"
"""Without which Persian and Hindi cannot be written."""


def plain_name(text: str, longest: int = LONGEST_NAME) -> str:
    """`text` on one line, as nothing but text, at most `longest` characters; may become empty."""
    # Invisible characters go first: markup can hide behind them.
    visible = "".join(map(_visible, text[: 20 * longest]))
    shown = _SPACE.sub(" ", _MARKUP.sub(" ", visible)).strip(f" {_JOINERS}")
    return shown if len(shown) <= longest else f"{shown[: longest - 1].rstrip()}…"


def _visible(character: str) -> str:
    if character in _JOINERS:
        return character
    if character.isspace():
        return " "
    # Control, formatting (direction among it), surrogate, private, unassigned: category C.
    return "" if unicodedata.category(character).startswith("C") else character
