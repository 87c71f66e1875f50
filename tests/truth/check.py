"""One world from its beginning to its end: what is said of it, and what of that is false."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from probes.testing import VirtualClockLoop
from storage.open_store import sql_store
from tests.truth import alerts, boards
from tests.truth.extract import false_claims
from tests.truth.live import Living, live, settings
from tests.truth.reading import FalseClaim
from tests.truth.surfaces import Samples, Surfaces, config_of, read, scraped
from tests.truth.world import INTERVAL, World

Read = Callable[[Living, Surfaces], None]


def told(
    world: World, *, with_alerts: bool = False, on_read: Read = lambda _, __: None
) -> tuple[list[FalseClaim], int]:
    """Every false claim of any surface at any moment at which the surfaces are read, each once, and
    the number of claims that were compared. `on_read` gets what the surfaces said each time. The
    text of Alertmanager and the boards of Grafana need promtool and amtool."""
    found: dict[FalseClaim, None] = {}
    claims = 0
    scrapes: dict[int, Samples] = {}
    with TemporaryDirectory(prefix="shutwatch-truth-") as folder:
        configured = settings(world, f"sqlite:///{folder}/shutwatch.db")
        config = config_of(configured, Path(folder))

        def compare(now: Living) -> None:
            nonlocal claims
            said = read(now, config, everything=now.seconds > (world.turns - 1) * INTERVAL)
            on_read(now, said)
            false, compared = false_claims(now, said)
            found.update(dict.fromkeys(false))
            claims += compared

        async def all_of_it() -> None:
            store = sql_store(configured.database)
            await store.open()
            try:
                await live(
                    world,
                    configured,
                    store,
                    lambda now: asyncio.to_thread(compare, now),
                    lambda turn, publisher: scrapes.update({turn: scraped(publisher)}),
                )
            finally:
                await store.close()

        with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
            runner.run(all_of_it())
    if with_alerts:
        for said in (
            alerts.reading(world, alerts.alerts(world, scrapes)),
            boards.reading(world, scrapes),
        ):
            found.update(dict.fromkeys(said.false))
            claims += said.claims
    return list(found), claims
