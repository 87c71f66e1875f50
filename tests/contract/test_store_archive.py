"""Rows that moved to an archive are listed as if they were still in the database."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest

from monitor.analysis.verdict import State
from storage.archive.archived_store import ArchivedStore
from storage.open_store import sql_store
from storage.sql.store import SqlStore
from storage.store import CollectorStore, StorageError, Store
from storage.values.archive_place import ArchivePlace
from storage.values.cursor import place_of
from storage.values.prunable import RAW, Prunable
from storage.values.rollup import UTC, Period
from storage.values.row_kind import RowKind
from storage.values.selection import Selection
from tests.contract.agents import batch, quarantine, seen_cycle
from tests.contract.conftest import KINDS, url_of
from tests.contract.cycles import EVERY_OBSERVATION, at, cycle, measurement
from tests.contract.listing import EVERYTHING, flat

DAY = 86400.0
LATER = at(100 * DAY)
LOOKS = (Prunable.MEASUREMENT,)
"""All that moves where a test reads nothing but measurements."""
PAGE = 20
"""A listing of one day takes three pages: each page of it reads files of the archive again."""


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of an empty database."""
    return url_of(request.param, request, tmp_path)


@pytest.fixture
def place(tmp_path: Path) -> ArchivePlace:
    """An archive in a folder that is not there yet."""
    return ArchivePlace(folder=str(tmp_path / "archive"))


@pytest.fixture
async def store(url: str, place: ArchivePlace) -> AsyncIterator[CollectorStore]:
    """An open, empty store with an archive."""
    made = sql_store(url, place, page=PAGE)
    await made.open()
    yield made
    await made.close()


@pytest.fixture
def make_reader(url: str, place: ArchivePlace) -> Callable[[], SqlStore]:
    """Makes another program's store, which is not open yet."""
    return lambda: sql_store(url, place, page=PAGE)


async def _plain(url: str, read: Callable[[SqlStore], Any]) -> Any:
    """What the database alone has."""
    store = sql_store(url, page=PAGE)
    await store.open()
    try:
        return await read(store)
    finally:
        await store.close()


async def _fill(store: Store, days: int = 1) -> None:
    """Cycles in two countries, some of them out of turn, one with everything that may be measured;
    from noon to noon, and some around midnight."""
    for number in range(days * 6):
        seconds = number * DAY / 6
        state = State.BLOCKED if number % 5 == 2 else State.OK
        made = cycle(number, seconds=seconds, state=state)
        await store.save(msgspec.structs.replace(made, hurried=number % 7 == 3))
        await store.save(cycle(number, country="BR", vantage="gru", seconds=seconds + 30))
    odd = cycle(9000, seconds=11.9 * 3600, measurements=(_everything(),))
    await store.save(odd)


def _everything() -> Any:
    return measurement(
        "m-odd", 11.9 * 3600, cycle="cycle-khi-ptcl-009000", observations=EVERY_OBSERVATION
    )


async def _move(
    store: Store, before: datetime = LATER, tables: Iterable[Prunable] = RAW
) -> dict[Prunable, int]:
    """Each table takes its time: a test that reads only one need not move the others."""
    return {what: sum([rows async for rows in store.prune(what, before)]) for what in tables}


def _files(place: ArchivePlace, pattern: str) -> list[Path]:
    return list(Path(place.folder).glob(pattern))


def _unmount(folder: Path, elsewhere: Path, *, empty: bool) -> None:
    folder.rename(elsewhere)
    if empty:
        folder.mkdir()


def _mount(folder: Path, elsewhere: Path) -> None:
    if folder.exists():
        folder.rmdir()
    elsewhere.rename(folder)


@pytest.mark.parametrize("left", ["nothing", "an empty folder"])
async def test_an_archive_whose_disk_is_not_mounted_is_an_error(
    store: CollectorStore,
    place: ArchivePlace,
    make_reader: Callable[[], SqlStore],
    tmp_path: Path,
    left: str,
) -> None:
    """All listings were silently shorter, and days moved to the disk below, where nobody found them
    once the right one was mounted again. Before anything moved there need be no folder."""
    await _fill(store, days=2)
    await flat(store.measurements(EVERYTHING))
    await _move(store, at(0), LOOKS)
    await _move(store, at(DAY), LOOKS)
    whole = await flat(store.measurements(EVERYTHING))
    _unmount(Path(place.folder), tmp_path / "elsewhere", empty=left == "an empty folder")
    reader = make_reader()
    await reader.open()
    for one in (store, reader):
        with pytest.raises(StorageError, match="nothing is there of what was moved to it"):
            await flat(one.measurements(EVERYTHING))
        with pytest.raises(StorageError, match="nothing is there"):
            await _move(one, tables=LOOKS)
        # What needs no archive goes on.
        assert await one.latest_health()
    assert not _files(place, "*")
    _mount(Path(place.folder), tmp_path / "elsewhere")
    for one in (store, reader):
        assert await flat(one.measurements(EVERYTHING)) == whole
    await reader.close()


SELECTIONS = [
    EVERYTHING,
    Selection(country="PK"),
    Selection(country="BR", platform="x"),
    Selection(since=at(DAY), until=at(2 * DAY)),
    Selection(since=at(DAY / 3), platform="x"),
    Selection(until=at(1.6 * DAY), vantage="gru"),
    Selection(asn=17557),
    Selection(country="US"),
    Selection(state="blocked"),
]
TIMES = [
    (None, None),
    (at(0), at(2 * DAY)),
    (at(1234), at(1.9 * DAY)),
    (at(DAY + 100), at(DAY + 1700)),
    (at(DAY / 3), None),
]
PERIODS = tuple(itertools.product((UTC, "Asia/Kathmandu"), Period))
COUNTED = 30
"""Rows of availability in a page: each of them is counted from several queries."""
_COLUMNS = ["id", "started_at", "reached", "dns_ms", "not_observed", "http_title", "resolvers"]


async def _listed(store: CollectorStore, few: int | None = None) -> dict[str, Any]:
    """Everything that the store lists of what can be archived; only the first few selections and
    times where a test is not about them."""
    found: dict[str, Any] = {
        "received_cycles": await flat(store.received_cycles("")),
        "received_cycles_of": await flat(store.received_cycles("BR")),
    }
    for number, (since, until) in enumerate(TIMES[:few]):
        wanted = Selection(since=since, until=until)
        found[f"tallies {number}"] = await store.tallies(wanted)
        # A third of them for each time: a query for each takes its time.
        for zone, period in itertools.islice(PERIODS, number % 3, None, 3):
            counted = msgspec.structs.replace(wanted, period=period, timezone=zone, batch=COUNTED)
            found[f"{period} {zone} {number}"] = await flat(store.availability(counted))
    for number, one in enumerate(SELECTIONS[:few]):
        found[f"measurements {number}"] = await flat(store.measurements(one))
        found[f"verdicts {number}"] = await flat(store.verdicts(one))
        found[f"platforms {number}"] = await flat(store.platforms(one))
        found[f"cycles {number}"] = await flat(store.cycles(one))
        found[f"received {number}"] = await flat(store.received_platforms(one))
        found[f"rows {number}"] = [
            [
                bool(cell) if name == "reached" else cell
                for name, cell in zip(_COLUMNS, row, strict=False)
            ]
            for row in await flat(store.rows(RowKind.MEASUREMENTS, _COLUMNS, one))
        ]
        found[f"verdict rows {number}"] = [
            row[:3]
            for row in await flat(
                store.rows(RowKind.VERDICTS, ["measurement", "llr", "failures"], one)
            )
        ]
    return found


async def test_all_that_moved_is_listed_as_before(store: CollectorStore, url: str) -> None:
    """By every selection, in the same order, each value equal; and the database is empty."""
    await _fill(store, days=2)
    before = await _listed(store)
    assert len(before["measurements 0"]) == 2 * 6 * 2 * 4 + 1
    moved = await _move(store)
    assert moved[Prunable.MEASUREMENT] == 2 * 6 * 2 * 4 + 1
    assert moved[Prunable.VERDICT] > 0 < moved[Prunable.PLATFORM_VERDICT]
    left = await _plain(url, lambda plain: flat(plain.measurements(EVERYTHING)))
    assert left == []
    after = await _listed(store)
    assert {name: after[name] for name in before} == before


async def test_only_whole_days_move(store: CollectorStore, url: str) -> None:
    """A day that is not over at the limit stays; what is in both places is one listing."""
    await _fill(store, days=2)
    # Half of its verdicts count as undecided, wherever they are.
    held = msgspec.structs.replace(quarantine("gru"), country="BR", since=at(DAY))
    await store.quarantine(held)
    before = await _listed(store, 1)
    assert {one.country for one in before["tallies 0"] if one.undecided} == {"BR"}
    await _move(store, at(1.2 * DAY))
    left = await _plain(url, lambda plain: flat(plain.measurements(EVERYTHING)))
    assert {str(one.started_at)[:10] for one in left} == {"2024-02-18", "2024-02-19"}
    assert await _listed(store, 1) == before


@pytest.mark.parametrize("number", [1, 3, 50])
async def test_a_reader_continues_where_it_stopped(store: CollectorStore, number: int) -> None:
    """Page after page, from twelve hours before the border of the archive to twelve after it."""
    await _fill(store, days=2)
    await _move(store, at(1.7 * DAY), LOOKS)
    since = at(DAY)
    whole = await flat(store.measurements(Selection(platform="x", since=since)))
    assert len(whole) == 6 * 2 * 2
    found: list[Any] = []
    after: tuple[str, ...] = ()
    wanted = Selection(platform="x", since=since, batch=number)
    while page := await _first_page(store, msgspec.structs.replace(wanted, after=after)):
        assert len(page) <= number
        found += page
        after = place_of(page[-1])
    assert found == whole


async def _first_page(store: Store, wanted: Selection) -> Sequence[Any] | None:
    async with contextlib.aclosing(store.measurements(wanted)) as pages:  # type: ignore[type-var]
        return await anext(pages, None)


async def test_late_rows_join_their_day(store: CollectorStore, place: ArchivePlace) -> None:
    """A day that is archived gets what arrives later; there is still one file of it."""
    await _fill(store)
    await _move(store)
    await store.save(cycle(7777, seconds=1000.0))
    whole = await _listed(store, 1)
    assert len(whole["measurements 0"]) == 6 * 2 * 4 + 1 + 4
    moved = await _move(store)
    assert moved[Prunable.MEASUREMENT] == 4
    assert await _listed(store, 1) == whole
    assert len(_files(place, "measurement/country=PK/date=2024-02-17/*")) == 1


async def test_stopped_half_way_nothing_is_lost_or_doubled(store: CollectorStore, url: str) -> None:
    """After the file and before the end of deleting: rows in both places are listed once."""
    await _fill(store)
    before = await _listed(store, 1)
    steps = store.prune(Prunable.MEASUREMENT, LATER)
    await anext(steps)
    await steps.aclose()  # type: ignore[attr-defined]
    assert await _listed(store, 1) == before
    await _move(store)
    assert await _listed(store, 1) == before
    assert await _plain(url, lambda plain: flat(plain.measurements(EVERYTHING))) == []


async def test_a_file_that_does_not_read_back_deletes_nothing(
    store: CollectorStore, url: str, place: ArchivePlace
) -> None:
    """The disk returns something else than was written: an error, and the database keeps all."""
    await _fill(store)
    before = await _plain(url, lambda plain: flat(plain.measurements(EVERYTHING)))
    assert isinstance(store, ArchivedStore)
    store.place.put = lambda name, made: _cut(Path(place.folder) / name, made)  # type: ignore[method-assign]
    with pytest.raises(StorageError):
        await _move(store, tables=LOOKS)
    assert await _plain(url, lambda plain: flat(plain.measurements(EVERYTHING))) == before


def _cut(target: Path, made: Path) -> None:
    target.parent.mkdir(parents=True)
    content = made.read_bytes()
    target.write_bytes(content[: len(content) // 2] + content[len(content) // 2 + 1 :])


async def test_a_changed_file_is_not_written_anew(
    store: CollectorStore, url: str, place: ArchivePlace
) -> None:
    """Late rows of a day whose file was changed stay in the database: nothing gets a new checksum
    that did not have the old one."""
    await _fill(store)
    await _move(store, tables=LOOKS)
    (file,) = _files(place, "measurement/country=PK/date=2024-02-17/*")
    file.write_bytes(file.read_bytes() + b"x")
    await store.save(cycle(7777, seconds=1000.0))
    with pytest.raises(StorageError, match="is not what was written"):
        await _move(store, tables=LOOKS)
    left = await _plain(url, lambda plain: flat(plain.measurements(EVERYTHING)))
    assert len(left) == 4


async def test_rows_that_move_while_they_are_read_are_not_missed(
    make_reader: Callable[[], SqlStore], store: CollectorStore
) -> None:
    """Another program lists while this one moves: between any two pages, everything moves."""
    await _fill(store)
    whole = await flat(store.measurements(EVERYTHING)), await flat(store.cycles(EVERYTHING))
    other = make_reader()
    await other.open()
    found: list[Any] = []
    cycles: list[Any] = []
    listing, of_cycles = other.measurements(EVERYTHING), other.cycles(EVERYTHING)
    found += await anext(listing)
    cycles += await anext(of_cycles)
    await _move(store, tables=(Prunable.MEASUREMENT, Prunable.VANTAGE_HEALTH))
    found += await flat(listing)
    cycles += await flat(of_cycles)
    await other.close()
    assert (found, cycles) == whole


async def test_an_archive_that_is_gone_is_an_error(
    store: CollectorStore, place: ArchivePlace
) -> None:
    """Never a listing that is silently shorter."""
    await _fill(store)
    await _move(store, tables=LOOKS)
    for file in _files(place, "measurement/country=PK/*/*"):
        file.unlink()
    with pytest.raises(StorageError, match="archive"):
        await flat(store.measurements(Selection(country="PK")))
    assert await flat(store.measurements(Selection(country="BR")))


async def test_signed_batches_are_found_by_their_cycles(store: CollectorStore, url: str) -> None:
    """Byte for byte as the agent sent them, so that their signatures hold."""
    for number in range(4):
        sent = batch(number)
        await store.receive(sent, [seen_cycle(number)])
    ids = [seen_cycle(number).id for number in range(4)]
    before = await store.received_batches(ids[1:3])
    assert len(before) == 2
    moved = await _move(store, tables=(Prunable.BATCH,))
    assert moved[Prunable.BATCH] == 4
    assert await _plain(url, lambda plain: plain.received_batches(ids)) == []
    assert await store.received_batches(ids[1:3]) == before


async def test_two_programs_do_not_move_at_once(
    store: CollectorStore, url: str, place: ArchivePlace
) -> None:
    """The second one says so and moves nothing."""
    await _fill(store)
    steps = store.prune(Prunable.MEASUREMENT, LATER)
    await anext(steps)
    other = sql_store(url, place)
    await other.open()
    try:
        with pytest.raises(StorageError, match="another program moves rows"):
            await _move(other, tables=LOOKS)
    finally:
        await other.close()
        await steps.aclose()  # type: ignore[attr-defined]


async def test_who_writes_gets_through(store: CollectorStore) -> None:
    """Cycles that come while days move are stored and listed."""
    await _fill(store, days=2)

    async def write() -> None:
        for number in range(1000, 1010):
            await store.save(cycle(number, seconds=(number - 1000) * 3000.0))

    await asyncio.gather(_move(store, tables=(Prunable.VERDICT, Prunable.MEASUREMENT)), write())
    assert len(await flat(store.measurements(EVERYTHING))) == 2 * 6 * 2 * 4 + 1 + 10 * 4


def test_other_engines_read_the_tree_as_it_is(tmp_path: Path) -> None:
    """DuckDB and ClickHouse's engine: typed columns, country and date from the path."""
    archive = tmp_path / "archive"

    async def make() -> None:
        made = sql_store(f"sqlite:///{tmp_path / 'a.db'}", ArchivePlace(folder=str(archive)))
        await made.open()
        await _fill(made, days=2)
        await _move(made, tables=LOOKS)
        await made.close()

    asyncio.run(make())
    tree = f"{archive}/measurement/*/*/*.parquet"
    question = (
        "SELECT country, date::VARCHAR, count(*), typeof(min(started_at)), "  # noqa: S608 # a path of our own
        "typeof(min(dns_ms)), typeof(bool_and(reached)) "
        f"FROM read_parquet('{tree}') GROUP BY 1, 2 ORDER BY 1, 2"
    )
    rows = duckdb.connect().execute(question).fetchall()
    assert [row[:3] for row in rows][:2] == [("BR", "2024-02-17", 12), ("BR", "2024-02-18", 24)]
    assert {row[3:] for row in rows} == {("TIMESTAMP WITH TIME ZONE", "DOUBLE", "BOOLEAN")}
    chdb = pytest.importorskip("chdb")
    counted = chdb.query(
        f"SELECT country, toString(date), count() FROM file('{tree}', Parquet) "  # noqa: S608 # as above
        "WHERE platform = 'x' AND reached GROUP BY 1, 2 ORDER BY 1, 2 "
        "SETTINGS use_hive_partitioning = 1"
    )
    lines = [line.replace('"', "").split(",") for line in str(counted).splitlines()]
    assert lines[:2] == [["BR", "2024-02-17", "6"], ["BR", "2024-02-18", "12"]]
