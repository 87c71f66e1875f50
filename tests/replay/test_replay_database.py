"""`replay db`: what was stored, once more, gives the events that were stored."""

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from monitor.analysis.events.detection import EventBook, advance
from monitor.analysis.events.event import EventKind, EventLogEntry
from monitor.analysis.events.settings import EventSettings
from monitor.analysis.verdict import Evidence, State, VantageState
from monitor.cli.main import app
from monitor.judging.quarantine import Quarantined
from monitor.replay.database import replay_store
from monitor.replay.replay import Replayed
from storage.open_store import sql_store
from storage.store import Store
from storage.values.cycle import Cycle
from storage.values.selection import Selection
from tests.contract.agents import quarantine
from tests.contract.cycles import cycle
from tests.contract.listing import EVERYTHING, flat
from tests.unit.monitor.recording.test_recorder import STORY as STORY_OF_A_DAY
from tests.unit.monitor.recording.test_recorder import cycle as cycle_of
from tests.unit.monitor.recording.test_recorder import recorder
from tests.worlds.memory_store import MemoryStore

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
    assert all(len(timeline.blocks) == 1 for timeline in replayed.timelines)
    assert len(replayed.timelines) == len(events)


async def _as_recorded(cycles: Iterable[Cycle]) -> tuple[Replayed, list[EventLogEntry]]:
    """What a replay makes of what a monitor stored, and the log the monitor itself wrote."""
    store = MemoryStore(page=7)
    await store.open()
    process = await recorder(store)
    for one in cycles:
        await process.record(one)
    log = [
        entry
        for event in await flat(store.events(EVERYTHING))
        for entry in await flat(store.event_log(event.id))
    ]
    return await replay_store(store, EVERYTHING, SETTINGS), log


def _in_order(log: Iterable[EventLogEntry]) -> list[EventLogEntry]:
    return sorted(log, key=lambda entry: (entry.event, entry.sequence))


@pytest.mark.parametrize("hours_late", [0, 3])
async def test_what_came_hours_late_is_replayed_as_it_came(hours_late: int) -> None:
    """The log tells what was known when, whatever had to be concluded anew for it."""
    moved = STORY_OF_A_DAY[20 : 20 + 12 * hours_late]
    rest = [one for one in STORY_OF_A_DAY if one not in moved]
    replayed, log = await _as_recorded([*rest, *moved])
    assert log
    assert _in_order(replayed.log) == _in_order(log)


async def test_a_shutdown_is_replayed() -> None:
    """What befell the vantages themselves is in the health stored with each cycle."""
    cycles = []
    for number in range(40):
        dark = 20 <= number < 32
        for vantage, asn in (("khi-ptcl", 17557), ("khi-zong", 59257), ("lhe-jazz", 45669)):
            one = cycle_of("?" if dark else ".", number, vantage)
            health = msgspec.structs.replace(
                one.health,
                asn=asn,
                state=VantageState.OFFLINE if dark else VantageState.OK,
            )
            cycles.append(msgspec.structs.replace(one, health=health))
        away = cycle_of(".", number, "nbo")
        elsewhere = msgspec.structs.replace(away.health, country="KE", asn=33771)
        cycles.append(msgspec.structs.replace(away, country="KE", health=elsewhere, platforms=()))
    replayed, log = await _as_recorded(cycles)
    assert EventKind.SHUTDOWN in {event.kind for event in replayed.events}
    assert _in_order(replayed.log) == _in_order(log)


async def test_a_vantage_left_out_brings_nothing_about() -> None:
    """With the only vantage of the story in quarantine, its verdicts are replayed into no event."""
    store = MemoryStore()
    await store.open()
    await _record(store)
    assert (await replay_store(store, EVERYTHING, SETTINGS)).events
    left_out = Quarantined([quarantine("khi-ptcl")])
    assert not (await replay_store(store, EVERYTHING, SETTINGS, left_out)).events


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
        store = sql_store(f"sqlite:///{tmp_path}/some.db")
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
    assert (missing.exit_code, "does not exist" in missing.stderr) == (2, True)
    assert not (tmp_path / "none.db").exists()
