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

from monitor.wording.visible_text import visible
from storage.values.times import time_text

Value = str | int | float | bool | datetime | None
"""The possible values of a cell."""

_FORMULA = re.compile("(^|;)(?=[\\s\"'`´‘’“”«»\u200c\u200d]*[=+\\-@＝＋－＠﹢﹣﹦﹫−])")


_SUSPECT_LEADS = frozenset("=+-@ \"'`")
"""Plain text that begins with none of these and has no semicolon needs no further check."""


SEPARATORS = {"list": " ", "names": " | "}
"""What separates the items of a column, by its unit. No item holds it."""


def items(unit: str, value: Value) -> list[str]:
    """The items of a column of that unit."""
    return [item for item in str(value or "").split(SEPARATORS[unit]) if item]


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
    return _FORMULA.sub(r"\1'", visible(text))
