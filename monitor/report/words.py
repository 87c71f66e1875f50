"""What a report says, in words for people who run no network."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from monitor.analysis.events.event import Event, EventState, NetworkStatus, Scope
from monitor.report.foreign_text import name
from monitor.wording.local_time import has_several_times, offset_text, zone_of
from monitor.wording.methods import method_in_words

_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September"),
    *("October", "November", "December"),
)
_LITTLE = timedelta(minutes=5)
"""Bounds closer together than this are given to the second."""

GRADES = {
    "none": "nobody is accused",
    "weak": "one sign, or one with an innocent explanation left",
    "strong": "several looks that agree, or a sign that honest networks do not give",
    "conclusive": "several looks that agree, and follow-up tests that ruled out the innocent "
    "explanations",
}

STATES = {
    EventState.SUSPECTED: "suspected: a lead, not a finding",
    EventState.CONFIRMED: "confirmed, and going on",
    EventState.RECOVERING: "open again, not yet for long enough to call it over",
    EventState.UNOBSERVED: "not known any more: the networks concerned are no longer seen",
    EventState.ENDED: "ended",
    EventState.DISMISSED: "dismissed: the signs went away before it was confirmed",
    EventState.WITHDRAWN: "withdrawn: late data showed that there was no reason for it",
}

KINDS = {
    "shutdown": "The networks watched in the country were cut off together",
    "international_cut": "The country's networks reached nothing abroad",
    "vantage_silent": "A place we look from was lost; this accuses nobody",
    "outage": "The platform failed everywhere, so that it was down, not blocked",
    "instrument": "All places we look from changed at once: more likely our own fault",
}

FAILURES = {
    "connection_reset": "cut off (reset)",
    "connection_refused": "refused",
    "connection_aborted": "broken off",
    "eof_error": "closed without an answer",
    "generic_timeout_error": "no answer in time",
    "timed_out": "no answer in time",
    "host_unreachable": "reported unreachable",
    "network_unreachable": "reported unreachable",
    "dns_nxdomain_error": "the name is said not to exist",
    "dns_refused_error": "the question is refused",
    "dns_servfail_error": "the resolver reports a fault",
    "dns_no_answer": "the name is said to have no address",
    "dns_bogon_error": "an address that cannot be real",
    "ssl_failed_handshake": "refused in the greeting",
    "ssl_invalid_certificate": "a certificate that is not good",
    "ssl_invalid_hostname": "a certificate for another name",
    "ssl_unknown_authority": "a certificate from nobody known",
}
"""By OONI's words, which stand beside them."""

FOLLOW_UPS = {
    "innocuous_sni": "Another, harmless name said to the same address",
    "name_again": "The platform's name said there once more, right afterwards",
    "sni_elsewhere": "The platform's name said to an address that has nothing to do with it",
    "open_resolver": "The name asked of a public resolver",
    "open_resolver_tcp": "The name asked of a public resolver over TCP, where forging is harder",
    "doh": "The name asked over an encrypted connection (DNS over HTTPS)",
    "honest_address": "An address that others gave for the name",
    "http3": "The same over HTTP/3",
}


def day(moment: datetime) -> str:
    """`17 February 2024`, whatever the language of the machine."""
    return f"{moment.day} {_MONTHS[moment.month - 1]} {moment.year}"


def span(start: datetime, end: datetime, country: str) -> str:
    """Two bounds on the world's clock and on the country's, on one line each way."""
    world = _between(start.astimezone(UTC), end.astimezone(UTC), "UTC")
    zone = zone_of(country)
    if zone is None:
        return world
    here, there = start.astimezone(ZoneInfo(zone)), end.astimezone(ZoneInfo(zone))
    return f"{world} ({_between(here, there, _clock(country, there))})"


def moment_text(moment: datetime, country: str) -> str:
    """One moment on both clocks."""
    utc = moment.astimezone(UTC)
    world = f"at {utc:%H:%M:%S} on {day(utc)}, UTC"
    zone = zone_of(country)
    if zone is None:
        return world
    there = moment.astimezone(ZoneInfo(zone))
    on = "" if there.date() == utc.date() else f" on {day(there)}"
    return f"{world} ({there:%H:%M:%S}{on}, {_clock(country, there)})"


def _clock(country: str, there: datetime) -> str:
    offset = offset_text(there.utcoffset() or timedelta())
    return (
        f"in the capital, {offset}"
        if has_several_times(country, there.year)
        else f"local time, {offset}"
    )


def _between(start: datetime, end: datetime, clock: str) -> str:
    fine = "%H:%M:%S" if end - start < _LITTLE else "%H:%M"
    if start.date() == end.date():
        return f"between {start:{fine}} and {end:{fine}} on {day(end)}, {clock}"
    return f"between {start:{fine}} on {day(start)} and {end:{fine}} on {day(end)}, {clock}"


def short(moment: datetime | None) -> str:
    """`2024-02-17 18:12:05`, for tables that say UTC."""
    return "" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def short_span(start: datetime | None, end: datetime | None, without: tuple[str, str]) -> str:
    """Two moments in a table, the day once; `without` stands for one that is not known."""
    first, second = short(start), short(end)
    if first and second and first[:10] == second[:10]:
        second = second[11:]
    return f"{first or without[0]} – {second or without[1]}"


def length(span_: timedelta) -> str:
    """`3 hours 20 minutes`: the two largest units."""
    seconds = round(span_.total_seconds())
    units = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))
    parts = []
    for unit, size in units:
        number, seconds = divmod(seconds, size)
        if number:
            parts.append(plural(number, unit))
    return " ".join(parts[:2]) or "less than a second"


def plural(number: int, what: str) -> str:
    """`1 look`, `2 looks`, `2 entries`, `2 passes`, `2 batches`."""
    if number == 1:
        return f"1 {what}"
    if what.endswith("y"):
        return f"{number:,} {what[:-1]}ies"
    return f"{number:,} {what}{'es' if what.endswith(('s', 'ch')) else 's'}"


def joined(items: Sequence[str]) -> str:
    """`a, b and c`."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"


def network(asn: int, called: str) -> str:
    """A network by name and number."""
    number = f"AS{asn}" if asn else "number not configured"
    return f"{name(called)} ({number})" if called else number


def methods(terse: Sequence[str]) -> str:
    """What was done, each in words with the terse form beside it."""
    return "; ".join(f"{method_in_words(*one.split('.', 1))} ({one})" for one in terse)


def failure(terse: str) -> str:
    """A failure in words, with OONI's beside it."""
    words = FAILURES.get(terse)
    return f"{words} [{terse}]" if words else name(terse, 80)


def blocked_networks(event: Event) -> list[NetworkStatus]:
    """Networks that blocked at any time of the event."""
    return [one for one in event.networks if one.affected]


def onset(event: Event) -> str:
    """When it began, as a sentence without its beginning."""
    if event.onset_earliest is None:
        return (
            "before anybody looked: it was blocked from the first look on, "
            f"{moment_text(event.onset_latest, event.country)}"
        )
    return span(event.onset_earliest, event.onset_latest, event.country)


def end(event: Event) -> str:
    """When it ended, likewise."""
    if event.state in (EventState.DISMISSED, EventState.WITHDRAWN):
        return "does not apply"
    if event.state is EventState.UNOBSERVED or (
        event.end_earliest is not None and event.end_latest is None
    ):
        return "not known: nobody saw it end"
    if event.end_earliest is None or event.end_latest is None:
        return f"not yet when last seen, {moment_text(event.updated_at, event.country)}"
    return span(event.end_earliest, event.end_latest, event.country)


def duration(event: Event) -> str:
    """At least and at most how long."""
    if event.end_earliest is None:
        least = event.updated_at - event.onset_latest
        return f"at least {length(least)} so far"
    least = max(timedelta(), event.end_earliest - event.onset_latest)
    if event.onset_earliest is None or event.end_latest is None:
        return f"at least {length(least)}"
    most = event.end_latest - event.onset_earliest
    return f"at least {length(least)}, at most {length(most)}"


def what(event: Event, title: str) -> str:
    """The thing blocked: the platform, or parts of it."""
    if event.scope is Scope.FULL:
        return title
    return f"parts of {title} ({joined([name(role) for role in event.roles])})"
