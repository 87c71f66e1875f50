"""A report on a long time: its files have every event, and its document those that say most."""

import csv
from collections.abc import Sequence
from datetime import timedelta
from operator import attrgetter
from pathlib import Path

import msgspec
import pytest

from monitor.analysis.events.event import (
    Event,
    EventKind,
    EventLogEntry,
    EventState,
    NetworkStatus,
    Stretch,
)
from monitor.export.csv import write_csv
from monitor.export.kinds import Kind
from monitor.report.collect import gather
from monitor.report.compose import document
from monitor.report.document import Table
from monitor.report.events import MOST_RELATED, MOST_STORIES
from monitor.report.findings import Findings, Imprint, Wanted
from monitor.report.names_between_marks import unmarked
from monitor.report.summary import where
from monitor.wording.words import words_in
from storage.values.reviews import Mark, Review
from tests.contract.cycles import at
from tests.unit.monitor.report.test_report import _texts
from tests.worlds.memory_store import MemoryStore
from tests.worlds.report_world import MADE_AT, WANTED, block, story_cycle

DAY = timedelta(days=1)
LONG = msgspec.structs.replace(WANTED, since=at(0) - 200 * DAY)


def earlier(event: Event, days: int, **changed: object) -> Event:
    """The same event, that many days before."""
    moved = {
        name: value - days * DAY
        for name in event.__struct_fields__
        if (value := getattr(event, name)) is not None
        and (name.startswith(("onset_", "end_")) or name.endswith("_at"))
    }
    return msgspec.structs.replace(
        event, **{"networks": (), **moved, "id": f"{days:020}", **changed}
    )


async def reported(
    folder: Path,
    events: Sequence[Event],
    log: Sequence[EventLogEntry] = (),
    reviews: Sequence[Review] = (),
    wanted: Wanted = LONG,
) -> tuple[Findings, str, str, list[dict[str, str]]]:
    """Findings, title, text, and the rows of `events.csv`."""
    store = MemoryStore(page=7)
    await store.open()
    await store.save(
        story_cycle(0, blocked=False), sorted(events, key=attrgetter("detected_at", "id")), log
    )
    for one in reviews:
        await store.add_review(one)
    findings = await gather(store, wanted, folder, 300.0)
    imprint = Imprint(version="1", generated_at=MADE_AT, fingerprint="ab" * 32, title="X")
    page = document(findings, imprint)
    text = unmarked(" ".join(_texts(msgspec.to_builtins(page.blocks))))
    return findings, unmarked(page.title), text, rows_of(folder / "data/events.csv")


def rows_of(file: Path) -> list[dict[str, str]]:
    """The rows of a file."""
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


async def test_the_newest_block_is_in_a_long_report(tmp_path: Path) -> None:
    """After more leads than a document lists. It is the title, and every event is in the files."""
    new = block()
    leads = [
        earlier(new, days, state=EventState.DISMISSED, confirmed_at=None)
        for days in range(1, MOST_STORIES + 11)
    ]
    findings, title, text, rows = await reported(tmp_path, [new, *leads])
    assert title == "X was blocked in Pakistan on 1 of 2 networks"
    assert len(findings.stories) == MOST_STORIES
    assert findings.main_story is not None
    assert findings.main_story.event == new
    assert "11 more events are only in data/events.csv." in text
    assert "Of events that are not listed above, none are enclosed." in text
    assert [row["event_id"] for row in rows] == [one.id for one in reversed([new, *leads])]
    stretches = rows_of(tmp_path / "data/stretches.csv")
    assert {row["event_id"] for row in stretches} == {row["event_id"] for row in rows}
    assert findings.rows["data/events.csv"] == len(rows)
    assert findings.rows["data/stretches.csv"] == len(stretches)


async def test_a_confirmed_block_is_kept_before_newer_leads(tmp_path: Path) -> None:
    """However old it is."""
    new = block()
    leads = [
        earlier(new, days, state=EventState.DISMISSED, confirmed_at=None)
        for days in range(MOST_STORIES + 5)
    ]
    findings, title, text, _ = await reported(tmp_path, [*leads, earlier(new, 150)])
    assert title.startswith("X was blocked in Pakistan")
    assert findings.main_story == findings.stories[0]
    assert findings.stories[0].event.id == f"{150:020}"
    kept = {f"{days:020}" for days in range(MOST_STORIES - 1)}
    assert {one.event.id for one in findings.stories[1:]} == kept
    assert "6 more events are only in data/events.csv." in text


async def test_a_lead_is_not_told_as_the_event_that_it_continues(tmp_path: Path) -> None:
    """Results that came late have the event begin earlier: what continues it was detected before
    it, and is suspected while it is withdrawn."""
    lead = block(EventState.SUSPECTED)
    gone = msgspec.structs.replace(
        lead,
        id="0" * 20,
        state=EventState.WITHDRAWN,
        detected_at=lead.detected_at + timedelta(minutes=10),
    )
    findings, title, text, _ = await reported(tmp_path, [lead, gone])
    assert [one.event for one in findings.stories] == [lead, gone]
    assert findings.main_story == findings.stories[0]
    assert "X may be blocked in Pakistan" in title
    assert "do not support this" not in text


async def test_a_shutdown_is_kept_before_lost_vantages(tmp_path: Path) -> None:
    """And what is left out is counted."""
    new = block()
    one_of = {"platform": "", "functions": (), "methods": ()}
    lost = [
        earlier(new, days, kind=EventKind.VANTAGE_SILENT, vantage="v", **one_of)
        for days in range(1, MOST_RELATED + 6)
    ]
    others = [
        earlier(new, 100 + n, kind=kind, **one_of)
        for n, kind in enumerate((EventKind.SHUTDOWN, EventKind.OUTAGE, EventKind.INSTRUMENT))
    ]
    findings, _, text, rows = await reported(tmp_path, [new, *lost, *others])
    kept = [event.kind for event in findings.related]
    assert {*kept[:3]} == {EventKind.SHUTDOWN, EventKind.OUTAGE, EventKind.INSTRUMENT}
    assert kept[3:] == [EventKind.VANTAGE_SILENT] * (MOST_RELATED - 3)
    assert "8 more events are only in data/events.csv." in text
    assert len(rows) == len(lost) + 4
    assert {row["vantage"] for row in rows} == {""}


async def test_a_network_that_a_shutdown_spared_is_not_listed_with_it(tmp_path: Path) -> None:
    """Other events name the networks that they affected; a control that disagrees affects none, and
    is named by its own."""
    lost, spared = (
        NetworkStatus(asn=asn, network=name, affected=affected, blocked_now=False)
        for asn, name, affected in ((64500, "Lost", True), (64501, "Spared", False))
    )
    control = msgspec.structs.replace(spared, asn=64502, network="Control")
    one_of = {"platform": "", "functions": (), "methods": ()}
    both = {**one_of, "networks": (lost, spared)}
    _, _, text, _ = await reported(
        tmp_path,
        [
            block(),
            earlier(block(), 1, kind=EventKind.ALLOWLIST, **both),
            earlier(
                block(), 2, kind=EventKind.CONTROL_DIFFERS, **{**one_of, "networks": (control,)}
            ),
        ],
    )
    assert "Lost (AS64500)" in text
    assert "Spared" not in text
    assert "Control (AS64502)" in text


async def test_the_rejection_of_an_event_holds_for_the_one_that_continues_it(
    tmp_path: Path,
) -> None:
    """It stands under the summary, once in the table, and names the event that was reviewed."""
    new = block()
    old = msgspec.structs.replace(new, id="f" * 20, state=EventState.WITHDRAWN)
    opened = EventLogEntry(
        event=new.id,
        sequence=1,
        at=at(1220),
        change="opened",
        detail=f"goes on from {old.id}",
        snapshot=new,
    )
    gone = msgspec.structs.replace(
        opened, event=old.id, change="withdrawn", detail=f"goes on as {new.id}", snapshot=old
    )
    review = Review(
        id="r-1",
        country="PK",
        event=old.id,
        at=at(1100),
        mark=Mark.REJECTED,
        note="Our router was broken.",
        reviewer="Ayesha",
    )
    _, _, text, _ = await reported(tmp_path, [new, old], [opened, gone], [review], WANTED)
    before, _, after = text.partition("What people said ")
    assert "A person rejects it: Ayesha" in before
    assert after.count("Our router was broken.") == 1
    assert f"{old.id} A person rejects it" in after


async def test_the_stretches_are_those_of_the_export(tmp_path: Path) -> None:
    """Of an event that was over for a week, only the one in the time of the report."""
    new = block()
    (first,) = new.networks[0].stretches
    later = Stretch(
        onset_earliest=at(8 * 86400),
        onset_latest=at(8 * 86400 + 300),
        end_earliest=at(9 * 86400),
        end_latest=at(9 * 86400 + 300),
    )
    both = msgspec.structs.replace(new.networks[0], stretches=(first, later))
    event = msgspec.structs.replace(
        new,
        networks=(both, *new.networks[1:]),
        end_earliest=later.end_earliest,
        end_latest=later.end_latest,
    )
    await reported(tmp_path, [event], wanted=WANTED)
    rows = rows_of(tmp_path / "data/stretches.csv")
    assert [(row["asn"], row["stretch"], row["stretches"]) for row in rows] == [
        ("", "1", "2"),
        ("17557", "1", "2"),
    ]
    store = MemoryStore()
    await store.open()
    await store.save(story_cycle(0, blocked=False), [event], ())
    with (tmp_path / "own.csv").open("w", encoding="utf-8", newline="") as out:
        await write_csv(Kind.STRETCHES, store, WANTED.selection, out)
    assert rows_of(tmp_path / "own.csv") == rows


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (
            {"recovering": True},
            (
                "not certain yet: it seems open again, and was last blocked at "
                "12:40:00 UTC on 17 Feb 2024 (17:40:00 in Karachi)"
            ),
        ),
        ({"unobserved": True}, "2024-02-17 12:40:00 – not known: nobody saw it end"),
    ],
)
async def test_a_network_that_is_not_surely_open_again_has_no_end(
    tmp_path: Path, status: dict[str, bool], told: str
) -> None:
    """While the event lasts elsewhere, the table of networks says what the page of the event says:
    that it seems open again is no end that nobody saw, and silence is no end at all."""
    lasting = block(EventState.CONFIRMED)
    (ended,) = block().networks[0].stretches
    open_again = msgspec.structs.replace(
        lasting.networks[0],
        asn=64500,
        network="Again",
        blocked_now=False,
        stretches=(
            msgspec.structs.replace(
                ended, end_latest=None, opened=at(2700) if "recovering" in status else None
            ),
        ),
        **status,
    )
    event = msgspec.structs.replace(lasting, networks=(*lasting.networks, open_again))
    findings, _, _, _ = await reported(tmp_path, [event])
    (table,) = [one for one in where(words_in(), findings) if isinstance(one, Table)]
    assert {row[0]: row[4] for row in table.rows}["Again (AS64500)"] == told


async def test_a_network_has_the_verdicts_of_all_its_names(tmp_path: Path) -> None:
    """Another vantage there calls it otherwise than the event does: half of its verdicts were
    missing, and it stood among what was also tested."""
    event = block(EventState.CONFIRMED)
    findings, _, _, _ = await reported(tmp_path, [event])
    (lane, *_) = findings.lanes
    known = msgspec.structs.replace(lane, network=(17557, event.networks[0].network), verdicts=5)
    other = msgspec.structs.replace(lane, network=(17557, "Pak Telecom"), verdicts=7)
    findings = msgspec.structs.replace(findings, lanes=(known, other))
    table, *rest = list(where(words_in(), findings))[1:]
    assert isinstance(table, Table)
    assert {row[-1] for row in table.rows if "AS17557" in row[0]} == {"12"}
    assert not rest
