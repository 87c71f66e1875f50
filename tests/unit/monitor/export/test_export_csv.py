"""CSV files as their readers get them: parsed with the standard reader, row by row."""

import csv
import io
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from monitor.analysis.events.event import EventState
from monitor.analysis.verdict import State
from monitor.export.csv import Kind, columns, write_csv
from monitor.export.stretches import position_of, stretch_rows
from probes.measurement import HttpObservation, Layer
from storage.store import Store
from storage.values.selection import Selection
from tests.contract.cycles import REACHED, at, cycle, event, measurement, verdict
from tests.worlds.memory_store import MemoryStore
from tests.worlds.notify_world import came_back

ROOT = Path(__file__).parents[4]
EVERYTHING = Selection()


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    """An open, empty store with small pages."""
    store = MemoryStore(page=3)
    await store.open()
    yield store
    await store.close()


async def _rows(
    store: Store, kind: Kind, selection: Selection = EVERYTHING
) -> list[dict[str, str]]:
    out = io.StringIO(newline="")
    count = await write_csv(kind, store, selection, out)
    rows = list(csv.DictReader(io.StringIO(out.getvalue(), newline=""), strict=True))
    assert len(rows) == count
    assert all(None not in row.values() and None not in row for row in rows)
    return rows


@pytest.mark.parametrize("kind", Kind)
async def test_an_empty_export_has_its_header(store: Store, kind: Kind) -> None:
    """With nothing to tell, the file still says what it would have told."""
    out = io.StringIO(newline="")
    assert await write_csv(kind, store, EVERYTHING, out) == 0
    assert out.getvalue() == ",".join(column.name for column in columns(kind)) + "\r\n"


async def test_a_kind_that_does_not_exist_is_refused(store: Store) -> None:
    """A wrong kind is the caller's mistake, and nothing is written."""
    out = io.StringIO()
    with pytest.raises(ValueError, match="incidents"):
        await write_csv("incidents", store, EVERYTHING, out)
    assert out.getvalue() == ""


async def test_a_healthy_measurement(store: Store) -> None:
    """Each column of a look that worked, as documented."""
    await store.save(cycle(1, measurements=(measurement("m-1", 1.5, cycle="c-1"),)))
    (row,) = await _rows(store, Kind.MEASUREMENTS)
    assert row == {
        "measurement_id": "m-1",
        "cycle_id": "c-1",
        "started_at": "2024-02-17T12:00:01.500000Z",
        "country": "PK",
        "vantage": "khi-ptcl",
        "asn": "17557",
        "network": "PTCL",
        "vantage_role": "field",
        "platform": "x",
        "function": "web",
        "endpoint": "https://x.com/",
        "look": "scheduled",
        "attempt": "1",
        "reached": "true",
        "duration_ms": "400.0",
        "egress_failure": "",
        "dns_failure": "",
        "dns_ms": "20.0",
        "tcp_failure": "",
        "tcp_ms": "50.0",
        "tls_failure": "",
        "tls_ms": "100.0",
        "http_failure": "",
        "http_ms": "200.0",
        "http_status": "200",
        "not_observed": "",
        "resolvers": "192.0.2.53:53",
        "addresses": "203.0.113.1",
        "tls_chain_sha256": "",
        "http_url": "https://x.com/",
        "http_title": "",
        "http_body_bytes": "0",
        "http_body_sha256": "",
    }


async def test_a_failed_measurement(store: Store) -> None:
    """A reset shows in its layer; layers never reached are empty, hidden ones are named."""
    reset = msgspec.structs.replace(REACHED[2], failure="connection_reset")
    look = measurement(
        "m-1",
        observations=(*REACHED[:2], reset),
        reached=False,
        not_observed=(Layer.DNS, Layer.TCP),
    )
    await store.save(cycle(1, measurements=(look,)))
    (row,) = await _rows(store, Kind.MEASUREMENTS)
    assert (row["reached"], row["tls_failure"], row["tls_ms"]) == (
        "false",
        "connection_reset",
        "100.0",
    )
    assert (row["http_failure"], row["http_ms"], row["http_status"], row["http_url"]) == ("",) * 4
    assert row["not_observed"] == "dns tcp"


async def test_a_block_page_cannot_write_our_file(store: Store) -> None:
    """A hostile title stays one harmless cell of one row."""
    title = '=HYPERLINK("http://evil.example";"x"),\r\n"injected","row"\u202e'
    page = HttpObservation(
        start=0.2, duration=0.1, url="http://x.com/", address="203.0.113.1", status=200, title=title
    )
    await store.save(cycle(1, measurements=(measurement("m-1", observations=(page,)),)))
    (row,) = await _rows(store, Kind.MEASUREMENTS)
    assert row["http_title"] == (
        '\'=HYPERLINK("http://evil.example";"x"),\\u000d\\u000a"injected","row"\\u202e'
    )


async def test_verdicts(store: Store) -> None:
    """State, rule, evidence, controls and the failure of each layer; a negative llr is a number."""
    looks = (measurement("m-1", cycle="c-1"), measurement("m-2", endpoint="https://x.com/2"))
    blocked, ok = verdict(looks[0], 60, state=State.BLOCKED), verdict(looks[1], 61)
    blocked = msgspec.structs.replace(blocked, measured_at=at(2), measured_until=at(12.5))
    await store.save(msgspec.structs.replace(cycle(1, measurements=looks), verdicts=(ok, blocked)))
    first, second = await _rows(store, Kind.VERDICTS)
    assert first == {
        "measurement_id": "m-1",
        "control_ids": "control-1 control-2",
        "cycle_id": "c-1",
        "judged_at": "2024-02-17T12:01:00.000000Z",
        "country": "PK",
        "vantage": "khi-ptcl",
        "asn": "17557",
        "network": "PTCL",
        "vantage_role": "field",
        "platform": "x",
        "function": "web",
        "endpoint": "https://x.com/",
        "state": "blocked",
        "method": "tls",
        "sub_method": "reset",
        "family": "ipv4",
        "rule_id": "tls.reset",
        "evidence": "strong",
        "llr": "2.079442",
        "egress_failure": "",
        "dns_failure": "",
        "tcp_failure": "",
        "tls_failure": "connection_reset",
        "http_failure": "",
        "quic_failure": "",
        "transfer_failure": "",
        "rules_version": "2024.1",
        "measured_at": "2024-02-17T12:00:02.000000Z",
        "measured_until": "2024-02-17T12:00:12.500000Z",
    }
    # As in rows of earlier releases.
    assert (second["measured_at"], second["measured_until"]) == ("", "")
    assert (second["state"], second["llr"], second["control_ids"]) == ("ok", "-0.105", "")


async def test_events(store: Store) -> None:
    """Networks affected out of networks seen, methods, and every bound of onset and end."""
    ended = event(state=EventState.ENDED, end_latest=5000, methods=("tls.reset", "dns.bogon"))
    await store.save(cycle(1), [ended])
    (row,) = await _rows(store, Kind.EVENTS)
    assert row == {
        "event_id": "event-1",
        "country": "PK",
        "platform": "x",
        "state": "ended",
        "scope": "full",
        "functions": "api web",
        "methods": "tls.reset dns.bogon",
        "evidence": "strong",
        "networks_affected": "AS9541 AS17557",
        "networks_affected_count": "2",
        "networks_blocked_now": "AS17557",
        "networks_seen": "AS9541 AS17557 AS135407",
        "networks_seen_count": "3",
        "networks_affected_names": "Cyber | PTCL",
        "onset_before_monitoring": "false",
        "onset_earliest": "2024-02-17T12:00:00.000000Z",
        "onset_latest": "2024-02-17T12:05:00.000000Z",
        "detected_at": "2024-02-17T12:10:00.000000Z",
        "confirmed_at": "2024-02-17T12:10:01.000000Z",
        "end_earliest": "2024-02-17T13:23:19.000000Z",
        "end_latest": "2024-02-17T13:23:20.000000Z",
        "updated_at": "2024-02-17T12:10:00.000000Z",
        "first_measurement_id": "m-khi-ptcl-000001-x-0",
        "rules_version": "2024.1",
        "kind": "block",
        "vantage": "",
        "networks_recovering": "AS9541",
        "networks_unobserved": "",
        "share_affected": "0.25",
        "pattern": "Mon-Fri 04:00-08:00 UTC",
        "reopened": "2",
        "stretches": "1",
        "since_earliest": "2024-02-17T12:00:00.000000Z",
        "since_latest": "2024-02-17T12:05:00.000000Z",
        "blocked_seconds_least": "100",
        "blocked_seconds_most": "",
        "weight": "1.25",
        "weight_needed": "2",
        "doubts": "new_keys",
    }


async def test_stretches_of_the_country_come_before_those_of_its_networks(store: Store) -> None:
    """Blocked for three minutes, open for 23, blocked again: each stretch has its own bounds."""
    await store.save(cycle(1), [came_back()])
    (of_event,) = await _rows(store, Kind.EVENTS)
    assert (of_event["onset_latest"], of_event["since_latest"]) == (
        "2024-02-17T18:12:00.000000Z",
        "2024-02-17T18:38:30.000000Z",
    )
    assert (of_event["stretches"], of_event["blocked_seconds_least"]) == ("2", "420")
    rows = await _rows(store, Kind.STRETCHES)
    known = ("asn", "stretch", "goes_on", "onset_latest", "end_latest", "last_blocked_at")
    lasted = ("blocked_seconds_least", "blocked_seconds_most")
    first = ("1", "false", "18:12:00", "18:15:06", "18:15:00", "180", "486")
    second = ("2", "true", "18:38:30", "", "18:42:30", "240", "")
    assert [
        tuple(row[name].removeprefix("2024-02-17T")[:8] for name in (*known, *lasted))
        for row in rows
    ] == [("", *first), ("", *second), ("17557", *first), ("17557", *second)]
    assert {row["stretches"] for row in rows} == {"2"}


async def test_stretches_go_on_after_any_row(store: Store) -> None:
    """A reader of pages gets each row once, wherever a page ends within an event."""
    for number in range(4):
        one = msgspec.structs.replace(came_back(), id=f"event-{number}")
        await store.save(cycle(number), [one])
    whole = [row async for batch in stretch_rows(store, EVERYTHING) for row in batch]
    assert len(whole) == 16
    for place, row in enumerate(whole):
        rest = msgspec.structs.replace(EVERYTHING, after=position_of(row))
        found = [one async for batch in stretch_rows(store, rest) for one in batch]
        assert found == whole[place + 1 :]


async def test_a_block_from_before_monitoring_says_so(store: Store) -> None:
    """With no earliest onset the cell is empty, and a column of its own says why."""
    await store.save(cycle(1), [event(onset_earliest=None)])
    (row,) = await _rows(store, Kind.EVENTS)
    assert (row["onset_before_monitoring"], row["onset_earliest"]) == ("true", "")
    assert (row["confirmed_at"], row["end_earliest"], row["end_latest"]) == ("", "", "")


async def test_the_selection_is_followed(store: Store) -> None:
    """Only what was asked for is written, in order, over several pages."""
    for number in range(6):
        await store.save(cycle(number))
        await store.save(cycle(number, country="BR", vantage="gru-vivo"))
    wanted = Selection(since=at(300), until=at(1500), country="BR", platform="x")
    rows = await _rows(store, Kind.MEASUREMENTS, wanted)
    assert [row["measurement_id"] for row in rows] == [
        f"m-gru-vivo-{number:06}-x-{n}" for number in range(1, 5) for n in range(2)
    ]


MEASURE = ROOT / "tests" / "worlds" / "export_memory.py"


def _grow_and_export(folder: Path, rows: int) -> tuple[int, float]:
    """Rows written and the megabytes the exporting process grew by at its peak."""
    done = subprocess.run(
        [sys.executable, str(MEASURE), str(folder / "big.db"), str(rows), str(folder / "big.csv")],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    report = msgspec.json.decode(done.stdout)
    print(report)  # noqa: T201 # the figures of the long proof
    return report["rows"], report["peak_mb"]


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    """Ten times the rows take no more memory: batches are written and let go."""
    (tmp_path / "few").mkdir()
    (tmp_path / "many").mkdir()
    few, peak_of_few = _grow_and_export(tmp_path / "few", 2_000)
    many, peak_of_many = _grow_and_export(tmp_path / "many", 20_000)
    assert (few, many) == (2_000, 20_000)
    assert peak_of_many < peak_of_few + 8
    assert peak_of_many < 100


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_a_million_rows_in_under_100_mb(tmp_path: Path) -> None:
    """A million measurements leave the database with the whole process under 100 MB."""
    rows, peak = _grow_and_export(tmp_path, 1_000_000)
    assert rows == 1_000_000
    assert peak < 100
