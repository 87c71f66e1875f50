"""Events as sentences: what happened where, since when and until when, no surer than it is."""

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from markupsafe import Markup

from monitor.analysis.events.event import Event, EventKind, EventState, NetworkStatus, Scope
from monitor.export.cells import visible
from monitor.wording.languages import N_, Words
from monitor.wording.local_time import zone_of
from monitor.wording.methods import WORDS
from monitor.wording.vocabulary import CHANGES

LONGEST = 300
"""Characters that are shown of what others wrote."""


def foreign(text: str, longest: int = LONGEST) -> Markup:
    """Text that others wrote: cut short, invisible characters written out, kept apart from ours."""
    cut = text[: longest + 1]
    shown = visible(cut[:longest]) + ("…" if len(cut) > longest else "")
    return Markup('<bdi dir="auto">{}</bdi>').format(shown)


def network_name(name: str, asn: int) -> Markup:
    """`PTCL (AS17557)`."""
    number = Markup('<bdi dir="ltr">AS{}</bdi>').format(asn)
    if not name:
        return number if asn else Markup("–")
    return Markup("{} ({})").format(foreign(name, 80), number) if asn else foreign(name, 80)


def title_of(event: Event, titles: Mapping[str, str]) -> str:
    """The platform's own name."""
    return titles.get(event.platform, event.platform)


def headline(words: Words, event: Event, titles: Mapping[str, str]) -> Markup:
    """What happened and since when, in one line."""
    what = what_happened(words, event, titles)
    if event.kind is EventKind.BLOCK and event.active:
        return words.gettext("%(what)s, since %(when)s", what=what, when=onset(words, event))
    return what


_SAID: Mapping[tuple[str, str], str] = {
    ("is", "full"): N_("%(platform)s is blocked in %(country)s"),
    ("is", "partial"): N_("Parts of %(platform)s are blocked in %(country)s"),
    ("is", "slowed"): N_("%(platform)s is slowed down in %(country)s"),
    ("may", "full"): N_("%(platform)s may be blocked in %(country)s"),
    ("may", "partial"): N_("Parts of %(platform)s may be blocked in %(country)s"),
    ("may", "slowed"): N_("%(platform)s may be slowed down in %(country)s"),
    ("was", "full"): N_("%(platform)s was blocked in %(country)s"),
    ("was", "partial"): N_("Parts of %(platform)s were blocked in %(country)s"),
    ("was", "slowed"): N_("%(platform)s was slowed down in %(country)s"),
    ("may have", ""): N_("%(platform)s may have been blocked or slowed down in %(country)s"),
    ("dismissed", ""): N_(
        "%(platform)s seemed to be blocked or slowed down in %(country)s, which was never confirmed"
    ),
    ("withdrawn", ""): N_(
        "%(platform)s was thought to be blocked or slowed down in %(country)s, which later data "
        "did not bear out"
    ),
}
"""How sure → in what manner → the sentence."""


def what_happened(words: Words, event: Event, titles: Mapping[str, str]) -> Markup:
    """What happened where, without a full stop."""
    if event.kind is not EventKind.BLOCK:
        return circumstance(words, event, titles)
    sure = _sureness(event)
    said = words.gettext(
        _SAID[sure, _manner(event) if sure in ("is", "may", "was") else ""],
        platform=foreign(title_of(event, titles), 80),
        country=words.country(event.country),
    )
    if sure in ("dismissed", "withdrawn"):
        return said
    said = _on_networks(words, event, said)
    if event.state is EventState.RECOVERING:
        return words.gettext("%(was)s and seems to work again", was=said)
    if event.state is EventState.UNOBSERVED:
        return words.gettext("%(was)s when last seen; nobody can see it now", was=said)
    return said


def _sureness(event: Event) -> str:
    match event.state:
        case EventState.CONFIRMED:
            return "is"
        case EventState.SUSPECTED:
            return "may"
        case EventState.DISMISSED | EventState.WITHDRAWN:
            return event.state.value
    return "may have" if event.confirmed_at is None else "was"


def _manner(event: Event) -> str:
    if event.methods and all(method.startswith("throttling") for method in event.methods):
        return "slowed"
    return "partial" if event.scope is Scope.PARTIAL else "full"


def _affected(event: Event) -> int:
    """Networks: now, or in all once it is over."""
    now = sum(network.blocked_now for network in event.networks)
    return now or len(event.networks_affected)


def _on_networks(words: Words, event: Event, said: Markup) -> Markup:
    x = _affected(event)
    if len(event.networks) == 1:
        return words.gettext("%(what)s on the one network watched there", what=said)
    return words.gettext(
        "%(what)s on %(x)s of %(n)s networks",
        what=said,
        x=words.number(x),
        n=words.number(len(event.networks)),
    )


def _cut_off(words: Words, event: Event, country: str, *, sure: bool) -> Markup:
    offline, watched = _affected(event), len(event.networks)
    if offline == watched:
        message = (
            N_("%(country)s is cut off from the internet: every network watched is offline")
            if sure
            else N_(
                "%(country)s may be cut off from the internet: every network watched is offline"
            )
        )
        return words.gettext(message, country=country)
    message = (
        N_("%(country)s is cut off from the internet: %(x)s of %(n)s networks watched are offline")
        if sure
        else N_(
            "%(country)s may be cut off from the internet: "
            "%(x)s of %(n)s networks watched are offline"
        )
    )
    return words.gettext(message, country=country, x=words.number(offline), n=words.number(watched))


def circumstance(words: Words, event: Event, titles: Mapping[str, str]) -> Markup:
    """An event that is no block."""
    sure = event.state is not EventState.SUSPECTED
    country = words.country(event.country)
    match event.kind:
        case EventKind.SHUTDOWN:
            return _cut_off(words, event, country, sure=sure)
        case EventKind.INTERNATIONAL_CUT:
            message = (
                N_("%(country)s is cut off from abroad: only sites within the country answer")
                if sure
                else N_("%(country)s may be cut off from abroad: only sites within it answer")
            )
            return words.gettext(message, country=country)
        case EventKind.VANTAGE_SILENT:
            return words.gettext(
                "Vantage %(vantage)s reaches nothing or is not heard of",
                vantage=foreign(event.vantage, 80),
            )
        case EventKind.OUTAGE:
            return words.gettext(
                "%(platform)s fails everywhere, at the controls too: an outage of its own",
                platform=foreign(title_of(event, titles), 80),
            )
    return words.gettext("All vantages were lost at once: look for the fault at this monitor first")


def onset(words: Words, event: Event) -> Markup:
    """When it began: `between 14:02 and 14:07 UTC on 17 Feb 2024 (19:02–19:07 in Karachi)`."""
    if event.onset_earliest is None:
        return words.gettext(
            "before %(moment)s, when it was first looked at",
            moment=moment(words, event.onset_latest, event.country),
        )
    return between(words, event.onset_earliest, event.onset_latest, event.country)


def ending(words: Words, event: Event) -> Markup | None:
    """When it ended, as `onset`; None while it goes on."""
    if event.end_earliest is None:
        return None
    if event.end_latest is None:
        return words.gettext(
            "after %(moment)s; nobody saw when",
            moment=moment(words, event.end_earliest, event.country),
        )
    return between(words, event.end_earliest, event.end_latest, event.country)


def between(words: Words, earliest: datetime, latest: datetime, country: str = "") -> Markup:
    """A moment between two bounds, in UTC and on the country's clocks; one where both are within
    a minute, which is all that is shown."""
    if _minute(earliest) == _minute(latest):
        return moment(words, latest, country)
    if words.day(earliest) == words.day(latest):
        said = words.gettext(
            "between %(earliest)s and %(latest)s UTC on %(day)s",
            earliest=_clock(words, earliest),
            latest=_clock(words, latest),
            day=words.day(latest),
        )
    else:
        said = words.gettext(
            "between %(earliest)s and %(latest)s UTC",
            earliest=_day_and_clock(words, earliest),
            latest=_day_and_clock(words, latest),
        )
    zone = _zone(country)
    if zone is None:
        return said
    shown = (
        _clock(words, earliest, zone),
        _clock(words, latest, zone)
        if words.day(latest, zone) == words.day(earliest, zone)
        else _day_and_clock(words, latest, zone),
    )
    if words.day(earliest, zone) != words.day(earliest):
        shown = (_day_and_clock(words, earliest, zone), shown[1])
    there = Markup('<span dir="ltr">{}–{}</span>').format(*shown)
    return _there(words, said, there, country)


def _minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


def moment(words: Words, at: datetime, country: str = "") -> Markup:
    """`14:02 UTC on 17 Feb 2024 (19:02 in Karachi)`."""
    said = words.gettext("%(time)s UTC on %(day)s", time=_clock(words, at), day=words.day(at))
    zone = _zone(country)
    if zone is None:
        return said
    same_day = words.day(at, zone) == words.day(at)
    shown = _clock(words, at, zone) if same_day else _day_and_clock(words, at, zone)
    return _there(words, said, shown, country)


def _there(words: Words, said: Markup, there: Markup, country: str) -> Markup:
    return words.gettext(
        "%(utc)s (%(there)s in %(city)s)",
        utc=said,
        there=there,
        city=words.city(zone_of(country) or ""),
    )


def _zone(country: str) -> ZoneInfo | None:
    name = zone_of(country)
    try:
        return ZoneInfo(name) if name else None
    except ZoneInfoNotFoundError:  # a machine without tzdata
        return None


def _clock(words: Words, at: datetime, zone: tzinfo = UTC) -> Markup:
    return Markup('<time datetime="{}">{}</time>').format(_iso(at), words.clock(at, zone))


def _day_and_clock(words: Words, at: datetime, zone: tzinfo = UTC) -> Markup:
    return Markup('<time datetime="{}">{}, <span dir="ltr">{}</span></time>').format(
        _iso(at), words.day(at, zone), words.clock(at, zone)
    )


def _iso(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def method(words: Words, name: str) -> Markup:
    """`tls.reset` in plain words; as it is when there are none."""
    said = WORDS.get(name) or WORDS.get(name.partition(".")[0])
    return words.gettext(said) if said else foreign(name, 60)


_CONDITIONS: Mapping[tuple[bool, bool, str], str] = {
    (True, True, "blocked"): N_("blocked"),
    (True, True, "slowed"): N_("slowed down"),
    (True, False, "blocked"): N_("seems blocked"),
    (True, False, "slowed"): N_("seems slowed down"),
    (False, True, "blocked"): N_("was blocked"),
    (False, True, "slowed"): N_("was slowed down"),
    (False, False, "blocked"): N_("seemed blocked"),
    (False, False, "slowed"): N_("seemed slowed down"),
}
"""Whether it is so now → whether that is certain → how → the words."""


def condition(words: Words, event: Event, network: NetworkStatus) -> Markup:
    """What one network of an event shows, no surer than the event is."""
    slow = all(name.startswith("throttling") for name in network.methods)
    manner = "slowed" if network.methods and slow else "blocked"
    if not network.affected:
        return words.gettext("not blocked")
    if event.active and network.recovering:
        return words.gettext("seems open again")
    if event.active and network.unobserved:
        return words.gettext("not open when last seen")
    sure = event.confirmed_at is not None and event.state is not EventState.WITHDRAWN
    now = event.active and network.blocked_now
    said = _CONDITIONS[now, sure, manner]
    return words.gettext(said)


def colour(event: Event, network: NetworkStatus) -> str:
    """The class of a network's mark: red for what is certain alone."""
    if not network.affected:
        return "ok"
    sure = event.state is EventState.CONFIRMED and network.blocked_now
    return "blocked" if sure else "suspected"


def manner_of_change(words: Words, change: str) -> Markup:
    """A line of an event's log."""
    said = CHANGES.get(change)
    return words.gettext(said) if said else foreign(change, 60)
