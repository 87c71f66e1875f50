"""What a leader does besides judging may fail, and the leading goes on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from monitor.collector.leader import Leader
from monitor.collector.leader_duty import Duty
from storage.store import NotLeadingError, StorageError
from tests.collector.world import settings
from tests.worlds.collector_world import Clock, publisher_of, until
from tests.worlds.memory_store import MemoryStore


class Led:
    """A leader at work, and how often it began to lead."""

    def __init__(self, leader: Leader, began: list[bool]) -> None:
        self.leader = leader
        self._began = began

    @property
    def begun(self) -> int:
        """How often."""
        return self._began.count(True)


@asynccontextmanager
async def led(*duties: Duty) -> AsyncIterator[Led]:
    """A leader with these duties, for as long as the context lasts."""
    store, used, began = MemoryStore(), settings(), list[bool]()
    await store.open()
    publisher = publisher_of(used, Clock())
    show = publisher.lead

    def lead(*, leading: bool) -> None:
        began.append(leading)
        show(leading=leading)

    publisher.lead = lead  # type: ignore[method-assign] # counts, and does the same
    leader = Leader(
        used,
        store,
        publisher,
        now=Clock(),
        duties=duties,
        ask_every=0.02,
        pause=0.01,
        duty_again=0.05,
    )
    task = asyncio.create_task(leader.run())
    try:
        yield Led(leader, began)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Failing:
    """A duty that fails some times, and then goes on for ever."""

    def __init__(self, *errors: Exception) -> None:
        self.left = list(errors)
        self.tried = 0

    async def __call__(self) -> None:
        """Once."""
        self.tried += 1
        if self.left:
            raise self.left.pop(0)
        await asyncio.sleep(3600)


class Steady:
    """A duty that goes on; how often it was begun."""

    def __init__(self) -> None:
        self.begun = 0

    async def __call__(self) -> None:
        """Until cancelled."""
        self.begun += 1
        await asyncio.sleep(3600)


async def test_attack_what_one_duty_cannot_read_does_not_end_the_leading() -> None:
    """A source answered with something of which the following made an error of its own. The leader
    gave up the lead, took it again seconds later and met the same: old rows were never deleted, and
    nobody was notified. The duty is tried again, the others never notice."""
    failing, steady = Failing(ValueError("a"), RuntimeError("b")), Steady()
    with capture_logs() as log:
        async with led(failing, steady) as one:
            await until(lambda: failing.tried == 3)
            assert one.leader.leading
    assert (one.begun, steady.begun) == (1, 1)
    ours = [line for line in log if line["log_level"] == "error"]
    assert [line["event"] for line in ours] == ["a duty failed, our own fault"] * 2
    assert all(line["exc_info"] for line in ours)
    assert {line["duty"] for line in ours} == {"Failing"}


async def test_faults_of_a_duty_with_parts_are_its_own_too() -> None:
    """What comes of several at once is a group of errors."""
    failing = Failing(ExceptionGroup("parts", [ValueError("a")]))
    async with led(failing) as one:
        await until(lambda: failing.tried == 2)
        assert one.leader.leading
    assert one.begun == 1


@pytest.mark.parametrize(
    "error",
    [
        StorageError("the disk is full"),
        NotLeadingError("another one leads"),
        ExceptionGroup("parts", [StorageError("the disk is full"), ValueError("a")]),
    ],
)
async def test_a_database_that_fails_ends_the_leading(error: Exception) -> None:
    """As before: all that is not stored is dropped, and the lead is asked for anew."""
    failing, steady = Failing(error), Steady()
    async with led(failing, steady) as one:
        await until(lambda: failing.tried == 2)
        assert (one.begun, steady.begun) == (2, 2)
