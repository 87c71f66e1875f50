"""All sources are followed side by side: what goes wrong with one is that one's alone."""

import asyncio
import io
from collections.abc import AsyncIterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from monitor.config.load import default_settings
from monitor.config.settings import SourceSettings
from monitor.following.source_jobs import SourceJob, SourceJobs
from monitor.sources.scripted_ioda import ScriptedIoda
from monitor.sources.scripted_ooni import ScriptedOoni, volunteer
from monitor.sources.terms import SourceKind
from probes.sockets.http_client import httpx
from storage.store import StorageError
from storage.values.sourced import SourcedEvent, SourcedRow, SourceState
from tests.worlds.memory_store import MemoryStore

NOW = datetime(2024, 2, 17, 15, tzinfo=UTC)
X = "https://x.com/"
ADDRESS = "198.51.100.77"
OONI = SourceSettings(kind=SourceKind.OONI, countries=("PK",), every=0.01)
IODA = SourceSettings(kind=SourceKind.IODA, countries=("PK",), every=0.01)
_FIRST = asyncio.FIRST_COMPLETED
FAULTS = (RuntimeError, OverflowError, KeyError, ExceptionGroup)


class Surprising:
    """OONI and IODA, of which nobody foresaw what IODA does."""

    def __init__(self, error: Exception) -> None:
        self.error: Exception | None = error
        """None once it is well again."""
        self._ioda = ScriptedIoda()
        self._ooni = ScriptedOoni(lambda: NOW)
        self._ooni.add(volunteer(NOW - timedelta(hours=2), X))

    def handle(self, request: httpx.Request) -> httpx.Response:
        """The answer to a request."""
        if "outages" not in request.url.path:
            return self._ooni.handle(request)
        if self.error is not None:
            raise self.error
        return self._ioda.handle(request)


@pytest.fixture
async def store() -> AsyncIterator[MemoryStore]:
    """An empty one."""
    made = MemoryStore()
    await made.open()
    yield made
    await made.close()


def _job(store: MemoryStore, source: SourceSettings, transport: httpx.MockTransport) -> SourceJob:
    settings = default_settings()
    return SourceJob(source, settings, store, now=lambda: NOW, transport=transport)


@pytest.mark.parametrize("kind", FAULTS)
async def test_a_source_that_surprises_stops_no_other(
    store: MemoryStore, kind: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    """One answer that no line of ours foresaw counts as a fault of its source, which is left
    alone; the other is read all the while. The log says where it happened, and not what stood in
    the answer: that may be somebody's address."""
    error = kind(ADDRESS, [ValueError(ADDRESS)]) if kind is ExceptionGroup else kind(ADDRESS)
    transport = httpx.MockTransport(Surprising(error).handle)
    settings = msgspec.structs.replace(default_settings(), sources=(IODA, OONI))
    jobs = SourceJobs(lambda: settings, store, now=lambda: NOW, transport=transport)
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        task = asyncio.create_task(jobs.run())
        async with asyncio.timeout(20):
            await asyncio.wait(
                [task, asyncio.create_task(_read(store, "ioda"))], return_when=_FIRST
            )
        task.cancel()
        (ended,) = await asyncio.gather(task, return_exceptions=True)
    assert isinstance(ended, asyncio.CancelledError)
    states = await store.source_states()
    assert (states["ooni"].problem, states["ooni"].rows) == ("", 1)
    assert states["ioda"].problem == "malformed"
    assert states["ioda"].not_before == NOW + timedelta(seconds=60)
    # Where the log goes depends on whether something set it up before.
    said = out.getvalue() + err.getvalue() + caplog.text
    assert kind.__name__ in said
    assert ADDRESS not in said


async def test_a_source_that_surprises_again_is_left_alone_for_longer(store: MemoryStore) -> None:
    """As with any other fault; once it answers, all is as before."""
    wild = Surprising(RuntimeError("odd"))
    clock = NOW
    job = SourceJob(
        IODA,
        default_settings(),
        store,
        now=lambda: clock,
        transport=httpx.MockTransport(wild.handle),
    )
    await job.begin()
    waits = []
    for _ in range(3):
        await job.round()
        state = (await store.source_states())["ioda"]
        waits.append(state.wait)
        assert state.not_before is not None
        clock = state.not_before
    assert waits == [60.0, 120.0, 240.0]
    wild.error = None
    await job.round()
    state = (await store.source_states())["ioda"]
    assert (state.problem, state.answered_at) == ("", clock)
    await job.close()


class _OddEvents(MemoryStore):
    """Its events cannot be put together."""

    async def sourced_events(
        self,
        source: str = "",  # noqa: ARG002
        *,
        since: datetime | None = None,  # noqa: ARG002
    ) -> list[SourcedEvent]:
        raise ArithmeticError("odd rows")


async def test_rows_that_no_fold_can_read_are_a_fault_of_their_source() -> None:
    """Anybody can upload: rows that break the crowd test must not stop other sources. They are
    stored, and read on."""
    store = _OddEvents()
    await store.open()
    clock = NOW
    job = SourceJob(
        OONI,
        default_settings(),
        store,
        now=lambda: clock,
        transport=httpx.MockTransport(Surprising(ValueError("odd")).handle),
    )
    await job.begin()
    await job.round()
    state = (await store.source_states())["ooni"]
    assert (state.problem, state.rows) == ("malformed", 1)
    for _ in range(3):
        clock += timedelta(seconds=15)
        await job.round()
    assert (await store.source_states())["ooni"] == state, "it is not put off again and again"
    await job.close()
    await store.close()


class _Full(MemoryStore):
    """Its disk is full."""

    async def add_sourced(
        self,
        rows: Sequence[SourcedRow],  # noqa: ARG002
        source: str,  # noqa: ARG002
        state: SourceState,  # noqa: ARG002
    ) -> int:
        raise StorageError("disk is full")


async def test_a_database_that_fails_is_no_fault_of_a_source() -> None:
    """It is tried again at once, and the source is not left alone for it."""
    store = _Full()
    await store.open()
    job = _job(store, OONI, httpx.MockTransport(Surprising(ValueError("odd")).handle))
    await job.begin()
    with pytest.raises(StorageError):
        await job.round()
    await job.close()
    await store.close()


class _OddStart(MemoryStore):
    """Its first answer is one that nobody foresaw."""

    answered = False

    async def source_states(self) -> dict[str, SourceState]:
        if not self.answered:
            self.answered = True
            raise ArithmeticError(ADDRESS)
        return await super().source_states()


async def test_a_source_that_cannot_begin_is_begun_again() -> None:
    """And stops nothing meanwhile."""
    store = _OddStart()
    await store.open()
    job = _job(store, OONI, httpx.MockTransport(Surprising(ValueError("odd")).handle))
    task = asyncio.create_task(job.run())
    async with asyncio.timeout(20):
        await asyncio.wait([task, asyncio.create_task(_read(store))], return_when=_FIRST)
    task.cancel()
    (ended,) = await asyncio.gather(task, return_exceptions=True)
    assert isinstance(ended, asyncio.CancelledError)
    await store.close()


async def _read(store: MemoryStore, *sources: str) -> None:
    """Wait until rows of OONI's are stored, and the states of all these sources."""
    while True:
        states = await store.source_states()
        if {"ooni", *sources} <= set(states) and states["ooni"].rows:
            return
        await asyncio.sleep(0.01)
