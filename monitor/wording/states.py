"""Phrases for the state of a platform, and for the state and the kind of an event."""

from collections.abc import Mapping

from monitor.analysis.events.event import Event, EventKind, EventState
from monitor.analysis.verdict import State
from monitor.wording.languages import N_
from monitor.wording.sources import LABEL
from monitor.wording.words import Words

NO_DATA = "no_data"
"""Stands for a state where there is no recent measurement."""

STATES: Mapping[str, str] = {
    State.OK: N_("ok"),
    State.DEGRADED: N_("degraded"),
    State.PARTIAL: N_("partly blocked"),
    State.THROTTLED: N_("slowed down"),
    State.BLOCKED: N_("blocked"),
    State.DOWN: N_("down"),
    State.INSUFFICIENT: N_("not enough to tell"),
    NO_DATA: N_("no data"),
}
"""A platform on a network, in a table."""

STATE_STYLES = {
    State.OK: "green",
    State.DEGRADED: "yellow",
    State.PARTIAL: "yellow",
    State.THROTTLED: "yellow",
    State.BLOCKED: "bold red",
    State.DOWN: "magenta",
    State.INSUFFICIENT: "dim",
}
"""Style of each state on a terminal, as rich names it."""

STATE_MEANINGS: Mapping[str, str] = {
    State.OK: N_("reached, and the answer proves to be the platform's own"),
    State.DEGRADED: N_("functions that are not essential, or HTTP/3 alone, are blocked"),
    State.PARTIAL: N_("fails for some connections, at some addresses, or over IPv4 or IPv6 alone"),
    State.THROTTLED: N_("slowed down while other things are not"),
    State.BLOCKED: N_(
        "an essential function fails here, though it works elsewhere or something else answers in"
        " its place"
    ),
    State.DOWN: N_("fails at the control too, so this is no sign of a block here"),
    State.INSUFFICIENT: N_("tested, but the results are not enough to say anything"),
    NO_DATA: N_("not tested recently; nothing is known"),
}
"""The same as a clause, for the legend."""

EVENT_STATES: Mapping[str, str] = {
    EventState.SUSPECTED: N_("suspected"),
    EventState.CONFIRMED: N_("confirmed"),
    EventState.RECOVERING: N_("seems over"),
    EventState.UNOBSERVED: N_("no longer observed"),
    EventState.ENDED: N_("ended"),
    EventState.DISMISSED: N_("not confirmed"),
    EventState.WITHDRAWN: N_("withdrawn"),
}

EVENT_STATE_MEANINGS: Mapping[str, str] = {
    EventState.SUSPECTED: N_("A lead, not a finding: wait until it is confirmed."),
    EventState.CONFIRMED: N_("Seen too often to be explained by chance."),
    EventState.RECOVERING: N_("It works again, but not yet for long enough to call it over."),
    EventState.UNOBSERVED: N_("No recent test tells how it is where it was last blocked."),
    EventState.ENDED: N_("It is over."),
    EventState.DISMISSED: N_("It was suspected but never confirmed, and the signs went away."),
    EventState.WITHDRAWN: N_(
        "The results that count now give no reason for it, or it is part of another event. Results "
        "may have come late, or a vantage may have been left out."
    ),
}
_CLOSED = N_("It was closed; nobody saw it end.")

KINDS: Mapping[str, str] = {
    EventKind.BLOCK: N_("block"),
    EventKind.SHUTDOWN: N_("shutdown"),
    EventKind.INTERNATIONAL_CUT: N_("cut off from abroad"),
    EventKind.ALLOWLIST: N_("only a list of sites"),
    EventKind.VANTAGE_SILENT: N_("vantage offline"),
    EventKind.CONTROL_DIFFERS: N_("control disagrees"),
    EventKind.OUTAGE: N_("outage"),
    EventKind.INSTRUMENT: N_("our own fault"),
    EventKind.SEEN_BY_VOLUNTEERS: LABEL,
}


def ended_unseen(event: Event) -> bool:
    """Whether an event was closed though nobody saw it end."""
    return event.state is EventState.ENDED and event.end_latest is None


def event_state_meaning(words: Words, event: Event) -> str:
    """What the state of an event means, as a sentence."""
    return words.gettext(_CLOSED if ended_unseen(event) else EVENT_STATE_MEANINGS[event.state])


def state_and_meaning(words: Words, event: Event) -> str:
    """An event's state with what it means."""
    return words.gettext(
        "%(state)s: %(meaning)s",
        state=words.gettext(EVENT_STATES[event.state]),
        meaning=event_state_meaning(words, event),
    )
