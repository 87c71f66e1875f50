"""The story of `shutwatch demo`: when it goes on, when it gives up, and what it prints."""

import asyncio
import io
import socket
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from monitor.analysis.events.event import Event, EventState, NetworkStatus
from monitor.analysis.verdict import State
from monitor.demo.censor import OPEN, Censor
from monitor.demo.chapters import STORY, Chapter, Results, all_open, blocks, in_state, suspected
from monitor.demo.demo_report import report
from monitor.demo.narrator import NOT_DETECTED, Narrator, Outcome
from monitor.demo.plan import COUNTRY, FIELD, MOBILE, PLATFORMS, TELECOM, VICTIM
from monitor.demo.run_demo import HOST, free_port
from monitor.demo.screen import Screen, about_change, clock
from monitor.demo.stored_events import Watcher
from storage.values.outbox import NoticeState
from tests.contract.cycles import cycle, event, log_entry, notice
from tests.worlds.memory_store import MemoryStore


def results(state: State = State.OK, block: Event | None = None) -> Results:
    """Everything everywhere in this state."""
    made = [cycle(1, vantage=n.id, platforms=tuple(PLATFORMS), state=state) for n in FIELD]
    verdicts = {(v.vantage, v.platform): v for one in made for v in one.platforms}
    return Results(verdicts, block)


def block(state: EventState, *, now: bool = True, certain: bool = True) -> Event:
    """The invented country's block of X, by resets on Demo Telecom."""
    network = NetworkStatus(
        asn=TELECOM.asn,
        network=TELECOM.title,
        affected=True,
        blocked_now=now,
        methods=("tls.reset",),
        confirmed=certain,
    )
    made = event(country=COUNTRY, platform=VICTIM, state=state, end_latest=900.0)
    return msgspec.structs.replace(made, networks=(network,))


def test_all_is_open_only_when_everything_was_seen_to_be() -> None:
    """No look yet is not open, and neither is one platform on one network that does not work."""
    assert all_open(results())
    assert not all_open(Results())
    assert not all_open(results(State.INSUFFICIENT))
    one = dict(results().verdicts)
    one.pop((MOBILE.id, VICTIM))
    assert not all_open(Results(one))


def test_a_block_is_noticed_where_and_how_it_is() -> None:
    """Confirmed, on that network now, by that method; less will not do."""
    resets = blocks(TELECOM.asn, "tls.reset")
    assert resets(results(block=block(EventState.CONFIRMED)))
    assert not resets(results(block=block(EventState.SUSPECTED)))
    assert not resets(results(block=block(EventState.CONFIRMED, now=False)))
    assert not resets(results(block=block(EventState.CONFIRMED, certain=False)))
    assert not resets(results())
    assert not blocks(MOBILE.asn, "tls.reset")(results(block=block(EventState.CONFIRMED)))
    assert not blocks(TELECOM.asn, "dns.hijack")(results(block=block(EventState.CONFIRMED)))


def test_suspicion_and_end_are_states_of_the_event() -> None:
    """An event that is over is no suspicion, and one that lasts no end."""
    assert suspected(results(block=block(EventState.SUSPECTED)))
    assert not suspected(results(block=block(EventState.ENDED)))
    assert not suspected(results())
    over = in_state(EventState.ENDED)
    assert over(results(block=block(EventState.ENDED)))
    assert not over(results(block=block(EventState.RECOVERING)))
    assert not over(results())


def test_the_story_begins_and_ends_open() -> None:
    """What is blocked is unblocked, and it can be held at its height only."""
    assert STORY[0].rules == STORY[-1].rules == OPEN
    assert [len(chapter.rules) for chapter in STORY if chapter.hold] == [3]


def teller(story: tuple[Chapter, ...], store: MemoryStore, *, hold: bool = False) -> Narrator:
    """One that prints to nowhere and loses patience soon."""
    console = Console(file=io.StringIO())
    screen = Screen(console, seconds=lambda: 0.0)
    return Narrator(story, Censor(), Watcher(store), screen, patience=0.05, hold=hold)


def chapter(text: str, *, noticed: bool, held: bool = False) -> Chapter:
    """One that is noticed at once, or never."""
    return Chapter(
        happens=text,
        rules=OPEN,
        expected=text,
        detected=lambda _: noticed,
        linger=0.0,
        hold=held,
    )


async def test_what_is_not_noticed_ends_the_story_with_3() -> None:
    """The monitor gets its time, and then it is said that it did not find what there was."""
    store = MemoryStore()
    await store.open()
    one = teller((chapter("a", noticed=True), chapter("b", noticed=False)), store)
    await one.run()
    assert one.outcome is Outcome.MISSED
    assert one.outcome.exit_code(to_the_end=True) == NOT_DETECTED == 3
    assert one.outcome.exit_code(to_the_end=False) == NOT_DETECTED


async def test_what_is_noticed_ends_it_with_0() -> None:
    """And who leaves before has seen nothing wrong, unless the end was what they wanted."""
    store = MemoryStore()
    await store.open()
    one = teller((chapter("a", noticed=True),), store)
    await one.run()
    assert one.outcome is Outcome.DETECTED
    assert one.outcome.exit_code(to_the_end=True) == 0
    assert Outcome.UNFINISHED.exit_code(to_the_end=False) == 0
    assert Outcome.UNFINISHED.exit_code(to_the_end=True) == NOT_DETECTED


async def test_the_story_does_not_overtake_the_phone() -> None:
    """A message tells of networks that do not block: they do not begin before it is sent. Nobody
    waits for the one of more networks, which comes an hour later."""
    store = MemoryStore()
    await store.open()
    snapshot = block(EventState.CONFIRMED)
    waiting = notice(of=snapshot.id, country=COUNTRY)
    log = [log_entry(n, snapshot, change) for n, change in ((1, "confirmed"), (2, "spread"))]
    later = notice(2, of=snapshot.id, country=COUNTRY, occasion="spread")
    await store.save(cycle(1, country=COUNTRY), [snapshot], log, notices=[waiting, later])
    one = teller((chapter("confirmed", noticed=True),), store)
    await one.run()
    outcomes = [one.outcome]
    await store.update_notices([msgspec.structs.replace(waiting, state=NoticeState.SENT)])
    await one.run()
    assert [*outcomes, one.outcome] == [Outcome.MISSED, Outcome.DETECTED]


def test_a_network_begins_after_what_is_told_of_it() -> None:
    """Who reads of one network that blocks sees the second begin only once that is confirmed."""
    rules = [len(one.rules) for one in STORY]
    second = rules.index(2)
    before = STORY[second - 1]
    one_network = results(block=block(EventState.CONFIRMED))
    assert before.detected(one_network)
    assert not before.detected(results(block=block(EventState.SUSPECTED)))
    assert not STORY[second].detected(one_network)


@pytest.mark.parametrize("hold", [False, True])
async def test_it_is_held_where_it_may_be(hold: bool) -> None:
    """With `hold` what comes after the height does not happen."""
    store = MemoryStore()
    await store.open()
    story = (chapter("height", noticed=True, held=True), chapter("after", noticed=True))
    one = teller(story, store, hold=hold)
    await one.run()
    assert one.outcome is (Outcome.UNFINISHED if hold else Outcome.DETECTED)


async def test_every_change_is_told_once() -> None:
    """The event's log comes on the terminal line by line, in its order."""
    store = MemoryStore()
    await store.open()
    watcher = Watcher(store)
    snapshot = block(EventState.CONFIRMED)
    lines = [log_entry(1, snapshot), log_entry(2, snapshot, "confirmed")]
    await store.save(cycle(1, country=COUNTRY), [snapshot], lines)
    seen = (await watcher.read()).event
    assert seen is not None
    assert [entry.change async for entry in watcher.new_entries(seen)] == ["opened", "confirmed"]
    await store.save(cycle(2, country=COUNTRY), [snapshot], [log_entry(3, snapshot, "ended")])
    assert [entry.change async for entry in watcher.new_entries(seen)] == ["ended"]


def test_lines_say_what_changed_and_names_are_no_markup() -> None:
    """Each says what it is about; what looks like markup is shown as it is."""
    printed = io.StringIO()
    screen = Screen(Console(file=printed, width=200), seconds=lambda: 67.0)
    snapshot = block(EventState.CONFIRMED)
    screen.happens("[red]not a colour[/]")
    screen.logged(log_entry(1, snapshot))
    screen.logged(log_entry(2, snapshot, "ended"))
    screen.logged(log_entry(3, snapshot, "scope_widened"))
    said = printed.getvalue()
    assert "1:07" in said
    assert "[red]not a colour[/]" in said
    assert "suspected: X in Demoland (invented), AS17557 PTCL, evidence strong" in said
    assert "Over: X in Demoland (invented), it began between 12:00:00 and 12:05:00" in said
    assert "More of the platform is affected: AS17557 PTCL" in said
    assert clock(59.9) == "0:59"
    unknown = msgspec.structs.replace(snapshot, onset_earliest=None, end_latest=None)
    assert "it began about 12:05:00" in about_change(log_entry(4, unknown, "ended"))


def test_messages_and_reports_are_shown_as_text() -> None:
    """What arrives is somebody else's text: no markup of it works, and no control character."""
    printed = io.StringIO()
    screen = Screen(Console(file=printed, width=200), seconds=lambda: 0.0)
    screen.message("X [red]blocked[/]", "in Demoland\nby \x1b[31mresets")
    screen.message("Over", "not shown again")
    screen.reported(True, "report.zip: X blocked")
    screen.reported(False, "report needs fpdf")
    said = printed.getvalue()
    assert "phone      X [red]blocked[/]\n" in said
    assert " in Demoland\n" in said
    assert "\x1b" not in said
    assert "phone      Over" in said
    assert "not shown again" not in said
    assert "report     report.zip: X blocked" in said
    assert "report     none: report needs fpdf" in said


def test_long_lines_are_whole_words_on_a_narrow_terminal() -> None:
    """Below where the text began; a file has them as one line."""
    text = "Functions: what its apps connect to, short links, pictures, videos, website"
    for terminal in (True, False):
        printed = io.StringIO()
        console = Console(file=printed, width=60, force_terminal=terminal, color_system=None)
        screen = Screen(console, seconds=lambda: 9.0)
        screen.message("X is blocked", text)
        screen.logged(log_entry(1, block(EventState.CONFIRMED)))
        lines = [line.rstrip() for line in printed.getvalue().splitlines()]
        if terminal:
            assert max(map(len, lines)) <= 60
            assert lines[1:3] == [
                f"{'':17}Functions: what its apps connect to, short",
                f"{'':17}links, pictures, videos, website",
            ]
            assert all(line[:17].isspace() for line in lines[4:])
        else:
            assert lines[1] == f"{'':17}{text}"


async def test_a_report_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    """The last line of what the command said."""
    made, said = await report(tmp_path / "shutwatch.toml", datetime(2026, 1, 1, tzinfo=UTC))
    assert not made
    assert "shutwatch.toml" in said


def test_the_table_is_drawn_on_terminals_alone() -> None:
    """A file gets lines and no table; a terminal gets every network and platform."""
    for terminal in (False, True):
        printed = io.StringIO()
        console = Console(file=printed, width=120, force_terminal=terminal)
        with Screen(console, seconds=lambda: 0.0) as screen:
            screen.show(results(State.BLOCKED))
            screen.show(Results())
        shown = printed.getvalue()
        assert ("Demo Cable" in shown) is terminal
        assert ("tls.reset" in shown) is terminal
        assert ("no data yet" in shown) is terminal


def test_a_port_that_is_taken_is_left_alone() -> None:
    """The page then has another one, and otherwise the one that was wanted."""
    with socket.create_server((HOST, 0)) as server:
        taken: int = server.getsockname()[1]
        other = free_port(taken)
        assert other != taken
    assert free_port(other) == other
    assert free_port(0)


async def test_watching_goes_on_until_it_is_cancelled() -> None:
    """After the story, changes are still told."""
    store = MemoryStore()
    await store.open()
    watching = asyncio.create_task(teller((), store).follow())
    await asyncio.sleep(0.2)
    assert not watching.done()
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
