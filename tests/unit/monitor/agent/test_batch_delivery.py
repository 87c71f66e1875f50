"""What waits in the spool arrives at a collector, once, whatever happens on the way."""

import asyncio
import json
import random
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from monitor.agent import batch_delivery, pause_and_clock
from monitor.agent.batch_delivery import ASK_AGAIN_SOON, MOST_TOO_OLD, MOST_UNTIMELY
from monitor.agent.collector_client import CollectorClient
from monitor.agent.collector_clock import AgentClock
from monitor.agent.paths import AgentFiles
from monitor.agent.pause_and_clock import PauseAndClock
from monitor.agent.signed_answer import UnreachableError
from monitor.logs import LogSettings, configure
from monitor.wire.answers import (
    BATCHES,
    KNOWN,
    LARGEST_ANSWER,
    SETTINGS,
    TIME,
    AgentSettings,
    Reason,
)
from probes.layers.http import BROWSER
from tests.lab.certificates import authority
from tests.worlds.agent_collector import AGENT_KEY, NAME, Collector, Server, collecting
from tests.worlds.agent_world import VANTAGE, Time, World, until, until_empty, world
from tests.worlds.build import http, look

FORTY_YEARS = 40 * 365.25 * 86400


@pytest.fixture
async def served() -> AsyncIterator[tuple[Collector, Server]]:
    """A collector that works."""
    async with collecting(authority()) as both:
        yield both


@pytest.fixture
async def agent(
    served: tuple[Collector, Server], tmp_path: Path
) -> AsyncIterator[tuple[World, Collector]]:
    """An agent that hands in to it."""
    made = world(tmp_path, authority(), served[0])
    await made.spool.open()
    yield made, served[0]
    await made.spool.close()


Agent = tuple[World, Collector]


def arrived_once(collector: Collector, agent: World) -> bool:
    """Whether all that was put is there, and nothing twice."""
    found = collector.measurements()
    return set(found) == agent.put and set(found.values()) == {1}


async def test_what_waits_is_handed_in_and_forgotten(agent: Agent) -> None:
    """Thirty cycles arrive as so many batches, the oldest first, each of which tells how much waits
    behind it; every measurement is there once, dated, and the spool is empty."""
    one, collector = agent
    clock = AgentClock(one.time.machine)
    await one.fill(30, clock)
    async with one.courier(clock):
        await until_empty(one.spool)
    assert arrived_once(collector, one)
    assert collector.spools == [f"{6 * behind} 0" for behind in reversed(range(30))]
    ended = [report.finished_at for batch in collector.batches for report in batch.reports]
    assert ended == sorted(ended)
    assert all(report.dated for batch in collector.batches for report in batch.reports)
    assert {batch.vantage for batch in collector.batches} == {VANTAGE}
    assert one.backoff.failures == 0


async def test_requests_are_an_ordinary_browsers_by_name(agent: Agent) -> None:
    """Nothing in the visible headers tells one agent from another but what is signed."""
    one, collector = agent
    clock = AgentClock(one.time.machine)
    await one.fill(1, clock)
    async with one.courier(clock):
        await until_empty(one.spool)
    for headers in collector.headers:
        plain = {name for name in headers if not name.startswith("shutwatch-")}
        assert headers["user-agent"] == BROWSER["User-Agent"]
        assert plain <= {
            *("host", "accept", "accept-encoding", "connection", "user-agent"),
            *("content-length", "content-encoding"),
        }


async def test_a_lost_receipt_makes_the_same_bytes_come_again_under_the_same_id(
    agent: Agent,
) -> None:
    """The collector stored it and could not say so: it gets it again, and knows it."""
    one, collector = agent
    collector.lose_receipts = 3
    clock = AgentClock(one.time.machine)
    await one.fill(2, clock)
    async with one.courier(clock):
        await until_empty(one.spool)
    assert len(collector.sent) == 2 + 3
    assert len(set(collector.sent)) == 2
    assert arrived_once(collector, one)


@pytest.mark.parametrize("refused", [False, True])
async def test_what_a_full_disk_cannot_forget_is_not_sent_again(
    agent: Agent, monkeypatch: pytest.MonkeyPatch, refused: bool
) -> None:
    """The spool could not note what became of a batch, so the agent sent it again every minute, on
    a line that its host pays for. It keeps to the order: what waits behind it goes later."""
    monkeypatch.setattr(batch_delivery, "REST", 0.02)
    one, collector = agent
    clock = AgentClock(one.time.machine)
    if refused:
        collector.refusals.append(Reason.MALFORMED)
    await one.fill(2, clock)
    writes = "UPDATE OF reason" if refused else "DELETE"
    with closing(sqlite3.connect(one.folder / "spool.db")) as disk:
        disk.execute(
            f"CREATE TRIGGER full BEFORE {writes} ON batch "
            "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
        )
        async with one.courier(clock):
            await until(lambda: collector.paths[BATCHES])
            await asyncio.sleep(0.3)
            assert collector.paths[BATCHES] == 1
            assert (await one.spool.holding()).batches == 2
            disk.execute("DROP TRIGGER full")
            await until_empty(one.spool)
    assert collector.paths[BATCHES] == 2
    assert len((await one.spool.holding()).aside) == int(refused)


async def test_a_receipt_that_is_not_the_collectors_deletes_nothing(agent: Agent) -> None:
    """An answer signed by anybody else is no answer."""
    one, collector = agent
    clock = AgentClock(one.time.machine)
    await one.fill(1, clock)
    async with one.courier(clock):
        await until_empty(one.spool)
        collector.forge = True
        collector.sent.clear()
        await one.fill(2, clock)
        await until(lambda: len(collector.sent) > 2)
        assert (await one.spool.holding()).measurements > 0
        collector.forge = False
        await until_empty(one.spool)
    assert arrived_once(collector, one)


@pytest.mark.parametrize("reason", [Reason.MALFORMED, Reason.OTHER_VANTAGE, Reason.OVERSIZE])
async def test_what_is_refused_for_good_lies_aside_and_holds_up_nothing(
    agent: Agent, reason: Reason
) -> None:
    """It is sent once, counted, kept to be seen, and what comes after it arrives."""
    one, collector = agent
    collector.refusals.append(reason)
    clock = AgentClock(one.time.machine)
    await one.fill(1, clock)
    lost = set(one.put)
    async with one.courier(clock):
        await until(lambda: collector.paths[BATCHES] == 1)
        await one.fill(3, clock)
        await until_empty(one.spool)
    (aside,) = (await one.spool.holding()).aside
    assert (aside.reason, aside.measurements) == (reason, len(lost))
    assert set(collector.measurements()) == one.put - lost
    assert [name for name, _ in collector.sent].count(aside.id) == 1


@pytest.mark.parametrize(
    "reason",
    [
        *(Reason.UNKNOWN_KEY, Reason.REVOKED_KEY, Reason.BAD_SIGNATURE),
        *(Reason.TOO_FAST, Reason.BUSY, Reason.STORAGE, Reason.NEWER),
        # Its clock may have been ahead for a while.
        Reason.TOO_OLD,
    ],
)
async def test_any_other_refusal_is_tried_again(agent: Agent, reason: Reason) -> None:
    """It may be enrolled tomorrow, or the database may come back: nothing is given up."""
    one, collector = agent
    collector.refusals.extend([reason] * 3)
    # A signed one of these ends the agent.
    collector.signs_refusals = reason is not Reason.REVOKED_KEY
    clock = AgentClock(one.time.machine)
    await one.fill(2, clock)
    async with one.courier(clock):
        await until_empty(one.spool)
    assert arrived_once(collector, one)
    assert len(one.backoff.waits) >= 3


async def test_retry_after_is_obeyed(agent: Agent) -> None:
    """A collector that asks for a second is not asked again before."""
    one, collector = agent
    collector.refusals.append(Reason.BUSY)
    collector.retry_after = "1"
    clock = AgentClock(one.time.machine)
    await one.fill(1, clock)
    loop = asyncio.get_running_loop()
    async with one.courier(clock):
        await until(lambda: collector.paths[BATCHES] == 1)
        refused_at = loop.time()
        await until(lambda: collector.paths[BATCHES] == 2)
        assert loop.time() - refused_at >= 0.9
        await until_empty(one.spool)


async def test_a_clock_forty_years_behind_is_put_right_in_what_is_handed_in(agent: Agent) -> None:
    """Certificates are not valid yet for the machine, times are all wrong; what arrives is dated
    to the second."""
    one, collector = agent
    one.time.behind = FORTY_YEARS
    clock = AgentClock(one.time.machine)
    assert clock.now().year < 1990
    await one.fill(2, clock)
    async with one.courier(clock):
        await until_empty(one.spool)
    reports = [report for batch in collector.batches for report in batch.reports]
    assert len(reports) == 2
    for report in reports:
        assert report.dated
        corrected = report.finished_at + timedelta(seconds=report.offset)
        assert abs((collector.now() - corrected).total_seconds()) < 10
    assert arrived_once(collector, one)


async def test_a_cycle_of_an_earlier_start_is_not_dated(agent: Agent) -> None:
    """Nobody can know when it was, and it says so."""
    one, collector = agent
    before = AgentClock(Time(boot="before", behind=FORTY_YEARS).machine)
    await one.fill(2, before)
    clock = AgentClock(one.time.machine)
    await one.fill(1, clock)
    async with one.courier(clock):
        await until_empty(one.spool)
    dated = [[report.dated for report in batch.reports] for batch in collector.batches]
    assert dated == [[False], [False], [True]]
    assert [batch.reports[0].offset for batch in collector.batches[:2]] == [0.0, 0.0]


async def test_the_clock_of_the_collectors_may_be_set(agent: Agent) -> None:
    """Once they say that the time of sending is wrong, it is asked for, and all goes on."""
    one, collector = agent
    clock = AgentClock(one.time.machine)
    await one.fill(1, clock)
    async with one.courier(clock):
        await until_empty(one.spool)
        collector.ahead = timedelta(hours=2)
        await one.fill(1, clock)
        await until_empty(one.spool)
        collector.ahead = timedelta(hours=-2)
        await one.fill(1, clock)
        await until_empty(one.spool)
    assert arrived_once(collector, one)
    assert collector.paths[TIME] == 3


@pytest.mark.parametrize("reason", [Reason.MALFORMED, Reason.TOO_OLD, Reason.FUTURE])
async def test_attack_whoever_is_on_the_way_makes_no_agent_give_up_a_batch(
    agent: Agent, reason: Reason
) -> None:
    """A middlebox answered that each batch is malformed, and the agent gave up what it had seen of
    a shutdown, one cycle after the other, for good."""
    one, collector = agent
    collector.signs_refusals = False
    collector.refusals.extend([reason] * 3 * MOST_UNTIMELY)
    clock = AgentClock(one.time.machine)
    await one.fill(2, clock)
    async with one.courier(clock):
        await until(lambda: not collector.refusals)
        await until_empty(one.spool)
    assert (await one.spool.holding()).aside == ()
    assert set(collector.measurements()) == one.put


async def test_what_stays_in_the_future_lies_aside_in_the_end(agent: Agent) -> None:
    """However often the time was asked for: it must not hold up what follows."""
    one, collector = agent
    collector.refusals.extend([Reason.FUTURE] * 2 * MOST_UNTIMELY)
    clock = AgentClock(one.time.machine)
    await one.fill(1, clock)
    lost = set(one.put)
    async with one.courier(clock):
        await until(lambda: not collector.refusals)
        await one.fill(1, clock)
        await until_empty(one.spool)
    assert [aside.reason for aside in (await one.spool.holding()).aside] == [Reason.FUTURE]
    assert set(collector.measurements()) == one.put - lost


async def test_what_a_proxy_lets_through_passes_what_it_does_not(agent: Agent) -> None:
    """A proxy that takes no body of that size held up everything behind it, for ever. It is sent
    again after a while, and nothing of it is given up: anybody can answer so."""
    one, collector = agent
    clock = AgentClock(one.time.machine)
    await one.fill(1, clock, looks=200)
    large = set(one.put)
    batch = await one.spool.next()
    assert batch is not None
    collector.largest = len(batch.body) // 2
    await one.fill(3, clock)
    async with one.courier(clock):
        await until(lambda: len(collector.batches) == 3)
        assert set(collector.measurements()) == one.put - large
        await one.fill(1, clock)
        await until(lambda: len(collector.batches) == 4)
        assert collector.too_large == 1
    collector.largest *= 3
    async with one.courier(clock):
        await until_empty(one.spool)
    assert arrived_once(collector, one)


async def test_what_stays_too_old_lies_aside_in_the_end(agent: Agent) -> None:
    """After a while, all of it at once: who was offline for months must not wait as often as he
    measured. Once a collector took something, the next is tried as often again."""
    one, collector = agent
    clock = AgentClock(one.time.machine)
    await one.fill(3, clock)
    lost = set(one.put)
    collector.refusals.extend([Reason.TOO_OLD] * (MOST_TOO_OLD + 2))
    async with one.courier(clock):
        await until(lambda: not collector.refusals)
        await one.fill(1, clock)
        await until_empty(one.spool)
        aside = (await one.spool.holding()).aside
        assert [each.reason for each in aside] == [Reason.TOO_OLD] * 3
        collector.refusals.extend([Reason.TOO_OLD] * (MOST_TOO_OLD - 1))
        await one.fill(1, clock)
        await until_empty(one.spool)
    assert (await one.spool.holding()).aside == aside
    assert set(collector.measurements()) == one.put - lost


async def test_a_collector_that_comes_back_with_another_certificate_is_served_again(
    served: tuple[Collector, Server], agent: Agent
) -> None:
    """By the same authority it is the same collector; while it is away nothing is lost."""
    one, collector = agent
    _, server = served
    clock = AgentClock(one.time.machine)
    await one.fill(1, clock)
    async with one.courier(clock):
        await until_empty(one.spool)
        await server.stop()
        await one.fill(5, clock)
        await until(lambda: one.backoff.failures > 2)
        notes = await one.spool.notes()
        assert json.loads(notes["trouble"])["what"] == "no connection"
        await server.start()
        await until_empty(one.spool)
    assert arrived_once(collector, one)
    assert one.backoff.failures == 0


async def test_a_certificate_of_another_authority_is_not_spoken_to(tmp_path: Path) -> None:
    """The collector never sees a request, and the host is told why."""
    stranger = trustme.CA()
    async with collecting(stranger) as (collector, _):
        one = world(tmp_path, authority(), collector)
        await one.spool.open()
        clock = AgentClock(one.time.machine)
        await one.fill(1, clock)
        async with one.courier(clock):
            await until(lambda: one.backoff.failures > 1)
            trouble = json.loads((await one.spool.notes())["trouble"])["what"]
        await one.spool.close()
    assert not collector.paths
    assert "certificate" in trouble


async def test_any_of_several_collectors_will_do(
    served: tuple[Collector, Server], tmp_path: Path
) -> None:
    """One that has no name any more, and one that nobody answers at, are passed over."""
    collector = served[0]
    one = world(tmp_path, authority(), collector)
    gone = ("https://collector.invalid", "https://127.0.0.1:9")
    one.setup = type(one.setup)(
        collectors=(*gone, collector.url),
        collector_key=one.setup.collector_key,
        sealing_key=one.setup.sealing_key,
        trust_anchors=one.setup.trust_anchors,
    )
    await one.spool.open()
    clock = AgentClock(one.time.machine)
    await one.fill(30, clock)
    async with one.courier(clock):
        await until_empty(one.spool)
    await one.spool.close()
    assert arrived_once(collector, one)


async def test_settings_are_fetched_when_a_receipt_names_others(agent: Agent) -> None:
    """They come once, and again when they change."""
    one, collector = agent
    clock = AgentClock(one.time.machine)
    collector.orders = told = AgentSettings(
        version="1", issued_at=collector.now(), interval=300.0, platforms=("x",), daily_bytes=10**7
    )
    await one.fill(1, clock)
    async with one.courier(clock):
        await until_empty(one.spool)
        await until(lambda: one.ordered)
        await one.fill(3, clock)
        await until_empty(one.spool)
        assert one.ordered == [told]
        collector.orders = type(told)(
            version="2",
            issued_at=collector.now(),
            interval=600.0,
            platforms=("x",),
            daily_bytes=10**7,
        )
        await one.fill(1, clock)
        await until(lambda: len(one.ordered) == 2)
    assert collector.paths[SETTINGS] == 2


async def test_attack_what_a_control_saw_keeps_no_agent_from_its_settings(agent: Agent) -> None:
    """The holder of one control's key sent large pages, until the answer about controls had more
    bytes than an agent reads. Every agent asked for that first and gave up, so no order to pause
    reached any of them."""
    one, collector = agent
    clock = AgentClock(one.time.machine)
    collector.looks = (look(http(body="x" * LARGEST_ANSWER), reached=True),)
    collector.orders = told = AgentSettings(
        version="1",
        issued_at=collector.now(),
        interval=300.0,
        platforms=("x",),
        daily_bytes=10**7,
        paused=True,
    )
    await one.fill(3, clock)
    async with one.courier(clock) as delivery:
        await until(lambda: one.ordered)
        await until_empty(one.spool)
        # What did not come is asked for again before an hour has passed.
        assert delivery._ask_at - asyncio.get_running_loop().time() <= ASK_AGAIN_SOON
    assert one.ordered == [told]
    assert (collector.paths[KNOWN], one.known) == (1, [])
    assert (collector.paths[SETTINGS], one.backoff.failures) == (1, 0)
    assert arrived_once(collector, one)


async def test_nothing_is_sent_while_it_is_not_allowed(agent: Agent) -> None:
    """A host who pauses the agent has a silent line."""
    one, collector = agent
    one.allowed.clear()
    clock = AgentClock(one.time.machine)
    await one.fill(1, clock)
    async with one.courier(clock):
        await asyncio.sleep(0.5)
        assert not collector.paths
        one.allowed.set()
        await until_empty(one.spool)
    assert arrived_once(collector, one)


class _Cycles:
    """What a pause gives up, where nothing is measured."""

    vantages = ()
    given_up = 0

    async def give_up(self, _: object) -> None:
        """Count it."""
        self.given_up += 1


async def test_a_pause_leaves_no_collector_to_send_to(
    served: tuple[Collector, Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host paused the agent while a batch was on its way to a collector that hung: the agent hung
    up, and sent the batch to the next collector."""
    monkeypatch.setattr(pause_and_clock, "EVERY", 0.05)
    hangs = served[0]
    async with collecting(authority()) as (well, _):
        hangs.orders = well.orders = AgentSettings(
            version="1", issued_at=well.now(), interval=300.0, platforms=("x",), daily_bytes=10**7
        )
        one = world(tmp_path, authority(), hangs, well)
        await one.spool.open()
        files = AgentFiles(config=tmp_path, key=tmp_path, spool=tmp_path / "spool.db")
        cycles: Any = _Cycles()
        clock = AgentClock(one.time.machine)
        async with one.courier(clock) as delivery:
            line = delivery._client
            watch = PauseAndClock(files, clock, cycles, cycles, cycles, line)
            watch.allowed = one.allowed
            watching = asyncio.create_task(watch.run())
            await until(lambda: one.ordered and not line._under_way)
            monkeypatch.setattr(line, "collectors", lambda: [hangs.url, well.url])
            well.paths.clear()
            hangs.stall = 60.0
            await one.fill(1, clock)
            await until(lambda: hangs.paths[BATCHES])
            files.pause.touch()
            await until(lambda: cycles.given_up and not line._under_way)
            await asyncio.sleep(0.3)
            assert not well.paths
            hangs.stall = 0.0
            files.pause.unlink()
            await until_empty(one.spool)
            watching.cancel()
        await one.spool.close()
    assert arrived_once(well, one) or arrived_once(hangs, one)


async def test_a_pause_ends_a_request_that_is_still_connecting(tmp_path: Path) -> None:
    """It had no connection to close yet, so it went on, and sent what it had to send."""
    connected = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        await reader.read()
        writer.close()

    one = world(tmp_path, authority())
    clock = AgentClock(one.time.machine)
    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with CollectorClient(one.setup, VANTAGE, AGENT_KEY, clock, random.Random(1)) as line:
        asking = asyncio.create_task(line.learn_time(url))
        await connected.wait()
        line.paused = True
        await line.hang_up()
        async with asyncio.timeout(2.0):
            with pytest.raises(UnreachableError, match="paused"):
                await asking
        with pytest.raises(UnreachableError, match="paused"):
            await line.learn_time(url)
    server.close()


async def test_no_address_is_in_what_it_keeps_or_logs(
    served: tuple[Collector, Server], agent: Agent, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither where the agent is nor where a collector is, whatever fails: systems say so in their
    errors."""
    one, collector = agent
    _, server = served
    configure(LogSettings(level="debug", format="json"), sys.stdout)
    collector.refusals.append(Reason.BUSY)
    clock = AgentClock(one.time.machine)
    await one.fill(3, clock)
    async with one.courier(clock):
        await until_empty(one.spool)
        await server.stop()
        await one.fill(1, clock)
        await until(lambda: one.backoff.failures > 2)
        kept = b"".join(file.read_bytes() for file in one.folder.glob("spool.db*"))
        await server.start()
        await until_empty(one.spool)
    logged = capsys.readouterr().out
    assert "nothing delivered" in logged
    assert b"no connection" in kept
    for written in (logged.encode(), kept):
        assert b"127.0.0.1" not in written
        assert NAME.encode() not in written
