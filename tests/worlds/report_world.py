"""A small story for reports: two networks, a block seen from one of them, a control, and texts by
people who wish us ill."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from monitor.analysis.events.event import (
    Event,
    EventLogEntry,
    EventState,
    NetworkStatus,
    Scope,
    Stretch,
)
from monitor.analysis.verdict import State
from monitor.report.build import Made, build
from monitor.report.findings import Wanted
from monitor.wording.languages import ENGLISH
from probes.measurement import Measurement, Purpose
from storage.store import Store
from storage.values.cycle import Cycle
from storage.values.reviews import Annotation, AnnotationKind, Mark, Review, annotation_id
from tests.contract.cycles import REACHED, at, cycle, measurement, verdict
from tests.contract.cycles import platform_verdict as rolled_up
from tests.worlds.memory_store import MemoryStore

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
MADE_AT = datetime(2024, 2, 20, 9, 0, tzinfo=UTC)
HOSTILE = '<script>alert(1)</script>=HYPERLINK("http://evil.example")\u202egnp.exe\x00زونگ'
"""Markup, a formula, text turned around, a control character, and an honest name in Urdu."""
WANTED = Wanted(
    country="PK", platform="x", since=at(0) - timedelta(days=1), until=at(0) + timedelta(days=2)
)
HIDDEN_VANTAGE = "khi-secret-place"


def _looks(number: int, *, blocked: bool, title: str) -> tuple[Measurement, ...]:
    begin = number * 300.0
    failed = msgspec.structs.replace(REACHED[2], failure="connection_reset")
    page = msgspec.structs.replace(REACHED[3], title=title)
    id_ = f"cycle-{number}"
    field = measurement(
        f"f-{number}",
        begin,
        cycle=id_,
        vantage=HIDDEN_VANTAGE,
        network=HOSTILE,
        observations=(*REACHED[:2], failed) if blocked else (*REACHED[:3], page),
        reached=not blocked,
    )
    if not blocked:
        return (field,)
    control = measurement(
        f"c-{number}",
        begin + 2,
        cycle=id_,
        country="NL",
        vantage="ams-secret-place",
        asn=64510,
        network="Control",
        look=Purpose.CONTROL,
        observations=(*REACHED[:3], page),
    )
    again = msgspec.structs.replace(failed, reason="name_again")
    harmless = msgspec.structs.replace(REACHED[2], reason="innocuous_sni")
    further = measurement(
        f"u-{number}",
        begin + 3,
        cycle=id_,
        vantage=HIDDEN_VANTAGE,
        network=HOSTILE,
        look=Purpose.FOLLOW_UP,
        observations=(harmless, again),
        reached=False,
    )
    return (field, msgspec.structs.replace(control, vantage_role="control"), further)


def story_cycle(number: int, *, blocked: bool, title: str = HOSTILE) -> Cycle:
    """One cycle of the field vantage."""
    looks = _looks(number, blocked=blocked, title=title)
    found = verdict(looks[0], number * 300.0 + 20, state=State.BLOCKED if blocked else State.OK)
    found = msgspec.structs.replace(
        found, controls=(f"c-{number}",) if blocked else (), rules_version="3"
    )
    return msgspec.structs.replace(
        cycle(number, vantage=HIDDEN_VANTAGE, measurements=looks),
        id=f"cycle-{number}",
        verdicts=(found,),
        platforms=(rolled_up(found),),
    )


def block(state: EventState = EventState.ENDED) -> Event:
    """The event of the story: blocked from the fourth cycle to the eighth."""
    over = state is EventState.ENDED
    affected = NetworkStatus(
        asn=17557,
        network=HOSTILE,
        affected=True,
        blocked_now=not over,
        methods=("tls.reset",),
        stretches=(
            Stretch(
                onset_earliest=at(900),
                onset_latest=at(1200),
                end_earliest=at(2400) if over else None,
                end_latest=at(2700) if over else None,
                last_blocked=None if over else at(2400),
            ),
        ),
    )
    open_one = NetworkStatus(
        asn=45669, network="Jazz", affected=False, blocked_now=False, found_open=True
    )
    return Event(
        id="0123456789abcdef0123",
        country="PK",
        platform="x",
        state=state,
        scope=Scope.FULL,
        functions=("web",),
        methods=("tls.reset",),
        networks=(affected, open_one),
        onset_earliest=at(900),
        onset_latest=at(1200),
        detected_at=at(1220),
        confirmed_at=None if state is EventState.SUSPECTED else at(1520),
        end_earliest=at(2400) if over else None,
        end_latest=at(2700) if over else None,
        updated_at=at(2720),
        first_measurement="f-4",
        evidence="strong",
        rules_version="3",
    )


async def told(store: Store, state: EventState = EventState.ENDED) -> Store:
    """The store with the story, a review and an annotation in it."""
    event = block(state)
    log = EventLogEntry(event=event.id, sequence=1, at=at(1220), change="opened", snapshot=event)
    log = msgspec.structs.replace(log, detail=HOSTILE)
    for number in range(12):
        last = number == 11
        await store.save(
            story_cycle(number, blocked=4 <= number <= 8),
            [event] if last else [],
            [log] if last else [],
        )
    await store.add_review(
        Review(
            id="r-1",
            country="PK",
            event=event.id,
            at=at(5000),
            mark=Mark.CONFIRMED,
            note=f"Called the network. {HOSTILE}",
            reviewer="Ayesha",
        )
    )
    source = "https://news.example/order"
    facts = ("PK", at(0), None, "x", AnnotationKind.OFFICIAL_DENIAL, "“No block.”", source)
    await store.add_annotations(
        [
            Annotation(
                id=annotation_id(*facts),
                country="PK",
                since=at(0),
                platform="x",
                kind=AnnotationKind.OFFICIAL_DENIAL,
                text="“No block.”",
                source=source,
                added_at=at(6000),
            )
        ]
    )
    return store


async def made(out: Path, wanted: Wanted = WANTED, **options: object) -> Made:
    """The story's report at `out`; `state`, `store` and `language` may be given."""
    store = options.get("store")
    if store is None:
        store = MemoryStore(page=5)
        await store.open()
        await told(store, options.get("state", EventState.ENDED))  # type: ignore[arg-type]
    return await build(
        store,  # type: ignore[arg-type]
        wanted,
        out,
        KEY,
        title="X",
        interval=300.0,
        generated_at=MADE_AT,
        language=options.get("language", ENGLISH),  # type: ignore[arg-type]
    )
