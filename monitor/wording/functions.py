"""Phrases for a platform's functions, as the shipped catalogue, an older one or data of OONI names
them.
"""

from collections.abc import Mapping

from monitor.wording.languages import N_
from monitor.wording.words import Words

FUNCTIONS: Mapping[str, str] = {
    "web": N_("website"),
    "api": N_("what its apps connect to"),
    "app": N_("what its apps connect to"),
    "pictures": N_("pictures"),
    "video": N_("videos"),
    "media": N_("pictures and videos"),
    "scripts": N_("how its website looks and works"),
    "chat": N_("messages"),
    "chat-web": N_("messages on its website"),
    "links": N_("short links"),
    "calls": N_("calls"),
    "call-names": N_("names that its calls look up"),
    "group-calls": N_("group calls"),
    "registration": N_("signing up"),
    "bots": N_("bots"),
    "storage": N_("its copy of contacts and settings"),
    "contacts": N_("finding contacts"),
    "doh": N_("DNS over HTTPS"),
    "dot": N_("DNS over TLS"),
}


def function_in_words(words: Words, function: str) -> str:
    """A function as a phrase; one of the operator's own by its name. `function:group` is for the
    people of one group alone."""
    name, _, group = function.partition(":")
    phrase = words.phrase(FUNCTIONS, name, 40)
    if not group:
        return phrase
    return words.gettext("%(function)s (%(group)s)", function=phrase, group=words.name(group, 40))
