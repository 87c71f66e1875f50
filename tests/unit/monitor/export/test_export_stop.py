"""Confirmed events as rows of STOP: its columns, and no word that no measurement shows."""

import asyncio
import csv
import io
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import msgspec
from typer.testing import CliRunner

from monitor.analysis.events.event import (
    Event,
    EventKind,
    EventLogEntry,
    EventState,
    NetworkStatus,
    Stretch,
)
from monitor.cli.main import app
from monitor.export.for_people import Reader
from monitor.export.stop import COLUMNS, UNKNOWN, write_stop
from storage.open_store import sql_store
from storage.values.reviews import Mark, Review
from storage.values.selection import Selection
from tests.contract.cycles import at, cycle, event, log_entry, review
from tests.worlds.memory_store import MemoryStore

EVERYTHING = Selection()
READER = Reader(titles={"x": "X", "signal": "Signal"})
DAY = 86400.0
DAY_LONG = timedelta(days=1)


def confirmed(name: str, *stretches: Stretch, **changes: object) -> Event:
    """A confirmed event with these stretches on PTCL."""
    ptcl = NetworkStatus(
        asn=17557, network="PTCL", affected=True, blocked_now=False, stretches=stretches
    )
    other = NetworkStatus(
        asn=9541, network="Cyber", affected=False, blocked_now=False, found_open=True
    )
    made = msgspec.structs.replace(
        event(name, state=EventState.CONFIRMED),
        confirmed_at=at(600),
        networks=(other, ptcl),
        onset_earliest=stretches[0].onset_earliest if stretches else None,
        onset_latest=stretches[0].onset_latest if stretches else at(300),
    )
    return msgspec.structs.replace(made, **changes)


def stretch(start: float, end: float | None = None, earliest: float | None = None) -> Stretch:
    """Seconds from START."""
    return Stretch(
        onset_earliest=at(start - 60 if earliest is None else earliest),
        onset_latest=at(start),
        end_earliest=None if end is None else at(end - 60),
        end_latest=None if end is None else at(end),
    )


async def rows(
    *events: Event,
    selection: Selection = EVERYTHING,
    reviews: Sequence[Review] = (),
    log: Sequence[EventLogEntry] = (),
) -> list[dict[str, str]]:
    """What is written of these."""
    store = MemoryStore()
    await store.open()
    await store.save(cycle(1), list(events), log)
    for one in reviews:
        await store.add_review(one)
    out = io.StringIO()
    count = await write_stop(store, selection, out, READER)
    await store.close()
    out.seek(0)
    found = list(csv.DictReader(out))
    assert len(found) == count
    return found


async def test_a_row_has_what_was_measured_and_says_unknown_of_the_rest() -> None:
    """START is noon UTC, five in the afternoon in Pakistan."""
    (row,) = await rows(confirmed("e", stretch(300)))
    assert list(row) == list(COLUMNS)
    assert len(row) == 45
    known = {name: value for name, value in row.items() if value not in ("", UNKNOWN)}
    assert known == {
        "start_date_type": "Actual",
        "start_date": "2024-02-17",
        "country": "Pakistan",
        "geo_scope": "Not sure",
        "shutdown_type": "Shutdown",
        "shutdown_extent": "Service-based",
        "info_source": "Other",
        "shutdown_status": "Ongoing",
        "twitter_affected": "Yes",
        "telcos_involved": "PTCL (AS17557)",
        "event": row["event"],
    }
    assert row["event"].startswith("X ")
    assert {row[name] for name in ("ordered_by", "gov_ack", "whatsapp_affected")} == {UNKNOWN}


async def test_each_stretch_is_a_row_with_its_own_days() -> None:
    """Of what came back nothing is said to have lasted in between."""
    over = msgspec.structs.replace
    two = confirmed("e", stretch(300, 1.5 * DAY), stretch(9 * DAY, 11 * DAY))
    ended = over(
        two, state=EventState.ENDED, end_earliest=at(11 * DAY - 60), end_latest=at(11 * DAY)
    )
    found = await rows(ended)
    assert [(r["start_date"], r["end_date"], r["duration"]) for r in found] == [
        ("2024-02-17", "2024-02-19", "3"),
        ("2024-02-26", "2024-02-28", "3"),
    ]
    assert [row["shutdown_status"] for row in found] == ["Ended", "Ended"]
    for since, until, starts in (
        (2 * DAY, 8 * DAY, []),
        (0.0, 8 * DAY, ["2024-02-17"]),
        (2 * DAY, 10 * DAY, ["2024-02-26"]),
    ):
        month = Selection(since=at(since), until=at(until))
        found = await rows(ended, selection=month)
        assert [row["start_date"] for row in found] == starts, "each month has its own"


async def test_a_row_names_the_networks_that_blocked_then() -> None:
    """PTCL alone at first, and again with Jazz nine days later; Cyber joins while it goes on."""
    first, again, goes_on = stretch(300, DAY), stretch(9 * DAY, 10 * DAY), stretch(20 * DAY)
    one = confirmed("e", first, again, goes_on)
    other, ptcl = one.networks
    jazz = msgspec.structs.replace(
        ptcl, asn=45669, network="Jazz", stretches=(stretch(9.5 * DAY, 10.5 * DAY),)
    )
    cyber = msgspec.structs.replace(other, affected=True, stretches=(stretch(21 * DAY),))
    found = await rows(msgspec.structs.replace(one, networks=(cyber, ptcl, jazz)))
    assert [row["telcos_involved"] for row in found] == [
        "PTCL (AS17557)",
        "PTCL (AS17557), Jazz (AS45669)",
        "Cyber (AS9541), PTCL (AS17557)",
    ]


async def test_an_end_that_nobody_saw_is_unknown() -> None:
    """And so is whether it goes on where nobody measures any more."""
    unobserved = confirmed("e", stretch(300), state=EventState.UNOBSERVED)
    last_blocked = msgspec.structs.replace(stretch(300), end_earliest=at(900))
    unseen = confirmed("f", last_blocked, state=EventState.ENDED, end_earliest=at(900))
    for one in (unobserved, unseen):
        (row,) = await rows(one)
        assert (row["shutdown_status"], row["end_date"], row["duration"]) == (UNKNOWN, "", "")


async def test_an_end_that_is_not_certain_is_unknown() -> None:
    """It was found open, and then nobody tested it: the event goes on, without a day of its end."""
    found_open = stretch(300, 900)
    for state in (EventState.UNOBSERVED, EventState.RECOVERING):
        (row,) = await rows(confirmed("e", found_open, state=state))
        assert (row["shutdown_status"], row["end_date"], row["duration"]) == (UNKNOWN, "", "")


async def test_what_a_person_rejected_has_no_row() -> None:
    """The last word holds: rejected and then confirmed, it has one."""
    reject = msgspec.structs.replace(review(), id="r1", event="e", mark=Mark.REJECTED)
    confirm = msgspec.structs.replace(reject, id="r2", at=reject.at + DAY_LONG, mark=Mark.CONFIRMED)
    one = confirmed("e", stretch(300))
    assert not await rows(one, reviews=[reject])
    assert len(await rows(one, reviews=[reject, confirm])) == 1


async def test_what_goes_on_from_an_event_that_was_rejected_has_no_row() -> None:
    """As on the page of the other event: it is the same block under another id."""
    gone = confirmed("a", stretch(300), state=EventState.WITHDRAWN)
    other = confirmed("b", stretch(200))
    reject = msgspec.structs.replace(review(), id="r1", event="a", mark=Mark.REJECTED)
    confirm = msgspec.structs.replace(
        reject, id="r2", event="b", at=reject.at + DAY_LONG, mark=Mark.CONFIRMED
    )
    goes_on = [
        msgspec.structs.replace(log_entry(1, gone, "withdrawn"), detail="goes on as b"),
        msgspec.structs.replace(log_entry(1, other), detail="AS17557 PTCL; goes on from a"),
    ]
    assert len(await rows(gone, other, log=goes_on)) == 1
    assert not await rows(gone, other, log=goes_on, reviews=[reject])
    assert len(await rows(gone, other, log=goes_on, reviews=[reject, confirm])) == 1


async def test_no_day_counts_that_nobody_measured() -> None:
    """Last seen blocked on the first day and found open ten days later: one day is certain."""
    wide = msgspec.structs.replace(stretch(300, 10 * DAY), end_earliest=at(900))
    (row,) = await rows(confirmed("e", wide, state=EventState.ENDED))
    assert (row["end_date"], row["duration"], row["shutdown_status"]) == (
        "2024-02-17",
        "1",
        "Ended",
    )


async def test_how_and_what() -> None:
    """Throttling, a service without a column, the whole network, and a start on an unknown day."""
    found = await rows(
        confirmed("a", stretch(300), methods=("throttling.rate",)),
        confirmed("b", stretch(400), methods=("throttling.rate", "tls.reset"), platform="signal"),
        confirmed("c", kind=EventKind.SHUTDOWN, platform="", methods=(), onset_latest=at(500)),
        confirmed("d", stretch(DAY, earliest=0), platform="telegram"),
    )
    by_start = {row["event"]: row for row in found}
    assert len(by_start) == 4
    assert [row["shutdown_type"] for row in found] == [
        "Throttle",
        "Shutdown, Throttle",
        "Shutdown",
        "Shutdown",
    ]
    assert [row["other_affected"] for row in found] == ["", "Signal", "", ""]
    assert [row["shutdown_extent"] for row in found][2] == "Full network"
    assert found[3]["start_date_type"] == "Estimated"
    assert found[3]["telegram_affected"] == "Yes"


async def test_what_is_only_suspected_or_no_shutdown_has_no_row() -> None:
    """Nor what was withdrawn."""
    assert not await rows(
        event("a"),
        confirmed("b", stretch(300), state=EventState.WITHDRAWN),
        confirmed("c", stretch(300), state=EventState.SUSPECTED),
        confirmed("d", kind=EventKind.OUTAGE, country=""),
        confirmed("e", kind=EventKind.VANTAGE_SILENT, platform="", vantage="khi"),
    )


async def test_it_is_selected_like_the_rest() -> None:
    """By country and platform."""
    both = (confirmed("a", stretch(300)), confirmed("b", stretch(300), platform="telegram"))
    (row,) = await rows(*both, selection=Selection(platform="telegram"))
    assert row["telegram_affected"] == "Yes"


async def _made(url: str, events: Sequence[Event] = (), reviews: Sequence[Review] = ()) -> None:
    store = sql_store(url)
    await store.open()
    if events:
        await store.save(cycle(1), list(events), ())
    for one in reviews:
        await store.add_review(one)
    await store.close()


def _exported(
    folder: Path, *options: str, events: Sequence[Event] = (), reviews: Sequence[Review] = ()
) -> str:
    """What the command says of a file without rows."""
    config = folder / "shutwatch.toml"
    config.write_text(
        f'database = "sqlite:///{folder}/s.db"\n[[vantage]]\nid = "here"\ncountry = "PK"\n'
    )
    asyncio.run(_made(f"sqlite:///{folder}/s.db", events, reviews))
    out = folder / "stop.csv"
    command = ["export", "stop", "--config", str(config), "-o", str(out), *options]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert out.read_text().splitlines() == [",".join(COLUMNS)]
    assert "0 stretches of confirmed events" in done.stderr
    return done.stderr


def test_the_command_says_that_there_is_nothing(tmp_path: Path) -> None:
    """And what the absence is worth."""
    assert "Not watched" in _exported(tmp_path)


def test_the_command_names_events_that_have_no_row(tmp_path: Path) -> None:
    """They are no reason to say that there was no block."""
    lead = confirmed("a", stretch(300), state=EventState.SUSPECTED, confirmed_at=None)
    events = (
        lead,
        confirmed("b", stretch(300)),
        confirmed("c", stretch(300), state=EventState.WITHDRAWN),
        confirmed("d", kind=EventKind.OUTAGE, country=""),
    )
    reject = msgspec.structs.replace(review(), id="r1", event="b", mark=Mark.REJECTED)
    said = _exported(tmp_path, events=events, reviews=[reject])
    assert (
        "3 events are not in this file, which has confirmed ones alone: 1 not confirmed, "
        "1 rejected by a person, 1 withdrawn; see `shutwatch event list`" in said
    )
    assert "No block" not in said
    assert "No rows" not in said


def test_the_command_names_no_event_of_another_time(tmp_path: Path) -> None:
    """In that time nothing is known of a block, and that is said."""
    over = msgspec.structs.replace(
        confirmed("a", stretch(300, 900), state=EventState.DISMISSED, confirmed_at=None),
        end_latest=at(900),
    )
    said = _exported(tmp_path, "--since", "2024-02-18", "--until", "2024-02-19", events=[over])
    assert "No rows, because nothing of this kind is stored for this time." in said
    assert "not in this file" not in said


async def test_a_shutdown_of_which_no_vantage_can_tell_is_not_ongoing() -> None:
    """All that it cut off are on a login page: it is confirmed, and nobody knows its present."""
    login_page = NetworkStatus(
        asn=17557, network="PTCL", affected=True, blocked_now=False, unobserved=True
    )
    (row,) = await rows(
        confirmed("g", kind=EventKind.SHUTDOWN, platform="", networks=(login_page,))
    )
    assert (row["shutdown_status"], row["end_date"], row["duration"]) == (UNKNOWN, "", "")
