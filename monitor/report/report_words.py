"""Words of a language for reports: names that others chose stand between marks of ours."""

from functools import cache

from monitor.report.foreign_text import isolated, plain
from monitor.wording.languages import ENGLISH, Language
from monitor.wording.words import LONGEST, Words


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
