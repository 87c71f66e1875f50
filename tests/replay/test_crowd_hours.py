"""Counts by hour as OONI publishes them, of invented people who sleep at night: the events that the
same counts give by day, with nearer bounds."""

import csv
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from math import pi, sin
from pathlib import Path

import pytest

from monitor.analysis.events.event import Event, EventState
from monitor.analysis.events.settings import EventSettings
from monitor.analysis.events.stretches import stretches
from monitor.config.catalog import shipped_catalog
from monitor.replay.formats import RowCounts, RowFilter
from monitor.replay.platform_of import PlatformLookup
from monitor.replay.replay import replay_rows
from monitor.replay.row_files import rows_in

NAMES = PlatformLookup(shipped_catalog())
START = datetime(2025, 3, 3, tzinfo=UTC)
HOUR = timedelta(hours=1)
HOURS = 75 * 24
SEEDS = pytest.mark.parametrize(
    "seed", [1, *(pytest.param(more, marks=pytest.mark.soak) for more in (2, 3))]
)

Share = Callable[[int], float]
"""Hour → share of tests that fail."""
Counts = list[tuple[int, int, int]]
"""Hour, tests, and how many of them failed."""


def _counts(rng: random.Random, tests: float, share: Share, open_line: float = 0.0) -> Counts:
    """`tests` an hour by day, hardly any by night. How much fails differs between hours as between
    people. On an open line a machine tests `open_line` times an hour, by night too."""
    found = []
    for hour in range(HOURS):
        awake = max(0.03, 0.55 + 0.5 * sin((hour % 24 - 8) / 12 * pi))
        total = round(rng.expovariate(1 / (tests * awake)))
        usual = share(hour)
        now = rng.betavariate(10 * usual, 10 * (1 - usual)) if usual < 1 else 1.0
        failed = sum(rng.random() < now for _ in range(total))
        total += round(rng.expovariate(1 / open_line)) if open_line else 0
        if total:
            found.append((hour, total, failed))
    return found


def _events(
    folder: Path, grain: int, *streams: tuple[str, Counts], networks: int = 0
) -> list[Event]:
    """What a file of counts by as many hours shows, of platforms in one country; the streams of a
    platform are of as many networks, or of the country."""
    sums: dict[tuple[int, str, str], tuple[int, int]] = {}
    for number, (platform, counts) in enumerate(streams):
        network = f"AS{64512 + number % networks}" if networks else ""
        for hour, total, failed in counts:
            key = (hour // grain * grain, platform, network)
            known = sums.get(key, (0, 0))
            sums[key] = (known[0] + total, known[1] + failed)
    file = folder / f"by-{grain}-hours.csv"
    with file.open("w", newline="") as text:
        lines = csv.writer(text)
        names = "measurement_count", "anomaly_count", "confirmed_count", "failure_count"
        lines.writerow(("measurement_start_day", "probe_cc", "test_name", "probe_asn", *names))
        for (hour, platform, network), (total, failed) in sorted(sums.items()):
            at = f"{START + hour * HOUR:%Y-%m-%dT%H:%M:%SZ}"
            lines.writerow((at, "TZ", platform, network, total, failed, 0, 0))
    rows = rows_in(file, NAMES, RowFilter(), RowCounts())
    return list(replay_rows(rows, NAMES, EventSettings()).events)


def _block(begins: int, ends: int, fails: float, usual: float = 0.02) -> Share:
    return lambda hour: fails if begins <= hour < ends else usual


@SEEDS
@pytest.mark.parametrize("tests", [2, 12, 40])
@pytest.mark.parametrize("fails", [0.65, 0.95])
def test_a_block_is_one_event_though_hours_pass(
    tmp_path: Path, seed: int, tests: float, fails: float
) -> None:
    """Three weeks. By night few fail, as a machine with an open line tests then. It is one
    stretch, known when the counts of days show it, within bounds no wider than theirs."""
    begins, ends = 30 * 24 + 17, 51 * 24 + 8
    rng = random.Random(seed)
    telegram = _counts(rng, tests, _block(begins, ends, fails), open_line=tests / 4)
    whatsapp = _counts(rng, tests, lambda _: 0.02)
    (event,) = _events(tmp_path, 1, ("telegram", telegram), ("whatsapp", whatsapp))
    (by_day,) = _events(tmp_path, 24, ("telegram", telegram), ("whatsapp", whatsapp))
    assert (event.platform, event.state) == ("telegram", EventState.ENDED)
    assert len(stretches(event)) == 1
    assert event.detected_at == by_day.detected_at
    assert event.confirmed_at == by_day.confirmed_at
    onset, end = START + begins * HOUR, START + ends * HOUR
    bounds = _bounds(event)
    days = _bounds(by_day)
    assert days[0] <= bounds[0] <= onset <= bounds[1] <= days[1]
    assert days[2] <= bounds[2] <= end <= bounds[3] <= days[3]


def _bounds(event: Event) -> Sequence[datetime]:
    early, late, first, last = (
        event.onset_earliest,
        event.onset_latest,
        event.end_earliest,
        event.end_latest,
    )
    assert early is not None
    assert first is not None
    assert last is not None
    return early, late, first, last


@SEEDS
def test_bounds_are_of_hours_where_much_is_measured(tmp_path: Path, seed: int) -> None:
    """Twelve tests an hour by day; the block begins in one afternoon and ends in another. When most
    of it began or ended is known to six hours; a small part may be a day or so before or after."""
    begins, ends = 30 * 24 + 13, 40 * 24 + 15
    counts = _counts(random.Random(seed), 12, _block(begins, ends, 0.95))
    (event,) = _events(tmp_path, 1, ("telegram", counts))
    onset, end, near, far = START + begins * HOUR, START + ends * HOUR, 6 * HOUR, 36 * HOUR
    early, late, first, last = _bounds(event)
    assert onset - far <= early <= onset <= late <= onset + near
    assert end - near <= first <= end <= last <= end + far


@SEEDS
def test_a_block_that_stands_from_the_first_hour_on_ends_as_by_days(
    tmp_path: Path, seed: int
) -> None:
    """Rows that pass may be of open lines: about ten days without a failure end it, and their hours
    date nothing."""
    rng = random.Random(seed)
    telegram = _counts(rng, 2, _block(0, 40 * 24 + 9, 0.8))
    whatsapp = _counts(rng, 2, lambda _: 0.02)
    (event,) = _events(tmp_path, 1, ("telegram", telegram), ("whatsapp", whatsapp))
    (by_day,) = _events(tmp_path, 24, ("telegram", telegram), ("whatsapp", whatsapp))
    assert event.onset_earliest is None
    assert event.end_latest is not None
    assert (event.end_earliest, event.end_latest) == (by_day.end_earliest, by_day.end_latest)
    assert (event.state, event.updated_at) == (by_day.state, by_day.updated_at)


@SEEDS
@pytest.mark.parametrize("tests", [2, 12, 40])
def test_a_bad_hour_or_a_broken_device_is_no_event(tmp_path: Path, seed: int, tests: float) -> None:
    """Seven in a hundred fail, all tests of one hour fail, and on another day those of a device
    that makes half as many as everybody else, all day."""
    rng = random.Random(seed)
    telegram = _counts(rng, tests, lambda hour: 1.0 if hour == 30 * 24 + 12 else 0.07)
    device = [(hour, round(tests / 4), round(tests / 4)) for hour in range(50 * 24, 51 * 24)]
    whatsapp = _counts(rng, tests, lambda _: 0.02)
    assert not _events(tmp_path, 1, ("telegram", telegram + device), ("whatsapp", whatsapp))


@SEEDS
def test_a_block_on_five_of_six_networks_is_one_event(tmp_path: Path, seed: int) -> None:
    """Each row names a network, and 7 of 100 fail by chance. There is no event before or after,
    and the bounds hold."""
    begins, ends = 30 * 24 + 17, 44 * 24 + 8
    rng = random.Random(seed)
    block = _block(begins, ends, 0.85, usual=0.07)
    shares = [*[block] * 5, _block(0, 0, 0, usual=0.07)]
    streams = [("telegram", _counts(rng, 3, share)) for share in shares]
    (event,) = _events(tmp_path, 1, *streams, networks=6)
    assert set(event.networks_affected) <= set(range(64512, 64517))
    early, late, first, last = _bounds(event)
    assert early <= START + begins * HOUR <= late
    assert first <= START + ends * HOUR <= last
    assert len(stretches(event)) == 1


@SEEDS
def test_six_open_networks_have_no_event(tmp_path: Path, seed: int) -> None:
    """Seven in a hundred fail by chance, of many tests."""
    rng = random.Random(seed)
    streams = [("telegram", _counts(rng, 4, lambda _: 0.07)) for _ in range(6)]
    assert not _events(tmp_path, 1, *streams, networks=6)
