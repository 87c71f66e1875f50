"""Serves the pages of sixty countries, ten platforms each, in a process of its own, for `pages.py`
to read.

`python pages_many.py URL MOMENT` prints the port. The present is invented and as it was at that
moment; what is stored is that of the database.
"""

import asyncio
import sys
from datetime import datetime

from monitor.metrics.scrapes import create_registry
from monitor.server import create_app, serve
from storage.open_store import sql_store
from tests.worlds import many_countries


async def pages(url: str, at: datetime) -> None:
    """Until killed."""
    store = sql_store(url, create=False)
    await store.open()
    publisher = many_countries.publisher(at=at)
    app = create_app(publisher, create_registry(publisher), store=store)

    def listening(_: str, port: int) -> None:
        print(port, flush=True)

    await serve(app, "127.0.0.1", 0, listening=listening)


if __name__ == "__main__":
    asyncio.run(pages(sys.argv[1], datetime.fromisoformat(sys.argv[2])))
