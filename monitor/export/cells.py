"""Cells that are safe to open in a spreadsheet.

Answers of pages, proxies and networks end up in these files, so their authors choose the text. A
spreadsheet runs a cell that begins with = + - @ as a formula. Some also do so after spaces or
quotes, or in full-width form, and where the list separator is a semicolon, also after one in the
middle of a cell. An apostrophe before the sign makes it text everywhere. Numbers are our own and
stay numbers, negative ones too.
"""

import math
import re
from datetime import datetime

from storage.values.times import time_text

Value = str | int | float | bool | datetime | None
"""The possible values of a cell."""

_INVISIBLE = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # controls, line ends and tabs among them
    "\u00ad\u180e\u200b\u2060-\u2064\ufeff"  # visible to programs, not to people
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f"  # change the direction of the text
    "\u2028\u2029\ufff9-\ufffb\U000e0000-\U000e007f"  # line ends, annotations, tags
    "\ud800-\udfff"  # halves of characters, which UTF-8 cannot carry
    "]"
)
"""Left alone: U+200C and U+200D, without which Persian and Hindi cannot be written."""

_FORMULA = re.compile("(^|;)(?=[\\s\"'`´‘’“”«»\u200c\u200d]*[=+\\-@＝＋－＠﹢﹣﹦﹫−])")


_SUSPECT_LEADS = frozenset("=+-@ \"'`")
"""Plain text that begins with none of these and has no semicolon needs no further check."""


def cell(value: Value) -> str:
    """`value` as the text of one CSV cell, before any quoting."""
    match value:
        case str():
            return text_cell(value)
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float() if math.isfinite(value):
            return repr(value)
        case float():
            return text_cell(str(value))
        case datetime():
            return time_text(value)


def text_cell(text: str) -> str:
    """`text` with invisible characters written out, and nothing a spreadsheet would run.

    A control or direction character becomes its escape, such as \\u202e. A cell whose first sign
    follows an apostrophe had none before: take one away to get the text back.
    """
    plain = text.isascii() and text.isprintable()
    if plain and text[:1] not in _SUSPECT_LEADS and ";" not in text:
        return text
    return _FORMULA.sub(r"\1'", _INVISIBLE.sub(_escape, text))


def visible(text: str) -> str:
    """`text` with invisible characters written out as in `text_cell`. On a terminal it moves no
    cursor, hides nothing and changes no direction."""
    return text if text.isascii() and text.isprintable() else _INVISIBLE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    point = ord(match[0])
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"
