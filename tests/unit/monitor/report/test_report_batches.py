"""What vantages signed travels in a report, and whoever tampers with it is found out."""

import asyncio
import gzip
import zipfile
import zlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import func, select, update
from typer.testing import CliRunner

from monitor.cli.main import app
from monitor.config.settings import TimestampSettings
from monitor.keys.keys import fingerprint, grouped, public_text
from monitor.recording.scheduled_stamping import Stamping
from monitor.report.batches import BATCHES, KEYS
from monitor.report.bounded_unzip import NotAsMadeError
from monitor.report.collect import gather
from monitor.report.log_file import LOG
from monitor.report.seals import Trusted
from monitor.report.signatures_text import how_much_is_signed, signature_limits
from monitor.report.verify import verify
from monitor.report.verify_batches import MEASUREMENTS
from monitor.stamps.time_authority import roots_in
from monitor.wording.words import words_in
from probes.measurement import Measurement
from storage.open_store import open_store
from storage.sql import schema
from storage.store import StorageError
from storage.values.fleet import Quarantine
from tests.collector.world import AGENT_KEY, NOW, OTHER_KEY
from tests.contract.listing import EVERYTHING, flat
from tests.unit.monitor.report.test_report_verify import OTHER_KEY as ANOTHER_MAKER
from tests.unit.monitor.report.test_report_verify import by_another_key
from tests.worlds.memory_store import MemoryStore
from tests.worlds.report_batches_world import (
    AWKWARD,
    BEHIND,
    WANTED,
    Files,
    checked,
    edited,
    files_of,
    hand_in,
    handed_in_body,
    line_of,
    make,
    resigned,
    with_batch,
)
from tests.worlds.time_world import Authority, clocks

SQLITE = "sqlite:///{}/shutwatch.db"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with two batches of one agent, and one look of the collector's own; from a database
    on disk, through a collector over HTTP."""
    folder = tmp_path_factory.mktemp("signed")

    async def work() -> Path:
        store = open_store(SQLITE.format(folder))
        await hand_in(store)
        own = msgspec.json.decode(msgspec.json.encode(await _first(store)), type=Measurement)
        own = msgspec.structs.replace(own, id="own", vantage="ams", cycle="own", country="PK")
        await store.add_control_measurements([own])
        path = await make(store, folder / "report.zip")
        await store.close()
        return path

    return asyncio.run(work())


async def _first(store: Any) -> Measurement:
    (one, *_) = await store.measurements_of((await store.waiting(1))[0])
    assert isinstance(one, Measurement)
    return one


@pytest.fixture
def files(whole: Path) -> Files:
    """Its files that are read line by line."""
    return files_of(whole)


@pytest.fixture
async def store() -> AsyncIterator[MemoryStore]:
    """With two batches in it."""
    kept = MemoryStore()
    await hand_in(kept)
    yield kept
    await kept.close()


def _complaint(files: Files) -> str:
    with pytest.raises(NotAsMadeError) as caught:
        checked(files)
    return str(caught.value)


# What holds.


def test_batches_travel_as_they_were_sent_and_verify(whole: Path, files: Files) -> None:
    """Six of seven measurements are signed, in two batches; each stands a year after what the
    agent's clock said, with every awkward character, and the look of another platform that was
    signed with them is in no file of measurements."""
    signed = verify(whole).signed
    assert signed is not None
    assert (signed.compared, signed.signed, signed.batches, signed.vantages) == (7, 6, 2, 1)
    looks = [msgspec.json.decode(line, type=Measurement) for line in files[MEASUREMENTS]]
    assert {one.platform for one in looks} == {"x"}
    assert all(NOW - BEHIND < one.started_at < NOW for one in looks)
    assert [one.observations[3].title for one in looks] == [AWKWARD] * 7  # type: ignore[union-attr]
    assert b"whatsapp" in gzip.decompress(line_of(files, 0).batch.body)


def test_the_command_tells_how_much_is_signed(whole: Path) -> None:
    """In one line; and that only the maker says whose key it is, until its owner is known."""
    done = CliRunner().invoke(app, ["verify", str(whole)])
    assert done.exit_code == 0
    assert (
        "6 of 7 measurements are as 1 other key signed them, in 2 batches. 2 of 2 batches are in "
        "its maker's append-only log." in done.output
    )
    assert "That 1 key belongs to a vantage, only the maker says." in done.output
    assert "the vantage that made them" not in done.output
    known = ["verify", str(whole), "--vantage-key", fingerprint(public_text(AGENT_KEY))]
    done = CliRunner().invoke(app, known)
    assert done.exit_code == 0
    assert "You named 1 of the keys of vantages." in done.output
    assert "only the maker says" not in done.output
    known[-1] = fingerprint(public_text(OTHER_KEY))
    done = CliRunner().invoke(app, known)
    assert (done.exit_code, "no batch is signed by" in done.output) == (3, True)


async def test_without_vantages_no_batch_is_enclosed(store: MemoryStore, tmp_path: Path) -> None:
    """A signed body names its vantage: how many are signed is said, who signed is in no file."""
    wanted = msgspec.structs.replace(WANTED, with_vantages=False, signed_batches=False)
    findings = await gather(store, wanted, tmp_path, 300.0)
    told = how_much_is_signed(words_in(), findings.signed)
    assert "Of 6 measurements, 6 are in this report exactly as they were signed" in told
    assert "not enclosed, because each names its vantage" in told
    written = await asyncio.to_thread(lambda: list((tmp_path / "data").iterdir()))
    assert {BATCHES, KEYS}.isdisjoint(f"data/{one.name}" for one in written)
    assert not [one for one in written if b"khi-ptcl" in one.read_bytes()]


def test_signed_batches_without_vantages_are_bad_usage(tmp_path: Path) -> None:
    """Exit code 2, with the reason, and nothing is made."""
    options = ["--country", "PK", "--platform", "x", "--since", "2026-02-28", "--signed-batches"]
    out = tmp_path / "r.zip"
    done = CliRunner().invoke(app, ["report", *options, "-o", str(out)])
    assert (done.exit_code, out.exists()) == (2, False)
    assert "--with-vantages" in done.output


async def test_the_command_encloses_them_when_asked_to(tmp_path: Path) -> None:
    """From a database on disk to a file that `verify` accepts, and that says so in its page."""
    store = open_store(SQLITE.format(tmp_path))
    await hand_in(store)
    await store.close()
    config, out = tmp_path / "shutwatch.toml", tmp_path / "r.zip"
    vantage = '[[vantage]]\nid = "khi-ptcl"\ncountry = "PK"\n'
    config.write_text(f'database = "{SQLITE.format(tmp_path)}"\n{vantage}')
    times = ["--since", "2026-02-28", "--until", "2026-03-01T12:00"]
    options = ["--country", "PK", "--platform", "x", *times, "--with-vantages", "--signed-batches"]
    insisting = "--even-if-nothing-known"  # no cycle is judged here
    command = ["report", *options, insisting, "-c", str(config), "-o", str(out)]
    done = await asyncio.to_thread(CliRunner().invoke, app, command)
    assert done.exit_code == 0, done.output
    signed = verify(out).signed
    assert signed is not None
    assert (signed.compared, signed.signed, signed.batches) == (6, 6, 2)
    with zipfile.ZipFile(out) as archive:
        page = archive.read("report.html").decode()
    assert "6 are in this report exactly as they were signed, in 2 batches, with the keys" in page
    assert "Whose keys these are, the report does not prove." in page
    assert BATCHES in page


async def test_batches_of_revoked_and_quarantined_vantages_are_marked(
    store: MemoryStore, tmp_path: Path
) -> None:
    """In the file, in words and to who verifies; why is told nobody, for that is about people."""
    await store.revoke("khi-ptcl", NOW, "the host was arrested")
    await store.quarantine(
        Quarantine(vantage="khi-ptcl", country="PK", reason="lies under duress", at=NOW)
    )
    findings = await gather(store, WANTED, tmp_path, 300.0)
    files = {
        name: (await asyncio.to_thread((tmp_path / name).read_bytes)).splitlines()
        for name in (BATCHES, KEYS, MEASUREMENTS, LOG)
    }
    assert all(line_of(files, n).key_revoked_at == NOW for n in range(2))
    assert all(line_of(files, n).quarantined for n in range(2))
    told = checked(files)
    assert (told.revoked, told.quarantined) == (2, 2)
    words = " ".join(signature_limits(words_in(), findings.signed))
    assert "2 by a key that was revoked later and 2 by a vantage in quarantine" in words
    assert not [one for lines in files.values() for one in lines if b"arrested" in one]
    unmarked = edited(files, BATCHES, 0, lambda line: {**line, "key_revoked_at": None})
    assert "differ in whether its key was revoked" in _complaint(unmarked)


async def test_what_a_changed_database_holds_is_not_called_signed(
    store: MemoryStore, tmp_path: Path
) -> None:
    """A stored look that is not what its vantage signed counts as differing, its batch is not
    enclosed, and the report says that somebody changed the database."""
    look = next(one for one in await flat(store.measurements(EVERYTHING)) if one.platform == "x")
    change = update(schema.measurement).where(schema.measurement.c.id == look.id)
    await store._write(lambda database: database.execute(change.values(reached=False)))
    signed = (await gather(store, WANTED, tmp_path, 300.0)).signed
    assert (signed.compared, signed.signed, signed.differing, signed.batches) == (6, 3, 1, 1)
    assert "1 enclosed measurement came in a batch" in " ".join(
        signature_limits(words_in(), signed)
    )


async def test_a_batch_that_does_not_hold_is_counted_and_left_out(
    store: MemoryStore, tmp_path: Path
) -> None:
    """Its signature gone in the database, what came in it counts as not signed."""
    first = select(func.min(schema.batch.c.id)).scalar_subquery()
    change = update(schema.batch).where(schema.batch.c.id == first).values(signature="AAAA")
    await store._write(lambda database: database.execute(change))
    signed = (await gather(store, WANTED, tmp_path, 300.0)).signed
    assert (signed.signed, signed.batches, signed.broken) == (3, 1, 1)
    assert "1 batch of an agent" in " ".join(signature_limits(words_in(), signed))


async def test_what_is_too_much_is_left_out_and_said(
    store: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Room for one batch: one is enclosed, and the report says that one more was left out."""
    monkeypatch.setattr("monitor.report.batches.MOST_HELD", 5)
    signed = (await gather(store, WANTED, tmp_path, 300.0)).signed
    assert (signed.signed, signed.batches, signed.not_enclosed) == (3, 1, 1)
    assert "1 more batch is not enclosed" in how_much_is_signed(words_in(), signed)


# What does not.


def test_a_swapped_body_is_named(files: Files) -> None:
    """The body of one batch under the signature of the other: neither its hash nor, with the hash
    made to fit, its signature holds."""
    first, second = line_of(files, 0).batch, line_of(files, 1).batch
    swapped = msgspec.structs.replace(first, body=second.body)
    complaint = _complaint(with_batch(files, 0, swapped))
    assert complaint.startswith(BATCHES)
    assert first.id in complaint
    assert "SHA-256" in complaint
    hashed = msgspec.structs.replace(swapped, body_sha256=second.body_sha256)
    assert "its signature does not fit" in _complaint(with_batch(files, 0, hashed))


@pytest.mark.parametrize(
    "changed",
    [
        {"signature": None},
        {"sent_at": "2026-03-01T12:00:00.000001Z"},
        {"encoding": "identity"},
        {"id": "018f0000-0000-7000-8000-000000000000"},
        {"sent_at": "\0"},
    ],
)
def test_whatever_is_signed_cannot_be_changed(files: Files, changed: dict[str, Any]) -> None:
    """The signature of another batch, another time, encoding or id, a character that is none."""
    first, second = line_of(files, 0).batch, line_of(files, 1).batch
    changed = {name: value or second.signature for name, value in changed.items()}
    complaint = _complaint(with_batch(files, 0, msgspec.structs.replace(first, **changed)))
    assert BATCHES in complaint
    assert "its signature does not fit" in complaint


def test_a_swapped_key_is_found(files: Files) -> None:
    """Another key under the old fingerprint, another key with its own, one for another vantage, and
    none at all. None of them is said to be in the log, where it would be missed."""
    files = edited(files, KEYS, 0, lambda key: {**key, "place": None})
    other = public_text(OTHER_KEY)
    swapped = edited(files, KEYS, 0, lambda key: {**key, "key": other})
    assert "was never enrolled" in _complaint(swapped)
    own = {"key": other, "fingerprint": fingerprint(other)}
    renamed = edited(files, KEYS, 0, lambda key: {**key, **own})
    assert "was never enrolled" in _complaint(renamed)
    moved = edited(files, KEYS, 0, lambda key: {**key, "vantage": "lhe-nayatel"})
    assert "belongs to another vantage" in _complaint(moved)
    assert "was never enrolled" in _complaint({**files, KEYS: []})
    assert f"{KEYS} is missing" in _complaint({n: one for n, one in files.items() if n != KEYS})
    assert "one too many" in _complaint({**files, KEYS: files[KEYS] * 2})


def test_a_changed_offset_needs_the_key(files: Files) -> None:
    """The offset is inside what is signed; with the vantage's own key, the times in the report are
    not those of the batch any more."""
    batch = line_of(files, 0).batch
    plain = msgspec.json.decode(gzip.decompress(batch.body))
    plain["reports"][0]["offset"] += 1.0
    body = gzip.compress(msgspec.json.encode(plain))
    unsigned = msgspec.structs.replace(batch, body=body)
    assert "SHA-256" in _complaint(with_batch(files, 0, unsigned))
    complaint = _complaint(with_batch(files, 0, resigned(batch, body)))
    assert complaint.startswith(MEASUREMENTS)
    assert "is not what vantage 'khi-ptcl' signed" in complaint


def _changed(look: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {**look, **fields}


@pytest.mark.parametrize(
    "fields",
    [
        {"reached": False},
        {"started_at": "2026-03-01T11:00:00Z"},
        {"id": "018f0000-0000-7000-8000-000000000000"},
        {"network": "PTCL\0"},
        {"verdict": "ordered by the minister"},
    ],
)
def test_a_measurement_that_is_not_in_its_batch_is_named(
    files: Files, fields: dict[str, Any]
) -> None:
    """Changed, put at another time, added to a signed cycle, or given a word that nobody signed."""
    number = next(n for n, line in enumerate(files[MEASUREMENTS]) if b'"khi-ptcl"' in line)
    complaint = _complaint(
        edited(files, MEASUREMENTS, number, lambda look: _changed(look, **fields))
    )
    assert complaint.startswith(MEASUREMENTS)
    assert "signed" in complaint


def test_a_measurement_nobody_signed_is_only_counted(files: Files) -> None:
    """The collector's own may say what it will: it is not called signed."""
    number = next(n for n, line in enumerate(files[MEASUREMENTS]) if b'"ams"' in line)
    told = checked(edited(files, MEASUREMENTS, number, lambda look: _changed(look, reached=False)))
    assert (told.compared, told.signed) == (7, 6)


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_a_body_that_unpacks_to_a_gigabyte_is_not_unpacked(files: Files, encoding: str) -> None:
    """Signed by the vantage's own key, a gigabyte in a megabyte is refused after 32 MiB; so is one
    that is not packed at all and says nothing."""
    bomb = _bomb() if encoding == "gzip" else bytes(1000)
    told = _complaint(with_batch(files, 0, resigned(line_of(files, 0).batch, bomb, encoding)))
    assert told.startswith(BATCHES)
    assert ("more than 33554432 bytes" if encoding == "gzip" else "it is not a batch") in told


def _bomb() -> bytes:
    """A gigabyte of nothing. Its checksum, at the end, is of two megabytes: nobody reads so far."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    head, more = (
        packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2)
    )
    return head + 1023 * more + packer.flush()


async def test_many_small_bombs_are_more_than_any_report_encloses(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each batch may be read, all of them together may not."""
    monkeypatch.setattr("monitor.report.batches.MOST_UNPACKED", 2000)
    assert "more than any report encloses" in _complaint(files)


def test_batches_of_another_vantage_or_twice_are_refused(files: Files) -> None:
    """The same batch twice; one whose signed body tells of somebody else."""
    assert "is there twice" in _complaint({**files, BATCHES: [*files[BATCHES], files[BATCHES][0]]})
    batch = line_of(files, 0).batch
    body = gzip.compress(handed_in_body().replace(b'"khi-ptcl"', b'"lhe-ptcl"'))
    told = _complaint(with_batch(files, 0, resigned(batch, body)))
    assert "another vantage than the one that signed it" in told


@pytest.mark.parametrize("name", [BATCHES, KEYS, MEASUREMENTS])
@pytest.mark.parametrize("line", [b"", b"{", b"[" * 100_000, b'{"a":"\xff"}', b"null", b"\0"])
def test_what_cannot_be_read_is_a_message(files: Files, name: str, line: bytes) -> None:
    """Naming the file and the line, whatever it is."""
    complaint = _complaint({**files, name: [line, *files[name]]})
    assert complaint.startswith(f"{name}: line 1 cannot be read")


def test_a_changed_byte_names_the_file(whole: Path, tmp_path: Path) -> None:
    """As in every other file: before any signature of a vantage is looked at."""
    with zipfile.ZipFile(whole) as archive:
        place = archive.getinfo(BATCHES).header_offset + 200
    data = bytearray(whole.read_bytes())
    data[place] ^= 1
    broken = tmp_path / "broken.zip"
    broken.write_bytes(data)
    done = CliRunner().invoke(app, ["verify", str(broken)])
    assert done.exit_code == 3
    assert BATCHES in done.output


# The log.


def test_batches_and_keys_are_in_the_log(whole: Path, files: Files) -> None:
    """Each is proved to be in the one whose head the report has."""
    verified = verify(whole)
    assert verified.signed is not None
    assert verified.log is not None
    # Three keys were enrolled, and two batches received.
    assert (verified.signed.logged, verified.log.file.size) == (2, 5)
    assert all(line_of(files, number).place for number in range(2))


@pytest.mark.parametrize(
    "changed",
    [
        {"position": 0},
        {"position": 5},
        {"position": -1},
        {"path": []},
        {"path": ["00" * 32] * 3},
        {"path": ["no digits"]},
    ],
)
@pytest.mark.parametrize("name", [BATCHES, KEYS])
def test_a_changed_place_is_found(files: Files, name: str, changed: dict[str, Any]) -> None:
    """For batches and for keys: the log's head allows one place only."""
    (place,) = [msgspec.json.decode(files[name][0])["place"]]
    if place["position"] == changed.get("position"):
        changed = {"position": place["position"] + 1}
    moved = edited(files, name, 0, lambda line: {**line, "place": {**place, **changed}})
    complaint = _complaint(moved)
    assert complaint.startswith(name)
    assert f"is not where it should be in the log of {LOG}" in complaint


@pytest.mark.parametrize(
    "field", ["received_at", "id", "sent_at", "country", "body_sha256", "signature"]
)
def test_what_the_log_has_of_a_batch_cannot_be_changed(files: Files, field: str) -> None:
    """Neither what the vantage signed, nor when the collector says it came."""
    other, line = line_of(files, 1).batch, line_of(files, 0)
    values: dict[str, Any] = {
        **msgspec.structs.asdict(other),
        "country": "BR",
        "sent_at": "2026-03-01T12:00:01.000000Z",
        "received_at": NOW - BEHIND,
    }
    assert values[field] != getattr(line.batch, field)
    batch = msgspec.structs.replace(line.batch, **{field: values[field]})
    forged = msgspec.structs.replace(line, batch=batch)
    lines = [msgspec.json.encode(forged), *files[BATCHES][1:]]
    assert _complaint({**files, BATCHES: lines}).startswith(BATCHES)


def test_a_batch_that_was_never_logged_is_not_called_logged(files: Files) -> None:
    """Its maker may leave the place out, and is then one short."""
    signed = checked(edited(files, BATCHES, 0, lambda line: {**line, "place": None}))
    assert (signed.batches, signed.logged) == (2, 1)


async def test_a_later_report_continues_the_log_of_an_earlier_one(
    store: MemoryStore, tmp_path: Path
) -> None:
    """Its head is in the later one, with a proof; a rewritten log makes no report at all."""
    first = verify(await make(store, tmp_path / "first.zip")).log
    await store.revoke("khi-ptcl", NOW, "stolen")
    second = verify(await make(store, tmp_path / "second.zip")).log
    assert first is not None
    assert second is not None
    assert second.file.size > first.file.size
    assert [(one.size, one.root) for one in second.file.heads] == [
        (first.file.size, first.file.root)
    ]
    older, newer = str(tmp_path / "first.zip"), str(tmp_path / "second.zip")
    done = await asyncio.to_thread(CliRunner().invoke, app, ["verify", newer, "--earlier", older])
    assert done.exit_code == 0, done.output
    assert "That of the earlier report you named is one of them." in done.output
    done = await asyncio.to_thread(CliRunner().invoke, app, ["verify", newer, "--earlier", newer])
    assert (done.exit_code, "you named has the same log." in done.output) == (0, True)
    other = str(await asyncio.to_thread(by_another_key, tmp_path / "first.zip", tmp_path / "b.zip"))
    done = await asyncio.to_thread(CliRunner().invoke, app, ["verify", newer, "--earlier", other])
    assert done.exit_code == 0, done.output
    digits = grouped(fingerprint(public_text(ANOTHER_MAKER)))
    assert f"is one of them. Another key signed that report: {digits}." in done.output
    done = await asyncio.to_thread(CliRunner().invoke, app, ["verify", older, "--earlier", newer])
    assert (done.exit_code, "does not continue that of" in done.output) == (3, True)
    change = schema.log_head.update().values(root="ab" * 32)
    await store._write(lambda database: database.execute(change))
    with pytest.raises(StorageError, match="was rewritten since its head of 5 entries"):
        await make(store, tmp_path / "third.zip")
    assert not (tmp_path / "third.zip").exists()


def test_a_forged_log_does_not_verify(files: Files) -> None:
    """Whoever signs reports can enclose another head, but no earlier one that it does not
    continue."""
    log = msgspec.json.decode(b"\n".join(files[LOG]))
    log["heads"] = [{"size": 2, "root": "ab" * 32, "path": ["00" * 32]}]
    forged = {**files, LOG: [msgspec.json.encode(log)]}
    assert "does not continue that of 2 entries" in _complaint(forged)
    for broken in (b"{", b"[" * 100_000, b'{"format":9,"size":1,"root":""}'):
        assert _complaint({**files, LOG: [broken]}).startswith(LOG)


async def test_a_stamp_of_the_log_dates_the_batches_in_it(
    store: MemoryStore, tmp_path: Path
) -> None:
    """By the authority's clock, to a reader who trusts it; a later batch is not dated by it."""
    authority = Authority(tmp_path / "authority")
    with clocks(authority) as served:
        asked = TimestampSettings(authorities=(f"{served.url}/tsr",), every=600.0)
        await Stamping(lambda: asked, store, now=lambda: NOW).round()
    path = await make(store, tmp_path / "report.zip")
    trusted = Trusted(roots=authority.roots)
    signed = verify(path, trusted).signed
    assert signed is not None
    assert (signed.batches, signed.dated) == (2, 2)
    assert signed.dated_by is not None
    assert abs(signed.dated_by - datetime.now(UTC)) < timedelta(minutes=5)
    known = ["verify", str(path), "--time-root", str(authority.root_file)]
    done = await asyncio.to_thread(CliRunner().invoke, app, known)
    assert (done.exit_code, "2 of 2 batches were in the log by" in done.output) == (0, True)
    assert "Since when: not proven. Its maker says" in done.output
    untrusting = verify(path).signed
    assert untrusting is not None
    assert untrusting.dated == 0
    files = files_of(path)
    log = msgspec.json.decode(b"\n".join(files[LOG]))
    log["heads"][0]["stamps"][0]["proof"] = "AAAA"
    told = _complaint({**files, LOG: [msgspec.json.encode(log)]})
    assert "a stamp of the head of 5 entries does not hold" in told


async def test_a_maker_who_rewrote_the_log_is_found_by_an_earlier_report(tmp_path: Path) -> None:
    """With all keys, and a new database that knows of no earlier head: `verify` alone finds
    nothing, and with the earlier report it fails."""
    honest, forged = MemoryStore(), MemoryStore()
    for store in (honest, forged):
        await hand_in(store)
    older = await make(honest, tmp_path / "older.zip")
    newer = await make(forged, tmp_path / "newer.zip")
    command = ["verify", str(newer)]
    assert (await asyncio.to_thread(CliRunner().invoke, app, command)).exit_code == 0
    done = await asyncio.to_thread(CliRunner().invoke, app, [*command, "--earlier", str(older)])
    assert (done.exit_code, "it was rewritten, or is another" in done.output) == (3, True)
    for store in (honest, forged):
        await store.close()


@pytest.mark.parametrize("reachable", [True, False])
async def test_a_report_is_stamped_where_somebody_is_configured(
    tmp_path: Path, reachable: bool
) -> None:
    """As it is made; where nobody answers there is a report all the same, and why is said."""
    store = open_store(SQLITE.format(tmp_path))
    await hand_in(store)
    await store.close()
    config, out = tmp_path / "shutwatch.toml", tmp_path / "r.zip"
    with clocks(Authority(tmp_path / "authority")) as served:
        url = f"{served.url}/tsr" if reachable else "http://127.0.0.1:1/tsr"
        config.write_text(
            f'database = "{SQLITE.format(tmp_path)}"\n'
            '[[vantage]]\nid = "khi-ptcl"\ncountry = "PK"\n'
            f'[timestamps]\nauthorities = ["{url}"]\nroots = ["authority/root.pem"]\n'
        )
        times = ["--since", "2026-02-28", "--until", "2026-03-01T12:00"]
        command = ["report", "--country", "PK", "--platform", "x", *times]
        command += ["--even-if-nothing-known", "-c", str(config), "-o", str(out)]
        done = await asyncio.to_thread(CliRunner().invoke, app, command)
    assert done.exit_code == 0, done.output
    assert ("no stamp by" in done.output) is not reachable
    trusted = Trusted(roots=tuple(roots_in(tmp_path / "authority/root.pem")))
    assert (verify(out, trusted).seals.times.trusted is not None) is reachable
