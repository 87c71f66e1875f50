"""Text that others wrote, with every invisible character written out."""

import re

_INVISIBLE = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # controls, line ends and tabs among them
    "\u00ad\u180e\u200b\u2060-\u2064\ufeff"  # programs see them, people do not
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f"  # change the direction of the text
    "\u2028\u2029\ufff9-\ufffb\U000e0000-\U000e007f"  # line ends, annotations, tags
    "\ud800-\udfff"  # halves of characters, which UTF-8 cannot carry
    "]"
)
"""U+200C and U+200D are not in it: Persian and Hindi cannot be written without them."""


def visible(text: str) -> str:
    """`text` with each invisible character as its escape, such as \\u202e: nothing in it can move
    a cursor, hide, or change the direction of what follows."""
    return text if text.isascii() and text.isprintable() else _INVISIBLE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    point = ord(match[0])
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"
