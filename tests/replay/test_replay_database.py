"""`replay db`: what was stored, once more, gives the events that were stored."""

import asyncio
import json
from pathlib import Path

import msgspec
from typer.testing import CliRunner

from monitor.analysis.event_fold import EventBook, advance
from monitor.analysis.verdict import Evidence, State
from monitor.cli import app
from monitor.replay.database import replay_store
from monitor.settings import EventSettings
from storage.memory import MemoryStore
from storage.sql import SqlStore
from storage.store import Cycle, Selection, Store
from tests.contract.cycles import cycle
from tests.contract.listing import EVERYTHING, flat

SETTINGS = EventSettings()
STORY = [State.OK] * 4 + [State.BLOCKED] * 6 + [State.OK] * 6


def _cycles() -> list[Cycle]:
    """A block and its end on one vantage, in the order in which a monitor would finish them."""
    found = []
    for number, state in enumerate(STORY):
        one = cycle(number, state=state)
        blocked = state is State.BLOCKED
        grade = Evidence.CONCLUSIVE if blocked else Evidence.NONE
        platforms = tuple(
            msgspec.structs.replace(verdict, evidence=grade) for verdict in one.platforms
        )
        found.append(msgspec.structs.replace(one, platforms=platforms))
    return found


async def _record(store: Store) -> None:
    """Store every cycle with what it did to events, as the monitor does."""
    book = EventBook()
    for one in _cycles():
        step = advance(book, one.platforms, SETTINGS)
        book = step.book
        await store.save(one, step.changed, step.log)


async def test_events_and_their_log_come_again() -> None:
    """Replayed in received order, all that was known is known again, at the same moments."""
    store = MemoryStore(page=3)
    await store.open()
    await _record(store)
    replayed = await replay_store(store, EVERYTHING, SETTINGS)
    events = await flat(store.events(EVERYTHING))
    assert events
    assert list(replayed.events) == events
    log = [entry for event in events for entry in await flat(store.event_log(event.id))]
    assert sorted(replayed.log, key=lambda e: (e.event, e.sequence)) == sorted(
        log, key=lambda e: (e.event, e.sequence)
    )
    assert all(len(lane.blocks) == 1 for lane in replayed.lanes)
    assert len(replayed.lanes) == len(events)


async def test_a_selection_is_replayed_alone() -> None:
    """Another country has no events."""
    store = MemoryStore()
    await store.open()
    await _record(store)
    replayed = await replay_store(store, Selection(country="BR"), SETTINGS)
    assert (replayed.events, replayed.verdicts) == ((), 0)


def test_the_command_reads_the_configured_database_or_another(tmp_path: Path) -> None:
    """`--database` names it; a missing one is our fault to tell, not to make."""

    async def fill() -> None:
        store = SqlStore(f"sqlite:///{tmp_path}/some.db")
        await store.open()
        await _record(store)
        await store.close()

    asyncio.run(fill())
    arguments = ["replay", "db", "--json", "--platform", "x", "--database"]
    done = CliRunner().invoke(app, [*arguments, f"sqlite:///{tmp_path}/some.db"])
    assert done.exit_code == 0, done.output
    (event,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert (event["country"], event["platform"]) == ("PK", "x")
    assert event["networks"] == [17557]
    missing = CliRunner().invoke(app, [*arguments, f"sqlite:///{tmp_path}/none.db"])
    assert (missing.exit_code, "does not exist" in missing.stderr) == (1, True)
    assert not (tmp_path / "none.db").exists()
