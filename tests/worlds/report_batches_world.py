"""Reports on what an agent handed in over a real collector, and what can be done to their files."""

import hashlib
import zipfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from monitor.report.batches import BATCHES, Line, Signed
from monitor.report.bounded_unzip import NotAsMadeError
from monitor.report.build import build
from monitor.report.findings import Wanted
from monitor.report.log_file import LOG, check_log
from monitor.report.verify import NOBODY
from monitor.report.verify_batches import check_batches
from monitor.wire.answers import BATCHES as ROUTE
from monitor.wire.batch import encode_batch
from monitor.wire.signing import signed_headers
from probes.measurement import Measurement
from storage.store import CollectorStore
from storage.values.fleet import ReceivedBatch
from tests.collector.world import (
    AGENT_KEY,
    NOW,
    batch,
    collecting,
    health,
    measurement,
    new_id,
    report,
    request,
)
from tests.worlds.build import dns, http, tcp, tls
from tests.worlds.report_world import KEY

BEHIND = timedelta(days=366, microseconds=7)
"""By how much the agent's clock is wrong."""
AWKWARD = 'a\0b "\u202e زونگ </script>'
"""A title of somebody who would have the evidence refused."""
PLATFORM = "x"
WANTED = Wanted(
    country="PK",
    platform=PLATFORM,
    since=NOW - timedelta(days=1),
    until=NOW,
    with_vantages=True,
    signed_batches=True,
)
Files = dict[str, list[bytes]]
"""Lines by file."""


def measurements_of(cycle: str, count: int = 3) -> tuple[Measurement, ...]:
    """By the agent's clock; the first has an awkward title, and one more is of another platform."""
    page = (dns(), tcp(), tls(), http(title=AWKWARD, body=AWKWARD))
    found = [
        measurement(
            cycle,
            endpoint=f"https://{number}.x.com/",
            observations=page,
            started_at=NOW - timedelta(seconds=60 - number) - BEHIND,
        )
        for number in range(count)
    ]
    other = measurement(cycle, platform="whatsapp", started_at=NOW - timedelta(seconds=50) - BEHIND)
    return (*found, other)


def handed_in_body(count: int = 3, **changed: Any) -> bytes:
    """A batch by a clock that is a year behind and knows it."""
    cycle = new_id()
    usual: dict[str, Any] = {
        "cycle": cycle,
        "offset": BEHIND.total_seconds(),
        "started_at": NOW - timedelta(seconds=70) - BEHIND,
        "finished_at": NOW - timedelta(seconds=20) - BEHIND,
        "health": health(at=NOW - timedelta(seconds=50) - BEHIND),
        "measurements": measurements_of(cycle, count),
    }
    return encode_batch(batch(report(**{**usual, **changed})))


async def hand_in(store: CollectorStore, batches: int = 2) -> None:
    """What an agent brings, to a real collector over `store`; it is open afterwards."""
    async with collecting(store=store) as collector:
        for _ in range(batches):
            response = await collector.send(*request(handed_in_body()))
            assert response.status_code == 200, response.text
    await store.open()


async def make(store: CollectorStore, out: Path, wanted: Wanted = WANTED) -> Path:
    """The report at `out`. No cycle is judged here, so nothing is known, and only what was signed
    matters."""
    await build(
        *(store, wanted, out, KEY),
        title="X",
        interval=300.0,
        generated_at=NOW + timedelta(hours=1),
        even_if_nothing_known=True,
    )
    return out


def files_of(path: Path) -> Files:
    """The files of data in a report that are read line by line, and its log."""
    with zipfile.ZipFile(path) as archive:
        names = [one for one in archive.namelist() if one.endswith(".jsonl") or one == LOG]
        return {name: archive.read(name).splitlines() for name in names}


def checked(files: Files) -> Signed:
    """What `verify` makes of these files."""

    def lines_of(name: str) -> Iterator[bytes]:
        if name not in files:
            raise NotAsMadeError(f"{name} is missing")
        return iter(files[name])

    return check_batches(lines_of, PLATFORM, check_log(files[LOG], NOBODY))


def edited(files: Files, name: str, number: int, edit: Callable[[Any], Any]) -> Files:
    """The files with one line of one of them changed as JSON."""
    lines = list(files[name])
    lines[number] = msgspec.json.encode(edit(msgspec.json.decode(lines[number])))
    return {**files, name: lines}


def line_of(files: Files, number: int) -> Line:
    """An enclosed batch."""
    return msgspec.json.decode(files[BATCHES][number], type=Line)


def with_batch(files: Files, number: int, batch_: ReceivedBatch) -> Files:
    """The files with one batch instead of another, which is in no log."""
    line = msgspec.structs.replace(line_of(files, number), batch=batch_, place=None)
    lines = list(files[BATCHES])
    lines[number] = msgspec.json.encode(line)
    return {**files, BATCHES: lines}


def resigned(batch_: ReceivedBatch, body: bytes, encoding: str = "gzip") -> ReceivedBatch:
    """A batch as the vantage's own key would have signed it with another body, as it is sent."""
    headers = signed_headers(
        AGENT_KEY,
        method="POST",
        path=ROUTE,
        vantage=batch_.vantage,
        request=batch_.id,
        sent_at=batch_.sent_at,
        encoding=encoding,
        body=body,
    )
    return msgspec.structs.replace(
        batch_,
        body=body,
        encoding=encoding,
        body_sha256=hashlib.sha256(body).hexdigest(),
        signature=headers["shutwatch-signature"],
    )
