"""What is claimed of an event, in half a sentence: the title of its message."""

from collections.abc import Mapping

from monitor.analysis.events.event import Event, EventKind, Scope
from monitor.notify.changes import Occasion
from monitor.notify.plain_names import plain_name
from monitor.notify.terms import country_name, platform_name


def title_of(occasion: Occasion, event: Event, titles: Mapping[str, str]) -> str:
    """What a telephone shows of the message: `Confirmed: X is blocked in Pakistan`."""
    match occasion:
        case Occasion.WITHDRAWN:
            return f"TAKEN BACK: {claim(event, titles, sure=True)}"
        case Occasion.DOUBTED:
            return f"TAKEN BACK, suspected only: {claim(event, titles, sure=True)}"
        case Occasion.SUSPECTED:
            return f"Suspected: {claim(event, titles, sure=False)}"
        case Occasion.CONFIRMED:
            return f"Confirmed: {claim(event, titles, sure=True)}"
        case Occasion.SPREAD:
            sure = event.confirmed_at is not None
            return f"More networks: {claim(event, titles, sure=sure)}"
        case Occasion.DISMISSED:
            return f"Not confirmed, the signs are gone: {claim(event, titles, sure=False)}"
        case Occasion.ENDED:
            return f"Over: {_no_longer(event, titles)}"


def claim(event: Event, titles: Mapping[str, str], *, sure: bool) -> str:
    """What is the matter; with doubt unless it is sure."""
    match event.kind:
        case EventKind.BLOCK:
            again = " again" if event.reopened else ""
            verb = "is" if sure else "may be"
            return f"{_blocked(event, titles)} {verb} {_how(event)}{again} {_place(event)}"
        case EventKind.SHUTDOWN:
            verb = "is" if sure else "may be"
            return f"{country_name(event.country)} {verb} cut off from the internet"
        case EventKind.INTERNATIONAL_CUT:
            verb = "is" if sure else "may be"
            return f"{country_name(event.country)} {verb} cut off from abroad"
        case EventKind.OUTAGE:
            verb = "fails" if sure else "seems to fail"
            return f"{platform_name(event, titles)} {verb} everywhere, an outage of its own"
        case EventKind.VANTAGE_SILENT:
            return f"vantage {plain_name(event.vantage)} reaches nothing or is not heard of"
        case EventKind.INSTRUMENT:
            return "all vantages were lost at once, look at this monitor first"


def _no_longer(event: Event, titles: Mapping[str, str]) -> str:
    match event.kind:
        case EventKind.BLOCK if event.end_latest is None:
            return f"{_blocked(event, titles)} {_place(event)}, nobody has seen it for long"
        case EventKind.BLOCK:
            return f"{_blocked(event, titles)} is no longer {_how(event)} {_place(event)}"
        case EventKind.SHUTDOWN | EventKind.INTERNATIONAL_CUT if event.end_latest is None:
            what = "the internet" if event.kind is EventKind.SHUTDOWN else "abroad"
            country = country_name(event.country)
            return f"{country} cut off from {what}, nobody looks from there any more"
        case EventKind.SHUTDOWN:
            return f"{country_name(event.country)} is no longer cut off from the internet"
        case EventKind.INTERNATIONAL_CUT:
            return f"{country_name(event.country)} is no longer cut off from abroad"
        case EventKind.OUTAGE:
            return f"{platform_name(event, titles)} no longer fails everywhere"
        case EventKind.VANTAGE_SILENT if event.end_latest is None:
            return f"vantage {plain_name(event.vantage)} is not looked from any more"
        case EventKind.VANTAGE_SILENT:
            return f"vantage {plain_name(event.vantage)} is there again"
        case EventKind.INSTRUMENT:
            return "vantages are there again"


def _blocked(event: Event, titles: Mapping[str, str]) -> str:
    name = platform_name(event, titles)
    return name if event.scope is Scope.FULL else f"a part of {name}"


def _how(event: Event) -> str:
    slowed = bool(event.methods) and all(m.startswith("throttling") for m in event.methods)
    return "slowed down" if slowed else "blocked"


def _place(event: Event) -> str:
    return f"in {country_name(event.country)}"
