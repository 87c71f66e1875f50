"""Puts a day that an agent was without a line into its spool, by the agent's own code:
`python -m tests.e2e.spooler CONFIG TEMPLATE COUNT END PUT`.

TEMPLATE is a spool with a cycle as an agent saw it; COUNT copies of that, each with its own ids and
times, one every five minutes, the last one at END (POSIX seconds), are what the day was. What is
durably in the spool is then written to PUT, a line for each cycle. Started again, it goes on.
"""

import asyncio
import gzip
import os
import random
import sqlite3
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path

import msgspec
import uuid_utils

from monitor.agent.batch_body import BatchMaker
from monitor.agent.boot_key import boot_key, boot_key_file
from monitor.agent.collector_clock import AgentClock, this_machine
from monitor.agent.paths import files_of
from monitor.config.load import load_config
from monitor.keys.keys import load
from monitor.keys.sealing import sealing_key
from monitor.wire.batch import Batch, CycleReport
from monitor.wire.envelope import open_body
from probes.measurement import AnyObservation, HttpObservation
from probes.vantage import VantagePoint
from storage.agent.spool import Spool
from storage.values.cycle import Cycle

EVERY = 300.0
PAUSE = 0.01
"""Seconds, at most, from one cycle to the next: a machine is killed at any moment, not always in
the same one."""


class Put(msgspec.Struct, frozen=True, kw_only=True):
    """A cycle that is in the spool."""

    cycle: str
    looks: tuple[str, ...]


def reports(spool: Path) -> list[CycleReport]:
    """The cycles that wait in a spool, oldest first, as the collectors beside it can read them."""
    key = sealing_key(load(spool.with_name("orders.pem")))
    with closing(sqlite3.connect(spool)) as database:
        rows = database.execute("SELECT body FROM batch ORDER BY number").fetchall()
    bodies = (gzip.decompress(open_body(key, row[0])) for row in rows)
    return [one for body in bodies for one in msgspec.json.decode(body, type=Batch).reports]


def at_another_time(seen: CycleReport, point: VantagePoint, ended: float) -> Cycle:
    """The same cycle, seen then by that vantage."""
    cycle = str(uuid_utils.uuid7())
    moved = datetime.fromtimestamp(ended, UTC) - seen.finished_at
    whose = {"country": point.country, "asn": point.asn, "network": point.network}
    looks = tuple(
        msgspec.structs.replace(
            look,
            id=str(uuid_utils.uuid7()),
            cycle=cycle,
            vantage=point.id,
            started_at=look.started_at + moved,
            observations=tuple(_dated(one, moved) for one in look.observations),
            **whose,
        )
        for look in seen.measurements
    )
    health = msgspec.structs.replace(
        seen.health, vantage=point.id, at=seen.health.at + moved, **whose
    )
    return Cycle(
        id=cycle,
        vantage=point.id,
        country=point.country,
        started_at=seen.started_at + moved,
        finished_at=seen.finished_at + moved,
        health=health,
        measurements=looks,
        verdicts=(),
        platforms=(),
    )


def _dated(seen: AnyObservation, moved: timedelta) -> AnyObservation:
    """What a server said of the time is moved as well, or the vantage's clock would be wrong."""
    if not isinstance(seen, HttpObservation):
        return seen
    headers = tuple(
        (name, format_datetime(parsedate_to_datetime(value) + moved, usegmt=True))
        if name == "date"
        else (name, value)
        for name, value in seen.headers
    )
    return msgspec.structs.replace(seen, headers=headers)


async def fill(config: Path, template: Path, count: int, end: float, put: Path) -> None:
    """Until there are so many."""
    settings = load_config(config, os.environ)
    assert settings.agent is not None
    (vantage,) = settings.vantages
    (seen, *_) = reports(template)
    clock = AgentClock(this_machine())
    key = boot_key(boot_key_file(files_of(settings).spool))
    maker = BatchMaker(vantage.id, settings.agent.sealing_key, clock, key)
    spool = Spool(files_of(settings).spool, limit=settings.agent.spool_limit)
    await spool.open()
    try:
        with put.open("ab", buffering=0) as told:
            while (there := (await spool.holding()).batches) < count:
                ended = end - EVERY * (count - 1 - there)
                cycle = at_another_time(seen, vantage, ended)
                await spool.put(maker.make(cycle))
                line = Put(cycle=cycle.id, looks=tuple(look.id for look in cycle.measurements))
                told.write(msgspec.json.encode(line) + b"\n")
                await asyncio.sleep(random.uniform(0.0, PAUSE))
    finally:
        await spool.close()


if __name__ == "__main__":
    config, template, count, end, put = sys.argv[1:]
    asyncio.run(fill(Path(config), Path(template), int(count), float(end), Path(put)))
