"""What a network does in an event that is no block of a platform."""

from collections.abc import Mapping

from monitor.analysis.events.event import EventKind
from monitor.wording.languages import N_

Phrases = Mapping[tuple[bool, bool], str]
"""Whether it is so now, whether that is certain → the phrase."""

_OFFLINE: Phrases = {
    (True, True): N_("offline"),
    (True, False): N_("seems offline"),
    (False, True): N_("was offline"),
    (False, False): N_("seemed offline"),
}
NO_NAME: Phrases = {
    (True, True): N_("no name resolves"),
    (True, False): N_("no name seems to resolve"),
    (False, True): N_("no name resolved"),
    (False, False): N_("no name seemed to resolve"),
}
"""A shutdown in which the networks work, and their resolvers do not."""
OF_KIND: Mapping[EventKind, Phrases] = {
    EventKind.SHUTDOWN: _OFFLINE,
    EventKind.VANTAGE_SILENT: _OFFLINE,
    EventKind.INSTRUMENT: _OFFLINE,
    EventKind.INTERNATIONAL_CUT: {
        (True, True): N_("is cut off from abroad"),
        (True, False): N_("seems cut off from abroad"),
        (False, True): N_("was cut off from abroad"),
        (False, False): N_("seemed cut off from abroad"),
    },
    EventKind.ALLOWLIST: {
        (True, True): N_("only a list of sites answers"),
        (True, False): N_("only a list of sites seems to answer"),
        (False, True): N_("only a list of sites answered"),
        (False, False): N_("only a list of sites seemed to answer"),
    },
    EventKind.OUTAGE: {
        (True, True): N_("fails there too"),
        (True, False): N_("seems to fail there too"),
        (False, True): N_("failed there too"),
        (False, False): N_("seemed to fail there too"),
    },
    EventKind.CONTROL_DIFFERS: {
        (True, True): N_("disagrees with the other controls"),
        (True, False): N_("seems to disagree with the other controls"),
        (False, True): N_("disagreed with the other controls"),
        (False, False): N_("seemed to disagree with the other controls"),
    },
}
LASTING = (EventKind.OUTAGE, EventKind.CONTROL_DIFFERS)
"""Kinds that do not note which of their networks are back: it lasts on each while it lasts."""
