"""Words of a language for messages: text that others wrote marks nothing up in any service."""

from functools import cache

from monitor.notify.plain_names import plain_name
from monitor.wording.languages import BY_CODE, Language
from monitor.wording.words import LONGEST, Words

_ISOLATE, _ISOLATE_LTR, _END = "\u2068", "\u2066", "\u2069"
"""Unicode isolates: what is between keeps its own direction."""


class MessageWords(Words):
    """One language as plain text for any service."""

    def __init__(self, language: Language) -> None:
        super().__init__(language)
        self._mixed = language.direction == "rtl"

    def name(self, text: str, longest: int = LONGEST) -> str:
        """As `plain_name`; in a text from right to left it keeps its own direction."""
        plain = plain_name(text, longest)
        return f"{_ISOLATE}{plain}{_END}" if self._mixed and plain else plain

    def ltr(self, text: str) -> str:
        """As `Words.ltr`."""
        return f"{_ISOLATE_LTR}{text}{_END}" if self._mixed else text


@cache
def message_words(code: str) -> MessageWords:
    """The words of the language with that code, read once."""
    return MessageWords(BY_CODE[code])
