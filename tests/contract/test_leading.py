"""Who leads: one at a time, nobody after its connection is gone, and everybody who never asked."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.open_store import sql_store
from storage.sql.store import SqlStore
from storage.store import NotLeadingError, StorageError, Store
from storage.values.outbox import NoticeState
from tests.contract.conftest import MakeStore
from tests.contract.cycles import cycle, event, log_entry, notice
from tests.contract.listing import EVERYTHING, contents, flat
from tests.worlds.postgresql import Cluster

ROOT = Path(__file__).parents[2]


async def _leads_within(store: Store, seconds: float) -> bool:
    end = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < end:
        if await store.lead():
            return True
        await asyncio.sleep(0.02)
    return False


async def test_who_asks_alone_leads(store: Store) -> None:
    """It leads from then on, saves as before, and may ask as often as it likes."""
    assert not store.leading
    await store.save(cycle(1))
    assert await store.lead()
    assert store.leading
    await store.save(cycle(2))
    assert await store.lead()
    assert len(await flat(store.measurements(EVERYTHING))) == 8


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def two(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[list[SqlStore]]:
    """Two open stores of the same database."""
    url = f"sqlite:///{tmp_path / 'store.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("cluster").url(request.getfixturevalue("database"))
    stores = [sql_store(url) for _ in range(2)]
    for store in stores:
        await store.open()
    yield stores
    for store in stores:
        await store.close()


async def test_one_leads_at_a_time(two: list[SqlStore]) -> None:
    """The second to ask does not lead, and neither saves a cycle nor says that something was told;
    what people add it stores all the same. When the first one closes, it takes over."""
    first, second = two
    assert await first.lead()
    assert not await second.lead()
    assert (first.leading, second.leading) == (True, False)
    await first.save(cycle(1), [event()], [log_entry(1, event())], notices=[notice(1)])
    before = await contents(first, "event-1")
    with pytest.raises(NotLeadingError, match="another process leads, nothing was written"):
        await second.save(cycle(2))
    (told,) = await second.outbox()
    with pytest.raises(NotLeadingError):
        await second.update_notices([told])
    assert await contents(second, "event-1") == before
    assert await second.add_annotations([]) == 0
    await first.close()
    assert not first.leading
    assert await _leads_within(second, 1)
    await second.save(cycle(2))
    assert [n.state for n in await second.outbox()] == [NoticeState.PENDING]


async def test_who_never_asks_writes_freely(two: list[SqlStore]) -> None:
    """Beside one that leads, too."""
    first, second = two
    assert await first.lead()
    await second.save(cycle(1))
    assert not second.leading
    await first.save(cycle(2))
    assert len(await flat(second.measurements(EVERYTHING))) == 8


async def test_a_store_opened_again_has_to_ask_again(make_store: MakeStore) -> None:
    """The lead is let go by closing."""
    store = make_store()
    await store.open()
    assert await store.lead()
    await store.close()
    assert not store.leading
    await store.open()
    await store.save(cycle(1))
    assert await _leads_within(store, 1)
    await store.close()


def _cut(cluster: Cluster, database: str) -> None:
    cluster.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = "  # noqa: S608
        f"'{database}' AND application_name = 'shutwatch'"
    )


@pytest.mark.postgres
async def test_a_leader_without_its_connection_writes_nothing(
    cluster: Cluster, database: str
) -> None:
    """Whatever it believes: another one may lead by now. It is told so by its next save, not by
    silence, and may ask again."""
    first, second = (sql_store(cluster.url(database)) for _ in range(2))
    await first.open()
    await second.open()
    assert await first.lead()
    await first.save(cycle(1))
    _cut(cluster, database)
    assert await second.lead()
    with pytest.raises(NotLeadingError):
        await first.save(cycle(2))
    assert not first.leading
    with pytest.raises(NotLeadingError):
        await first.save(cycle(2))
    assert not await first.lead()
    await second.save(cycle(3))
    assert {look.cycle for look in await flat(first.measurements(EVERYTHING))} == {
        "cycle-khi-ptcl-000001",
        "cycle-khi-ptcl-000003",
    }
    await second.close()
    assert await _leads_within(first, 1)
    await first.save(cycle(2))
    await first.close()


@pytest.mark.postgres
async def test_a_lead_that_was_lost_is_told_once(cluster: Cluster, database: str) -> None:
    """Who asks whether it still leads learns that it did not meanwhile, though nobody else does:
    another one may have led, and written, in between."""
    store = sql_store(cluster.url(database))
    await store.open()
    assert await store.lead()
    _cut(cluster, database)
    assert not await store.lead()
    assert not store.leading
    assert await _leads_within(store, 1)
    await store.close()


@pytest.mark.postgres
async def test_a_lead_cut_while_saving_leaves_nothing_of_the_cycle(
    cluster: Cluster, database: str
) -> None:
    """Cut at any moment of a save, the cycle is there whole or not at all, and the leader that was
    never writes again without asking."""
    store = sql_store(cluster.url(database))
    await store.open()
    refused = 0
    for number in range(12):
        assert await _leads_within(store, 5)
        saving = asyncio.create_task(store.save(cycle(number, endpoints=50)))
        await asyncio.sleep(0.004 * (number % 6))
        _cut(cluster, database)
        try:
            await saving
        except StorageError:
            refused += 1
        with pytest.raises(NotLeadingError):
            await store.save(cycle(1000 + number))
    counts: dict[str, int] = {}
    for look in await flat(store.measurements(EVERYTHING)):
        counts[look.cycle] = counts.get(look.cycle, 0) + 1
    assert set(counts.values()) <= {100}
    assert refused > 0
    assert not any("001" in name[-6:-3] for name in counts)
    await store.close()


LEADER = """
import asyncio, sys
from storage.open_store import sql_store
from storage.sql.store import SqlStore
from tests.contract.cycles import cycle

async def main(url):
    store = sql_store(url)
    await store.open()
    assert await store.lead()
    number = 0
    while True:
        await store.save(cycle(number, endpoints=40))
        print(number, flush=True)
        number += 1

asyncio.run(main(sys.argv[1]))
"""


@pytest.mark.postgres
async def test_a_leader_that_is_killed_is_followed_at_once(cluster: Cluster, database: str) -> None:
    """Killed with -9 in the middle of its work, it leaves whole cycles, every one that it was told
    is stored among them, and the next one leads within a second."""
    url = cluster.url(database)
    leader = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", LEADER, url),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
    )
    assert leader.stdout is not None
    told = [await leader.stdout.readline() for _ in range(5)]
    store = sql_store(url)
    await store.open()
    assert not await store.lead()
    leader.send_signal(signal.SIGKILL)
    rest, _ = await leader.communicate()
    stored = int((b"".join(told) + rest).split()[-1])
    assert await _leads_within(store, 1)
    counts: dict[str, int] = {}
    for look in await flat(store.measurements(EVERYTHING)):
        counts[look.cycle] = counts.get(look.cycle, 0) + 1
    assert set(counts.values()) == {80}
    assert {f"cycle-khi-ptcl-{number:06}" for number in range(stored + 1)} <= set(counts)
    await store.save(cycle(10**5))
    await store.close()


@pytest.mark.postgres
async def test_a_leader_that_hangs_is_followed_within_half_a_minute(
    cluster: Cluster, database: str
) -> None:
    """Its process stands still and its connection with it, as good as new: the server ends it, and
    when it wakes up it may not write."""
    url = cluster.url(database)
    first, second = sql_store(url), sql_store(url)
    await first.open()
    await second.open()
    assert await first.lead()
    # Nobody asks in its name any more, which is what the others see of a process that hangs.
    assert await _leads_within(second, 30)
    with pytest.raises(NotLeadingError):
        await first.save(cycle(1))
    await first.close()
    await second.close()


@pytest.mark.postgres
async def test_both_ends_notice_that_the_other_is_gone() -> None:
    """Over TCP the server probes a silent client, and gives up on it within 30 seconds."""
    server = Cluster(tcp=True)
    try:
        server.start()
        store = sql_store(f"postgresql://shutwatch@127.0.0.1:{server.port}/postgres")
        await store.open()
        assert store._session is not None
        with store._session.write.connect() as connection:
            found = [
                int(str(connection.exec_driver_sql(f"SHOW tcp_{name}").scalar()).removesuffix("s"))
                for name in ("keepalives_idle", "keepalives_interval", "keepalives_count")
            ]
            limit = connection.exec_driver_sql("SHOW tcp_user_timeout").scalar()
        assert 0 < found[0] + found[1] * found[2] < 30
        assert 0 < int(str(limit)) < 30_000
        await store.close()
    finally:
        server.remove()
