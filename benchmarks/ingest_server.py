"""A collector on one core, for `ingest.py`: `python ingest_server.py DATABASE CORE ENROLMENTS`.

Prints its port. When its standard input ends it prints what it stored and ends. The part of a
collector that judges is not in it: that is another process's core where there is much to take in.
"""

import asyncio
import os
import sys
import threading
from pathlib import Path

import msgspec

from benchmarks.ingest_rows import COLLECTOR
from monitor.app.run_until_stopped import spare_searches
from monitor.collector.agents_api import AgentApi
from monitor.collector.connection_limits import AgentConnection
from monitor.config.load import default_settings
from monitor.config.settings import CollectorSettings
from monitor.logs import LogSettings, configure
from monitor.metrics.ingest_counts import IngestCounts
from monitor.server.serve import serve
from storage.open_store import open_store
from storage.values.fleet import Enrolment


async def main(database: str, enrolments: list[Enrolment]) -> None:
    """Serve until the input ends."""
    store = open_store(database)
    await store.open()
    for one in enrolments:
        await store.enrol(one)
    collector = CollectorSettings(
        listen=("127.0.0.1", 0), batches_per_minute=100_000, hourly_bytes=10**12
    )
    settings = msgspec.structs.replace(default_settings(), collector=collector)
    counts = IngestCounts()
    app = AgentApi(store, COLLECTOR, lambda: settings, counts).app()
    spare_searches()
    server = asyncio.create_task(
        serve(
            app,
            *collector.listen,
            listening=lambda _, port: print(port, flush=True),
            connection=AgentConnection,
        )
    )
    await asyncio.to_thread(sys.stdin.read)
    server.cancel()
    await asyncio.wait({server})
    await store.close()
    print(counts.batches, counts.measurements, flush=True)


if __name__ == "__main__":
    os.sched_setaffinity(0, {int(sys.argv[2])})
    configure(LogSettings(level="warning"))
    threading.current_thread().name = "loop"
    known = msgspec.json.decode(Path(sys.argv[3]).read_bytes(), type=list[Enrolment])
    asyncio.run(main(sys.argv[1], known))
