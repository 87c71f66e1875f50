"""A text as its reader sees it, with the place of each character in what was written.

Escapes (%2E, &#46;, \\u002e, [.], =2E) are decoded, also escapes of escapes. Digits and marks of
other scripts become ASCII (NFKC), and characters that nobody sees are left out.
"""

import re
import unicodedata
from collections.abc import Callable
from html.entities import html5

import msgspec

TAG_MARK = "\x1f"
"""Stands for tags between two words."""

_ROUNDS = 4
"""Escapes within escapes that are decoded."""
_ESCAPE = re.compile(
    r"(?P<utf8>%[C-Fc-f][0-9A-Fa-f](?:%[89ABab][0-9A-Fa-f]){1,3})"
    r"|%(?:25){0,8}(?P<percent>[0-9A-Fa-f]{2})"
    r"|\\{1,4}(?:u\{0{0,4}(?P<braced>[0-9A-Fa-f]{1,6})\}|u(?P<u>[0-9A-Fa-f]{4})|x(?P<x>[0-9A-Fa-f]{2}))"
    # Of a dot or a colon even where digits follow at once.
    r"|\\(?P<octal>[01][0-7]{2})|\\0{0,4}(?P<css>[23][0-9A-Fa-f])\s"
    r"|&\#(?:0{0,8}(?P<mark>46|58)|[xX]0{0,8}(?P<hexmark>2[eE]|3[aA]))(?:;|(?!;))"
    r"|&\#[xX]0{0,8}(?P<hexadecimal>[0-9A-Fa-f]{1,6});?|&\#0{0,8}(?P<decimal>\d{1,7});?"
    r"|&(?P<name>[A-Za-z][A-Za-z0-9]{1,30});"
    r"|=(?P<quoted>2E|3A)"
    r"|\s?[\[({]\s?(?P<dot>\.|dot)\s?[\])}]\s?|(?<=\d)\s{1,3}(?P<word>dot)\s{1,3}(?=\d)"
    r"|[\[({](?P<colon>:)[\])}]"
)
_ESCAPED = re.compile(r"[%&\\]|=2E|=3A|[.:][\])}]|dot|\. [\])}]")
"""A text without a match holds no escape; looking for it is much faster."""
_TAG = r"<(?:!--[^<>]{0,200}--|/?[A-Za-z][^<>]{0,300})>"
_TAGS = re.compile(_TAG)
_TAGS_BETWEEN = re.compile(rf"(?:\s{{0,4}}{_TAG}){{1,20}}\s{{0,4}}")
_BROKEN_LINE = re.compile(r"(?<=[A-Za-z0-9+/_-]{40})\r?\n[ \t]{0,8}(?=[A-Za-z0-9+/_-]{2})")
"""A line of base64 ends, and goes on in the next."""
_TAG_BESIDE_NUMBER = re.compile(r"[0-9A-Fa-f.:]\s?<[A-Za-z/!]")
_MARKS = {
    **dict.fromkeys("。．｡·•․‧∙⋅٫﹒・", "."),
    **dict.fromkeys("：ː∶﹕︰", ":"),
    **dict.fromkeys("‐‑‒–—−﹣－", "-"),
    **dict.fromkeys("،﹐，、", ","),
}


class Shown(msgspec.Struct, frozen=True):
    """A view of a text."""

    text: str
    starts: list[int] | None = None
    """For each character of the view, where what was written for it begins; None: unchanged."""
    ends: list[int] | None = None
    """And where it ends."""

    def written(self, start: int, end: int) -> tuple[int, int]:
        """The span of the original text behind a span of the view, which is not empty."""
        if self.starts is None or self.ends is None:
            return start, end
        return self.starts[start], self.ends[end - 1]


def shown(text: str) -> Shown:
    """`text` without escapes, in ASCII where it can be."""
    view = Shown(text)
    for _ in range(_ROUNDS):
        if not view.text.isascii():
            view = _folded(view)
        if _ESCAPED.search(view.text) is None:
            break
        decoded = _replaced(view, _ESCAPE, _decoded)
        if decoded is view:
            break
        view = decoded
    else:
        view = _folded(view)
    return view


def in_one_line(view: Shown) -> Shown:
    """The view with base64 of several lines put together; itself where there is none."""
    return _replaced(view, _BROKEN_LINE, lambda _: "") if "\n" in view.text else view


def tags_matter(view: Shown) -> bool:
    """Whether a tag stands beside anything like a number."""
    return "<" in view.text and _TAG_BESIDE_NUMBER.search(view.text) is not None


def without_tags(view: Shown) -> Shown:
    """The view without tags."""
    return _replaced(view, _TAGS, lambda _: "")


def with_marks_for_tags(view: Shown) -> Shown:
    """The view with one TAG_MARK for all tags between two words."""
    return _replaced(view, _TAGS_BETWEEN, lambda _: TAG_MARK)


def _replaced(view: Shown, pattern: re.Pattern[str], by: Callable[[re.Match[str]], str]) -> Shown:
    """The view with each match replaced; the same object where nothing was."""
    text, reached = view.text, 0
    parts: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for match in pattern.finditer(text):
        start, end = match.span()
        new = by(match)
        if new == match.group():
            continue
        parts += text[reached:start], new
        starts += range(reached, start)
        ends += range(reached + 1, start + 1)
        starts += [start] * len(new)
        ends += [end] * len(new)
        reached = end
    if not parts:
        return view
    parts.append(text[reached:])
    starts += range(reached, len(text))
    ends += range(reached + 1, len(text) + 1)
    return _over(view, "".join(parts), starts, ends)


def _over(view: Shown, text: str, starts: list[int], ends: list[int]) -> Shown:
    """A view of a view."""
    if view.starts is not None and view.ends is not None:
        starts = [view.starts[at] for at in starts]
        ends = [view.ends[at - 1] for at in ends]
    return Shown(text, starts, ends)


def _decoded(escape: re.Match[str]) -> str:
    kind, value = escape.lastgroup, escape[escape.lastgroup or 0]
    if kind in ("dot", "word"):
        return "."
    if kind == "colon":
        return ":"
    if kind == "name":
        return html5.get(f"{value};", escape.group())
    if kind == "utf8":
        return bytes.fromhex(value.replace("%", "")).decode("utf-8", "replace")
    number = int(value, {"decimal": 10, "mark": 10, "octal": 8}.get(kind or "", 16))
    return chr(number) if number < 0x110000 else "\ufffd"


class _Folds(dict[int, str]):
    """What each character is shown as, one character or none, worked out when first met."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        self[code] = found = character if code < 0x80 else _fold(character)
        return found


def _fold(character: str) -> str:
    if unicodedata.category(character) == "Cf" or character in "\u034f\u115f\u1160\u3164\ufe0f":
        return ""  # nobody sees it
    digit = unicodedata.digit(character, None)
    if digit is not None:
        return str(digit)
    if character in _MARKS:
        return _MARKS[character]
    same = unicodedata.normalize("NFKC", character)
    return same if len(same) == 1 and same.isascii() else character


_FOLDS = _Folds()


def _folded(view: Shown) -> Shown:
    text = view.text.translate(_FOLDS)
    if text == view.text:
        return view
    if len(text) == len(view.text):
        return Shown(text, view.starts, view.ends)
    kept = [at for at, character in enumerate(view.text) if _FOLDS[ord(character)]]
    return _over(view, text, kept, [at + 1 for at in kept])
