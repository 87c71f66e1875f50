"""docs/metrics.md against a full scrape, both ways."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
from prometheus_client.metrics_core import Metric

from monitor.analysis.events.event import EventKind, EventState
from monitor.analysis.second_witness import OutsideWitness, Witness
from monitor.analysis.verdict import FunctionVerdict, State, VantageState
from monitor.metrics.ingest_counts import IngestCounts, Spool
from monitor.metrics.page_look import PageLook
from monitor.metrics.scrapes import create_registry
from monitor.metrics.source_view import SourceView
from monitor.wire.answers import Reason
from storage.values.database_size import DatabaseSize
from storage.values.sourced import SourcedEvent, SourceState
from storage.values.withheld import Withheld
from tests.contract.cycles import annotation
from tests.prometheus import world

TEXT = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text("utf-8")

SUFFIX = {"counter": "_total", "info": "_info"}
UNITS = {"_seconds": "seconds", "_bytes": "bytes", "_ratio": "ratio"}


class Documented(NamedTuple):
    """One family as the document has it."""

    kind: str
    unit: str
    labels: frozenset[str]


def documented() -> dict[str, Documented]:
    """Families by name: a heading, then a line `kind · unit · labels`."""
    found = re.findall(r"^### `(\w+)`\n(\w+) · ([^·]+) · (.+)\n\n\S", TEXT, re.MULTILINE)
    return {
        name: Documented(kind, unit, frozenset(re.findall(r"`(\w+)`", labels)))
        for name, kind, unit, labels in found
    }


def full_scrape() -> Iterator[Metric]:
    """Every family with at least one sample."""
    publisher = world.x_blocked_on_two_of_three()
    neighbours = [msgspec.structs.replace(world.FIELD[0], id=name) for name in ("b", "c")]
    watched = [*(view.point for view in publisher.snapshot.vantages), *neighbours]
    publisher.watch(watched, [])
    publisher.mark_outliers(world.FIELD[0].country, {}, lambda vantage: vantage == "b")
    degraded = world.cycle(
        world.FIELD[0],
        accusations={"x": (State.DEGRADED, "tls", "reset")},
        transfers=(world.transfer(world.FIELD[0], "x", 1.1),),
    )
    in_part = FunctionVerdict(
        function="chat",
        core=True,
        state=State.DEGRADED,
        groups=("dc2",),
        accused=("tcp://149.154.167.51:443",),
    )
    publisher.publish(
        msgspec.structs.replace(
            degraded,
            platforms=tuple(
                msgspec.structs.replace(
                    one, functions=(*one.functions, in_part), state=State.PARTIAL, share=0.5
                )
                for one in degraded.platforms
            ),
        ),
        [
            world.event(state=EventState.SUSPECTED),
            msgspec.structs.replace(
                world.event(), id="outage", kind=EventKind.OUTAGE, country="", platform="x"
            ),
        ],
    )
    bounds = {"end_earliest": world.NOW, "end_latest": world.NOW}
    over = {"state": EventState.ENDED, **bounds}
    publisher.show_ended(
        [
            msgspec.structs.replace(world.event(), id="ended", **over),
            msgspec.structs.replace(
                world.event(), id="shutdown", kind=EventKind.SHUTDOWN, platform="", **over
            ),
        ]
    )
    publisher.notifications_pending({"newsroom": [datetime(2024, 2, 17, tzinfo=UTC)]})
    publisher.annotated([annotation()])
    publisher.database_sized(DatabaseSize(used=1, free=2))
    witness = Witness(source="ooni", title="OONI", credit="c", home="h", networks=())
    outside = OutsideWitness(
        source="ioda",
        title="IODA",
        credit="c",
        home="h",
        read=True,
        drops=(("bgp", 0.6),),
        of_platform=True,
    )
    active = next(iter(publisher.snapshot.events.values()))
    publisher.withheld_seen((withheld(),), (looked_at(),))
    publisher.sources_seen((followed(),), {active.id: (witness, outside)})
    return iter(create_registry(publisher, ingested()).collect())


def withheld() -> Withheld:
    """A video that its platform withholds."""
    return Withheld(
        country="PK",
        platform="youtube",
        kind="video",
        url="https://www.youtube.com/watch?v=dQw4w9WgXcQ",
        since=world.NOW,
        seen_at=world.NOW,
        controls=("DE",),
    )


def looked_at() -> PageLook:
    """What the page said last."""
    page = withheld()
    return PageLook(
        country=page.country,
        platform=page.platform,
        kind=page.kind,
        url=page.url,
        said="withheld",
        control=False,
    )


def followed() -> SourceView:
    """A source with an event."""
    event = msgspec.structs.replace(world.event(), kind=EventKind.SEEN_BY_VOLUNTEERS)
    return SourceView(
        kind="ooni",
        title="OONI",
        credit="Data: OONI",
        home="https://explorer.ooni.org/",
        countries=("PK",),
        platforms=("x",),
        every=600.0,
        budget=1000,
        state=SourceState(problem="limited", answered_at=world.NOW, requests=3, rows=7),
        events=(
            SourcedEvent(
                country="PK",
                source="ooni",
                id=event.id,
                platform="x",
                active=True,
                first_seen_at=world.NOW,
                event=event,
            ),
        ),
    )


def ingested() -> IngestCounts:
    """What an agent handed in, over TLS."""
    counts = IngestCounts()
    counts.acknowledged("khi-ptcl", Spool(waiting=1, dropped=2), 0.1)
    counts.certificate_expires_at = lambda: datetime(2027, 1, 1, tzinfo=UTC)
    counts.catalog_ends_at = lambda: datetime(2027, 2, 1, tzinfo=UTC)
    return counts


def scraped() -> dict[str, Documented]:
    """Families by the name Prometheus stores them under, with their kind and labels."""
    families = {}
    for family in full_scrape():
        assert family.samples, f"{family.name} has no sample in a full scrape"
        labels = frozenset().union(*(sample.labels for sample in family.samples))
        unit = next((unit for suffix, unit in UNITS.items() if family.name.endswith(suffix)), "")
        families[family.name + SUFFIX.get(family.type, "")] = Documented(
            family.type, unit, labels - {"le"}
        )
    return families


def test_every_family_is_documented_and_every_documented_family_is_there() -> None:
    """The headings of the document and the families of a full scrape are the same names."""
    assert set(documented()) == set(scraped())
    assert len(re.findall("^### ", TEXT, re.MULTILINE)) == len(documented())


def test_kinds_and_labels_are_as_documented() -> None:
    """Each family has the kind and exactly the labels that the document gives it."""
    real = scraped()
    for name, told in documented().items():
        assert (name, told.kind, told.labels) == (name, real[name].kind, real[name].labels)


def test_units_are_as_the_name_says() -> None:
    """A name that ends in a unit is documented with that unit."""
    for name, real in scraped().items():
        if real.unit:
            assert (name, documented()[name].unit) == (name, real.unit)


def test_every_state_is_documented() -> None:
    """Each word a state label may hold is explained."""
    for state in (*State, *VantageState, EventState.SUSPECTED, EventState.CONFIRMED):
        assert f"`{state}`" in TEXT


def test_every_reason_of_a_refusal_is_documented() -> None:
    """The label tells nothing that the document does not."""
    for reason in Reason:
        assert f"`{reason}`" in TEXT
