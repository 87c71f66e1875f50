"""Real blocks, and a real year without one, replayed from OONI's data.

Measurement data © OONI and its contributors, CC BY-NC-SA 4.0. No constant was fitted to the daily
counts, but parts of their model (devices that are broken for long, tests that fail everywhere, the
test with certificates of its own) were added after looking at them, so they are no test of data
never seen.
"""

import json
import random
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from monitor.analysis.events.settings import EventSettings
from monitor.cli.main import app
from monitor.config.catalog import shipped_catalog
from monitor.replay.formats import RowCounts, RowFilter
from monitor.replay.imported_row import Row
from monitor.replay.platform_of import PlatformLookup
from monitor.replay.replay import Replayed, replay_rows
from monitor.replay.row_files import rows_in
from monitor.replay.weekly_hours import weekly_pattern
from tests.replay.real_data import DAILY, KENYA, needs_real_data

pytestmark = [pytest.mark.ooni, needs_real_data]

CONTINUOUS, EXAM_HOURS = 12455, (33771, 36926, 37061)
SIGNAL_BROKE = datetime(2023, 11, 9, tzinfo=UTC)
UNTOUCHED = (30844, 329014, 36866, 15399)


@cache
def _replayed(path: Path, country: str = "") -> Replayed:
    names = PlatformLookup(shipped_catalog())
    rows = rows_in(path, names, RowFilter(country=country), RowCounts())
    return replay_rows(rows, names, EventSettings())


def _day(month: int, day: int) -> datetime:
    return datetime(2023, month, day, tzinfo=UTC)


def _blocks(asn: int) -> Sequence[tuple[datetime, datetime | None]]:
    (timeline,) = [timeline for timeline in _replayed(KENYA).timelines if timeline.asn == asn]
    return timeline.blocks


def test_kenya_is_one_event_on_four_networks() -> None:
    """Telegram in Kenya, exams of 2023: one event, the four networks, and over at the end."""
    (event,) = _replayed(KENYA).events
    assert (event.country, event.platform, event.state) == ("KE", "telegram", "ended")
    assert event.networks_affected == (CONTINUOUS, *EXAM_HOURS)


def test_kenya_began_on_8_november() -> None:
    """Between two rows of that morning, a few hours apart at most."""
    (event,) = _replayed(KENYA).events
    assert event.onset_earliest is not None
    assert event.onset_earliest.date() == event.onset_latest.date() == _day(11, 8).date()
    assert event.onset_latest - event.onset_earliest < timedelta(hours=6)


def test_kenya_ended_when_exams_did() -> None:
    """The last block was seen on 24 November, and its end by the next rows of that network."""
    (event,) = _replayed(KENYA).events
    assert event.end_earliest is not None
    assert event.end_latest is not None
    assert event.end_earliest.date() == _day(11, 24).date()
    assert event.end_latest < _day(11, 29)


def test_kenya_one_network_blocked_without_a_break() -> None:
    """AS12455, nights and weekends too: one block from the 8th to the 24th or later."""
    ((start, end),) = _blocks(CONTINUOUS)
    assert start.date() == _day(11, 8).date()
    assert end is not None
    assert _day(11, 24) < end < _day(11, 27)


@pytest.mark.parametrize("asn", EXAM_HOURS)
def test_kenya_three_networks_blocked_in_exam_hours(asn: int) -> None:
    """Several blocks each, none begun outside 06:30 to 18:00 of a weekday there, none before the
    exams or after them."""
    blocks = _blocks(asn)
    assert len(blocks) >= 3
    for start, _ in blocks:
        local = start + timedelta(hours=3)
        assert _day(11, 8) < start < _day(11, 25)
        assert local.weekday() < 5
        assert (
            timedelta(hours=6, minutes=30)
            <= local - local.replace(hour=0, minute=0)
            <= timedelta(hours=18)
        )


def test_kenya_the_pattern_is_told() -> None:
    """On the network with most rows: mornings and afternoons of weekdays, a break at noon."""
    (event,) = _replayed(KENYA).events
    (timeline,) = [timeline for timeline in _replayed(KENYA).timelines if timeline.asn == 33771]
    zone = datetime.fromisoformat("2023-11-08T00:00:00+03:00").tzinfo
    assert zone is not None
    pattern = weekly_pattern(timeline, event.onset_latest, _day(11, 25), zone)
    assert pattern.startswith("weekdays 0")
    assert pattern.count("–") == 2
    assert "weekends" not in pattern


@pytest.mark.parametrize("asn", UNTOUCHED)
def test_kenya_untouched_networks_are_never_flagged(asn: int) -> None:
    """They had failures of their own before, and none of them is called a block."""
    assert _blocks(asn) == ()


@pytest.mark.parametrize("country", ["MY", "TH", "ID"])
def test_a_year_without_blocks_has_no_event(country: str) -> None:
    """Nothing, alone or beside the other countries: not of Signal either, whose test failed for ten
    weeks in all of them."""
    for path_country in ("", country):
        events = _replayed(DAILY, path_country).events
        assert [event.platform for event in events if event.country == country] == []


@pytest.mark.parametrize("country", ["", "MM"])
@pytest.mark.parametrize("platform", ["whatsapp", "messenger"])
def test_a_standing_block_is_one_event(platform: str, country: str) -> None:
    """WhatsApp and Messenger in Myanmar, blocked since before the data begins until after it ends,
    though most rows pass for two months: 7 % of WhatsApp's fail then, and 1 % elsewhere."""
    events = _replayed(DAILY, country).events
    (event,) = (one for one in events if (one.country, one.platform) == ("MM", platform))
    assert event.onset_earliest is None
    assert event.state == "confirmed"
    assert event.end_latest is None


@pytest.mark.parametrize("country", ["", "MM"])
def test_what_is_open_beside_a_standing_block_has_no_event(country: str) -> None:
    """Telegram is not blocked there, and Signal's test needs another country where it passes."""
    events = [event for event in _replayed(DAILY, country).events if event.country == "MM"]
    assert "telegram" not in {event.platform for event in events}
    later = [event.platform for event in events if event.onset_latest > SIGNAL_BROKE]
    assert later == ([] if country else ["signal"])


def test_signal_in_myanmar_is_told_as_far_as_counts_show() -> None:
    """Standing when the data begins and over by September 2023; and again in February 2024, when it
    fails there and nowhere else. That a quarter of a country's rows fail in between is no event:
    docs/replay.md says what that may be."""
    first, second = (
        event
        for event in _replayed(DAILY).events
        if (event.country, event.platform) == ("MM", "signal")
    )
    assert first.onset_earliest is None
    assert first.end_earliest is not None
    assert first.end_latest is not None
    assert _day(8, 20) <= first.end_earliest < first.end_latest <= _day(9, 2)
    assert second.onset_earliest is not None
    assert second.confirmed_at is not None
    # Open until mid-January, while the test failed elsewhere; the others pass from 5 February on.
    fails_alone = datetime(2024, 2, 5, tzinfo=UTC)
    assert datetime(2024, 1, 9, tzinfo=UTC) <= second.onset_earliest < fails_alone
    assert fails_alone < second.onset_latest <= fails_alone + timedelta(days=2)
    assert second.detected_at < fails_alone + timedelta(days=10)
    assert second.end_earliest is not None
    assert second.end_earliest > fails_alone + timedelta(days=14)


def test_signal_in_myanmar_fails_less_in_september_than_what_is_open_there() -> None:
    """A quarter of its rows, and two fifths of Telegram's, which nobody blocks: what fails both is
    no block of either, so there is no event."""
    since, until = _day(9, 13), _day(10, 2)
    names = PlatformLookup(shipped_catalog())
    wanted = RowFilter(country="MM", since=since, until=until)
    rows = rows_in(DAILY, names, wanted, RowCounts())
    failed = {
        platform: sum(row.failed for row in rows if row.platform == platform)
        / sum(row.total for row in rows if row.platform == platform)
        for platform in ("signal", "telegram")
    }
    assert 0.2 < failed["signal"] < 0.3 < failed["telegram"]
    during = [
        event.platform
        for event in _replayed(DAILY).events
        if event.country == "MM"
        and event.onset_latest < until
        and (event.end_latest is None or event.end_latest > since)
    ]
    assert sorted(during) == ["messenger", "whatsapp"]


def _by_hour(rows: Sequence[Row], rng: random.Random) -> list[Row]:
    """Counts of days as counts of hours, most of them in the afternoon."""
    found = []
    for row in rows:
        tests = Counter(
            (int(rng.triangular(0, 24, 15)), number < row.failed) for number in range(row.total)
        )
        for hour in sorted({hour for hour, _ in tests}):
            at = row.at + timedelta(hours=hour)
            failed = tests[hour, True]
            found.append(
                msgspec.structs.replace(
                    row,
                    at=at,
                    until=at + timedelta(hours=1),
                    total=failed + tests[hour, False],
                    failed=float(failed),
                    confirmed=min(row.confirmed, failed),
                )
            )
    return sorted(found, key=lambda row: (row.until, row.at))


def test_the_year_by_hour_has_the_events_of_the_year_by_day() -> None:
    """Four in Myanmar, known at the same time; each hour for itself made more than twenty, some of
    Telegram, which is open. Onsets and ends lie within the bounds that days leave."""
    names = PlatformLookup(shipped_catalog())
    rows = _by_hour(rows_in(DAILY, names, RowFilter(), RowCounts()), random.Random(1))
    events = replay_rows(rows, names, EventSettings()).events
    days = _replayed(DAILY).events
    for event, by_day in zip(events, days, strict=True):
        assert (event.country, event.platform) == (by_day.country, by_day.platform)
        assert (event.state, event.detected_at) == (by_day.state, by_day.detected_at)
        for hour, day in (
            (event.onset_latest, by_day.onset_latest),
            (by_day.onset_earliest, event.onset_earliest),
            (event.end_latest, by_day.end_latest),
            (by_day.end_earliest, event.end_earliest),
        ):
            assert hour == day or (hour is not None and day is not None and hour < day)


def test_the_command_prints_the_same() -> None:
    """`replay FILE --json`: one line an event, with what the interface promises."""
    done = CliRunner().invoke(app, ["replay", str(KENYA), "--json"])
    assert done.exit_code == 0
    (line,) = done.stdout.splitlines()
    event: dict[str, Any] = json.loads(line)
    assert event["networks"] == [CONTINUOUS, *EXAM_HOURS]
    assert {block["asn"] for block in event["blocks"]} == {CONTINUOUS, *EXAM_HOURS}
