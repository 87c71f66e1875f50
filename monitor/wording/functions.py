"""Phrases for a platform's functions, as the shipped catalogue names them."""

from collections.abc import Mapping

from monitor.wording.languages import N_
from monitor.wording.words import Words

FUNCTIONS: Mapping[str, str] = {
    "web": N_("website"),
    "api": N_("what its apps connect to"),
    "media": N_("pictures and videos"),
    "chat": N_("messages"),
    "links": N_("short links"),
    "calls": N_("calls"),
    "registration": N_("signing up"),
    "doh": N_("DNS over HTTPS"),
    "dot": N_("DNS over TLS"),
}


def function_in_words(words: Words, function: str) -> str:
    """A function as a phrase; one of the operator's own by its name."""
    return words.phrase(FUNCTIONS, function, 40)
