"""A text as its reader sees it, with the place of each character in what was written.

Escapes (%2E, &#46;, \\u002e, [.], =2E) are decoded, also escapes of escapes. Digits and marks of
other scripts become ASCII (NFKC), and characters that nobody sees are left out.
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from html.entities import html5

import msgspec

TAG_MARK = "\x1f"
"""Stands for tags between two words."""

_ROUNDS = 4
"""Escapes within escapes that are decoded."""
_ESCAPE = re.compile(
    # Most characters begin none; to say so at once is faster.
    r"(?=[%\\&=\s\[({])(?:"
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
    r"|[\[({](?P<colon>:)[\])}])"
)
_ESCAPE_SIGNS = (
    *("%", "&", "\\", "=2E", "=3A", "dot"),
    *(f"{mark}{bracket}" for mark in (".", ". ", ":") for bracket in "])}"),
)
"""A text without one of these holds no escape; looking for them is much faster."""
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
    """A view of a text, in pieces that are each as they were, or in place of something else."""

    text: str
    under: "Shown | None" = None
    """What this is a view of; None: it is what was written."""
    begins: Sequence[int] = ()
    """Where each piece begins, in order."""
    places: Sequence[tuple[int, int]] = ()
    """Where each begins and ends in `under`; the end is 0 for a piece that is as it was."""

    def written(self, start: int, end: int) -> tuple[int, int]:
        """The span of the original text behind a span of the view, which is not empty."""
        if self.under is None:
            return start, end
        return self.under.written(self._place(start)[0], self._place(end - 1)[1])

    def _place(self, at: int) -> tuple[int, int]:
        piece = bisect_right(self.begins, at) - 1
        start, end = self.places[piece]
        if end:
            return start, end
        start += at - self.begins[piece]
        return start, start + 1


def shown(text: str) -> Shown:
    """`text` without escapes, in ASCII where it can be."""
    view = Shown(text)
    for _ in range(_ROUNDS):
        if not view.text.isascii():
            view = _folded(view)
        if not any(sign in view.text for sign in _ESCAPE_SIGNS):
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
    changes = ((match.span(), by(match)) for match in pattern.finditer(view.text))
    return _changed(view, changes)


def _changed(view: Shown, changes: Iterable[tuple[tuple[int, int], str]]) -> Shown:
    """A view over `view`, with other text for each of some spans, in order."""
    text, reached, length = view.text, 0, 0
    parts: list[str] = []
    begins: list[int] = []
    places: list[tuple[int, int]] = []
    for (start, end), new in changes:
        if new == text[start:end]:
            continue
        parts += text[reached:start], new
        begins += length, length + start - reached
        places += (reached, 0), (start, end)
        length += start - reached + len(new)
        reached = end
    if not parts:
        return view
    return Shown(
        "".join([*parts, text[reached:]]), view, [*begins, length], [*places, (reached, 0)]
    )


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
    if len(text) < len(view.text):
        unseen = (at for at, character in enumerate(view.text) if not _FOLDS[ord(character)])
        view = _changed(view, (((at, at + 1), "") for at in unseen))
    return view if text == view.text else msgspec.structs.replace(view, text=text)
