"""Phrases for the changes in an event's log, and for the notices about them."""

from collections.abc import Mapping

from monitor.analysis.events.event import EventKind, EventLogEntry
from monitor.wording.languages import N_
from monitor.wording.states import ended_unseen
from monitor.wording.words import Words

CHANGES: Mapping[str, str] = {
    "opened": N_("First signs: suspected"),
    "confirmed": N_("Confirmed"),
    "network_affected": N_("It shows on another network"),
    "network_recovering": N_("A network seems open again"),
    "network_recovered": N_("A network is open again"),
    "network_unobserved": N_("A network is no longer observed"),
    "method_added": N_("Another method shows"),
    "scope_widened": N_("More of the platform is affected"),
    "pattern_found": N_("It follows regular hours"),
    "recovering": N_("It seems open again"),
    "reblocked": N_("It shows again"),
    "unobserved": N_("It is no longer observed"),
    "ended": N_("Over"),
    "reopened": N_("Detected again after it seemed over"),
    "dismissed": N_("Not confirmed: the signs went away"),
    "revised": N_("Corrected by the results that count now"),
    "withdrawn": N_("Withdrawn"),
}
"""By `EventLogEntry.change`."""


def change_in_words(words: Words, line: EventLogEntry) -> str:
    """A line of an event's log, without its detail."""
    if line.change == "ended" and ended_unseen(line.snapshot):
        return words.gettext("Closed; nobody saw it end")
    if line.change == "ended" and line.detail and line.snapshot.kind is not EventKind.BLOCK:
        return words.gettext("Over; some networks are not known to be back")
    return words.phrase(CHANGES, line.change, 60)


NOTICE_TITLES: Mapping[str, str] = {
    "suspected": N_("Suspected: %(claim)s"),
    "confirmed": N_("Confirmed: %(claim)s"),
    "spread": N_("More networks: %(claim)s"),
    "ended": N_("Over: %(claim)s"),
    "dismissed": N_("Not confirmed, the signs went away: %(claim)s"),
    "doubted": N_("CORRECTION, only suspected: %(claim)s"),
    "withdrawn": N_("WITHDRAWN: %(claim)s"),
}
"""By what a notice is about."""

NOTICE_ADVICE: Mapping[str, str] = {
    "suspected": N_("It is not confirmed: please wait before you publish it."),
    "confirmed": N_("A program found this: check the evidence before you publish it."),
    "dismissed": N_(
        "It was suspected, and the signs went away before it could be confirmed. Please do not "
        "count it, and correct what you passed on."
    ),
    "doubted": N_(
        "The results that count now make the evidence weaker: it is suspected and no longer "
        "confirmed. Please correct what you passed on."
    ),
    "withdrawn": N_(
        "It no longer stands: the results that count now do not support it. Please correct what "
        "you passed on."
    ),
}
"""What people should do about a notice."""
