"""The runner's rate, concurrency and order; cancelled jobs leave nothing."""

import asyncio
import contextlib
from datetime import UTC, datetime
from functools import partial

import pytest

from probes.measure.runner import Runner, Start, Urgency
from probes.measurement import Measurement
from probes.settings import VANTAGES_AT_ONCE

FAST = 10_000


def measured(number: int = 0) -> Measurement:
    """A measurement that carries a number."""
    return Measurement(
        id=str(number),
        cycle="",
        vantage="khi-ptcl",
        country="PK",
        asn=17557,
        network="PTCL",
        vantage_role="field",
        platform="x",
        function="web",
        endpoint="https://x.com/",
        started_at=datetime(2024, 2, 17, tzinfo=UTC),
        duration=0.0,
        reached=True,
    )


class Work:
    """Jobs that wait until they are released, and note how they ended."""

    def __init__(self) -> None:
        self.started: list[int] = []
        self.cancelled: list[int] = []
        self.under_way = 0
        self.most = 0
        self.go = asyncio.Event()

    def start(self, number: int = 0, *, error: Exception | None = None) -> Start:
        """One job."""

        async def start() -> Measurement:
            self.started.append(number)
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            try:
                await self.go.wait()
            except asyncio.CancelledError:
                self.cancelled.append(number)
                raise
            finally:
                self.under_way -= 1
            if error is not None:
                raise error
            return measured(number)

        return start


async def settled() -> None:
    """Run the loop until nothing is ready."""
    for _ in range(10):
        await asyncio.sleep(0)
    await asyncio.sleep(0.01)


async def test_a_measurement_is_made_and_returned() -> None:
    """The caller gets the measurement of its job."""
    work = Work()
    work.go.set()
    async with Runner(rate=FAST, concurrency=1) as runner:
        assert (await runner.run(work.start(7))).id == "7"


async def test_an_error_reaches_whoever_asked() -> None:
    """An exception in a job is raised to its caller, and the next job runs."""
    work = Work()
    work.go.set()
    async with Runner(rate=FAST, concurrency=1) as runner:
        with pytest.raises(ZeroDivisionError):
            await runner.run(work.start(error=ZeroDivisionError()))
        assert (await runner.run(work.start(8))).id == "8"


@pytest.mark.parametrize("concurrency", [1, 3, 20])
async def test_no_more_than_the_configured_number_at_once(concurrency: int) -> None:
    """At most `concurrency` jobs run at once, and the others follow."""
    work = Work()
    async with Runner(rate=FAST, concurrency=concurrency) as runner:
        asking = [asyncio.create_task(runner.run(work.start(n))) for n in range(30)]
        await settled()
        assert work.under_way == concurrency
        work.go.set()
        await asyncio.gather(*asking)
    assert work.most == concurrency
    assert sorted(work.started) == list(range(30))


async def test_the_rate_is_kept() -> None:
    """30 jobs at 100 a second take about 0.3 s, spread evenly."""
    work = Work()
    work.go.set()
    loop = asyncio.get_running_loop()
    moments: list[float] = []

    async def noted() -> Measurement:
        moments.append(loop.time())
        return measured()

    async with Runner(rate=100, concurrency=100) as runner:
        await asyncio.gather(*(runner.run(noted) for _ in range(31)))
    elapsed = moments[-1] - moments[0]
    assert 0.25 <= elapsed <= 1.0
    for first, later in zip(moments, moments[11:], strict=False):
        assert later - first >= 0.09


async def test_the_urgent_goes_first() -> None:
    """Controls run before retries, retries before scheduled ones, each in order of request."""
    work = Work()
    async with Runner(rate=FAST, concurrency=1) as runner:
        asking = [asyncio.create_task(runner.run(work.start(0)))]
        await settled()
        urgencies = [
            *(Urgency.SCHEDULED, Urgency.SCHEDULED, Urgency.RETRY),
            *(Urgency.CONTROL, Urgency.RETRY, Urgency.CONTROL),
        ]
        asking += [
            asyncio.create_task(runner.run(work.start(number), urgency))
            for number, urgency in enumerate(urgencies, start=1)
        ]
        await settled()
        work.go.set()
        await asyncio.gather(*asking)
    assert work.started == [0, 4, 6, 3, 5, 1, 2]


async def test_cancelling_a_request_cancels_its_measurement() -> None:
    """A job whose caller is cancelled ends, and the next gets its place."""
    work = Work()
    async with Runner(rate=FAST, concurrency=1) as runner:
        first = asyncio.create_task(runner.run(work.start(1)))
        second = asyncio.create_task(runner.run(work.start(2)))
        await settled()
        assert work.started == [1]
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        await settled()
        assert work.cancelled == [1]
        assert work.started == [1, 2]
        work.go.set()
        assert (await second).id == "2"


async def test_a_request_cancelled_while_waiting_is_never_started() -> None:
    """A job cancelled before its start never runs."""
    work = Work()
    async with Runner(rate=FAST, concurrency=1) as runner:
        first = asyncio.create_task(runner.run(work.start(1)))
        waiting = [asyncio.create_task(runner.run(work.start(n))) for n in range(2, 6)]
        await settled()
        for task in waiting[:3]:
            task.cancel()
        work.go.set()
        assert [(await first).id, (await waiting[3]).id] == ["1", "5"]
    assert work.started == [1, 5]


async def test_leaving_ends_everything() -> None:
    """Leaving the runner cancels every running and waiting job."""
    work = Work()
    async with Runner(rate=FAST, concurrency=2) as runner:
        asking = [asyncio.create_task(runner.run(work.start(n))) for n in range(5)]
        await settled()
    assert sorted(work.cancelled) == [0, 1]
    results = await asyncio.gather(*asking, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results)
    assert work.under_way == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_leaving_while_the_rate_holds_back_ends_everything() -> None:
    """A job that waits for the rate is cancelled too."""
    work = Work()
    async with Runner(rate=1, concurrency=5) as runner:
        asking = [asyncio.create_task(runner.run(work.start(n))) for n in range(3)]
        await settled()
        assert work.started == [0]
    results = await asyncio.gather(*asking, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_cancelled_user_leaves_no_measurement_behind() -> None:
    """Cancelling the task that holds the runner cancels its jobs."""
    work = Work()

    async def use() -> None:
        async with Runner(rate=FAST, concurrency=5) as runner, asyncio.TaskGroup() as group:
            for number in range(5):
                group.create_task(runner.run(work.start(number)))

    using = asyncio.create_task(use())
    await settled()
    using.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await using
    await settled()
    assert sorted(work.cancelled) == list(range(5))
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_silent_vantage_takes_no_place_of_another() -> None:
    """Starvation: a vantage at which everything is silent held every place of the process for ten
    seconds, and the healthy ones waited."""
    silent, healthy = Work(), Work()
    healthy.go.set()
    async with Runner(rate=FAST, concurrency=3) as runner:
        asking = [
            asyncio.create_task(runner.run(silent.start(n), vantage="silent")) for n in range(30)
        ]
        await settled()
        assert silent.under_way == 3
        made = (runner.run(healthy.start(n), vantage="healthy") for n in range(10))
        assert len(await asyncio.wait_for(asyncio.gather(*made), 5.0)) == 10
        silent.go.set()
        await asyncio.gather(*asking)


async def test_vantages_take_turns() -> None:
    """Starvation: sixty starts asked for first were made first, whoever else waited."""
    loop = asyncio.get_running_loop()
    ended: dict[str, float] = {}

    async def noted(vantage: str) -> Measurement:
        ended[vantage] = loop.time()
        return measured()

    began = loop.time()
    async with Runner(rate=20, concurrency=100) as runner:
        many = [
            runner.run(partial(noted, f"busy-{n % 5}"), vantage=f"busy-{n % 5}") for n in range(60)
        ]
        few = [runner.run(partial(noted, "other"), vantage="other") for _ in range(3)]
        await asyncio.gather(*many, *few)
    assert ended["other"] - began < 0.4  # six vantages share 100 starts a second
    assert max(ended.values()) - began > 0.45


async def test_the_process_keeps_to_a_rate_of_its_own() -> None:
    """However many vantages there are, the machine must keep up with them."""
    work = Work()
    async with Runner(rate=FAST, concurrency=2) as runner:
        asking = [
            asyncio.create_task(runner.run(work.start(n), vantage=str(n % 10))) for n in range(40)
        ]
        await settled()
        assert work.under_way == 2 * VANTAGES_AT_ONCE
        work.go.set()
        await asyncio.gather(*asking)
    assert work.most == 2 * VANTAGES_AT_ONCE
