"""Phrases for the map of the countries that are watched."""

from collections.abc import Iterable, Mapping

from monitor.wording.languages import N_
from monitor.wording.states import STATES
from monitor.wording.words import Words

OK_IN_PART = "ok_in_part"
"""Stands for the state of a country in which all that is decided works, and not all is decided."""
EVENT = "event"
"""Stands for the mark of an event that is active though nothing is found blocked now."""

TILES: Mapping[str, str] = {
    **STATES,
    OK_IN_PART: N_("ok as far as decided"),
    EVENT: N_("an event is active"),
}
"""A country on the map, and its marks, for the legend."""


def tile_text(words: Words, country: str, counts: Mapping[str, int], events: Iterable[str]) -> str:
    """How many of a country's platforms are in which state, the worst first, and the states of
    events: `Pakistan: blocked 1, ok 9, event: suspected`."""
    states = [
        words.gettext("%(state)s %(n)s", state=words.gettext(STATES[state]), n=words.number(n))
        for state, n in counts.items()
    ]
    active = [words.gettext("event: %(state)s", state=state) for state in events]
    return words.gettext(
        "%(when)s: %(what)s", when=words.country(country), what=words.listed([*states, *active])
    )
