"""Texts that others wrote, made fit for a page that people read and programs do not obey."""

from monitor.export.cells import visible

START, END = "\ue000", "\ue001"
"""Around a name in a sentence: what is between runs in its own direction. Private characters of
ours; the renderers turn them into their own means."""
_MARKS = str.maketrans(dict.fromkeys(START + END))
_LONGEST = 160


def plain(text: str, limit: int = _LONGEST) -> str:
    """`text` with invisible characters written out, at most `limit` characters of it."""
    cut = text[: limit + 1]
    shown = visible(cut.translate(_MARKS))
    return f"{shown[:limit]}…" if len(cut) > limit or len(shown) > limit else shown


def name(text: str, limit: int = 60) -> str:
    """A name in a sentence, kept apart so that its direction turns nothing around it."""
    return f"{START}{plain(text, limit)}{END}"


def unmarked(text: str) -> str:
    """`text` without the marks around names."""
    return text.translate(_MARKS)
