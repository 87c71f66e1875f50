"""How others' measurements stand to an event of our own, by what is stored of them."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from monitor.analysis.events.event import Event, EventState, NetworkStatus, Stretch
from monitor.analysis.second_witness import Position, Witness
from monitor.analysis.verdict import Evidence
from monitor.sources import rounds
from monitor.sources.terms import SourceKind
from monitor.sources.witnesses import grade_of_probes, second_witnesses
from monitor.wording.languages import ENGLISH
from monitor.wording.sources import witness_line, witness_lines
from monitor.wording.words import words_in
from storage.store import CollectorStore
from storage.values.prunable import Prunable
from storage.values.sourced import SourcedRow, SourceState
from tests.prometheus import world
from tests.worlds.memory_store import MemoryStore

BEGUN = datetime(2024, 2, 17, 15, tzinfo=UTC)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
NOW = BEGUN + 12 * HOUR


def _row(country: str, at: datetime, failed: float, **changes: object) -> SourcedRow:
    row = SourcedRow(
        country=country,
        source="ooni",
        uid=f"{country}-{at.timestamp()}",
        measured_at=at,
        received_at=at,
        asn=17557,
        platform="x",
        test="web_connectivity",
        failed=failed,
        licence="none stated",
    )
    return msgspec.structs.replace(row, **changes)


async def _store(before: dict[str, str], during: dict[str, str]) -> CollectorStore:
    """Country → its tests of X, one an hour before the event, and since it began: `x` failed, `.`
    passed."""
    store = MemoryStore()
    await store.open()
    rows = [
        _row(country, begins + (n + 1) * step, float(one == "x"))
        for found, begins, step in ((before, BEGUN, -HOUR), (during, BEGUN, HOUR))
        for country, tests in found.items()
        for n, one in enumerate(tests)
    ]
    countries = ",".join(sorted({*before, *during, "PK"}))
    await store.add_sourced(rows, "ooni", SourceState(asked=f"0123456789abcdef {countries}"))
    return store


def _event() -> Event:
    found = world.event(platform="x", at=BEGUN)
    return msgspec.structs.replace(found, onset_earliest=BEGUN, onset_latest=BEGUN)


async def _said(before: dict[str, str], during: dict[str, str]) -> Witness:
    (witness,) = await second_witnesses(await _store(before, during), _event(), NOW)
    assert isinstance(witness, Witness)
    return witness


_WELL = "......"


async def test_a_test_that_fails_elsewhere_too_does_not_agree() -> None:
    """It broke everywhere in the same hour: our own rules excuse these rows, and so does this
    sentence."""
    well = dict.fromkeys(("PK", "BR", "IN"), _WELL)
    witness = await _said(well, {"PK": "xxxx", "BR": "xxx.", "IN": "xx"})
    assert witness.position is Position.FAILS_ELSEWHERE
    assert witness_line(words_in(ENGLISH), witness) == (
        "OONI sees it fail in other countries too: 4 of 4 tests failed, 1 network"
    )


@pytest.mark.parametrize(
    ("before", "during", "position"),
    [
        # Nobody else was asked, or nobody measured enough there.
        ({"PK": _WELL}, {"PK": "xxxx"}, Position.AGREES),
        ({"PK": _WELL, "BR": _WELL}, {"PK": "xxxx", "BR": "x"}, Position.AGREES),
        # Most of the others work.
        (
            {"PK": _WELL, "BR": _WELL, "IN": _WELL},
            {"PK": "xxxx", "BR": "xxxx", "IN": "...", "DE": ".."},
            Position.AGREES,
        ),
        # Half of them do not.
        (
            {"PK": _WELL, "BR": _WELL, "IN": _WELL},
            {"PK": "xxxx", "BR": "xxxx", "IN": "..."},
            Position.FAILS_ELSEWHERE,
        ),
        # It was blocked there for years, and began here.
        ({"PK": _WELL, "CN": "xxxx"}, {"PK": "xxxx", "CN": "xxxx"}, Position.AGREES),
        # It was blocked there for years; here nobody measured it before, or there neither.
        ({"IR": "xxxx"}, {"PK": "xxxx", "IR": "xxxx"}, Position.AGREES),
        ({}, {"PK": "xxxx", "IR": "xxxx"}, Position.FAILS_ELSEWHERE),
        ({"BR": _WELL}, {"PK": "xxxx", "BR": "xxxx"}, Position.FAILS_ELSEWHERE),
        # It failed here before too, as long as there.
        ({"PK": "xxxx", "BR": "xxxx"}, {"PK": "xxxx", "BR": "xxxx"}, Position.FAILS_ELSEWHERE),
        # What does not fail here says nothing of elsewhere.
        ({"PK": _WELL, "BR": _WELL}, {"PK": "x...", "BR": "xxxx"}, Position.DIFFERS),
    ],
)
async def test_who_counts_as_elsewhere(
    before: dict[str, str], during: dict[str, str], position: Position
) -> None:
    """Countries that were measured in the same time, unless they failed before and this one is not
    known to have."""
    assert (await _said(before, during)).position is position


async def test_hours_in_which_it_was_open_count_for_nothing() -> None:
    """A curfew is one event of many nights: by day it works, for our own vantages too."""
    nights = [
        Stretch(
            onset_earliest=BEGUN + night * DAY - MINUTE,
            onset_latest=BEGUN + night * DAY,
            end_earliest=BEGUN + night * DAY + 4 * HOUR,
            end_latest=BEGUN + night * DAY + 4 * HOUR + MINUTE,
        )
        for night in range(3)
    ]
    last = msgspec.structs.replace(nights[-1], end_earliest=None, end_latest=None)
    network = NetworkStatus(
        asn=17557,
        network="PTCL",
        affected=True,
        blocked_now=True,
        stretches=(*nights[:-1], last),
    )
    lasting = msgspec.structs.replace(_event(), networks=(network,), reopened=2)
    over = msgspec.structs.replace(
        lasting,
        state=EventState.ENDED,
        networks=(msgspec.structs.replace(network, stretches=tuple(nights)),),
        end_earliest=nights[-1].end_earliest,
        end_latest=nights[-1].end_latest,
    )
    store = MemoryStore()
    await store.open()
    rows = [
        _row(country, BEGUN + n * HOUR + 30 * MINUTE, float(n % 24 < 4 and country == "PK"))
        for n in range(72)
        for country in ("PK", "BR")
    ]
    await store.add_sourced(rows, "ooni", SourceState(asked="0123456789abcdef PK,BR"))
    said = "OONI agrees: 12 of 12 tests failed, 1 network"
    for event, now in ((lasting, BEGUN + 2 * DAY + 4 * HOUR), (over, BEGUN + 9 * DAY)):
        (witness,) = await second_witnesses(store, event, now)
        assert witness_line(words_in(ENGLISH), witness) == said


async def test_networks_that_our_own_vantages_find_open_say_nothing_against_a_block() -> None:
    """It is blocked on one network and passes on another, for us and for volunteers."""
    blocked, spared, other = (
        NetworkStatus(
            asn=asn,
            network=name,
            affected=asn == 17557,
            blocked_now=asn == 17557,
            found_open=asn == 45669,
        )
        for asn, name in ((17557, "PTCL"), (45669, "Jazz"), (9541, "Cybernet"))
    )
    event = msgspec.structs.replace(_event(), networks=(other, blocked, spared))
    store = await _store({}, {"PK": "xxx"})
    passing = [
        _row("PK", BEGUN + n * MINUTE, 0.0, asn=45669, uid=f"jazz {n}") for n in range(1, 21)
    ]
    await store.add_sourced(passing, "ooni", SourceState())
    assert await _lines(store, event, NOW) == ["OONI agrees: 3 of 3 tests failed, 1 network"]
    # Where it fails for volunteers too, the witness names it.
    failing = [msgspec.structs.replace(one, failed=1.0) for one in passing]
    await store.replace_sourced(failing, "ooni", SourceState())
    assert await _lines(store, event, NOW) == ["OONI agrees: 23 of 23 tests failed, 2 networks"]
    await store.replace_sourced(passing, "ooni", SourceState())
    # What passes on a network of which we know nothing counts.
    unknown = [msgspec.structs.replace(one, asn=9541, uid=f"other {one.uid}") for one in passing]
    await store.add_sourced(unknown, "ooni", SourceState())
    assert await _lines(store, event, NOW) == ["OONI differs: 3 of 23 tests failed, 2 networks"]


@pytest.mark.parametrize(
    ("asked", "answered_at", "said"),
    [
        ("PK,IN", NOW - HOUR, ["OONI is silent: not seen"]),
        # It failed soon after, and for all that time.
        ("PK,IN", BEGUN + HOUR, ["OONI was not read in that time"]),
        # The first message goes out before the next poll; a quota may be used up for days.
        ("PK,IN", BEGUN - MINUTE, ["OONI was not read in that time"]),
        ("PK,IN", None, ["OONI was not read in that time"]),
        # Nobody asked about this country.
        ("BR,IN", BEGUN + HOUR, []),
    ],
)
async def test_a_source_that_was_not_read_is_not_silent(
    asked: str, answered_at: datetime | None, said: list[str]
) -> None:
    """Silence is a word about volunteers, and here nobody knows what they measured."""
    store = MemoryStore()
    await store.open()
    state = SourceState(asked=f"0123456789abcdef {asked}", answered_at=answered_at)
    await store.add_sourced((), "ooni", state)
    assert await _lines(store, _event(), NOW) == said


async def test_probes_that_were_asked_about_a_later_block_are_not_silent_about_this_one() -> None:
    """X was blocked again three weeks later. The first block was said to be "not seen" by them."""
    store = MemoryStore()
    await store.open()
    later = NOW + 20 * DAY
    over = msgspec.structs.replace(
        _event(), state=EventState.ENDED, end_earliest=NOW, end_latest=NOW
    )
    again = msgspec.structs.replace(_event(), onset_earliest=later, onset_latest=later)
    cursors = rounds.noted({}, rounds.TRIED, "PK", "x", later + MINUTE)
    cursors = rounds.noted(cursors, rounds.DONE, "PK", "x", later + 2 * MINUTE)
    await store.add_sourced((), "globalping", SourceState(asked="PK", cursors=cursors))
    assert await _lines(store, over, later + DAY) == []
    assert await _lines(store, again, later + DAY) == ["Globalping is silent: not seen"]


async def test_rows_that_are_no_longer_kept_were_no_silence() -> None:
    """Events are kept for years, and rows of volunteers for three months."""
    state = SourceState(asked="0123456789abcdef PK", answered_at=NOW + 100 * DAY)
    store = MemoryStore()
    await store.open()
    tests = [_row("PK", BEGUN + n * HOUR, 1.0) for n in range(1, 5)]
    await store.add_sourced([*tests, _row("IN", NOW + 50 * DAY, 0.0)], "ooni", state)
    over = msgspec.structs.replace(_event(), state=EventState.ENDED, end_latest=NOW)
    later = NOW + 100 * DAY
    said = await _lines(store, over, later)
    assert said == ["OONI agrees: 4 of 4 tests failed, 1 network"]
    async for _ in store.prune(Prunable.SOURCED_ROW, NOW + 10 * DAY):
        pass
    assert await _lines(store, over, later) == ["OONI was not read in that time"]


async def _lines(store: CollectorStore, event: Event, now: datetime) -> list[str]:
    """What an event's page says of each source, without its networks."""
    found = await second_witnesses(store, event, now)
    return [witness_lines(words_in(ENGLISH), one, event)[0] for one in found]


def _acted(asn: int, measured: timedelta, received: timedelta) -> SourcedRow:
    return _row(
        "PK",
        BEGUN + measured,
        1.0,
        asn=asn,
        received_at=BEGUN + received,
        methods=("tls.certificate",),
    )


def test_results_of_one_round_of_ripe_atlas_are_no_two() -> None:
    """Probes test minutes apart, and the whole round is read at once; the next makes it strong."""
    first = [
        _acted(asn, measured, 20 * MINUTE)
        for asn in (17557, 9541)
        for measured in (MINUTE, 9 * MINUTE)
    ]
    assert grade_of_probes(SourceKind.ATLAS, first) is Evidence.WEAK
    one = [*first, _acted(17557, 21 * MINUTE, 40 * MINUTE)]
    assert grade_of_probes(SourceKind.ATLAS, one) is Evidence.WEAK
    both = [*one, _acted(9541, 22 * MINUTE, 40 * MINUTE)]
    assert grade_of_probes(SourceKind.ATLAS, both) is Evidence.STRONG


def test_results_of_one_round_of_globalping_have_one_moment() -> None:
    """The question's, however many probes a network has."""
    first = [_acted(asn, MINUTE, 3 * MINUTE) for asn in (17557, 17557, 9541, 9541)]
    assert grade_of_probes(SourceKind.GLOBALPING, first) is Evidence.WEAK
    both = first + [_acted(asn, 6 * MINUTE, 8 * MINUTE) for asn in (17557, 9541)]
    assert grade_of_probes(SourceKind.GLOBALPING, both) is Evidence.STRONG
