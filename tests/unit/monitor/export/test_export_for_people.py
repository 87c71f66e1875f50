"""Files that people open in a spreadsheet: the CSV as text, the workbook as openpyxl reads it."""

import csv
import errno
import gc
import io
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import openpyxl
import pytest
from typer.testing import CliRunner

from monitor.analysis.events.event import EventState, NetworkStatus
from monitor.analysis.verdict import State
from monitor.cli.main import app
from monitor.export.cells import cell
from monitor.export.csv import write_csv, write_csv_for_people
from monitor.export.for_people import Reader, export_for
from monitor.export.kinds import Kind
from monitor.export.xlsx import TooManyRowsError, write_xlsx
from monitor.wording.durations import duration_at_least
from monitor.wording.events import headline
from monitor.wording.words import words_in
from storage.store import Store
from storage.values.selection import Selection
from tests.contract.cycles import (
    AWKWARD,
    EVERY_OBSERVATION,
    annotation,
    at,
    cycle,
    event,
    log_entry,
    measurement,
    review,
    withheld,
)
from tests.worlds.memory_store import MemoryStore
from tests.worlds.notify_world import came_back
from tests.worlds.review_world import Installation

EVERYTHING = Selection()
READER = Reader(titles={"x": "X", "whatsapp": "WhatsApp"})
FORMULA = "=HYPERLINK(1)" + AWKWARD
every_kind = pytest.mark.parametrize("kind", Kind)


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    """Rows of every kind, and texts of people who wish us ill."""
    store = MemoryStore(page=3)
    await store.open()
    odd = measurement("m-odd", 9000.0, observations=EVERY_OBSERVATION, reached=False)
    named = msgspec.structs.replace(odd, id="m-named", network=FORMULA + "\uffff")
    over = event("event-2", platform="whatsapp", state=EventState.ENDED, end_latest=700)
    await store.save(cycle(1, state=State.BLOCKED), [event(), over], [log_entry(1, event())])
    await store.save(cycle(2, measurements=(odd, named)))
    await store.add_review(review())
    await store.add_annotations([annotation(platform="x"), annotation(60, 90, platform="x")])
    await store.save_withheld([withheld()])
    yield store
    await store.close()


async def _csv(store: Store, kind: Kind, reader: Reader = READER) -> list[dict[str, str]]:
    out = io.StringIO()
    count = await write_csv_for_people(kind, store, EVERYTHING, out, reader=reader)
    text = out.getvalue()
    assert text.startswith("\ufeff")
    rows = list(csv.DictReader(io.StringIO(text[1:])))
    assert len(rows) == count > 0
    return rows


async def _book(store: Store, kind: Kind) -> Any:
    out = io.BytesIO()
    count = await write_xlsx(kind, store, EVERYTHING, out, reader=READER)
    book = openpyxl.load_workbook(out)
    assert (book.sheetnames, book[kind.value].max_row) == ([kind.value, "dictionary"], count + 1)
    return book


@every_kind
async def test_the_csv_says_the_same_as_that_for_programs(store: Store, kind: Kind) -> None:
    """Every other column has the same cells, and each time is the same moment."""
    out = io.StringIO()
    await write_csv(kind, store, EVERYTHING, out)
    plain = list(csv.DictReader(io.StringIO(out.getvalue())))
    people = await _csv(store, kind)
    assert len(plain) == len(people)
    for one, other in zip(plain, people, strict=True):
        for name, text in one.items():
            if f"{name}_local" in other:
                utc = f"{text[:10]} {text[11:19]}" if text else ""
                assert utc == _in_utc(other[f"{name}_local"], other["local_zone"])
            elif not name.startswith("networks_"):
                assert other[name] == text


def _in_utc(local: str, zone: str) -> str:
    """Karachi is five hours ahead all year."""
    hours = {"Asia/Karachi": 5, "UTC": 0}[zone]
    if not local:
        return ""
    moment = datetime.fromisoformat(f"{local}+0{hours}:00")
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


@every_kind
async def test_the_workbook_has_the_cells_of_the_csv(store: Store, kind: Kind) -> None:
    """As texts, numbers and times; nothing in it is a formula or a link."""
    rows = await _csv(store, kind)
    sheet = (await _book(store, kind))[kind.value]
    numbers = {
        one.name
        for one in export_for(kind, READER).columns
        if one.unit in ("number", "ms", "bytes")
    }
    header, *found = map(list, sheet.iter_rows())
    assert [one.value for one in header] == list(rows[0])
    for row, line in zip(rows, found, strict=True):
        for name, one in zip(row, line, strict=True):
            assert (one.data_type in "nsbd", one.hyperlink) == (True, None)
            expected = row[name].replace("\uffff", "\ufffd")
            if name in numbers and expected:
                assert one.data_type == "n", "a sum would leave it out"
            if one.is_date:
                assert f"{one.value:%Y-%m-%d %H:%M:%S}" == expected
            elif one.data_type == "n" and one.value is not None:
                assert one.value == float(expected)
            else:
                assert (one.value if one.data_type == "s" else cell(one.value)) == expected


@every_kind
async def test_the_dictionary_explains_every_column(store: Store, kind: Kind) -> None:
    """In the order of the sheet; no column is there twice."""
    book = await _book(store, kind)
    names = [one.value for one in book[kind.value][1]]
    header, *lines = book["dictionary"].iter_rows(values_only=True)
    assert header == ("column", "unit", "meaning")
    assert [line[0] for line in lines] == names
    assert len(set(names)) == len(names)
    assert all(line[1] and line[2] for line in lines)


async def test_an_event_is_told_in_a_sentence_with_names(store: Store) -> None:
    """The sentence is that of the page; networks, country and platform have their names."""
    first, second = await _csv(store, Kind.EVENTS)
    assert first["sentence"] == headline(words_in(), event(), READER.titles)
    assert first["sentence"].startswith("X may be blocked in Pakistan")
    assert "WhatsApp" in second["sentence"]
    assert (first["country"], first["country_name"]) == ("PK", "Pakistan")
    assert (second["platform"], second["platform_name"]) == ("whatsapp", "WhatsApp")
    assert "PTCL (AS17557)" in first["networks_affected"]
    assert first["onset_latest_local"] == "2024-02-17 17:05:00"
    assert first["local_zone"] == "Asia/Karachi"
    seconds = second["blocked_seconds_least"]
    assert second["blocked_time_least"] == duration_at_least(
        words_in(), timedelta(seconds=float(seconds))
    )
    assert (second["blocked_seconds_most"], second["blocked_time_most"]) == ("", "")


async def test_another_time_zone_can_be_asked_for(store: Store) -> None:
    """It holds for all rows, and they say so."""
    row, _ = await _csv(store, Kind.EVENTS, msgspec.structs.replace(READER, zone="Asia/Tokyo"))
    assert row["onset_latest_local"] == "2024-02-17 21:05:00"
    assert row["local_zone"] == "Asia/Tokyo"


async def test_a_formula_of_others_is_text(store: Store) -> None:
    """In both files with an apostrophe in front, as in every file."""
    rows = await _csv(store, Kind.MEASUREMENTS)
    assert "'=HYPERLINK(1)" in {row["network"][:14] for row in rows}
    sheet = (await _book(store, Kind.MEASUREMENTS))[Kind.MEASUREMENTS.value]
    texts = [one.value for row in sheet.iter_rows() for one in row if one.data_type == "s"]
    assert not [text for text in texts if text.startswith(("=", "+", "-", "@"))]
    assert [text for text in texts if text.startswith("'=HYPERLINK(1)")]


async def test_more_rows_than_a_sheet_holds_are_refused(store: Store) -> None:
    """Before any is left out without a word."""
    with pytest.raises(TooManyRowsError, match="a sheet holds 1 rows"):
        await write_xlsx(Kind.EVENTS, store, EVERYTHING, io.BytesIO(), reader=READER, most_rows=1)


class _Full(io.BytesIO):
    """A disk with room for a little."""

    def write(self, data: Any) -> int:
        if self.tell() > 500:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(data)


async def test_a_full_disk_is_told_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """XlsxWriter leaves its archive open, which wrote to the closed file when it was collected."""
    said: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", said.append)
    with _Full() as out, pytest.raises(OSError, match="No space left") as caught:
        await write_xlsx(Kind.EVENTS, store, EVERYTHING, out, reader=READER)
    del caught
    gc.collect()
    assert not said


async def test_a_text_longer_than_a_cell_is_cut(store: Store) -> None:
    """And ends with an ellipsis."""
    long = msgspec.structs.replace(review(), id="r-long", note="y" * 40_000, at=at(9))
    await store.add_review(long)
    sheet = (await _book(store, Kind.REVIEWS))[Kind.REVIEWS.value]
    (text,) = [c.value for row in sheet.iter_rows() for c in row if str(c.value)[:3] == "yyy"]
    assert (len(text), text[-1]) == (32_767, "…")


def test_the_commands_write_them(tmp_path: Path) -> None:
    """CSV for a spreadsheet, and a workbook; Parquet is for programs."""
    here = Installation(tmp_path)
    here.fill()
    sheet, book = tmp_path / "events.csv", tmp_path / "events.xlsx"
    done = here.run("export", "csv", "events", "--for", "spreadsheet", "-o", str(sheet))
    assert done.exit_code == 0, done.output
    assert sheet.read_bytes().startswith(b"\xef\xbb\xbfsentence,event_id,country,country_name,")
    assert "X may be blocked in Pakistan" in sheet.read_text("utf-8")
    done = here.run("export", "xlsx", "events", "-o", str(book))
    assert done.exit_code == 0, done.output
    assert openpyxl.load_workbook(book)["events"]["B1"].value == "event_id"
    done = here.run("export", "parquet", "events", "--for", "spreadsheet", "-o", str(book))
    assert (done.exit_code, "--for" in done.stderr) == (2, True)


def test_without_the_library_the_extra_is_named(tmp_path: Path) -> None:
    """And the exit code is that of a usage error."""
    here = Installation(tmp_path)
    here.fill()
    code = (
        "import sys; sys.modules['xlsxwriter'] = None\n"
        "from monitor.cli.main import main; sys.argv = sys.argv[1:]; main()"
    )
    out = str(tmp_path / "e.xlsx")
    arguments = ["shutwatch", "export", "xlsx", "events", "-o", out, "-c", str(here.config)]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, "-m pip install 'xlsxwriter>=" in done.stderr) == (2, True), (
        done.stderr
    )
    assert not Path(out).exists()


def test_help_tells_whom_a_file_is_for() -> None:
    """The option has its two values."""
    shown = CliRunner().invoke(app, ["export", "csv", "--help"]).stdout
    assert "spreadsheet" in shown


def test_each_list_of_networks_names_its_own() -> None:
    """Those that blocked, that block now, that seem open again, and those that nobody tests."""
    names = ("Blocked", "Open", "Recovering", "Silent", "Spared")
    networks = [
        NetworkStatus(
            asn=64500 + number,
            network=name,
            affected=name != "Spared",
            blocked_now=name == "Blocked",
            recovering=name == "Recovering",
            unobserved=name == "Silent",
        )
        for number, name in enumerate(names)
    ]
    one = msgspec.structs.replace(event(), networks=tuple(networks))
    columns = {one.name: one.value for one in export_for(Kind.EVENTS, READER).columns}
    told = {
        name: [
            part.partition(" (AS")[0] for part in str(columns[f"networks_{name}"](one)).split(" | ")
        ]
        for name in ("affected", "blocked_now", "recovering", "unobserved", "seen")
    }
    assert told == {
        "affected": [*names[:4]],
        "blocked_now": ["Blocked"],
        "recovering": ["Recovering"],
        "unobserved": ["Silent"],
        "seen": [*names],
    }


def test_bounds_of_a_length_are_rounded_outwards() -> None:
    """At most 1 day 6:11:06.4 is not at most 1 day 6 hours, nor at most 1 day 6:11:06."""
    later = timedelta(days=1, hours=5, minutes=50, seconds=0.4)
    over = came_back(over=True, later=later)
    columns = {one.name: one.value for one in export_for(Kind.EVENTS, READER).columns}
    told = [columns[f"blocked_{unit}"](over) for unit in ("seconds_least", "time_least")]
    assert told == [108_270, "1 day 6 hours"]
    told = [columns[f"blocked_{unit}"](over) for unit in ("seconds_most", "time_most")]
    assert told == [108_667, "1 day 7 hours"]


@pytest.mark.parametrize(
    ("country", "onset", "local"),
    [
        ("DE", datetime(2024, 3, 31, 0, 59, tzinfo=UTC), "2024-03-31 01:59:00"),
        ("DE", datetime(2024, 3, 31, 1, 1, tzinfo=UTC), "2024-03-31 03:01:00"),
        ("NP", datetime(2024, 2, 29, 18, 30, tzinfo=UTC), "2024-03-01 00:15:00"),
    ],
)
def test_local_times_are_those_of_their_day(country: str, onset: datetime, local: str) -> None:
    """Where clocks change, and where they differ from UTC by no whole hours."""
    one = msgspec.structs.replace(event(), country=country, onset_latest=onset)
    columns = {one.name: one.value for one in export_for(Kind.EVENTS, READER).columns}
    assert f"{columns['onset_latest_local'](one):%Y-%m-%d %H:%M:%S}" == local
