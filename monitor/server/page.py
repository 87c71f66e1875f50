"""The landing page: what is watched, what is blocked, and whether we can see at all.

Readable with no script, no external resource and no colour vision: every state is a word. It
shows nothing finer than what the operator configured; how a vantage gets out is left out.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from importlib.resources import files

import msgspec
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from monitor import __version__
from monitor.analysis.event import Event, EventKind, EventState, NetworkStatus
from monitor.analysis.health import HEALTH_RULES
from monitor.analysis.verdict import PlatformVerdict, State, VantageState
from monitor.health_notes import notes
from monitor.snapshot import Snapshot, VantageView

REFRESH = 60
"""Seconds after which the page loads itself again."""

_TEMPLATES = files(__package__) / "templates"
STYLE = (_TEMPLATES / "style.css").read_text("utf-8")
ICON = (_TEMPLATES / "icon.svg").read_text("utf-8")

POLICY = (
    "default-src 'none'; img-src 'self'; "
    f"style-src 'sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
"""Content-Security-Policy of the page: its own style, its own icon, nothing else."""

NO_DATA = "no data"

MEANINGS = {
    State.OK: "works from here",
    State.DEGRADED: "parts that are not core, or QUIC alone, are blocked",
    State.THROTTLED: "slowed down on purpose",
    State.BLOCKED: "a core part fails here and works at a control vantage",
    State.DOWN: "fails at the control vantage too, so nobody here is blocking it",
    State.INSUFFICIENT: "looked, but not enough to tell",
    NO_DATA: "no recent look",
}
"""What the words in the matrix mean, for the legend."""

HEALTH_MEANINGS = {
    VantageState.OK: "references answer",
    VantageState.LOSSY: "references answer at times; timeouts prove nothing",
    VantageState.OFFLINE: "its own link is down; nothing is judged",
    VantageState.CAPTIVE_PORTAL: "a login page answers for everybody; nothing is judged",
    VantageState.INTERNATIONAL_CUT: "only domestic references answer",
    VantageState.UNKNOWN: "no recent look at a reference",
}
"""What the health of a vantage means."""
_RULE_MEANINGS = {rule.id: rule.meaning for rule in HEALTH_RULES}


class Cell(msgspec.Struct, frozen=True):
    """One platform at one vantage."""

    platform: str
    state: str
    method: str
    """`method.sub_method`, or empty."""
    roles: str
    """Roles that do not work, for a tooltip."""


class Row(msgspec.Struct, frozen=True):
    """One vantage of the matrix."""

    view: VantageView
    cells: tuple[Cell, ...]


class CountryRows(msgspec.Struct, frozen=True):
    """One country of the matrix."""

    country: str
    networks: int
    rows: tuple[Row, ...]


class Headline(msgspec.Struct, frozen=True):
    """The one sentence to read."""

    state: str
    text: str


def render(snapshot: Snapshot, at: datetime) -> str:
    """The page as HTML, as things stand at that moment (UTC)."""
    titles = {platform.name: platform.title for platform in snapshot.catalog.platforms}
    return _PAGE.render(
        at=at,
        snapshot=snapshot,
        titles=titles,
        headline=_headline(snapshot, at),
        countries=_matrix(snapshot, at, titles),
        events=sorted(snapshot.events.values(), key=lambda event: event.onset_latest, reverse=True),
        circumstances=[(event, circumstance(event, titles)) for event in snapshot.circumstances],
        meanings=MEANINGS,
        health_words=health_words,
        version=__version__,
        refresh=REFRESH,
        style=Markup(STYLE),  # noqa: S704 - our own file, and its hash is the policy
    )


def _matrix(snapshot: Snapshot, at: datetime, titles: dict[str, str]) -> tuple[CountryRows, ...]:
    countries = []
    for country in snapshot.countries:
        views = [v for v in snapshot.vantages if v.is_field and v.point.country == country]
        rows = tuple(Row(view, tuple(_cells(view, at, titles))) for view in views)
        countries.append(CountryRows(country, len({view.network for view in views}), rows))
    return tuple(countries)


def _cells(view: VantageView, at: datetime, titles: dict[str, str]) -> Iterable[Cell]:
    verdicts = {verdict.platform: verdict for verdict in view.platforms_at(at)}
    for name, title in titles.items():
        verdict = verdicts.get(name)
        if verdict is None:
            yield Cell(title, NO_DATA, "", "")
        else:
            yield Cell(title, verdict.state, method_of(verdict), _roles_not_ok(verdict))


def method_of(verdict: PlatformVerdict) -> str:
    """`method.sub_method`, `method`, or empty when nothing is accused."""
    return ".".join(filter(None, (verdict.method, verdict.sub_method)))


def health_words(view: VantageView, at: datetime) -> str:
    """What its health means at that moment, and what else is to be known of it."""
    state, health = view.state_at(at), view.health_at(at)
    if health is None:
        return HEALTH_MEANINGS[state]
    by_rule = _RULE_MEANINGS.get(health.rule_id, "").rstrip(".")
    meaning = by_rule if by_rule and state is VantageState.UNKNOWN else HEALTH_MEANINGS[state]
    return "; ".join((meaning, *notes(health)))


def _roles_not_ok(verdict: PlatformVerdict) -> str:
    return ", ".join(
        f"{role.role} {role.state}" for role in verdict.roles if role.state is not State.OK
    )


def _headline(snapshot: Snapshot, at: datetime) -> Headline:
    events = snapshot.events.values()
    confirmed = sum(event.state is EventState.CONFIRMED for event in events)
    suspected = sum(event.state is EventState.SUSPECTED for event in events)
    if confirmed:
        more = f", {suspected} more suspected" if suspected else ""
        return Headline("blocked", f"{_count(confirmed, 'confirmed block')}{more}")
    if suspected:
        return Headline("suspected", _count(suspected, "suspected block"))
    fading = sum(event.state in (EventState.RECOVERING, EventState.UNOBSERVED) for event in events)
    if fading:
        return Headline("suspected", f"{_count(fading, 'block')} may be over, not sure yet")
    field = [view for view in snapshot.vantages if view.is_field]
    states = [{verdict.state for verdict in view.platforms_at(at)} for view in field]
    seeing_a_block = sum(State.BLOCKED in seen for seen in states)
    blind = sum(seen <= {State.INSUFFICIENT} for seen in states)
    if seeing_a_block:
        seers = _count(seeing_a_block, "vantage")
        return Headline("suspected", f"No event yet, but {seers} saw a block in the last cycle")
    if blind == len(field):
        return Headline("insufficient", "Nothing current to judge: no vantage can tell")
    but = f", but {blind} of {len(field)} field vantages cannot tell" if blind else ""
    return Headline("ok", f"No block detected{but}")


def circumstance(event: Event, titles: Mapping[str, str]) -> str:
    """An event that is no block, as a sentence."""
    sure = event.state is EventState.CONFIRMED
    match event.kind:
        case EventKind.SHUTDOWN:
            how = "is cut off from the internet" if sure else "may be cut off from the internet"
            return f"{event.country} {how}: every network watched there is offline"
        case EventKind.INTERNATIONAL_CUT:
            how = "is cut off from abroad" if sure else "may be cut off from abroad"
            return f"{event.country} {how}: only sites within the country answer"
        case EventKind.VANTAGE_SILENT:
            return f"Vantage {event.vantage} reaches nothing or is not heard of"
        case EventKind.OUTAGE:
            name = titles.get(event.platform, event.platform)
            return f"{name} fails everywhere, at the controls too: an outage of its own"
        case EventKind.INSTRUMENT:
            return "All vantages were lost at once: look for the fault at this monitor first"
        case EventKind.BLOCK:
            return f"{titles.get(event.platform, event.platform)} is blocked in {event.country}"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def moment(value: datetime) -> str:
    """A time to the minute: `2026-11-24 15:07 UTC`."""
    return f"{value:%Y-%m-%d %H:%M} UTC"


def age(then: datetime, at: datetime) -> str:
    """How long ago in one unit: `just now`, `7 min ago`, `3 h ago`, `2 days ago`."""
    minutes = int((at - then).total_seconds() // 60)
    if minutes < 1:
        return "just now"
    if minutes < 120:
        return f"{minutes} min ago"
    if minutes < 48 * 60:
        return f"{minutes // 60} h ago"
    return f"{minutes // (24 * 60)} days ago"


def duration(seconds: float) -> str:
    """A length of time in the unit that suits it: `5 minutes`, `90 seconds`."""
    if seconds >= 60 and seconds % 60 == 0:
        return _count(int(seconds // 60), "minute")
    return f"{seconds:g} seconds"


def slug(word: str) -> str:
    """A word as a CSS class."""
    return word.replace(" ", "-").replace("_", "-")


def words(word: str) -> str:
    """An identifier as words: `captive_portal` becomes `captive portal`."""
    return word.replace("_", " ")


def condition(network: NetworkStatus) -> str:
    """What one network of an event shows now, in words."""
    if network.blocked_now:
        words_now = "blocked"
    elif network.recovering:
        words_now = "seems open again"
    elif network.unobserved:
        words_now = "was blocked when last seen"
    else:
        words_now = "was blocked" if network.affected else "not blocked"
    return f"{words_now}, {network.pattern}" if network.pattern else words_now


def onset(event: Event) -> str:
    """When a block began, with the doubt there is."""
    if event.onset_earliest is None:
        return "before monitoring began"
    return moment(event.onset_latest)


_ENVIRONMENT = Environment(
    autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_ENVIRONMENT.filters |= {
    "moment": moment,
    "age": age,
    "duration": duration,
    "slug": slug,
    "words": words,
    "onset": onset,
    "condition": condition,
}
_PAGE = _ENVIRONMENT.from_string((_TEMPLATES / "index.html").read_text("utf-8"))
