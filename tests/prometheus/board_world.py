"""A world in which every panel of the dashboards has something to show.

X is blocked on two of three Pakistani networks, YouTube is throttled on the third, Telegram is
down everywhere, and a control confirms what it is asked about.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from monitor.analysis.events.event import EventKind, EventState
from monitor.analysis.verdict import State
from monitor.metrics.publisher import Publisher
from storage.values.database_size import DatabaseSize
from tests.contract.cycles import annotation
from tests.prometheus import live, world

THROTTLED: world.Accusation = (State.THROTTLED, "throttling", "rate")
DOWN: world.Accusation = (State.DOWN, "", "")

BEGAN = live.utc_now()
"""When the database was as good as empty: it grows from then on, past every full minute."""


def publish(shown: Publisher) -> None:
    """One more cycle of every vantage, at the publisher's own time."""
    at = shown.now()
    shown.annotated([annotation(text="Election"), annotation(60, platform="x", text="An order")])
    grown = 1000 * round((at - BEGAN).total_seconds())
    shown.database_sized(DatabaseSize(used=10_000_000 + grown, free=5_000_000_000))
    shown.notifications_pending({"newsroom": [shown.now()]})
    shown.notified("newsroom", 1)
    accused: tuple[dict[str, world.Accusation], ...] = (
        {"x": world.TLS_RESET, "telegram": DOWN},
        {"x": world.DNS_NXDOMAIN, "telegram": DOWN},
        {"youtube": THROTTLED, "telegram": DOWN},
    )
    outage = msgspec.structs.replace(
        world.event("", "telegram", at=at), id="outage", kind=EventKind.OUTAGE, networks=()
    )
    silent = msgspec.structs.replace(
        world.event("PK", "", EventState.SUSPECTED, at=at),
        id="silent",
        kind=EventKind.VANTAGE_SILENT,
        vantage="khi-ptcl",
        networks=(),
    )
    events = [world.event(at=at), outage, silent]
    for point, accusations in zip(world.FIELD, accused, strict=True):
        transfers = (world.transfer(point, "youtube", 0.1 if point is world.FIELD[2] else 1.0),)
        one = world.cycle(point, accusations=accusations, at=at, transfers=transfers)
        shown.publish(one, events)
    for point in world.CONTROL:
        looks = (world.look(point, "x"), world.look(point, "telegram", world.TLS_RESET))
        shown.publish(world.cycle(point, platforms=(), at=at, measurements=looks), events)


@contextmanager
def serving() -> Iterator[str]:
    """That world, again each second; gives `host:port`."""
    publisher = world.publisher(now=live.utc_now)
    with live.serving(publisher, publish) as address:
        yield address
