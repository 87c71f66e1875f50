"""A file without rows is never empty in silence: each cause has a sentence of its own."""

import asyncio
import csv
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from monitor.analysis.verdict import State
from monitor.export.kinds import EXPORTS, Kind
from monitor.export.no_rows import why_no_rows
from monitor.report.collect import gather
from monitor.report.contents import files
from monitor.report.document import Table
from monitor.report.findings import Imprint, Wanted
from monitor.server.api import create_api
from monitor.wording.languages import LANGUAGES, Language
from monitor.wording.no_rows import NoRows, no_rows_text
from monitor.wording.words import words_in
from storage.first_rows import first_rows
from storage.store import Store
from storage.values.cycle import Cycle
from storage.values.prunable import HOURLY, RAW, Prunable
from storage.values.rollup import Period
from storage.values.selection import Selection
from tests.contract.cycles import at, cycle, rejudging
from tests.worlds.http_client import httpx
from tests.worlds.memory_store import MemoryStore
from tests.worlds.review_world import Installation

MEASURED = (Kind.VERDICTS, Kind.MEASUREMENTS, Kind.AVAILABILITY)
DAY = timedelta(days=1)


async def stored(*cycles: Cycle, without: Sequence[Prunable] = ()) -> Store:
    """A store with these cycles, of which these tables are emptied."""
    store = MemoryStore()
    await store.open()
    for one in cycles:
        await store.save(one)
    for what in without:
        async for _ in store.prune(what, at(0) + DAY):
            pass
    return store


async def why(store: Store, kind: Kind, selection: Selection) -> NoRows:
    """Why there are none, after it is sure that there are none."""
    assert not await first_rows(EXPORTS[kind].rows(store, selection), 1)
    return await why_no_rows(EXPORTS[kind], store, selection)


@pytest.mark.parametrize("kind", Kind)
async def test_an_empty_database_holds_nothing_of_any_kind(kind: Kind) -> None:
    """Whatever is asked for."""
    assert await why(await stored(), kind, Selection(country="PK")) is NoRows.NOTHING


@pytest.mark.parametrize("kind", MEASURED)
async def test_another_place_is_told_from_another_time(kind: Kind) -> None:
    """Rows of Brazil say nothing of Pakistan, and those of noon nothing of the day before."""
    store = await stored(cycle(1))
    assert await why(store, kind, Selection(country="BR")) is NoRows.ELSEWHERE
    assert await why(store, kind, Selection(platform="whatsapp")) is NoRows.ELSEWHERE
    before = Selection(country="PK", since=at(0) - DAY, until=at(0) - DAY / 2)
    assert await why(store, kind, before) is NoRows.ANOTHER_TIME
    between = Selection(since=at(310), until=at(320))
    assert await why(store, kind, between) is NoRows.ANOTHER_TIME


async def test_what_was_deleted_was_there_once() -> None:
    """Counts outlive verdicts and measurements, and days outlive hours."""
    store = await stored(cycle(1), without=RAW)
    for kind in (Kind.VERDICTS, Kind.MEASUREMENTS):
        assert await why(store, kind, Selection(country="PK")) is NoRows.DELETED
        assert await why(store, kind, Selection(country="BR")) is NoRows.NOTHING
    assert await first_rows(store.availability(Selection()), 1)
    store = await stored(cycle(1), without=(*RAW, *HOURLY))
    assert await why(store, Kind.AVAILABILITY, Selection()) is NoRows.DELETED
    assert await first_rows(store.availability(Selection(period=Period.DAY)), 1)


async def test_extra_cycles_alone_are_no_availability() -> None:
    """What is measured out of turn is not counted."""
    store = await stored(replace(cycle(1, state=State.BLOCKED), hurried=True))
    assert await why(store, Kind.AVAILABILITY, Selection(country="PK")) is NoRows.EXTRA


async def test_a_recomputation_is_asked_for_its_own_rows() -> None:
    """The first results do not stand for those of another judgement."""
    store = await stored(cycle(1))
    made = rejudging("r-1", 9999.0)
    await store.save_rejudged(made, cycle(2, country="BR").verdicts)
    export = EXPORTS[Kind.VERDICTS]
    assert await why_no_rows(export, store, Selection(country="PK"), "r-1") is NoRows.ELSEWHERE


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.code)
async def test_a_report_says_why_an_enclosed_file_has_no_rows(
    language: Language, tmp_path: Path
) -> None:
    """Of a day on which nothing was measured: each file that is header-only, and no other, has its
    sentence in the list of contents."""
    store = await stored(cycle(1))
    wanted = Wanted(country="PK", platform="x", since=at(0) - 2 * DAY, until=at(0) - DAY)
    findings = await gather(store, wanted, tmp_path, 300.0)  # type: ignore[arg-type]
    words = words_in(language)
    imprint = Imprint(version="1", generated_at=at(0), fingerprint="ab" * 32, title="X")
    (table,) = (one for one in files(words, findings, imprint) if isinstance(one, Table))
    listed = {
        file: text for (file, *_), (_, text, _) in zip(_paths(table), table.rows, strict=True)
    }
    sentences = {no_rows_text(words, one) for one in NoRows}
    assert len(sentences) == len(NoRows)
    for file, text in listed.items():
        rows = await asyncio.to_thread(_rows, tmp_path / file)
        assert (rows == 0) == any(text.endswith(one) for one in sentences), file
    assert listed["data/events.csv"].endswith(no_rows_text(words, NoRows.NO_EVENT))
    for file in ("verdicts", "availability", "timeline", "measurements"):
        assert listed[f"data/{file}.csv"].endswith(no_rows_text(words, NoRows.ANOTHER_TIME))


def _paths(table: Table) -> list[tuple[str, ...]]:
    plain = str.maketrans("", "", "\u2066\u2067\u2068\u2069")
    return [tuple(cell.translate(plain) for cell in row) for row in table.rows]


def _rows(path: Path) -> int:
    with path.open(encoding="utf-8", newline="") as file:
        return sum(1 for _ in csv.reader(file)) - (path.suffix == ".csv")


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_command_says_why_it_wrote_no_rows(tmp_path: Path, kind: Kind, form: str) -> None:
    """On standard error; the file itself stays what programs read: a header."""
    here = Installation(tmp_path)
    here.fill()
    out = tmp_path / "out"
    done = here.run(
        *("export", form, kind.value, "-o", str(out)),
        *("--until", "2023-01-02", "--since", "2023-01-01"),
    )
    assert done.exit_code == 0, done.output
    assert f"0 {kind}" in done.stderr
    assert "No rows, because nothing of this kind is stored" in done.stderr
    if form == "csv":
        assert out.read_bytes().count(b"\r\n") == 1


@pytest.mark.parametrize("path", ["events", "stretches", "availability", "verdicts", "vantages"])
async def test_the_api_says_why_there_are_no_rows(path: str) -> None:
    """In a header, of a page and of a file; an answer with rows has none."""
    store = await stored(cycle(1))
    app = create_api(store, lambda _: True)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://monitor/") as client:
        for end in ("", ".csv"):
            answer = await client.get(f"{path}{end}", params={"country": "BR"})
            assert answer.status_code == 200, answer.text
            said = answer.headers["Shutwatch-No-Rows"]
            nothing = path in ("events", "stretches")
            kind = NoRows.NOTHING if nothing else NoRows.ELSEWHERE
            assert said == no_rows_text(words_in(), kind)
            if not nothing:
                assert "Shutwatch-No-Rows" not in (await client.get(f"{path}{end}")).headers


def test_every_sentence_is_plain_enough_for_a_header() -> None:
    """Headers carry ASCII."""
    assert all(no_rows_text(words_in(), one).isascii() for one in NoRows)
