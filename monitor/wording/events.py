"""Sentences about an event: what happened where, since when and until when, no surer than it is."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from enum import StrEnum

from monitor.analysis.events.event import (
    Event,
    EventKind,
    EventState,
    NetworkStatus,
    Stretch,
)
from monitor.analysis.events.shutdowns import NO_NAMES
from monitor.analysis.events.stretches import (
    at_first_test,
    certain_count,
    first,
    least,
    most,
    newest,
    stretches,
)
from monitor.analysis.verdict import PlatformVerdict, State
from monitor.wording.conditions import LASTING, NO_NAME, OF_KIND
from monitor.wording.durations import duration_at_least, duration_at_most
from monitor.wording.languages import N_
from monitor.wording.states import STATES
from monitor.wording.times import between, moment
from monitor.wording.words import Words


class Certainty(StrEnum):
    """How a sentence claims a block."""

    IS = "is"
    MAY = "may"
    WAS = "was"
    MAY_HAVE = "may_have"
    """It is over, and was never confirmed."""
    NO_LONGER = "no_longer"
    DISMISSED = "dismissed"
    WITHDRAWN = "withdrawn"


FULL, SOME, PARTIAL, SLOWED = "full", "some", "partial", "slowed"
"""In what manner a platform is blocked."""

CLAIMS: Mapping[tuple[Certainty, str], str] = {
    (Certainty.IS, FULL): N_("%(platform)s is blocked in %(country)s"),
    (Certainty.IS, SOME): N_("Some connections to %(platform)s are blocked in %(country)s"),
    (Certainty.IS, PARTIAL): N_("Parts of %(platform)s are blocked in %(country)s"),
    (Certainty.IS, SLOWED): N_("%(platform)s is slowed down in %(country)s"),
    (Certainty.MAY, FULL): N_("%(platform)s may be blocked in %(country)s"),
    (Certainty.MAY, SOME): N_("Some connections to %(platform)s may be blocked in %(country)s"),
    (Certainty.MAY, PARTIAL): N_("Parts of %(platform)s may be blocked in %(country)s"),
    (Certainty.MAY, SLOWED): N_("%(platform)s may be slowed down in %(country)s"),
    (Certainty.WAS, FULL): N_("%(platform)s was blocked in %(country)s"),
    (Certainty.WAS, SOME): N_("Some connections to %(platform)s were blocked in %(country)s"),
    (Certainty.WAS, PARTIAL): N_("Parts of %(platform)s were blocked in %(country)s"),
    (Certainty.WAS, SLOWED): N_("%(platform)s was slowed down in %(country)s"),
    (Certainty.NO_LONGER, FULL): N_("%(platform)s is no longer blocked in %(country)s"),
    (Certainty.NO_LONGER, SOME): N_(
        "Connections to %(platform)s are no longer blocked in %(country)s"
    ),
    (Certainty.NO_LONGER, PARTIAL): N_(
        "Parts of %(platform)s are no longer blocked in %(country)s"
    ),
    (Certainty.NO_LONGER, SLOWED): N_("%(platform)s is no longer slowed down in %(country)s"),
}
_UNSURE: Mapping[Certainty, str] = {
    Certainty.MAY_HAVE: N_("%(platform)s may have been blocked or slowed down in %(country)s"),
    Certainty.DISMISSED: N_(
        "%(platform)s seemed to be blocked or slowed down in %(country)s; this was never confirmed"
    ),
    Certainty.WITHDRAWN: N_(
        "%(platform)s was thought to be blocked or slowed down in %(country)s; the results that "
        "count now do not support this"
    ),
}


def event_title(event: Event, titles: Mapping[str, str]) -> str:
    """The platform's own name; `titles` are by name in the catalogue."""
    return titles.get(event.platform, event.platform)


def headline(words: Words, event: Event, titles: Mapping[str, str]) -> str:
    """What happened and since when, in one line."""
    what = what_happened(words, event, titles)
    if event.kind is not EventKind.BLOCK or not event.active:
        return what
    if event.state in (EventState.RECOVERING, EventState.UNOBSERVED):
        return words.gettext("%(what)s; blocked from %(when)s", what=what, when=onset(words, event))
    return words.gettext("%(what)s, since %(when)s", what=what, when=onset(words, event))


def what_happened(words: Words, event: Event, titles: Mapping[str, str]) -> str:
    """What happened where, without a full stop."""
    certainty = certainty_of(event)
    if event.kind in _OF_COUNTRY and certainty is Certainty.IS and event.wholly_unobserved:
        was = claim(words, event, titles, Certainty.WAS)
        return words.gettext("%(was)s; whether this goes on is not known", was=was)
    what = claim(words, event, titles, certainty)
    unconfirmed = (Certainty.DISMISSED, Certainty.WITHDRAWN)
    if event.kind is not EventKind.BLOCK or certainty in unconfirmed:
        return what
    return as_last_seen(words, event, _on_networks(words, event, what))


def goes_on(words: Words, event: Event, titles: Mapping[str, str]) -> str:
    """Of an event that is gone because it continues as another one, without a full stop: the
    results may support that one as well as before."""
    said = words.gettext("This event continues as another one")
    if not event.platform:
        return said
    return words.gettext(
        "%(platform)s in %(country)s: %(what)s",
        platform=words.name(event_title(event, titles), 80),
        country=words.country(event.country),
        what=said,
    )


def as_last_seen(words: Words, event: Event, was: str) -> str:
    """What happened, with what is known of the end while that is not certain."""
    if event.state is EventState.RECOVERING:
        return words.gettext("%(was)s and seems to work again", was=was)
    if event.state is EventState.UNOBSERVED:
        return unseen(words, was)
    return was


def unseen(words: Words, was: str) -> str:
    """What was blocked, where no network that blocked it last is tested any more, or tests there
    tell nothing: it may have been found open before that, too few times to be over."""
    return words.gettext(
        "%(was)s; no recent test tells how it is where it was last blocked", was=was
    )


def seems_over(event: Event) -> bool:
    """Whether what blocks is told in the past: it is over, may be, or nobody can see it."""
    return not event.active or event.state in (EventState.RECOVERING, EventState.UNOBSERVED)


def founded(event: Event) -> bool:
    """Whether it was a block as far as is known. Dismissed and withdrawn events show no evidence
    and no length."""
    return event.state not in (EventState.DISMISSED, EventState.WITHDRAWN)


def certainty_of(event: Event) -> Certainty:
    """How sure an event is now."""
    match event.state:
        case EventState.CONFIRMED:
            return Certainty.IS
        case EventState.SUSPECTED:
            return Certainty.MAY
        case EventState.DISMISSED:
            return Certainty.DISMISSED
        case EventState.WITHDRAWN:
            return Certainty.WITHDRAWN
    return Certainty.WAS if event.sure else Certainty.MAY_HAVE


def manner_of(event: Event) -> str:
    """What the event does to the platform: `full`, `some`, `partial` or `slowed`."""
    if event.methods and all(method.startswith("throttling") for method in event.methods):
        return SLOWED
    return str(event.scope)


def extent(words: Words, value: Event | PlatformVerdict) -> str:
    """What part is affected where some connections fail and others work; empty for the rest, and
    where it was not counted."""
    if value.family:
        return words.gettext(
            "only over %(family)s", family={"ipv4": "IPv4", "ipv6": "IPv6"}[value.family]
        )
    if value.share is None:
        return ""
    return words.gettext(
        "%(share)s of the connections or addresses tested", share=words.percent(value.share)
    )


def claim(words: Words, event: Event, titles: Mapping[str, str], certainty: Certainty) -> str:
    """What happened in which country with this certainty, without networks and times."""
    if event.kind is not EventKind.BLOCK:
        return _circumstance(words, event, titles, certainty)
    message = _UNSURE.get(certainty) or CLAIMS[certainty, manner_of(event)]
    what = words.gettext(
        message,
        platform=words.name(event_title(event, titles), 80),
        country=words.country(event.country),
    )
    if certainty in (Certainty.IS, Certainty.MAY) and certain_count(event) > 1:
        return words.gettext("%(what)s again", what=what)
    return what


def counted_networks(event: Event) -> Sequence[NetworkStatus]:
    """Networks that block now, or where none does those that did at any time."""
    now = [network for network in event.networks if network.blocked_now]
    return now or [network for network in event.networks if network.affected]


def _on_networks(words: Words, event: Event, what: str) -> str:
    if len(event.networks) == 1:
        return words.gettext("%(what)s on the only network tested there", what=what)
    return words.gettext(
        "%(what)s on %(x)s of %(n)s networks",
        what=what,
        x=words.number(len(counted_networks(event))),
        n=words.number(len(event.networks)),
    )


_CIRCUMSTANCES: Mapping[tuple[EventKind, Certainty], str] = {
    (EventKind.SHUTDOWN, Certainty.IS): N_(
        "%(country)s is cut off from the internet: every tested network is offline"
    ),
    (EventKind.SHUTDOWN, Certainty.MAY): N_(
        "%(country)s may be cut off from the internet: every tested network is offline"
    ),
    (EventKind.SHUTDOWN, Certainty.WAS): N_("%(country)s was cut off from the internet"),
    (EventKind.SHUTDOWN, Certainty.NO_LONGER): N_(
        "%(country)s is no longer cut off from the internet"
    ),
    (EventKind.INTERNATIONAL_CUT, Certainty.IS): N_(
        "%(country)s is cut off from abroad: only domestic sites answer"
    ),
    (EventKind.INTERNATIONAL_CUT, Certainty.MAY): N_(
        "%(country)s may be cut off from abroad: only domestic sites answer"
    ),
    (EventKind.INTERNATIONAL_CUT, Certainty.WAS): N_("%(country)s was cut off from abroad"),
    (EventKind.INTERNATIONAL_CUT, Certainty.NO_LONGER): N_(
        "%(country)s is no longer cut off from abroad"
    ),
    (EventKind.ALLOWLIST, Certainty.IS): N_(
        "Only a list of sites answers in %(country)s, on %(x)s of %(n)s tested networks"
    ),
    (EventKind.ALLOWLIST, Certainty.MAY): N_(
        "It may be that only a list of sites answers in %(country)s, on %(x)s of %(n)s tested"
        " networks"
    ),
    (EventKind.ALLOWLIST, Certainty.WAS): N_("Only a list of sites answered in %(country)s"),
    (EventKind.ALLOWLIST, Certainty.NO_LONGER): N_(
        "More than a list of sites answers in %(country)s again"
    ),
    (EventKind.VANTAGE_SILENT, Certainty.IS): N_("Vantage %(vantage)s is offline"),
    (EventKind.VANTAGE_SILENT, Certainty.MAY): N_("Vantage %(vantage)s may be offline"),
    (EventKind.VANTAGE_SILENT, Certainty.WAS): N_("Vantage %(vantage)s was offline"),
    (EventKind.VANTAGE_SILENT, Certainty.NO_LONGER): N_("Vantage %(vantage)s is back"),
    (EventKind.CONTROL_DIFFERS, Certainty.IS): N_(
        "Control %(vantage)s disagrees with the other controls"
    ),
    (EventKind.CONTROL_DIFFERS, Certainty.MAY): N_(
        "Control %(vantage)s may disagree with the other controls"
    ),
    (EventKind.CONTROL_DIFFERS, Certainty.WAS): N_(
        "Control %(vantage)s disagreed with the other controls"
    ),
    (EventKind.CONTROL_DIFFERS, Certainty.NO_LONGER): N_(
        "Control %(vantage)s agrees with the other controls again"
    ),
    (EventKind.OUTAGE, Certainty.IS): N_(
        "%(platform)s fails everywhere, at the controls too: an outage"
    ),
    (EventKind.OUTAGE, Certainty.MAY): N_(
        "%(platform)s seems to fail everywhere, at the controls too: an outage"
    ),
    (EventKind.OUTAGE, Certainty.WAS): N_(
        "%(platform)s failed everywhere, at the controls too: an outage"
    ),
    (EventKind.OUTAGE, Certainty.NO_LONGER): N_("%(platform)s no longer fails everywhere"),
    (EventKind.INSTRUMENT, Certainty.IS): N_("All vantages are offline: check this monitor first"),
    (EventKind.INSTRUMENT, Certainty.MAY): N_(
        "All vantages seem to be offline: check this monitor first"
    ),
    (EventKind.INSTRUMENT, Certainty.WAS): N_("All vantages were offline"),
    (EventKind.INSTRUMENT, Certainty.NO_LONGER): N_("The vantages are back"),
    (EventKind.SEEN_BY_VOLUNTEERS, Certainty.IS): N_(
        "Volunteers find %(platform)s blocked in %(country)s, on %(x)s of %(n)s networks"
    ),
    (EventKind.SEEN_BY_VOLUNTEERS, Certainty.MAY): N_(
        "%(platform)s fails for volunteers in %(country)s, on %(x)s of %(n)s networks"
    ),
    (EventKind.SEEN_BY_VOLUNTEERS, Certainty.WAS): N_(
        "Volunteers found %(platform)s blocked in %(country)s"
    ),
    (EventKind.SEEN_BY_VOLUNTEERS, Certainty.NO_LONGER): N_(
        "Volunteers no longer find %(platform)s blocked in %(country)s"
    ),
}


_PARTLY_OFFLINE: Mapping[Certainty, str] = {
    Certainty.IS: N_(
        "%(country)s is cut off from the internet: %(x)s of %(n)s tested networks are offline"
    ),
    Certainty.MAY: N_(
        "%(country)s may be cut off from the internet: %(x)s of %(n)s tested networks are offline"
    ),
}
"""A shutdown with some networks that are not offline."""
_NO_NAMES: Mapping[Certainty, str] = {
    Certainty.IS: N_("In %(country)s no name resolves on any tested network"),
    Certainty.MAY: N_("In %(country)s no name seems to resolve on any tested network"),
    Certainty.WAS: N_("In %(country)s no name resolved on any tested network"),
    Certainty.NO_LONGER: N_("In %(country)s names resolve again"),
}
"""A shutdown in which the networks work, and their resolvers do not."""
_PARTLY_NO_NAMES: Mapping[Certainty, str] = {
    Certainty.IS: N_("In %(country)s no name resolves on %(x)s of %(n)s tested networks"),
    Certainty.MAY: N_("In %(country)s no name seems to resolve on %(x)s of %(n)s tested networks"),
    Certainty.WAS: N_("In %(country)s no name resolved on %(x)s of %(n)s tested networks"),
}
_PARTLY_CUT: Mapping[Certainty, str] = {
    Certainty.IS: N_(
        "%(country)s is cut off from abroad on %(x)s of %(n)s tested networks: only domestic sites"
        " answer there"
    ),
    Certainty.MAY: N_(
        "%(country)s may be cut off from abroad on %(x)s of %(n)s tested networks: only domestic"
        " sites answer there"
    ),
}
"""The same, and a cut, with some networks that are spared or tell nothing."""
_OF_COUNTRY = (EventKind.SHUTDOWN, EventKind.INTERNATIONAL_CUT, EventKind.ALLOWLIST)
_OF_SOME_NETWORKS = (*_OF_COUNTRY, EventKind.SEEN_BY_VOLUNTEERS)
"""Kinds that may spare networks: what was so on some of them was not so in the whole country."""


def _circumstance(
    words: Words, event: Event, titles: Mapping[str, str], certainty: Certainty
) -> str:
    """An event that is no block."""
    if certainty in (Certainty.DISMISSED, Certainty.MAY_HAVE, Certainty.WITHDRAWN):
        suspicion = _circumstance(words, event, titles, Certainty.MAY)
        if certainty is Certainty.WITHDRAWN:
            return words.gettext("Withdrawn: %(claim)s", claim=suspicion)
        return words.gettext("Never confirmed: %(claim)s", claim=suspicion)
    offline, tested = len(counted_networks(event)), len(event.networks)
    message = _CIRCUMSTANCES[event.kind, certainty]
    partly = _PARTLY_OFFLINE if event.kind is EventKind.SHUTDOWN else {}
    if event.methods == (NO_NAMES,):
        message, partly = _NO_NAMES[certainty], _PARTLY_NO_NAMES
    elif event.kind is EventKind.INTERNATIONAL_CUT:
        partly = _PARTLY_CUT
    spared = event.kind in _OF_SOME_NETWORKS and offline < tested
    counted = certainty is not Certainty.WAS or certainty in partly
    if offline < tested:
        message = partly.get(certainty, message)
    said = words.gettext(
        message,
        country=words.country(event.country),
        x=words.number(offline),
        n=words.number(tested),
        vantage=words.name(event.vantage, 80),
        platform=words.name(event_title(event, titles), 80),
    )
    return said if counted or not spared else _on_networks(words, event, said)


LIMITS: Mapping[EventKind, str] = {
    EventKind.BLOCK: N_(
        "an outage: a failure counts only when a test from outside the country worked, when "
        "another name was treated better, or when something else answered in the platform's place. "
        "It says nothing about networks that were not tested, nor about who ordered it."
    ),
    EventKind.SHUTDOWN: N_(
        "a fault of one provider, because networks of several went silent together while places "
        "elsewhere did not. It says nothing about other networks, nor about the cause: a power "
        "cut or a cut cable looks the same."
    ),
    EventKind.INTERNATIONAL_CUT: N_(
        "a block of one platform. It does not tell an order from a cut cable."
    ),
    EventKind.ALLOWLIST: N_(
        "a block of one platform. Where connections to other sites are not made at all, cut lines "
        "look the same when caches inside the country answer for popular sites. It says nothing "
        "about who ordered it."
    ),
    EventKind.OUTAGE: N_("a block, because it fails from outside too."),
    EventKind.VANTAGE_SILENT: N_("a block. It accuses nobody."),
    EventKind.CONTROL_DIFFERS: N_("a block. It accuses nobody."),
    EventKind.INSTRUMENT: N_("a block. It accuses nobody."),
    EventKind.SEEN_BY_VOLUNTEERS: N_(
        "a result of our own vantage points. Anybody can upload such tests, and nobody saw the "
        "networks where none was taken."
    ),
}
"""What an event is not, for people who might take it for that."""


_PASSING_NAMED = 12


def passing(words: Words, event: Event) -> str:
    """The hosts that a list of sites lets pass; empty for an event of another kind."""
    named = words.listed(map(words.ltr, event.passing[:_PASSING_NAMED]))
    if len(event.passing) <= _PASSING_NAMED:
        return named
    more = len(event.passing) - _PASSING_NAMED
    return words.ngettext("%(names)s and %(n)s more", "%(names)s and %(n)s more", more, names=named)


# -- when ----------------------------------------------------------------------------------------


def onset(words: Words, event: Event, *, exact: bool = False) -> str:
    """Since when it is blocked, or was the last time, and of several stretches when the first
    began: `between 14:02 and 14:07 UTC on 17 Feb 2024 (19:02–19:07 in Karachi)`."""
    since = _onset_of_country(words, event, newest(event), exact=exact)
    if len(stretches(event)) == 1:
        return since
    return words.gettext(
        "%(since)s; first blocked %(when)s",
        since=since,
        when=_onset_of_country(words, event, first(event), exact=exact),
    )


def _onset_of_country(words: Words, event: Event, stretch: Stretch, *, exact: bool) -> str:
    """When one stretch of the country began."""
    if stretch.onset_earliest is None and not at_first_test(event, stretch):
        return words.gettext(
            "before %(moment)s; it was found blocked where there were no earlier results",
            moment=moment(words, stretch.onset_latest, event.country, seconds=exact),
        )
    return stretch_onset(words, stretch, event.country, exact=exact)


def stretch_onset(words: Words, stretch: Stretch, country: str, *, exact: bool = False) -> str:
    """When one stretch began."""
    if stretch.onset_earliest is None:
        return words.gettext(
            "before %(moment)s, the time of the first test",
            moment=moment(words, stretch.onset_latest, country, seconds=exact),
        )
    return between(words, stretch.onset_earliest, stretch.onset_latest, country, exact=exact)


def ending(words: Words, event: Event, *, exact: bool = False) -> str | None:
    """When it ended, for the last time; None while it lasts."""
    return stretch_ending(words, event, event.country, exact=exact)


def stretch_ending(
    words: Words, stretch: Stretch | Event, country: str, *, exact: bool = False
) -> str | None:
    """When one stretch ended; None while it lasts."""
    if stretch.end_earliest is None:
        return None
    if stretch.end_latest is None:
        return words.gettext(
            "after %(moment)s; nobody saw when",
            moment=moment(words, stretch.end_earliest, country, seconds=exact),
        )
    return between(words, stretch.end_earliest, stretch.end_latest, country, exact=exact)


def length(words: Words, event: Event) -> str:
    """How long it was blocked, at least and at most: all stretches together."""
    if not founded(event):
        return words.gettext("does not apply")
    lasted, count = _lasted(words, event), certain_count(event)
    if count == 1:
        return lasted
    if count < len(stretches(event)):
        return words.gettext(
            "%(length)s, in at least %(n)s stretches", length=lasted, n=words.number(count)
        )
    return words.ngettext(
        "%(length)s, in %(n)s stretch", "%(length)s, in %(n)s stretches", count, length=lasted
    )


def _lasted(words: Words, event: Event) -> str:
    shortest, longest = least(event), most(event)
    known = shortest >= timedelta(seconds=1)
    if event.active and known:
        return words.gettext("at least %(least)s so far", least=duration_at_least(words, shortest))
    if known and longest is not None:
        return words.gettext(
            "at least %(least)s, at most %(most)s",
            least=duration_at_least(words, shortest),
            most=duration_at_most(words, longest),
        )
    if known:
        return words.gettext("at least %(least)s", least=duration_at_least(words, shortest))
    if longest is not None:
        return words.gettext("at most %(most)s", most=duration_at_most(words, longest))
    return words.gettext("not known")


def began(words: Words, event: Event) -> str:
    """When it began as a sentence; of several stretches how many there are, and when the last and
    the first began."""
    count = certain_count(event)
    if count == 1:
        return words.gettext("Began %(when)s.", when=onset(words, event, exact=True))
    if count < len(stretches(event)):
        return words.gettext(
            "Blocked in at least %(n)s stretches, the last from %(when)s.",
            n=words.number(count),
            when=onset(words, event, exact=True),
        )
    return words.ngettext(
        "Blocked in %(n)s stretch, the last from %(when)s.",
        "Blocked in %(n)s stretches, the last from %(when)s.",
        count,
        when=onset(words, event, exact=True),
    )


# -- one network of an event ---------------------------------------------------------------------

_CONDITIONS: Mapping[tuple[bool, bool, bool], str] = {
    (True, True, False): N_("blocked"),
    (True, True, True): N_("slowed down"),
    (True, False, False): N_("seems blocked"),
    (True, False, True): N_("seems slowed down"),
    (False, True, False): N_("was blocked"),
    (False, True, True): N_("was slowed down"),
    (False, False, False): N_("seemed blocked"),
    (False, False, True): N_("seemed slowed down"),
}
"""Whether it is so now, whether that is certain, whether it is slowed down → the phrase."""


def not_affected(words: Words, event: Event, network: NetworkStatus) -> str:
    """What is known of a network that an event did not affect as far as is known. One that is over
    says nothing of the present."""
    if network.found_open:
        return words.gettext("not blocked") if event.active else words.gettext("was not blocked")
    return words.gettext(STATES[State.INSUFFICIENT])


def condition(words: Words, event: Event, network: NetworkStatus) -> str:
    """What one network of an event shows, no surer than the event is."""
    slowed = all(name.startswith("throttling") for name in network.methods)
    if not network.affected and event.kind is not EventKind.CONTROL_DIFFERS:
        return not_affected(words, event, network)
    if event.active and network.recovering:
        return words.gettext("seems open again")
    if event.active and network.unobserved:
        if network.stretches and network.stretches[-1].end_latest is not None:
            return words.gettext("open when last tested")
        return words.gettext("not open when last tested")
    sure = event.sure and event.state is not EventState.WITHDRAWN
    now = event.active and (network.blocked_now or event.kind in LASTING)
    phrases = NO_NAME if event.methods == (NO_NAMES,) else OF_KIND.get(event.kind)
    if phrases is not None:
        return words.gettext(phrases[now, sure])
    return words.gettext(_CONDITIONS[now, sure, bool(network.methods) and slowed])
