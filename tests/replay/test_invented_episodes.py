"""Episodes that never were, told by files as OONI publishes them: one event for each block, within
its bounds and on its networks, and none where the test, the platform or a line was at fault.

People test when they are awake, some every hour and some twice a week, a sitting at a time: several
applications and sites within minutes. Some rows fail without a cause, as often as real ones do.
"""

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from monitor.analysis.events.event import Event, EventState
from monitor.analysis.events.settings import EventSettings
from monitor.config.catalog import shipped_catalog
from monitor.replay.formats import RowCounts, RowFilter
from monitor.replay.platform_of import PlatformLookup
from monitor.replay.replay import replay_rows
from monitor.replay.row_files import rows_in

START = datetime(2025, 3, 3, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NAMES = PlatformLookup(shipped_catalog())

SUBJECTS: Mapping[str, tuple[str, str | None, float]] = {
    "telegram": ("telegram", None, 0.02),
    "whatsapp": ("whatsapp", None, 0.03),
    "signal": ("signal", None, 0.03),
    "messenger": ("facebook_messenger", None, 0.3),
    "x": ("web_connectivity", "https://x.com/", 0.03),
    "facebook": ("web_connectivity", "https://www.facebook.com/", 0.03),
}
"""What people test: platform → test, address, and the share of rows that fail without a cause."""

Fails = Callable[[datetime, str, int, str, str], bool]
"""Whether a test fails: time, country, AS number, platform and version of the app."""
Version = Callable[[datetime], str]


def _one_version(at: datetime) -> str:  # noqa: ARG001
    return "5.0.4"


class Person(msgspec.Struct, frozen=True):
    country: str
    asn: int
    every: float
    """Hours between two sittings, about."""
    last: float = 999
    """Day after which nothing more is heard of them."""


def _day(number: float) -> datetime:
    return START + number * DAY


def _sittings(person: Person, days: float, rng: random.Random) -> Iterator[datetime]:
    """When somebody tests: irregularly, and not at night."""
    at = START + rng.uniform(0, person.every) * HOUR
    while at < min(_day(days), _day(person.last)):
        if 4 <= at.hour < 21:
            yield at
        at += max(0.5, rng.expovariate(1 / person.every)) * HOUR


def _lines(
    people: Sequence[Person], days: float, fails: Fails, seed: int, version: Version
) -> list[dict[str, Any]]:
    """The published lines of all that they test."""
    rng = random.Random(seed)
    found = []
    for number, person in enumerate(people):
        for sat in _sittings(person, days, rng):
            for step, (platform, (test, url, noise)) in enumerate(SUBJECTS.items()):
                at = sat + step * timedelta(seconds=40)
                used = version(at)
                failed = rng.random() < noise or fails(
                    at, person.country, person.asn, platform, used
                )
                received = at + timedelta(minutes=2)
                name = f"{test.replace('_', '')}_{number:08x}{step:08x}"
                found.append(
                    {
                        "anomaly": failed,
                        "confirmed": False,
                        "failure": False,
                        "input": url,
                        "measurement_start_time": f"{at:%Y-%m-%dT%H:%M:%S.%fZ}",
                        "measurement_uid": f"{received:%Y%m%d%H%M%S.%f}_{person.country}_{name}",
                        "probe_asn": f"AS{person.asn}",
                        "probe_cc": person.country,
                        "scores": {"blocking_general": float(failed)},
                        "software_version": used,
                        "test_name": test,
                        "verification_status": "unverified",
                    }
                )
    return sorted(found, key=lambda one: str(one["measurement_start_time"]))


def _people(country: str, first: int, often: Sequence[float]) -> list[Person]:
    """One on each of as many networks."""
    return [Person(country, first + number, every) for number, every in enumerate(often)]


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """A block, and what its event must say."""

    country: str
    platform: str
    begins: float
    """Day on which the first network blocks."""
    known: float
    """Day by which rows of several networks show it."""
    ends: float
    networks: frozenset[int]


class Story(msgspec.Struct, frozen=True, kw_only=True):
    people: tuple[Person, ...]
    days: float
    fails: Fails
    version: Version = _one_version
    episodes: tuple[Episode, ...] = ()


LARGE = (3, 5, 8, 2, 12, 20, 6, 30)
"""Hours between two sittings on the networks of a country with many volunteers."""
SMALL = (6, 9, 14, 30)


def _spreading() -> Story:
    """One operator obeys at once, the others within four days, two of eight never."""
    begins = {64512 + number: 10 + 0.65 * number for number in range(6)}

    def fails(at: datetime, country: str, asn: int, platform: str, used: str) -> bool:  # noqa: ARG001
        first = begins.get(asn, 999.0)
        return (country, platform) == ("TZ", "x") and _day(first) <= at < _day(24)

    return Story(
        people=(*_people("TZ", 64512, LARGE), *_people("KE", 64600, SMALL)),
        days=34,
        fails=fails,
        episodes=(
            Episode(
                country="TZ",
                platform="x",
                begins=10,
                known=12.5,
                ends=24,
                networks=frozenset(begins),
            ),
        ),
    )


def _on_and_off() -> Story:
    """Demonstrations on five days of eight: blocked from ten to six, on all networks."""
    days = (10, 11, 13, 14, 17)

    def fails(at: datetime, country: str, asn: int, platform: str, used: str) -> bool:  # noqa: ARG001
        today = (at - START) // DAY in days and 10 <= at.hour < 18
        return (country, platform) == ("GN", "telegram") and today

    return Story(
        people=(*_people("GN", 64512, LARGE), *_people("SN", 64600, SMALL)),
        days=30,
        fails=fails,
        episodes=(
            Episode(
                country="GN",
                platform="telegram",
                begins=10.42,
                known=11.6,
                ends=17.75,
                networks=frozenset(range(64512, 64520)),
            ),
        ),
    )


def _few_people() -> Story:
    """Three networks with one volunteer each, and a fourth whose volunteer gave up before."""

    def fails(at: datetime, country: str, asn: int, platform: str, used: str) -> bool:  # noqa: ARG001
        return (country, platform) == ("TM", "whatsapp") and _day(14) <= at < _day(26)

    people = [*_people("TM", 64512, (7, 9, 11)), Person("TM", 64515, 10, last=8)]
    return Story(
        people=(*people, *_people("KZ", 64600, SMALL)),
        days=36,
        fails=fails,
        episodes=(
            Episode(
                country="TM",
                platform="whatsapp",
                begins=14,
                known=16,
                ends=26,
                networks=frozenset((64512, 64513, 64514)),
            ),
        ),
    )


def _two_in_one_country() -> Story:
    """Telegram is blocked for a week, and WhatsApp for three days of it."""
    spans = {"telegram": (10, 17), "whatsapp": (12, 15)}

    def fails(at: datetime, country: str, asn: int, platform: str, used: str) -> bool:  # noqa: ARG001
        first, last = spans.get(platform, (999, 999))
        return country == "ET" and _day(first) <= at < _day(last)

    return Story(
        people=(*_people("ET", 64512, LARGE), *_people("KE", 64600, SMALL)),
        days=28,
        fails=fails,
        episodes=tuple(
            Episode(
                country="ET",
                platform=platform,
                begins=first,
                known=first + 1.2,
                ends=last,
                networks=frozenset(range(64512, 64520)),
            )
            for platform, (first, last) in spans.items()
        ),
    )


BLOCKS: Mapping[str, Callable[[], Story]] = {
    "spreads over four days": _spreading,
    "on and off": _on_and_off,
    "three volunteers in all": _few_people,
    "two platforms": _two_in_one_country,
}


def _countries(*names: str) -> tuple[Person, ...]:
    return tuple(
        person
        for number, name in enumerate(names)
        for person in _people(name, 64512 + 100 * number, LARGE if number % 2 else SMALL)
    )


def _version_breaks(*countries: str) -> Story:
    """An app that everybody gets in one hour has a broken test; the next mends it a week later."""

    def fails(at: datetime, country: str, asn: int, platform: str, used: str) -> bool:  # noqa: ARG001
        return used == "5.1.0" and platform == "telegram"

    def version(at: datetime) -> str:
        return "5.0.4" if at < _day(12.25) else "5.1.0" if at < _day(19.5) else "5.1.1"

    return Story(people=_countries(*countries), days=30, fails=fails, version=version)


def _outage() -> Story:
    """What Meta has is down for six hours, everywhere."""

    def fails(at: datetime, country: str, asn: int, platform: str, used: str) -> bool:  # noqa: ARG001
        ours = platform in ("whatsapp", "messenger", "facebook")
        return ours and _day(12.65) <= at < _day(12.9)

    return Story(people=_countries("KE", "UG", "TZ", "RW"), days=20, fails=fails)


def _broken_lines() -> Story:
    """One volunteer's line blocks half of what it should not, for a day and a half; another's app
    cannot reach Telegram for two days."""

    def fails(at: datetime, country: str, asn: int, platform: str, used: str) -> bool:  # noqa: ARG001
        filtered = asn == 64512 and platform in ("x", "facebook", "telegram")
        alone = asn == 64515 and platform == "telegram"
        return (filtered and _day(9) <= at < _day(10.5)) or (alone and _day(15) <= at < _day(17))

    return Story(people=_countries("KE", "UG"), days=30, fails=fails)


NOTHING: Mapping[str, Callable[[], Story]] = {
    "a version breaks in five countries": lambda: _version_breaks("KE", "UG", "TZ", "RW", "ET"),
    "a version breaks, and one country is asked about": lambda: _version_breaks("KE"),
    "the platform is down for six hours": _outage,
    "two lines are broken": _broken_lines,
}


def _events(story: Story, seed: int, folder: Path) -> tuple[Event, ...]:
    """What the published file shows."""
    lines = _lines(story.people, story.days, story.fails, seed, story.version)
    file = folder / "measurements.json"
    file.write_text(json.dumps({"metadata": {"count": len(lines)}, "results": lines}))
    rows = rows_in(file, NAMES, RowFilter(), RowCounts())
    assert len(rows) == len(lines)
    return replay_rows(rows, NAMES, EventSettings()).events


SEEDS = pytest.mark.parametrize(
    "seed", [1, *(pytest.param(more, marks=pytest.mark.soak) for more in (2, 3))]
)


@SEEDS
@pytest.mark.parametrize("name", BLOCKS)
def test_each_block_is_one_event(name: str, seed: int, tmp_path: Path) -> None:
    """With bounds that hold its onset and its end, on its networks. Chance may suspect more for
    hours, and confirms nothing."""
    story = BLOCKS[name]()
    events = [
        one for one in _events(story, seed, tmp_path) if one.state is not EventState.DISMISSED
    ]
    found = {(one.country, one.platform): one for one in events}
    episodes = {(one.country, one.platform): one for one in story.episodes}
    assert (set(found), len(events)) == (set(episodes), len(episodes))
    for key, episode in episodes.items():
        event = found[key]
        assert event.confirmed_at is not None
        assert set(event.networks_affected) <= episode.networks
        assert event.onset_earliest is not None
        assert event.onset_earliest <= _day(episode.begins) + 12 * HOUR
        assert _day(episode.begins) - 6 * HOUR <= event.onset_latest <= _day(episode.known)
        assert event.end_earliest is not None
        assert event.end_latest is not None
        assert event.end_earliest <= _day(episode.ends) + 12 * HOUR
        assert _day(episode.ends) - DAY <= event.end_latest <= _day(episode.ends) + 3 * DAY


@SEEDS
@pytest.mark.parametrize("name", NOTHING)
def test_what_is_no_block_accuses_nobody(name: str, seed: int, tmp_path: Path) -> None:
    """A suspicion may come and go; none is confirmed, and none stays."""
    for event in _events(NOTHING[name](), seed, tmp_path):
        assert event.confirmed_at is None, event
        assert not event.active, event
