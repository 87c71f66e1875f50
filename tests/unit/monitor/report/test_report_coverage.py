"""A report says no more than was decided, and is not written where nothing was."""

import asyncio
import csv
import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from monitor.analysis.events.event import Event, Stretch
from monitor.analysis.verdict import Evidence, FunctionVerdict, State, VantageState
from monitor.cli.main import app
from monitor.report.build import NothingKnownError, build
from monitor.report.charts import MIXED, charts
from monitor.report.collect import gather
from monitor.report.compose import document
from monitor.report.findings import Imprint, Wanted
from monitor.report.names_between_marks import report_words, unmarked
from monitor.wording.languages import LANGUAGES, Language
from probes.measurement import Purpose
from probes.vantage import VantageRole
from storage.open_store import open_store
from storage.store import Store
from storage.values.cycle import Cycle
from storage.values.prunable import RAW
from tests.contract.agents import quarantine
from tests.contract.cycles import at
from tests.unit.monitor.report.test_report import _texts
from tests.worlds.memory_store import MemoryStore
from tests.worlds.report_world import (
    HIDDEN_VANTAGE,
    KEY,
    MADE_AT,
    WANTED,
    block,
    story_cycle,
)

HOUR = msgspec.structs.replace(WANTED, since=at(0), until=at(3600))
"""The hour of the twelve cycles."""
NO_CONTROL = msgspec.structs.replace(HOUR, controls=False)


def undecided(number: int, rule: str, health: VantageState = VantageState.OK) -> Cycle:
    """A cycle of which the verdict on X is undecided by that rule."""
    made = story_cycle(number, blocked=True)
    nothing = {"state": State.INSUFFICIENT, "rule_id": rule, "method": "", "sub_method": ""}
    return msgspec.structs.replace(
        made,
        health=msgspec.structs.replace(
            made.health, state=health, network=made.platforms[0].network
        ),
        measurements=made.measurements[:1],
        verdicts=tuple(
            msgspec.structs.replace(one, controls=(), **nothing) for one in made.verdicts
        ),
        platforms=tuple(msgspec.structs.replace(one, **nothing) for one in made.platforms),
    )


def control_cycle() -> Cycle:
    """A cycle in which a control reports that it works, and tests nothing."""
    own = story_cycle(20, blocked=False)
    return msgspec.structs.replace(
        own,
        id="control",
        vantage="ams",
        country="NL",
        health=msgspec.structs.replace(
            own.health, vantage="ams", country="NL", vantage_role=VantageRole.CONTROL, at=at(900)
        ),
        measurements=(),
        verdicts=(),
        platforms=(),
        started_at=at(900),
        finished_at=at(900),
    )


def on_days(number: int) -> Event:
    """The block of the story on so many days, each for twenty minutes or more."""
    event = block()
    days = [timedelta(days=one) for one in range(number)]
    stretches = tuple(
        Stretch(
            onset_earliest=at(900) + day,
            onset_latest=at(1200) + day,
            end_earliest=at(2400) + day,
            end_latest=at(2700) + day,
        )
        for day in days
    )
    affected = msgspec.structs.replace(event.networks[0], stretches=stretches)
    return msgspec.structs.replace(
        event,
        networks=(affected, event.networks[1]),
        end_earliest=stretches[-1].end_earliest,
        end_latest=stretches[-1].end_latest,
        updated_at=event.updated_at + days[-1],
    )


async def stored(*cycles: Cycle) -> MemoryStore:
    """A store with these cycles."""
    store = MemoryStore()
    await store.open()
    for one in cycles:
        await store.save(one)
    return store


async def said(
    store: Store, folder: Path, wanted: Wanted = HOUR, language: Language = LANGUAGES[0]
) -> tuple[str, str]:
    """The title and the text of the report."""
    imprint = Imprint(
        version="1", generated_at=MADE_AT, fingerprint="ab" * 32, title="X", language=language
    )
    findings = await gather(store, wanted, folder, 300.0)  # type: ignore[arg-type]
    made = document(findings, imprint)
    text = " ".join(_texts(msgspec.to_builtins(made.blocks)))
    return unmarked(made.title), re.sub(r"\s+", " ", unmarked(text))


async def refusal(store: Store, folder: Path, wanted: Wanted = HOUR) -> str:
    """Why no report is written; nothing is left in the folder."""
    with pytest.raises(NothingKnownError) as raised:
        await build(
            store,  # type: ignore[arg-type]
            wanted,
            folder / "report.zip",
            KEY,
            title="X",
            interval=300.0,
            generated_at=MADE_AT,
        )
    assert not await asyncio.to_thread(lambda: list(folder.iterdir()))
    return str(raised.value)


async def test_a_block_that_no_control_confirms_is_never_called_no_block(tmp_path: Path) -> None:
    """X fails in every cycle and no control is configured: nothing is known, and that is said."""
    store = await stored(*(undecided(n, "control.missing") for n in range(12)))
    why = await refusal(store, tmp_path, NO_CONTROL)
    assert why == (
        "Not enough to tell: 0 of 12 cycles decided, because no control vantage is configured"
    )
    title, text = await said(store, tmp_path, NO_CONTROL)
    assert title == "Nothing is known about X in Pakistan"
    assert why in text
    assert "12 verdicts, and none was decided." in text
    assert "blocked in 0" not in text
    assert "No block" not in title + text
    assert "controls themselves" not in text


@pytest.mark.parametrize("state", [State.INSUFFICIENT, State.DOWN])
async def test_a_block_of_pictures_is_told_where_the_site_is_undecided(
    state: State, tmp_path: Path
) -> None:
    """The event is confirmed by these verdicts: a report that says of them that none was decided,
    and draws them as nothing known, refutes it."""
    pictures = FunctionVerdict(
        function="media",
        core=False,
        state=State.BLOCKED,
        method="tls",
        sub_method="reset",
        evidence=Evidence.CONCLUSIVE,
        measurement="m",
    )
    made = [undecided(n, "control.missing") for n in range(12)]
    cycles = [
        msgspec.structs.replace(
            cycle,
            platforms=tuple(
                msgspec.structs.replace(one, state=state, functions=(pictures,))
                for one in cycle.platforms
            ),
        )
        for cycle in made
    ]
    store = await stored(*cycles)
    _, text = await said(store, tmp_path)
    assert "blocked in part in 12 verdicts" in text
    assert "and none was decided." not in text
    (again := tmp_path / "again").mkdir()
    findings = await gather(store, HOUR, again, 300.0)
    (lane,) = findings.lanes
    drawn = dict(charts(report_words(), findings, "X"))["timeline"].panels[0].lanes[0]
    assert {bar.colour for bar in drawn.bars} == {MIXED}
    assert {slot.share_open for slot in lane.slots} <= {None, 0.0}, "nobody knows that it works"
    assert sum(slot.verdicts for slot in lane.slots) == 12


async def test_a_control_that_is_configured_is_not_said_to_be_missing(tmp_path: Path) -> None:
    """The clause follows the configuration."""
    store = await stored(*(undecided(n, "control.missing") for n in range(12)))
    assert "because no control vantage tested what failed" in await refusal(store, tmp_path)


async def test_a_vantage_that_is_offline_all_the_time_proves_nothing(tmp_path: Path) -> None:
    """Each cycle is undecided because of the vantage."""
    store = await stored(
        *(undecided(n, "vantage.offline", VantageState.OFFLINE) for n in range(12))
    )
    why = await refusal(store, tmp_path)
    assert why == "Not enough to tell: 0 of 12 cycles decided, because the vantage was offline"
    title, text = await said(store, tmp_path)
    assert "No block" not in title + text


async def test_a_country_that_was_never_watched_has_no_report(tmp_path: Path) -> None:
    """Nothing is stored; neither the platform nor the controls are called well."""
    store = await stored()
    assert await refusal(store, tmp_path) == "Not watched in this time"
    title, text = await said(store, tmp_path)
    assert title == "Nothing is known about X in Pakistan"
    assert "Not watched in this time. No data does not mean that it worked." in text
    assert "worked throughout" not in text


async def test_controls_that_made_no_measurement_are_not_praised(tmp_path: Path) -> None:
    """A control reports and measures nothing: the report claims nothing of its health."""
    store = await stored(*(story_cycle(n, blocked=False, title="X") for n in range(3)))
    await store.save(control_cycle())
    _, text = await said(store, tmp_path)
    assert "No control outside the country tested it" in text
    assert "worked throughout" not in text


async def test_the_controls_are_those_whose_tests_are_enclosed(tmp_path: Path) -> None:
    """One control tested what had failed. That it has no cycle of its own, as in a replay, does not
    make it none, and nothing is claimed of its health; a second one with cycles tested nothing."""
    store = await stored(*(story_cycle(n, blocked=True) for n in range(3)))
    made = "1 control outside the country made 3 tests of what had failed inside"
    _, text = await said(store, tmp_path)
    assert made in text
    assert "No control outside the country" not in text
    assert "worked throughout" not in text
    await store.save(control_cycle())
    (tmp_path / "second").mkdir()
    _, text = await said(store, tmp_path / "second")
    assert made in text
    assert "worked throughout" in text


@pytest.mark.parametrize("silent", [(36, 60), (-36,), (-36, 36, 60)])
async def test_a_control_that_was_silent_did_not_work_throughout(
    silent: Sequence[int], tmp_path: Path
) -> None:
    """It has cycles in one hour of the time, and all of them are well. In the hours in which the
    field was tested and nothing came from it, before or after, nobody knows. While the field rested
    as well it missed nothing."""
    store = await stored(*(story_cycle(n, blocked=True) for n in range(3)))
    await store.save(control_cycle())
    day = msgspec.structs.replace(HOUR, since=at(-86400), until=at(86400), all_measurements=True)
    _, text = await said(store, tmp_path, day)
    assert "The controls themselves worked throughout." in text
    await store.save(story_cycle(30, blocked=False))
    (tmp_path / "rested").mkdir()
    _, text = await said(store, tmp_path / "rested", day)
    assert "The controls themselves worked throughout." in text
    for number in silent:
        await store.save(story_cycle(number, blocked=False))
    (tmp_path / "second").mkdir()
    _, text = await said(store, tmp_path / "second", day)
    assert "1 control outside the country made 3 tests" in text
    assert "The controls themselves worked" not in text


async def test_the_share_that_was_decided_stands_in_the_title(tmp_path: Path) -> None:
    """All, or some of the cycles, and what is missing in the time."""
    store = await stored(*(story_cycle(n, blocked=False, title="X") for n in range(12)))
    title, _ = await said(store, tmp_path)
    assert title == "X in Pakistan: No block in 12 of 12 cycles on 1 network"
    for number in range(12, 15):
        await store.save(undecided(number, "vantage.lossy"))
    (tmp_path / "second").mkdir()
    three_hours = msgspec.structs.replace(HOUR, until=at(3 * 3600))
    title, text = await said(store, tmp_path / "second", three_hours)
    assert title == (
        "X in Pakistan: No block in the 12 cycles that were decided, of 15, on 1 network"
    )
    assert "Undecided: 3, because lost packets may explain what failed." in text
    assert "blocked in 0 of 12 that were decided, of 15 verdicts." in text
    assert "About 12 more were not measured." in text


async def test_a_vantage_that_moved_to_another_network_is_one_vantage(tmp_path: Path) -> None:
    """It measured on two networks, and two places are not what the report rests on."""
    store = await stored(*(story_cycle(n, blocked=False, title="X") for n in range(3)))
    moved = story_cycle(12, blocked=False, title="X")
    elsewhere = [msgspec.structs.replace(one, asn=45669) for one in moved.platforms]
    await store.save(msgspec.structs.replace(moved, platforms=tuple(elsewhere)))
    two_hours = msgspec.structs.replace(HOUR, until=at(7200))
    _, text = await said(store, tmp_path, two_hours)
    assert "This rests on 1 vantage point in 2 networks." in text
    for what in RAW:
        async for _ in store.prune(what, at(3590)):
            pass
    (tmp_path / "second").mkdir()
    _, text = await said(store, tmp_path / "second", two_hours)
    assert "This rests on 2 networks." in text, "of one of them counts alone are left"


async def test_a_time_between_two_stretches_has_no_block(tmp_path: Path) -> None:
    """X was blocked the day before and the day after, which is one event: a report on that day has
    neither in its title, and a report that touches one of them has both."""
    store = await stored(*(story_cycle(n, blocked=False, title="X") for n in range(12, 24)))
    await store.save(story_cycle(24, blocked=False, title="X"), [on_days(2)])
    between = msgspec.structs.replace(HOUR, since=at(2700), until=at(8000))
    title, text = await said(store, tmp_path, between)
    assert title == "X in Pakistan: No block in 13 of 13 cycles on 1 network"
    assert "was blocked" not in text
    for number, touching in enumerate(
        (
            msgspec.structs.replace(between, since=at(2699)),
            msgspec.structs.replace(between, until=at(86400 + 901)),
        )
    ):
        (tmp_path / str(number)).mkdir()
        title, text = await said(store, tmp_path / str(number), touching)
        assert title == "X was blocked in Pakistan on 1 of 2 networks"
        assert "Blocked in 2 stretches, the last from" in text


@pytest.mark.parametrize("many", [False, True])
async def test_no_more_starts_and_ends_are_promised_than_are_enclosed(
    tmp_path: Path, many: bool
) -> None:
    """Of six stretches the first and the last three have their measurements enclosed."""
    over = on_days(6 if many else 4)
    store = await stored()
    await store.save(story_cycle(0, blocked=False, title="X"), [over])
    _, text = await said(store, tmp_path)
    assert "are enclosed for the hour before and after each start and each end." in text
    limited = "only those around the first and the last ones are enclosed"
    assert (limited in text) is many


def shown_as(state: State, number: int) -> Cycle:
    """A cycle whose verdict on X is that."""
    made = story_cycle(number, blocked=False, title="X")
    found = tuple(msgspec.structs.replace(one, state=state) for one in made.platforms)
    return msgspec.structs.replace(made, platforms=found)


async def test_what_failed_in_part_is_neither_blocked_nor_left_out(tmp_path: Path) -> None:
    """Of nine cycles one is blocked, one slowed down and two are blocked in part; in two the
    vantage was offline. The share that found it open is of those that were decided."""
    states = {
        **dict.fromkeys((0, 2, 11), State.OK),
        3: State.PARTIAL,
        5: State.DEGRADED,
        6: State.BLOCKED,
        10: State.THROTTLED,
    }
    store = await stored(
        *(shown_as(state, number) for number, state in states.items()),
        *(undecided(n, "vantage.offline", VantageState.OFFLINE) for n in (1, 4)),
    )
    _, text = await said(store, tmp_path)
    assert "blocked in 1 of 7 that were decided, of 9 verdicts." in text
    assert "slowed down in 1 verdict." in text
    assert "blocked in part in 2 verdicts." in text
    assert "in 2 cycles the vantage itself was not working, so nobody was accused" in text
    assert "the longest time without one was 20 minutes" in text
    lines = (tmp_path / "data/timeline.csv").read_text("utf-8").splitlines()
    slots = list(csv.DictReader(lines))
    numbers = {
        name: sum(int(slot[name]) for slot in slots)
        for name in ("looks", "open", "blocked", "throttled", "undecided")
    }
    assert numbers == {"looks": 9, "open": 5, "blocked": 1, "throttled": 1, "undecided": 2}
    for slot in slots:
        decided = int(slot["looks"]) - int(slot["undecided"])
        share = f"{int(slot['open']) / decided}" if decided else ""
        assert slot["share_open"] == share


def beside_clock(number: int) -> Cycle:
    """A cycle in which it was blocked, and whose control measured in a cycle of its own."""
    made = story_cycle(number, blocked=True)
    looks = [
        msgspec.structs.replace(one, cycle=f"control-{number}")
        if one.look is Purpose.CONTROL
        else one
        for one in made.measurements
    ]
    return msgspec.structs.replace(made, measurements=tuple(looks))


async def test_controls_that_test_by_the_clock_are_counted(tmp_path: Path) -> None:
    """They do so in cycles of their own, for agents that cannot ask one."""
    store = await stored(*map(beside_clock, range(4, 8)))
    await store.save(shown_as(State.OK, 9), [block()])
    _, text = await said(store, tmp_path)
    assert "1 control outside the country made 4 tests of what had failed inside" in text
    assert "No control outside the country tested it" not in text


async def test_what_lies_near_two_times_is_enclosed_once(tmp_path: Path) -> None:
    """The block lasted two hours and five minutes: a control that tested five minutes after the
    hour behind its start did so within the hour before its end."""
    event, over = block(), {"end_earliest": at(8700), "end_latest": at(9000)}
    spans = (msgspec.structs.replace(event.networks[0].stretches[0], **over),)
    affected = msgspec.structs.replace(event.networks[0], stretches=spans)
    longer = msgspec.structs.replace(
        event, networks=(affected, event.networks[1]), updated_at=at(9000), **over
    )
    store = await stored(*map(beside_clock, range(4, 30)))
    await store.save(shown_as(State.OK, 30), [longer])
    await said(store, tmp_path, msgspec.structs.replace(HOUR, until=at(10800)))
    lines = (tmp_path / "data/measurements.jsonl").read_text("utf-8").splitlines()
    ids = [msgspec.json.decode(line)["id"] for line in lines]
    assert ids
    assert len(ids) == len({*ids})


@pytest.mark.parametrize("reached", [False, True])
async def test_a_control_that_failed_too_is_not_said_to_have_worked(
    tmp_path: Path, reached: bool
) -> None:
    """Nor is weak evidence called more than that; a network that the event lacks is named."""
    cycles = []
    for number in range(4, 8):
        made = story_cycle(number, blocked=True)
        looks = [
            msgspec.structs.replace(one, reached=reached) if one.look is Purpose.CONTROL else one
            for one in made.measurements
        ]
        cycles.append(msgspec.structs.replace(made, measurements=tuple(looks)))
    store = await stored(*cycles)
    event = msgspec.structs.replace(block(), evidence="strong" if reached else "weak")
    beside = shown_as(State.OK, 9)
    elsewhere = [msgspec.structs.replace(one, asn=9541) for one in beside.platforms]
    await store.save(msgspec.structs.replace(beside, platforms=tuple(elsewhere)), [event])
    _, text = await said(store, tmp_path)
    assert ("the tests from outside worked" in text) is reached
    assert ("The evidence is weak: innocent explanations remain." in text) is not reached
    assert "Also tested in this time in Pakistan:" in text
    assert "(AS9541)." in text.partition("Also tested in this time in Pakistan:")[2][:200]


async def test_signs_without_an_event_are_not_denied(tmp_path: Path) -> None:
    """Blocked cycles that made no event: the report does not say that there was no block."""
    store = await stored(*(story_cycle(n, blocked=n == 5) for n in range(12)))
    title, text = await said(store, tmp_path)
    assert title == "X in Pakistan: No event of a block, but signs of one in 1 of 12 cycles"
    assert "No block" not in title + text


async def test_hours_whose_verdicts_are_gone_count_as_well(tmp_path: Path) -> None:
    """The counts by the hour say how many were decided; the causes were not kept with them."""
    store = await stored(
        *(story_cycle(n, blocked=False, title="X") for n in range(6)),
        *(undecided(n, "control.missing") for n in range(6, 12)),
    )
    for what in RAW:
        async for _ in store.prune(what, at(30 * 86400)):
            pass
    title, text = await said(store, tmp_path)
    assert "No block in the 6 cycles that were decided, of 12, on 1 network" in title
    assert "Undecided: 6." in text


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda one: one.code)
async def test_no_language_calls_an_undecided_time_free_of_blocks(
    tmp_path: Path, language: Language
) -> None:
    """The sentence of nothing known has a translation of its own in each language."""
    store = await stored(*(undecided(n, "control.missing") for n in range(12)))
    title, _ = await said(store, tmp_path, HOUR, language)
    clear = await stored(*(story_cycle(n, blocked=False, title="X") for n in range(12)))
    (tmp_path / "second").mkdir()
    clear_title, _ = await said(clear, tmp_path / "second", HOUR, language)
    assert title != clear_title
    assert ("Nothing is known" in title) is (language.code == "en")


async def test_the_command_refuses_and_says_how_to_insist(tmp_path: Path) -> None:
    """Exit 2 and no file; with the flag a report whose title says that nothing is known."""
    url = f"sqlite:///{tmp_path / 'shutwatch.db'}"
    store = open_store(url)
    await store.open()
    for number in range(12):
        await store.save(undecided(number, "control.missing"))
    await store.close()
    config, out = tmp_path / "shutwatch.toml", tmp_path / "report.zip"
    config.write_text(
        f'database = "{url}"\nsigning_key = "keys.pem"\n[[vantage]]\nid = "a"\ncountry = "PK"\n'
    )
    command = ["report", "--country", "PK", "--platform", "x", "--since", "2024-02-17T12:00"]
    command += ["--until", "2024-02-17T13:00", "-c", str(config), "-o", str(out)]
    answer = await asyncio.to_thread(CliRunner().invoke, app, command)
    assert answer.exit_code == 2
    assert "0 of 12 cycles decided, because no control vantage is configured" in answer.output
    assert "nothing is known about X in Pakistan in this time" in answer.output
    assert "--even-if-nothing-known" in answer.output
    assert not out.exists()
    insisting = [*command, "--even-if-nothing-known"]
    answer = await asyncio.to_thread(CliRunner().invoke, app, insisting)
    assert answer.exit_code == 0, answer.output
    assert "Nothing is known about X in Pakistan" in answer.output
    assert out.exists()


async def test_a_vantage_in_quarantine_proves_no_block_and_none(tmp_path: Path) -> None:
    """Nobody concludes from its tests that nothing is blocked, nor that something was: charts and
    tables have them as undecided, and the rules that decided none of them."""
    store = await stored(*(story_cycle(number, blocked=number == 3) for number in range(12)))
    await store.quarantine(quarantine(HIDDEN_VANTAGE))
    title, text = await said(store, tmp_path)
    assert title == "Nothing is known about X in Pakistan"
    assert "Not enough to tell: 0 of 12 cycles decided." in text
    assert "No block in" not in text
    assert "12 verdicts, and none was decided" in text
    assert "tls.reset" not in text
    with (tmp_path / "data/timeline.csv").open(encoding="utf-8", newline="") as rows:
        counts = [(row["open"], row["blocked"], row["share_open"]) for row in csv.DictReader(rows)]
    assert set(counts) == {("0", "0", "")}
