"""The log's head is stamped as often as configured, and promises are completed."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.config.settings import TimestampSettings
from monitor.recording.scheduled_stamping import Stamping
from monitor.stamps.opentimestamps import read_proof
from monitor.stamps.time_authority import read_reply
from storage.values.log import LogHead
from tests.contract.agents import enrolment
from tests.contract.cycles import at
from tests.worlds.memory_store import MemoryStore
from tests.worlds.time_world import Authority, Clocks, clocks

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A time authority."""
    return Authority(tmp_path_factory.mktemp("authority") / "one")


@pytest.fixture
def served(authority: Authority) -> Iterator[Clocks]:
    """It and a calendar, over HTTP."""
    with clocks(authority) as found:
        yield found


@pytest.fixture
async def store() -> AsyncIterator[MemoryStore]:
    """With one key in it."""
    kept = MemoryStore()
    await kept.open()
    await kept.enrol(enrolment(1))
    yield kept
    await kept.close()


class _Clock:
    now = NOON

    def __call__(self) -> datetime:
        return self.now


def _stamping(
    store: MemoryStore, served: Clocks, clock: _Clock, roots: tuple[str, ...] = ()
) -> Stamping:
    settings = TimestampSettings(
        authorities=(f"{served.url}/tsr",),
        calendars=(served.url,),
        roots=roots,
        every=3600.0,
    )
    return Stamping(lambda: settings, store, now=clock)


async def test_the_head_is_stamped_as_often_as_configured(
    store: MemoryStore, served: Clocks, authority: Authority
) -> None:
    """At once; then after an hour, and only when something was added; each holds offline."""
    clock = _Clock()
    stamping = _stamping(store, served, clock, (str(authority.root_file),))
    await stamping.round()
    stamps = await store.head_stamps()
    assert [(one.size, one.kind) for one in stamps] == [(1, "opentimestamps"), (1, "rfc3161")]
    calendar, reply = stamps
    text = LogHead(size=1, root=reply.root).text
    assert read_reply(reply.proof, text, authority.roots).trusted
    assert authority.accepts(reply.proof, text)
    assert len(read_proof(calendar.proof, text).pending) == 1
    clock.now += timedelta(hours=2)
    await stamping.round()
    assert await store.head_stamps() == stamps
    await store.enrol(enrolment(2, vantage="lhe-1"))
    await stamping.round()
    assert [one.size for one in await store.head_stamps()] == [1, 1, 2, 2]
    await store.revoke("lhe-1", at(60), "stolen")
    await stamping.round()
    assert [one.size for one in await store.head_stamps()] == [1, 1, 2, 2]
    clock.now -= timedelta(days=1)
    await stamping.round()
    assert [one.size for one in await store.head_stamps()] == [1, 1, 2, 2, 3, 3]


async def test_a_promise_is_completed(store: MemoryStore, served: Clocks) -> None:
    """In the first round in which the calendar has a block."""
    stamping = _stamping(store, served, _Clock())
    await stamping.round()
    await stamping.round()
    served.complete = True
    await stamping.round()
    calendar, _ = await store.head_stamps()
    text = LogHead(size=1, root=calendar.root).text
    assert [height for height, _ in read_proof(calendar.proof, text).blocks] == [840_000]


async def test_what_fails_stores_nothing_and_stops_nothing(
    store: MemoryStore, served: Clocks, tmp_path: Path
) -> None:
    """Nonsense as an answer, and an authority under another root: the next round tries again."""
    served.spoilt = b"<html>"
    stamping = _stamping(store, served, _Clock())
    await stamping.round()
    assert await store.head_stamps() == []
    served.spoilt = b""
    other = Authority(tmp_path / "other")
    await _stamping(store, served, _Clock(), (str(other.root_file),)).round()
    assert [one.kind for one in await store.head_stamps()] == ["opentimestamps"]
    await stamping.round()
    assert [one.kind for one in await store.head_stamps()] == ["opentimestamps", "rfc3161"]


async def test_nobody_is_asked_about_an_empty_log(served: Clocks) -> None:
    """There is nothing to stamp; nor where nobody is configured."""
    empty = MemoryStore()
    await empty.open()
    await _stamping(empty, served, _Clock()).round()
    assert (await empty.head_stamps(), served.digests) == ([], [])
    await empty.enrol(enrolment(1))
    await Stamping(TimestampSettings, empty, now=_Clock()).round()
    assert (await empty.append_to_log()).size == 1
    assert await empty.head_stamps() == []
    await empty.close()
