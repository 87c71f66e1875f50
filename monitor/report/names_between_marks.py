"""Words of a language for reports: text that others wrote is safe, and names stand between marks.

People read such text, and programs do not obey it.
"""

from functools import cache

from monitor.wording.languages import ENGLISH, Language
from monitor.wording.visible_text import visible
from monitor.wording.words import LONGEST, Words

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


class ReportWords(Words):
    """One language as the text of a document."""

    def name(self, text: str, longest: int = LONGEST) -> str:
        """As `Words.name`, between the marks that renderers replace by their own."""
        return isolated(text, longest)

    def ltr(self, text: str) -> str:
        """As `Words.ltr`."""
        return plain(text, LONGEST)


@cache
def report_words(language: Language = ENGLISH) -> ReportWords:
    """The words of a language, read once."""
    return ReportWords(language)
