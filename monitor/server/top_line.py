"""The headline about the present."""

from monitor.analysis.events.event import Event
from monitor.server.matrix import Overall
from monitor.wording.coverage import coverage_now
from monitor.wording.states import EVENT_STATES, KINDS
from monitor.wording.words import Words


def top_line(words: Words, now: Overall, *, controls: bool) -> str:
    """What the counts come to, of a country or of all."""
    if now.confirmed:
        confirmed = words.ngettext("%(n)s confirmed block", "%(n)s confirmed blocks", now.confirmed)
        if not now.suspected:
            return confirmed
        more = words.ngettext("%(n)s more suspected", "%(n)s more suspected", now.suspected)
        return words.listed([confirmed, more])
    if now.suspected:
        return words.ngettext("%(n)s suspected block", "%(n)s suspected blocks", now.suspected)
    if now.recovering:
        return words.ngettext(
            "%(n)s block may be over, not certain yet",
            "%(n)s blocks may be over, not certain yet",
            now.recovering,
        )
    if now.unobserved:
        return words.ngettext(
            "%(n)s block no longer observed", "%(n)s blocks no longer observed", now.unobserved
        )
    if now.blocked:
        return words.ngettext(
            "No event yet, but %(n)s vantage saw a block in the last cycle",
            "No event yet, but %(n)s vantages saw a block in the last cycle",
            now.blocked,
        )
    return coverage_now(words, now.coverage, controls=controls)


def kind_and_state(words: Words, event: Event) -> str:
    """The same of one event that is no block: `shutdown, confirmed`."""
    return words.listed(
        [words.gettext(KINDS[event.kind]), words.gettext(EVENT_STATES[event.state])]
    )
