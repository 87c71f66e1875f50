"""A server to take pictures of: sixteen countries, a year of counts, and texts that nobody wrote
to deceive. All of it is invented, whatever the names."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from monitor.analysis.verdict import State
from monitor.config.load import default_settings
from monitor.config.settings import ServerSettings, Settings, SourceSettings
from monitor.following.shown_sources import show_sources
from monitor.metrics.publisher import Publisher
from monitor.metrics.scrapes import create_registry
from monitor.notify.settings import NotifySettings
from monitor.server import create_app
from monitor.server.access import Access
from monitor.server.actions import Acting
from monitor.sources.terms import SourceKind
from probes.catalog.catalog import Catalog
from probes.vantage import VantagePoint
from storage.open_store import sql_store
from storage.values.reviews import Annotation, AnnotationKind, Mark, Review, annotation_id
from storage.values.rollup import COUNTS, KEY
from storage.values.sourced import SourcedRow, SourceState
from storage.values.times import time_text
from tests.browser import seed
from tests.prometheus import world
from tests.prometheus.world import Accusation, vantage
from tests.worlds.acting_world import USERS, Post
from tests.worlds.notify_world import route

NOW = seed.NOW
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MORE = tuple(
    vantage(f"{code.lower()}-{name.lower()}", code, 64500 + number, f"{code} {name}")
    for number, (code, name) in enumerate(
        (code, name)
        for code in ("DE", "EG", "ET", "IN", "MM", "MX", "NG", "SD", "TR", "UG", "VE", "VN", "ZA")
        for name in ("Telecom", "Mobile")
    )
)
ACCUSED: dict[str, dict[str, Accusation]] = {
    "eg-telecom": {"whatsapp": (State.DEGRADED, "tls", "reset")},
    "et-telecom": dict.fromkeys(world.TITLES, (State.INSUFFICIENT, "", "")),
    "et-mobile": dict.fromkeys(world.TITLES, (State.INSUFFICIENT, "", "")),
    "ug-mobile": {"facebook": (State.PARTIAL, "tls", "reset")},
    "za-mobile": {"telegram": (State.INSUFFICIENT, "", "")},
}
UNSEEN = ("mm-telecom", "mm-mobile")
NOTE = "Two people in Lahore cannot open it either, on Jazz and on PTCL."
DENIAL = "A minister says that everything works."


def publisher() -> Publisher:
    """What is known now."""
    made = seed.publisher(more=MORE)
    active = [one for one in seed.events() if one.active]
    for point in MORE:
        if point.id not in UNSEEN:
            accused = ACCUSED.get(point.id, {})
            made.publish(world.cycle(point, accusations=accused, at=NOW), active)
    return made


def _state(point: VantagePoint, platform: str, at: datetime) -> State | None:
    """What a test of that time found; None: there was none."""
    ago, country = NOW - at, point.country
    if point.id in UNSEEN or (country == "PK" and timedelta(days=33) < ago < timedelta(days=36)):
        return None
    if point.id == "nbo-safaricom" and ago < DAY:
        return None
    days = ago / DAY
    if (country, platform) == ("PK", "x") and point is not seed.FIELD[3]:
        earlier = (7 < days < 10 and point is not seed.FIELD[2]) or 90 < days < 110
        return State.BLOCKED if at >= seed.ONSET - HOUR or earlier else State.OK
    if (country, platform) == ("KE", "telegram"):
        return State.BLOCKED if 5.7 < days < 7 or 200 < days < 214 else State.OK
    if (country, platform) == ("BR", "telegram") and point is seed.FIELD[4]:
        return State.THROTTLED if days < 1 or 60 < days < 63 else State.OK
    if (point.id, platform) == ("isb-jazz", "instagram"):
        return State.DEGRADED if days < 6 else State.OK
    if platform == "tiktok" and 19 < days < 20:
        return State.DOWN
    if country == "ET" and days < 3:
        return State.INSUFFICIENT
    return State.OK


def _counts(step: timedelta, steps: int) -> Iterator[tuple[Any, ...]]:
    """Counts by the hour or the day, up to now: twelve tests in each hour."""
    hours = step // HOUR
    last = NOW.replace(hour=NOW.hour if hours == 1 else 0)
    for point in (*seed.FIELD, *MORE):
        for platform in world.TITLES:
            for number in range(steps):
                at = last - number * step
                state = _state(point, platform, max(at, min(at + step / 2, NOW)))
                if state is not None:
                    key = (point.country, platform, time_text(at), point.asn, point.network)
                    counts = (12 * hours * (state is one) for one in COUNTS)
                    yield (*key, *counts, *([hours] if hours > 1 else []))


def _add_year(file: Path) -> None:
    with closing(sqlite3.connect(file)) as database, database:
        for table, step, steps, more in (
            ("availability_hour", HOUR, 8 * 24, ()),
            ("availability_day", DAY, 365, ("hours",)),
        ):
            names = (*KEY, *COUNTS, *more)
            database.executemany(
                f"INSERT INTO {table} ({', '.join(names)}) "  # noqa: S608 # our own words
                f"VALUES ({', '.join('?' * len(names))})",
                _counts(step, steps),
            )


def _sourced() -> list[SourcedRow]:
    """Tests by volunteers in two countries: most fail where X is blocked."""
    return [
        SourcedRow(
            country=country,
            source="ooni",
            uid=f"{country}-{platform}-{number}",
            measured_at=seed.ONSET + timedelta(minutes=5 + number),
            received_at=NOW,
            asn=asn,
            platform=platform,
            test="web_connectivity",
            failed=float((country, platform) == ("PK", "x") and number != 3),
            licence="CC BY-NC-SA 4.0",
        )
        for country, asn in (("PK", 17557), ("BR", 26599))
        for platform in ("x", "telegram", "whatsapp", "facebook")
        for number in range(7)
    ]


async def served(folder: Path, documents: Path) -> Any:
    """The application, over a store in that folder."""
    store = sql_store(f"sqlite:///{folder / 'pictures.db'}")
    await store.open()
    _add_year(folder / "pictures.db")
    for number, cycle in enumerate(seed.cycles("This page cannot be shown")):
        first = number == 0
        await store.save(cycle, seed.events() if first else (), seed.log() if first else ())
    review = Review(
        id="0190b3c0-0000-7000-8000-000000000001",
        country="PK",
        event=seed.EVENT,
        at=NOW,
        mark=Mark.CONFIRMED,
        note=NOTE,
        reviewer="Asma",
    )
    await store.add_review(review)
    told = ("PK", seed.ONSET + timedelta(minutes=30), None, "", AnnotationKind.OFFICIAL_DENIAL)
    source = "https://news.example.org/denial"
    annotation = Annotation(
        id=annotation_id(*told, DENIAL, source),
        country="PK",
        since=told[1],
        kind=AnnotationKind.OFFICIAL_DENIAL,
        text=DENIAL,
        source=source,
        added_at=NOW,
    )
    await store.add_annotations([annotation])
    await store.add_sourced(_sourced(), "ooni", SourceState(answered_at=NOW))
    made = publisher()
    followed = SourceSettings(
        kind=SourceKind.OONI,
        countries=("PK", "BR"),
        platforms=("x", "telegram", "whatsapp", "facebook"),
    )
    sources = msgspec.structs.replace(default_settings(), sources=(followed,))
    await show_sources(store, made, lambda: sources, now=lambda: NOW)
    snapshot = made.snapshot
    settings = Settings(
        vantages=tuple(view.point for view in snapshot.vantages),
        catalog=Catalog(platforms=snapshot.catalog.platforms),
        notify=NotifySettings(route=(route(),)),
        source="shutwatch.toml",
    )
    acting = Acting(store=store, settings=lambda: settings, service=Post(), wake=lambda: None)
    access = Access(ServerSettings(users=USERS, editors=("asma", "dana"), public=True))
    return create_app(
        made,
        create_registry(made),
        access=access,
        store=store,
        documents=documents,
        acting=acting,
    )
