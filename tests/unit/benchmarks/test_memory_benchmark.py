"""The benchmark of memory, run short: what counts here is that the collector does all its work."""

import asyncio
from pathlib import Path

from benchmarks.memory_collector import AGENTS, live
from probes.testing import VirtualClockLoop
from storage.open_store import open_store
from tests.contract.listing import EVERYTHING, flat
from tests.unit.monitor.measuring.test_cycle import now

ROUNDS, CONTROLS = 3, 3


def test_a_collector_in_virtual_time_judges_all_it_was_sent(tmp_path: Path) -> None:
    """Three rounds of five agents and three controls: every cycle is judged and stored, and the end
    of each round was told once."""
    database, told = f"sqlite:///{tmp_path}/collector.db", []

    def done(number: int) -> bool:
        told.append(number)
        return False

    async def judged() -> list[str]:
        store = open_store(database)
        await store.open()
        try:
            return [one.vantage for one in await flat(store.cycles(EVERYTHING))]
        finally:
            await store.close()

    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        runner.run(live(database, ROUNDS, 300.0, now, done, 30.0))
    vantages = asyncio.run(judged())
    assert told == [1, 2, 3]
    assert len(vantages) == ROUNDS * (AGENTS + CONTROLS)
    assert all(vantages.count(one) == ROUNDS for one in set(vantages))
