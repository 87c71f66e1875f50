"""`datapackage.json` has the shape that datapackage.org publishes, and is true of the files."""

import csv
import hashlib
import io
import re
import zipfile
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec
import pytest

from monitor.analysis.verdict import State
from monitor.export.data_package import DESCRIPTOR
from monitor.export.folder import write_folder
from monitor.export.kinds import Kind
from monitor.wording.no_rows import NoRows, no_rows_text
from monitor.wording.words import words_in
from storage.store import Store
from storage.values.selection import Selection
from tests.contract.cycles import (
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
from tests.worlds.report_world import made
from tests.worlds.review_world import Installation


class _Shape(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A part of the published profile: nothing else may be in it."""


class _Field(_Shape):
    name: str
    type: Literal["string", "number", "integer", "boolean", "datetime", "list"]
    description: str
    unit: str
    true_values: tuple[str, ...] = msgspec.field(name="trueValues", default=("true",))
    false_values: tuple[str, ...] = msgspec.field(name="falseValues", default=("false",))
    delimiter: str = ","
    item_type: str = msgspec.field(name="itemType", default="string")


class _Schema(_Shape):
    profile: Literal["https://datapackage.org/profiles/2.0/tableschema.json"] = msgspec.field(
        name="$schema"
    )
    fields: list[_Field]
    missing: list[str] = msgspec.field(name="missingValues")


class _Dialect(_Shape):
    profile: Literal["https://datapackage.org/profiles/2.0/tabledialect.json"] = msgspec.field(
        name="$schema"
    )
    delimiter: Literal[","]
    ends: Literal["\r\n"] = msgspec.field(name="lineTerminator")
    quote: Literal['"'] = msgspec.field(name="quoteChar")
    doubled: Literal[True] = msgspec.field(name="doubleQuote")
    header: Literal[True]


class _Resource(_Shape):
    name: str
    path: str
    format: str
    mediatype: str
    encoding: Literal["utf-8"]
    bytes: int
    hash: str
    rows: int
    type: Literal["table"] | None = None
    dialect: _Dialect | None = None
    schema: _Schema | None = None


class _Contributor(_Shape):
    title: str
    roles: list[str]


class _Package(_Shape):
    profile: Literal["https://datapackage.org/profiles/2.0/datapackage.json"] = msgspec.field(
        name="$schema"
    )
    name: str
    title: str
    contributors: list[_Contributor]
    resources: list[_Resource]


def _is_time(text: str) -> bool:
    return re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", text) is not None and bool(
        datetime.fromisoformat(text)
    )


FITS: Mapping[str, Callable[[str], object]] = {
    "string": lambda text: "\n" not in text,
    "number": lambda text: re.fullmatch(r"-?\d+(\.\d+)?([eE][-+]?\d+)?", text),
    "integer": lambda text: re.fullmatch(r"-?\d+", text),
    "boolean": lambda text: text in ("true", "false"),
    "datetime": _is_time,
    "list": lambda text: "\n" not in text,
}
"""Whether a cell is of a type, as Table Schema defines it."""


def _check(files: Mapping[str, bytes]) -> _Package:
    """The descriptor, after every word of it was compared with the files."""
    package = msgspec.json.decode(files[DESCRIPTOR], type=_Package)
    assert re.fullmatch("[a-z0-9._-]+", package.name)
    names = [one.name for one in package.resources]
    assert len(set(names)) == len(names)
    assert {one.path for one in package.resources} == files.keys() - {DESCRIPTOR}
    for one in package.resources:
        data = files[one.path]
        assert re.fullmatch("[a-z0-9._-]+", one.name)
        assert (one.bytes, one.hash) == (len(data), f"sha256:{hashlib.sha256(data).hexdigest()}")
        if one.schema is None:
            assert (one.format, one.rows) == ("jsonl", data.count(b"\n"))
            continue
        _check_table(one, one.schema, data.decode("utf-8"))
    return package


def _check_table(one: _Resource, schema: _Schema, text: str) -> None:
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    assert ([field.name for field in schema.fields], one.rows) == (header, len(rows))
    for field, *cells in zip(schema.fields, *rows, strict=True):
        assert field.description
        for cell in cells:
            assert not cell or FITS[field.type](cell), (one.name, field.name, cell)


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    """Rows of every kind."""
    store = MemoryStore(page=3)
    await store.open()
    odd = measurement("m-odd", 9000.0, observations=EVERY_OBSERVATION, reached=False)
    await store.save(cycle(1, state=State.BLOCKED), [event()], [log_entry(1, event())])
    await store.save(cycle(2, measurements=(odd,)))
    await store.add_review(review())
    await store.add_annotations([annotation(platform="x"), annotation(60, 90, platform="x")])
    await store.save_withheld([withheld()])
    yield store
    await store.close()


async def test_a_folder_of_every_kind_is_described(store: Store, tmp_path: Path) -> None:
    """Each file, each column with its type, unit and meaning, and nothing that is not there."""
    counts = await write_folder(store, Selection(), tuple(Kind), tmp_path / "new")
    package = _check(_files(tmp_path / "new"))
    assert [one.name for one in package.resources] == [*map(str, Kind), "dictionary"]
    assert [one.rows for one in package.resources[:-1]] == [counts[kind] for kind in Kind]
    assert all(counts.values())
    types = {
        (one.name, field.name): field.type
        for one in package.resources
        for field in (one.schema.fields if one.schema else ())
    }
    for column, type_ in {
        ("events", "onset_latest"): "datetime",
        ("events", "methods"): "list",
        ("events", "onset_before_monitoring"): "boolean",
        ("events", "networks_affected_count"): "integer",
        ("verdicts", "llr"): "number",
        ("measurements", "dns_ms"): "number",
        ("availability", "coverage"): "number",
        ("reviews", "note"): "string",
    }.items():
        assert types[column] == type_, column


@pytest.mark.parametrize(
    ("selection", "title"),
    [
        (Selection(), "all platforms in all countries"),
        (
            Selection(since=at(0), platform="x"),
            "x in all countries from 2024-02-17T12:00:00.000000Z",
        ),
        (
            Selection(until=at(600), country="PK"),
            "all platforms in PK until before 2024-02-17T12:10:00.000000Z",
        ),
    ],
)
async def test_a_folder_is_titled_by_what_was_selected(
    selection: Selection, title: str, tmp_path: Path
) -> None:
    """Either bound may be missing."""
    store = MemoryStore()
    await store.open()
    await write_folder(store, selection, (Kind.REVIEWS,), tmp_path / "new")
    assert _check(_files(tmp_path / "new")).title == title


async def test_a_report_describes_its_data(tmp_path: Path) -> None:
    """Its own timeline and the lines of JSON among them."""
    await made(tmp_path / "r.zip")
    with zipfile.ZipFile(tmp_path / "r.zip") as archive:
        files = {
            name.removeprefix("data/"): archive.read(name)
            for name in archive.namelist()
            if name.startswith("data/")
        }
    package = _check(files)
    assert (package.name, package.title) == (
        "shutwatch-pk-x",
        "x in PK, 2024-02-16 12:00 to 2024-02-19 12:00 UTC",
    )
    assert {"timeline", "measurements", "measurements-jsonl", "ooni-jsonl"} <= {
        one.name for one in package.resources
    }


@pytest.mark.parametrize("changed", [b"true", b"1.5", b"yesterday"])
def test_a_wrong_cell_would_be_found(changed: bytes) -> None:
    """The check itself: none of these is a whole number or a time."""
    assert not FITS["integer"](changed.decode())
    assert not FITS["datetime"](changed.decode())


def test_the_command_writes_a_folder_whole_or_not_at_all(tmp_path: Path) -> None:
    """Into a new or an empty folder alone; some kinds, or all."""
    here = Installation(tmp_path)
    here.fill()
    new = tmp_path / "new"
    done = here.run("export", "package", str(new), "--country", "pk", "--kind", "events")
    assert done.exit_code == 0, done.output
    assert sorted(_files(new)) == ["datapackage.json", "dictionary.csv", "events.csv"]
    assert _check(_files(new)).resources[0].rows == 1
    again = here.run("export", "package", str(new))
    assert (again.exit_code, "exists, and is no empty folder" in again.stderr) == (2, True)
    (tmp_path / "empty").mkdir()
    done = here.run("export", "package", str(tmp_path / "empty"))
    assert done.exit_code == 0, done.output
    said = done.stderr.splitlines()
    after = said[said.index("0 annotations") + 1]
    assert after in {no_rows_text(words_in(), why) for why in NoRows}
    wrong = here.run("export", "package", str(tmp_path / "wrong"), "--platform", "twitter")
    assert (wrong.exit_code, "Did you mean “x”?" in wrong.stderr) == (2, True)
    here.file.write_bytes(b"no database at all")
    broken = here.run("export", "package", str(tmp_path / "broken"))
    assert broken.exit_code == 2
    assert {one.name for one in tmp_path.iterdir() if one.is_dir()} == {"new", "empty"}
