"""Where a command lists no event, it says what that is worth."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from monitor.analysis.verdict import State
from storage.open_store import sql_store
from tests.contract.cycles import cycle
from tests.worlds.review_world import Installation

HOUR = ("--since", "2024-02-17T12:00", "--until", "2024-02-17T13:00")


@pytest.fixture
def here(tmp_path: Path) -> Installation:
    """An hour of X in Pakistan without a control: two cycles decided, ten not, and no event."""
    made = Installation(tmp_path)

    async def fill() -> None:
        store = sql_store(f"sqlite:///{made.file}")
        await store.open()
        for number in range(12):
            one = cycle(number, platforms=("x",), endpoints=1)
            if number >= 2:
                nothing = {"state": State.INSUFFICIENT, "rule_id": "control.missing"}
                verdicts = tuple(msgspec.structs.replace(v, **nothing) for v in one.platforms)
                one = msgspec.structs.replace(one, platforms=verdicts)
            await store.save(one)
        await store.close()

    asyncio.run(fill())
    return made


def output(here: Installation, command: tuple[str, ...]) -> list[str]:
    """Where an export goes: the runner's standard output is no file."""
    return ["-o", str(here.file.with_name("events.csv"))] if command[0] == "export" else []


@pytest.mark.parametrize(
    "command",
    [("event", "list"), ("event", "list", "--json"), ("export", "csv", "events")],
    ids=" ".join,
)
def test_no_event_comes_with_the_share_that_was_decided(
    here: Installation, command: tuple[str, ...]
) -> None:
    """On standard error, so that standard output stays what programs read."""
    done = here.run(*command, *output(here, command), "--country", "PK", "--platform", "x", *HOUR)
    assert done.exit_code == 0, done.output
    assert (
        "No block in the 2 cycles that were decided, of 12, on 1 network. "
        "Undecided: 10, because no control vantage is configured." in done.stderr
    )
    assert "No block" not in done.stdout


@pytest.mark.parametrize(
    "command", [("event", "list"), ("export", "csv", "events"), ("export", "csv", "stretches")]
)
def test_a_country_nobody_watches_is_called_that(
    here: Installation, command: tuple[str, ...]
) -> None:
    """Zero events there are no finding."""
    done = here.run(*command, *output(here, command), "--country", "KE", *HOUR)
    assert "Not watched in this time." in done.stderr
    assert "No block" not in done.output


def test_gaps_are_told(here: Installation) -> None:
    """A day of which one hour was measured."""
    done = here.run("event", "list", "--country", "PK", "--since", "2024-02-17", "--until", HOUR[3])
    assert "About 144 more were not measured." in done.stderr


def test_a_list_with_events_speaks_for_itself(tmp_path: Path) -> None:
    """No statement about coverage beside it."""
    made = Installation(tmp_path)
    made.fill()
    done = made.run("event", "list")
    assert "cycles" not in done.output
    assert "Not watched" not in done.output
