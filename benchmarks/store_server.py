"""Serves the interface over one database, in a process of its own, for `store.py` to read.

`python store_server.py URL` prints the port. With a table and a number of rows it is what one
would write instead: SQLAlchemy, a row at a time, and a csv.writer; it prints that it is ready, and
then how many rows it wrote.
"""

import asyncio
import csv
import sys
from pathlib import Path

from sqlalchemy import MetaData, Table, create_engine, select

from monitor.server.api import create_api
from monitor.server.serve import serve
from storage.open_store import sql_store

TIMES = {"measurement": "started_at", "verdict": "judged_at"}


async def interface(url: str) -> None:
    """Until killed."""
    store = sql_store(url, create=False)
    await store.open()

    def listening(_: str, port: int) -> None:
        print(port, flush=True)

    await serve(create_api(store, lambda _: True), "127.0.0.1", 0, listening=listening)


def rival(url: str, name: str, rows: int) -> int:
    """Every plain column of a table, as a file."""
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    table = Table(name, MetaData(), autoload_with=engine)
    print("ready", flush=True)
    columns = [column for column in table.c if column.name != "observations"]
    order = [table.c[TIMES[name]].desc()] if name in TIMES else list(table.primary_key.columns)
    count = 0
    with engine.connect() as connection, Path("/dev/null").open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow([column.name for column in columns])
        query = select(*columns).order_by(*order).limit(rows)
        for row in connection.execution_options(yield_per=1000).execute(query):
            writer.writerow(row)
            count += 1
    return count


if __name__ == "__main__":
    if len(sys.argv) == 2:
        asyncio.run(interface(sys.argv[1]))
    else:
        print(rival(sys.argv[1], sys.argv[2], int(sys.argv[3])))
