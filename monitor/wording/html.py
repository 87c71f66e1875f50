"""Messages of one language as HTML: values are escaped, text that others wrote is set apart."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache

from markupsafe import Markup, escape

from monitor.wording.languages import Language
from monitor.wording.words import LONGEST, Words


def escaped(value: object) -> Markup:
    """The value as markup. Pages have thousands of these, and most are markup already: `escape`
    would copy them, as `%` and `join` of Markup do."""
    return value if type(value) is Markup else escape(value)


class HtmlWords(Words):
    """One language as HTML. Everything that `Words` returns as a message is Markup here."""

    def _own(self, text: str) -> str:
        return Markup(text)  # noqa: S704 - our own messages, and none holds a "<"

    def _filled(self, text: str, values: Mapping[str, object]) -> str:
        return text % {name: escaped(value) for name, value in values.items()}

    def listed(self, items: Iterable[str]) -> str:
        """As `Words.listed`."""
        return self._own(self.comma.join(map(escaped, items)))

    def name(self, text: str, longest: int = LONGEST) -> str:
        """As `Words.name`, in an element whose direction is that of the text."""
        return Markup('<bdi dir="auto">{}</bdi>').format(super().name(text, longest))

    def ltr(self, text: str) -> str:
        """As `Words.ltr`."""
        return Markup('<bdi dir="ltr">{}</bdi>').format(text)

    def english(self, text: str) -> str:
        """Marked, so that a screen reader reads it right."""
        return Markup('<span lang="en" dir="ltr">{}</span>').format(text)

    def at(self, moment: datetime, shown: str) -> str:
        """As a `time` element."""
        utc = f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        return Markup('<time datetime="{}">{}</time>').format(utc, shown)

    def joined(self, items: Iterable[str]) -> str:
        """As `Words.joined`."""
        return self._own(super().joined([escape(item) for item in items]))


@cache
def html_words(language: Language) -> HtmlWords:
    """The words of a language as HTML, read once."""
    return HtmlWords(language)
