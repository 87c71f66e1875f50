"""Words of a language for messages: text that others wrote marks nothing up in any service.

A network's name, or any other text that is not ours, must not end the line, change the direction of
the text, or use the markup of the service that shows it: no link, no bold type, no mention that
wakes a whole channel. Services differ, so everything that any of them reads as markup is removed.
"""

import re
import unicodedata
from functools import cache

from monitor.wording.languages import BY_CODE, Language
from monitor.wording.words import LONGEST, Words

_ISOLATE, _ISOLATE_LTR, _END = "\u2068", "\u2066", "\u2069"
"""Unicode isolates: what is between keeps its own direction."""
LONGEST_NAME = 60
_MARKUP = re.compile(r"[*_~`|#<>\[\]{}@\\=^$:;\"]|//+")
_SPACE = re.compile(r"\s+")
_JOINERS = "\u200c\u200d"
"""Persian and Hindi cannot be written without them."""


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


class MessageWords(Words):
    """One language as plain text for any service."""

    def __init__(self, language: Language) -> None:
        super().__init__(language)
        self._mixed = language.direction == "rtl"

    def name(self, text: str, longest: int = LONGEST) -> str:
        """As `plain_name`; in a text from right to left it keeps its own direction."""
        plain = plain_name(text, longest)
        return f"{_ISOLATE}{plain}{_END}" if self._mixed and plain else plain

    def ltr(self, text: str) -> str:
        """As `Words.ltr`."""
        return f"{_ISOLATE_LTR}{text}{_END}" if self._mixed else text


@cache
def message_words(code: str) -> MessageWords:
    """The words of the language with that code, read once."""
    return MessageWords(BY_CODE[code])
