"""Sixty countries in every state that a country can be in, each with two networks."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from monitor.analysis.events.event import EventState
from monitor.analysis.verdict import State
from monitor.metrics.publisher import Publisher
from probes.catalog.countries import COUNTRIES, INVENTED
from probes.vantage import VantagePoint
from tests.prometheus import world
from tests.prometheus.world import CONTROL, TITLES, Accusation, vantage

CODES = (*sorted(COUNTRIES - INVENTED)[::4][:59], "XD")
"""Of every part of the world, and one that is on no map."""
_STATES: Sequence[Mapping[str, Accusation] | None] = (
    {"x": world.TLS_RESET},
    {},
    {"telegram": (State.THROTTLED, "throttling", "rate")},
    {"whatsapp": (State.INSUFFICIENT, "", "")},
    {"instagram": (State.DEGRADED, "tls", "reset")},
    {"tiktok": (State.DOWN, "", "")},
    {"x": (State.PARTIAL, "tls", "reset")},
    None,
    dict.fromkeys(TITLES, (State.INSUFFICIENT, "", "")),
    {},
)
"""What one country after the other shows; None: nothing at all."""
SUSPECTED = CODES[9::10]
"""Those of an event that is suspected, though nothing is found blocked now."""
CONFIRMED = CODES[::10]
"""Those of a confirmed block."""


def points(codes: Sequence[str] = CODES) -> tuple[VantagePoint, ...]:
    """Two networks of each country."""
    return tuple(
        vantage(f"{code.lower()}-{number}", code, 64500 + number, f"Network {number}")
        for code in codes
        for number in range(2)
    )


def publisher(codes: Sequence[str] = CODES, at: datetime = world.NOW) -> Publisher:
    """All of it as it is known at that moment."""
    fields = points(codes)
    made = world.publisher(vantages=(*fields, *CONTROL), now=lambda: at)
    events = [
        world.event(code, "x", state, at=at, points=[one for one in fields if one.country == code])
        for state, those in ((EventState.CONFIRMED, CONFIRMED), (EventState.SUSPECTED, SUSPECTED))
        for code in those
        if code in codes
    ]
    for number, point in enumerate(fields):
        accused = _STATES[number // 2 % len(_STATES)]
        if accused is not None:
            made.publish(world.cycle(point, accusations=accused, at=at), events)
    for point in CONTROL:
        made.publish(world.cycle(point, platforms=(), measurements=(), at=at), events)
    return made
