"""One world from its beginning to its end: what is said of it, and what of that is false."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from monitor.metrics.publisher import Publisher
from probes.testing import VirtualClockLoop
from storage.open_store import sql_store
from tests.truth import alerts, boards, once
from tests.truth.extract import false_claims
from tests.truth.live import Living, live, settings
from tests.truth.reading import FalseClaim
from tests.truth.surfaces import Samples, Surfaces, config_of, read, scraped
from tests.truth.world import INTERVAL, World

Read = Callable[[Living, Surfaces], None]


class Told(NamedTuple):
    """What was said of a world."""

    false: tuple[FalseClaim, ...]
    """Every false claim, each once."""
    claims: int
    """How many were compared."""
    scrapes: Mapping[int, Samples] = {}
    """The metrics of each turn, where they were wanted."""


def told(world: World, *, scrape: bool = False, on_read: Read = lambda _, __: None) -> Told:
    """What any surface says at any moment at which the surfaces are read. `on_read` gets what they
    said each time. With `scrape` the metrics of each turn are kept, for `alerted`."""
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
            false, compared = false_claims(
                world, now.seconds, said, now.inbox.sent, *once.readings(now)
            )
            found.update(dict.fromkeys(false))
            claims += compared

        def keep(turn: int, publisher: Publisher) -> None:
            if scrape:
                scrapes[turn] = scraped(publisher)

        async def all_of_it() -> None:
            store = sql_store(configured.database)
            await store.open()
            try:
                await live(
                    world,
                    configured,
                    store,
                    lambda now: asyncio.to_thread(compare, now),
                    keep,
                )
            finally:
                await store.close()

        with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
            runner.run(all_of_it())
    return Told(tuple(found), claims, scrapes)


def alerted(world: World, scrapes: Mapping[int, Samples]) -> Told:
    """What Alertmanager and the boards of Grafana make of these metrics. Needs promtool and
    amtool."""
    said = (alerts.reading(world, alerts.alerts(world, scrapes)), boards.reading(world, scrapes))
    found = dict.fromkeys(false for one in said for false in one.false)
    return Told(tuple(found), sum(one.claims for one in said))
