"""Text that others wrote, made safe for a page: people read it and programs do not obey it."""

from monitor.wording.plain import visible

START, END = "\ue000", "\ue001"
"""Private characters of ours around a name in a sentence: the text between them has its own
direction. Each renderer replaces them by its own means."""
_MARKS = str.maketrans(dict.fromkeys(START + END))
_LONGEST = 160


def plain(text: str, limit: int = _LONGEST) -> str:
    """`text` with invisible characters written out, at most `limit` characters of it."""
    cut = text[: limit + 1]
    shown = visible(cut.translate(_MARKS))
    return f"{shown[:limit]}…" if len(cut) > limit or len(shown) > limit else shown


def isolated(text: str, limit: int = 60) -> str:
    """A name in a sentence: its direction changes nothing around it."""
    return f"{START}{plain(text, limit)}{END}"


def unmarked(text: str) -> str:
    """`text` without the marks around names."""
    return text.translate(_MARKS)
