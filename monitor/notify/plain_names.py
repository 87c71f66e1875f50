"""Names that others chose, made fit to stand in a message.

A network's name, or anything else that is not ours, must neither end the line, nor turn the text
around, nor speak the markup of the service that shows it: no link, no bold type, no mention that
wakes a whole channel. Services differ, so all that any of them reads as markup goes.
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
    # What is invisible goes first: markup can hide behind it.
    visible = "".join(map(_visible, text[: 20 * longest]))
    told = _SPACE.sub(" ", _MARKUP.sub(" ", visible)).strip(f" {_JOINERS}")
    return told if len(told) <= longest else f"{told[: longest - 1].rstrip()}…"


def _visible(character: str) -> str:
    if character in _JOINERS:
        return character
    if character.isspace():
        return " "
    # Control, formatting (direction among it), surrogate, private, unassigned: category C.
    return "" if unicodedata.category(character).startswith("C") else character
