"""Files made of stored rows are, byte for byte, those that would be made of values."""

import csv
import io
import shutil
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import TypeVar

import duckdb
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.analysis.verdict import Evidence, State, Verdict
from monitor.export.cells import cell
from monitor.export.csv import write_csv
from monitor.export.kinds import EXPORTS, Kind
from monitor.export.parquet import write_parquet
from monitor.server.api.json_rows import json_rows
from probes.measurement import AnyObservation, DnsObservation, HttpObservation, Layer, Measurement
from storage.open_store import sql_store
from storage.sql.store import SqlStore
from storage.store import StorageError, Store
from storage.values.cycle import Cycle
from storage.values.rollup import Period
from storage.values.selection import Selection
from tests.contract.cycles import (
    AWKWARD,
    EVERY_OBSERVATION,
    REACHED,
    START,
    cycle,
    measurement,
    verdict,
)
from tests.properties import examples
from tests.worlds.emptied_store import forget_cycles
from tests.worlds.memory_store import MemoryStore
from tests.worlds.store_without_threads import use_no_threads

T = TypeVar("T")
PILED_UP = (Kind.MEASUREMENTS, Kind.VERDICTS, Kind.AVAILABILITY)
HOSTILE = st.text(
    st.sampled_from("=+-@;'\" \t\r\n,\u202e\u200c＝a|!?\x1e\x1f\x00ی\\'")
    | st.characters(codec="utf-8"),
    max_size=8,
) | st.sampled_from(
    ["", "x", "-1", "=1+1", "a;=1", "a,b", '"', "\x1f", "\r\n", "\x1e", "\n", AWKWARD]
)
NUMBERS = st.floats(allow_nan=False) | st.sampled_from([0.0, -0.0, -0.105, 1e-07, -1e-07, 1e300])
SECONDS = st.floats(0, 1e6)


def http(title: str, url: str, status: int, seconds: float) -> HttpObservation:
    """A response whose author chose what it says."""
    return HttpObservation(
        start=0.2, duration=seconds, url=url, address="203.0.113.1", status=status, title=title
    )


def light(seen: AnyObservation) -> AnyObservation:
    """The same, with the beginning of a page alone: pages are large, and no file has them."""
    if isinstance(seen, HttpObservation):
        return msgspec.structs.replace(seen, body=seen.body[:100])
    return seen


KNOWN = (*map(light, EVERY_OBSERVATION), *REACHED)
LAYERS, GRADES = tuple(Layer), tuple(Evidence)
PARTS = st.tuples(
    st.integers(1, 5),
    st.integers(0, 2**24 - 1),
    st.lists(HOSTILE, min_size=1, max_size=6),
    st.lists(NUMBERS, min_size=1, max_size=3),
    st.lists(SECONDS, min_size=1, max_size=3),
)


@st.composite
def cycles(draw: st.DrawFn) -> Cycle:
    """A cycle of hostile names, texts and numbers; several looks may share one moment. A seed says
    which of them stands where: to draw each place would take longer than all the rest."""
    size, seed, texts, numbers, seconds = draw(PARTS)
    chance = Random(seed)
    one = chance.choice

    def several(values: Sequence[T], most: int) -> tuple[T, ...]:
        return tuple(chance.choices(values, k=chance.randint(0, most)))

    def observation() -> AnyObservation:
        if chance.getrandbits(1):
            return one(KNOWN)
        return http(one(texts), one(texts), one([0, 200]), one(seconds))

    looks: list[Measurement] = []
    verdicts: list[Verdict] = []
    for number in range(size):
        look = measurement(
            f"{number}{one(texts)}",
            one([0.0, 1.5, 1.5, 3600.0]),
            cycle="c",
            platform=one(["x", "facebook"]),
            endpoint=f"{number}{one(texts)}",
            observations=tuple(observation() for _ in range(chance.randint(0, 6))),
            reached=one([False, True]),
            not_observed=several(LAYERS, 2),
            network=one(texts),
            asn=one([-1, 0, 17557, 2**32]),
        )
        look = msgspec.structs.replace(look, duration=one(seconds))
        looks.append(look)
        verdicts.append(
            msgspec.structs.replace(
                verdict(look, one([60.0, 61.25, 4000.0])),
                controls=several(texts, 3),
                failures={layer: one(texts) for layer in several(LAYERS, 3)},
                llr=one(numbers),
                evidence=one(GRADES),
                state=one([State.OK, State.BLOCKED]),
                measured_at=one([None, START, START + timedelta(seconds=0.5)]),
            )
        )
    made = cycle(1, measurements=tuple(looks))
    return msgspec.structs.replace(made, verdicts=tuple(verdicts))


@pytest.fixture
async def stores(empty_file: Path, tmp_path: Path) -> AsyncIterator[Sequence[SqlStore]]:
    """A store of each kind, with pages of a few rows."""
    file = shutil.copy(empty_file, tmp_path / "store.db")
    made = [sql_store(f"sqlite:///{file}", page=1), MemoryStore(page=3)]
    for store in made:
        await store.open()
        use_no_threads(store)
    yield made
    for store in made:
        await store.close()


async def of_rows(store: Store, kind: Kind, selection: Selection) -> str:
    """The file as it is written."""
    out = io.StringIO(newline="")
    await write_csv(kind, store, selection, out)
    return out.getvalue()


async def of_values(store: Store, kind: Kind, selection: Selection) -> str:
    """The file as the columns and the standard writer have it, from what the store lists."""
    export = EXPORTS[kind]
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([column.name for column in export.columns])
    async for batch in export.batches(store, selection):
        for value in map(export.prepare, batch):
            writer.writerow([cell(column.value(value)) for column in export.columns])
    return out.getvalue()


WANTED = (
    Selection(),
    Selection(country="PK", platform="x"),
    Selection(period=Period.DAY, by_network=False),
    Selection(since=START + timedelta(seconds=61)),
    Selection(until=START + timedelta(seconds=61), period=Period.MONTH),
    Selection(timezone="Asia/Kathmandu", period=Period.DAY),
)


@given(made=cycles(), wanted=st.sampled_from(WANTED), which=st.sampled_from([0, 1]))
@settings(
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
async def test_rows_make_the_file_that_values_make(
    stores: Sequence[SqlStore], made: Cycle, wanted: Selection, which: int
) -> None:
    """Whatever is stored: the same bytes come from rows as from values, from every store."""
    store = stores[which]
    await forget_cycles(store)
    await store.save(made)
    for kind in PILED_UP:
        expected = await of_values(store, kind, wanted)
        assert await of_rows(store, kind, wanted) == expected


def crowded() -> Cycle:
    """130 looks, twenty of each moment."""
    looks = tuple(
        measurement(f"m-{n:03}", n // 20 * 0.5, cycle="c", endpoint=f"https://x.com/{n}")
        for n in range(130)
    )
    made = cycle(1, measurements=looks)
    verdicts = tuple(verdict(look, 60 + n // 20) for n, look in enumerate(looks))
    return msgspec.structs.replace(made, verdicts=verdicts)


def some_begins(made: Cycle) -> list[datetime | None]:
    """None, and moments of looks and of verdicts in the midst of the others."""
    return [None, made.measurements[50].started_at, made.verdicts[50].judged_at]


@pytest.mark.parametrize("kind", PILED_UP)
async def test_no_row_is_lost_or_told_twice_between_pages(
    stores: Sequence[SqlStore], kind: Kind
) -> None:
    """A page may end between two rows of one moment."""
    made = crowded()
    for store in stores:
        await store.save(made)
    for since in some_begins(made):
        wanted = Selection(since=since)
        found = [await of_rows(store, kind, wanted) for store in stores]
        assert found == [await of_values(stores[1], kind, wanted)] * 2
    everything = await of_rows(stores[0], kind, Selection())
    assert everything.count("\r\n") == (2 if kind is Kind.AVAILABILITY else 131)


@pytest.mark.parametrize(
    ("kind", "column", "junk"),
    [
        ("verdicts", "failures", "{"),
        ("verdicts", "controls", "[1]"),
        ("verdicts", "controls", '["a\x1fb",1]'),
        ("measurements", "not_observed", "{}"),
    ],
)
async def test_a_row_that_makes_no_sense_is_told(
    kind: str, column: str, junk: str, tmp_path: Path
) -> None:
    """What some other program wrote is an error of the store, not a traceback."""
    store = sql_store(f"sqlite:///{tmp_path / 'store.db'}")
    await store.open()
    await store.save(cycle(1))
    with closing(sqlite3.connect(tmp_path / "store.db")) as database, database:
        database.execute(f"UPDATE {kind.removesuffix('s')} SET {column} = ?", (junk,))  # noqa: S608
    with pytest.raises(StorageError, match="a row this version cannot read"):
        await of_rows(store, Kind(kind), Selection())
    await store.close()


def test_all_that_piles_up_is_read_as_rows() -> None:
    """Values are made for what stays few alone."""
    assert {kind for kind, export in EXPORTS.items() if export.stored} == set(PILED_UP)


async def test_a_resolver_is_one_item_in_every_format(tmp_path: Path) -> None:
    """Whichever way it was asked: a list is separated by spaces, so no item has one."""
    asked = (
        ("1.1.1.1:53 through proxy", "proxy:1.1.1.1:53"),
        ("192.0.2.53:53", "192.0.2.53:53"),
        ("https://dns.example/query through proxy", "proxy:https://dns.example/query"),
        ("none configured", "none"),
    )
    looked_up = next(one for one in REACHED if isinstance(one, DnsObservation))
    observations = tuple(msgspec.structs.replace(looked_up, resolver=name) for name, _ in asked)
    store = MemoryStore()
    await store.open()
    await store.save(cycle(1, measurements=(measurement("m-1", 1.0, observations=observations),)))
    wanted = [item for _, item in asked]
    out = io.StringIO(newline="")
    await write_csv(Kind.MEASUREMENTS, store, Selection(), out)
    (line,) = csv.DictReader(io.StringIO(out.getvalue(), newline=""))
    assert line["resolvers"].split(" ") == wanted
    export = EXPORTS[Kind.MEASUREMENTS]
    values = [one async for batch in store.measurements(Selection()) for one in batch]
    (row,) = json_rows(export.columns, map(export.prepare, values))
    assert row["resolvers"] == wanted
    file = tmp_path / "measurements.parquet"
    with file.open("wb") as parquet:
        await write_parquet(Kind.MEASUREMENTS, store, Selection(), parquet)
    with duckdb.connect() as connection:
        question = "SELECT resolvers FROM read_parquet(?)"
        assert connection.execute(question, [str(file)]).fetchall() == [(wanted,)]
