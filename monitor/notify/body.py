"""What is known of an event, line by line: the body of its message.

It says what, where, since when and how that is known, and what it is not: whoever passes it on
should not have to guess.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime

import msgspec

from monitor.analysis.events.event import Event, EventKind, EventLogEntry, Scope
from monitor.analysis.verdict import Evidence
from monitor.notify.changes import CLOSING, OPENING, Occasion
from monitor.notify.plain_names import plain_name
from monitor.notify.terms import method_words, network_names
from monitor.wording.local_time import both_texts, utc_text

METHODS_NAMED = 6
LONGEST_DETAIL = 120

_EVIDENCE: Mapping[str, str] = {
    Evidence.NONE: "none that stands by itself",
    Evidence.WEAK: "weak; there are innocent ways to what was seen",
    Evidence.STRONG: "strong; networks that are merely faulty hardly ever do this",
    Evidence.CONCLUSIVE: "conclusive; comparisons made on the spot leave no innocent explanation",
}
_NOT: Mapping[EventKind, str] = {
    EventKind.BLOCK: (
        "an outage of its own, since what fails here is compared with looks from outside the "
        "country. It says nothing of networks that are not looked from, nor of who ordered it."
    ),
    EventKind.SHUTDOWN: (
        "a fault of one provider, since networks of several went silent together, while places "
        "elsewhere did not. It says nothing of other networks, nor of the cause: a power cut or "
        "a cut cable looks the same."
    ),
    EventKind.INTERNATIONAL_CUT: (
        "a block of one platform. It does not tell an order from a cut cable."
    ),
    EventKind.OUTAGE: "a block, since it fails from outside as well.",
    EventKind.VANTAGE_SILENT: "a block. It accuses nobody.",
    EventKind.INSTRUMENT: "a block. It accuses nobody.",
}


class KnownFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a notice is put in words from."""

    occasion: Occasion
    entry: EventLogEntry
    first_told: datetime | None = None
    """When the event was first told here (UTC); None when it never was."""
    late_since: datetime | None = None
    """When this was to be told (UTC), if that is long ago."""


def lines_of(told: KnownFacts, public_url: str = "") -> Iterator[str]:
    """The body. `public_url` is where events can be looked at, without a slash at its end."""
    event = told.entry.snapshot
    yield from _about(told)
    yield from _when(event)
    yield from _where(event)
    if event.kind is EventKind.BLOCK:
        yield from _how(event)
    if told.occasion in OPENING:
        yield f"What it is not: {_NOT[event.kind]}"
    if told.occasion is Occasion.SUSPECTED:
        yield "It is not confirmed: please wait before you publish it."
    if told.occasion is Occasion.CONFIRMED:
        yield "A machine found this; look at the evidence before you publish it."
    if public_url:
        yield f"Evidence and data: {public_url}/events/{event.id}"
    yield f"Event: {event.id}"


def _about(told: KnownFacts) -> Iterator[str]:
    if told.late_since is not None:
        yield f"This comes late: it was to be told at {utc_text(told.late_since)}."
    if told.first_told is not None and told.occasion in CLOSING:
        yield f"This is about what was told here at {utc_text(told.first_told)}."
    match told.occasion:
        case Occasion.WITHDRAWN:
            yield (
                "It was wrong: data that came in later showed that there was no reason for it. "
                "Please correct what you passed on."
            )
        case Occasion.DOUBTED:
            yield (
                "Data that came in later made the evidence weaker: it is suspected, and no longer "
                "confirmed. Please correct what you passed on."
            )
        case Occasion.DISMISSED:
            yield (
                "It was suspected, and the signs went away before they could be confirmed. Please "
                "do not count it, and correct what you passed on."
            )
        case Occasion.SPREAD:
            yield f"New: {plain_name(told.entry.detail, LONGEST_DETAIL)}"


def _when(event: Event) -> Iterator[str]:
    latest = both_texts(event.onset_latest, event.country)
    if event.onset_earliest is None:
        yield f"Since: before it was first looked at, {latest}"
    else:
        span = _span(event.onset_earliest, event.onset_latest)
        yield f"Since: {latest}, at the latest; {span} before it was not so yet"
    if event.end_latest is not None:
        yield f"Until: {both_texts(event.end_latest, event.country)}, at the latest"
    if event.pattern:
        yield f"Hours kept: {plain_name(event.pattern, LONGEST_DETAIL)}"


def _span(earliest: datetime, latest: datetime) -> str:
    minutes = max(1, round((latest - earliest).total_seconds() / 60))
    if minutes < 120:
        return f"{minutes} min"
    return f"{round(minutes / 60)} h" if minutes < 48 * 60 else f"{round(minutes / 1440)} days"


def _where(event: Event) -> Iterator[str]:
    affected = [status for status in event.networks if status.affected]
    spared = [status for status in event.networks if not status.affected]
    if affected:
        seen = f"{len(affected)} of {len(event.networks)} looked from"
        yield f"Networks: {seen}: {network_names(affected)}"
    if spared and event.kind is EventKind.BLOCK:
        yield f"Not on: {network_names(spared)}"
    if event.share_affected is not None and event.active:
        yield f"Users kept from it: {event.share_affected:.0%} of those on networks of known size"
    if event.scope is Scope.PARTIAL:
        yield f"Parts: {', '.join(map(plain_name, event.roles))}"


def _how(event: Event) -> Iterator[str]:
    for number, method in enumerate(event.methods[:METHODS_NAMED]):
        yield f"{'Also' if number else 'How'}: {method_words(method)}"
    yield f"Evidence: {_EVIDENCE.get(event.evidence) or plain_name(event.evidence)}"
