"""What a crowd's rows may accuse of: attacks on the test of a country, each with rows of our own.

Every story is made of invented rows: networks of the private range, a platform that passes on each
of them once in a while, and what happened. Real data has its own tests, in test_replay_real.py.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from monitor.analysis.events.event import EventState
from monitor.analysis.events.settings import EventSettings
from monitor.config.catalog import shipped_catalog
from monitor.replay.imported_row import Row
from monitor.replay.platform_of import PlatformLookup
from monitor.replay.replay import Replayed, replay_rows
from monitor.replay.result_lines import text_lines
from monitor.replay.results import json_lines

NAMES = PlatformLookup(shipped_catalog())
START = datetime(2024, 6, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NETWORKS = (64512, 64513, 64514, 64515, 64516, 64517)

Fails = Callable[[datetime], float]


def _measured(
    asn: int,
    fails: Fails,
    *,
    country: str = "KE",
    platform: str = "telegram",
    days: float = 20,
    every: timedelta = 4 * HOUR,
    version: str = "",
) -> list[Row]:
    """Rows of one network at regular times, a little apart from those of the others."""
    rows = []
    at = START + timedelta(minutes=asn % 97)
    while at < START + days * DAY:
        rows.append(
            Row(
                at=at,
                until=at,
                country=country,
                asn=asn,
                platform=platform,
                test=platform,
                failed=fails(at),
                version=version,
                uid=f"{at:%Y%m%d%H%M%S}.{asn}_{country}_{platform}_{version}",
            )
        )
        at += every
    return rows


def _counted(
    country: str, share: Callable[[int], float], *, days: int, platform: str = "signal"
) -> list[Row]:
    """Daily counts of a country, a hundred rows each."""
    return [
        Row(
            at=START + day * DAY,
            until=START + (day + 1) * DAY,
            country=country,
            asn=0,
            platform=platform,
            test=platform,
            total=100,
            failed=round(100 * share(day)),
            counts=True,
            nationwide=True,
        )
        for day in range(days)
    ]


def _never(at: datetime) -> float:  # noqa: ARG001
    return 0.0


def _between(first: float, last: float) -> Fails:
    """Fails from this day of the story until that one."""
    return lambda at: float(START + first * DAY <= at < START + last * DAY)


def _replayed(*several: Sequence[Row]) -> Replayed:
    rows = sorted((row for rows in several for row in rows), key=lambda row: row.at)
    return replay_rows(rows, NAMES, EventSettings())


def test_stale_rows_of_one_volunteer_do_not_date_a_national_block() -> None:
    """Five failures of one volunteer on one network, six days before a block of the country: one
    event, which began with the country's."""
    volunteer = _measured(65000, _between(4, 4.9), days=4.9)[-5:]
    assert [row.failed for row in volunteer] == [1.0] * 5
    replayed = _replayed(volunteer, *(_measured(asn, _between(10, 20)) for asn in NETWORKS))
    (event,) = replayed.events
    assert event.onset_earliest is not None
    assert event.onset_earliest >= START + 9.5 * DAY
    assert event.onset_latest <= START + 10.25 * DAY
    assert 65000 not in event.networks_affected
    assert set(event.networks_affected) == set(NETWORKS)


def test_rows_without_a_network_may_be_one_volunteer() -> None:
    """OONI knew no network of theirs: one broken line accuses nobody, not even for hours."""
    passing = [_measured(asn, _never) for asn in NETWORKS[:2]]
    assert _replayed(_measured(0, _between(10, 10.8)), *passing).events == ()
    (event,) = _replayed(_measured(0, _between(6, 19)), *passing).events
    (network,) = [one for one in event.networks if one.affected]
    assert (network.asn, network.network) == (0, "unknown network")


def test_stale_rows_on_a_network_that_blocks_later_do_not_date_the_block_either() -> None:
    """The same on a network that the block reaches, and where nobody measured in between."""
    early = _measured(64512, _between(4, 4.9), days=4.9)[-5:]
    later = [row for row in _measured(64512, _between(10, 20)) if row.at >= START + 10 * DAY]
    others = (_measured(asn, _between(10, 20)) for asn in NETWORKS[1:])
    (event,) = _replayed(early, later, *others).events
    assert event.onset_earliest is not None
    assert event.onset_earliest >= START + 9.5 * DAY


@pytest.mark.parametrize("days", [0.9, 1.9])
def test_one_volunteers_broken_line_is_no_event(days: float) -> None:
    """One network of six fails for a day or two, in all its rows: nobody is accused."""
    broken = _measured(64512, _between(5, 5 + days), every=2 * HOUR)
    assert _replayed(broken, *(_measured(asn, _never) for asn in NETWORKS[1:])).events == ()


def test_one_network_that_blocks_for_days_is_found() -> None:
    """The same for six days: one event of one network, confirmed, and over with it."""
    blocked = _measured(64512, _between(5, 11), every=2 * HOUR)
    (event,) = _replayed(blocked, *(_measured(asn, _never) for asn in NETWORKS[1:])).events
    assert event.networks_affected == (64512,)
    assert event.confirmed_at is not None
    assert event.state is EventState.ENDED
    assert event.onset_earliest is not None
    assert START + 4.8 * DAY < event.onset_earliest < event.onset_latest < START + 5.2 * DAY
    assert event.end_earliest is not None
    assert event.end_latest is not None
    assert START + 10.8 * DAY < event.end_earliest < event.end_latest < START + 11.2 * DAY


def test_a_national_block_is_an_event_hours_after_its_third_failure() -> None:
    """Three networks that are measured every two hours: no one of them shows a block, together
    they do, and more rows confirm it."""
    rows = [_measured(asn, _between(10, 20), every=2 * HOUR) for asn in NETWORKS[:3]]
    third = sorted(row.at for several in rows for row in several if row.failed)[2]
    (event,) = _replayed(*rows).events
    assert event.detected_at <= third + 3 * HOUR
    assert event.confirmed_at is not None
    assert event.confirmed_at <= third + 9 * HOUR


def test_a_platform_that_is_down_accuses_no_country() -> None:
    """Everything fails for five hours in five countries, on every network, hour by hour."""
    down = _between(10, 10.2)
    rows = [
        _measured(asn, down, country=country, every=HOUR, days=14)
        for country in ("KE", "UG", "TZ", "RW", "ET")
        for asn in NETWORKS
    ]
    assert _replayed(*rows).events == ()


def test_a_test_that_breaks_everywhere_accuses_no_country() -> None:
    """It fails in four countries since the same day for seventy, in one of them for all and in
    another less than elsewhere, which a block would explain better: no event."""
    begun, over = 30, 100
    shares = {"VN": 0.45, "MY": 0.97, "TH": 0.8, "ID": 0.65}
    rows = [
        _counted(
            country,
            lambda day, share=share: share if begun <= day < over else 0.01,  # type: ignore[misc]
            days=130,
        )
        for country, share in shares.items()
    ]
    assert _replayed(*rows).events == ()


def test_what_began_everywhere_is_taken_back_once_that_is_known() -> None:
    """Rows of one country alone are an event; when the others' rows of the same days arrive, and
    fail as well, it is none."""
    early = [_measured(asn, _between(10, 20)) for asn in NETWORKS]
    before = [
        row
        for country in ("UG", "TZ")
        for row in _measured(64512, _between(10, 20), country=country)
    ]
    known = [row for row in before if row.at < START + 9 * DAY]
    assert len(_replayed(*early, known).events) == 1
    assert _replayed(*early, before).events == ()


def test_a_fault_that_ends_late_somewhere_accuses_nobody() -> None:
    """A test fails in five countries for six weeks; one was not measured when it began, and in
    another the mended version comes ten days late."""
    spans = {"KE": (30, 72), "UG": (30, 72), "TZ": (30, 82), "RW": (30, 72), "ET": (30, 70)}
    rows = [
        [
            row
            for row in _measured(asn, _between(*spans[country]), country=country, days=100)
            if country != "ET" or not START + 30 * DAY <= row.at < START + 36 * DAY
        ]
        for country in spans
        for asn in NETWORKS[:2]
    ]
    assert _replayed(*rows).events == ()


def test_a_failure_by_chance_does_not_date_a_block() -> None:
    """One row of another network failed fifteen hours before: the block begins with the row at
    which several began, and the bounds hold the truth."""
    chance = _measured(64512, _between(9.3, 9.45))
    assert sum(row.failed for row in chance) == 1
    others = [_measured(asn, _between(10, 20), every=2 * HOUR) for asn in NETWORKS[1:4]]
    (event,) = _replayed(chance, *others).events
    assert event.onset_earliest is not None
    assert event.onset_earliest <= START + 10 * DAY <= event.onset_latest
    assert event.onset_earliest > START + 9 * DAY


def test_a_neighbours_older_block_excuses_nobody() -> None:
    """Uganda has blocked for weeks when Kenya begins to: both are told."""
    rows = [
        *(_measured(asn, _between(2, 30), country="UG", days=30) for asn in NETWORKS),
        *(_measured(asn, _between(15, 25), days=30) for asn in NETWORKS),
        *(_measured(asn, _never, country="TZ", days=30) for asn in NETWORKS),
    ]
    events = {event.country: event for event in _replayed(*rows).events}
    assert set(events) == {"KE", "UG"}
    assert events["KE"].onset_latest <= START + 15.3 * DAY


def test_standing_blocks_of_several_countries_are_found() -> None:
    """Three countries fail from their first row on: no common onset, so nothing is excused."""
    rows = [
        _measured(asn, lambda at: 1.0, country=country, platform="x")  # noqa: ARG005
        for country in ("CN", "IR", "RU")
        for asn in NETWORKS[:3]
    ]
    events = _replayed(*rows).events
    assert {event.country for event in events} == {"CN", "IR", "RU"}
    assert all(event.onset_earliest is None for event in events)


def test_a_test_with_certificates_of_its_own_accuses_only_where_it_works_elsewhere() -> None:
    """Signal fails in all rows of one country, and nobody measured it anywhere else: its test may
    be broken. With a neighbour where it passes it is told as a block."""
    blocked = [
        _measured(asn, _between(10, 20), platform="signal", country="VN") for asn in NETWORKS[:4]
    ]
    assert _replayed(*blocked).events == ()
    neighbour = _measured(65000, _never, platform="signal", country="TH")
    (event,) = _replayed(*blocked, neighbour).events
    assert event.country == "VN"


def test_a_broken_version_accuses_nobody() -> None:
    """Half the rows of every network are of a version that fails since day 10."""
    rows = [
        _measured(asn, fails, every=6 * HOUR, version=version)
        for asn in NETWORKS
        for version, fails in (("3.18.0", _between(10, 20)), ("3.19.1", _never))
    ]
    assert _replayed(*rows).events == ()
    unnamed = [_measured(asn, _between(10, 20), every=6 * HOUR) for asn in NETWORKS]
    assert len(_replayed(*unnamed).events) == 1


def _upgraded(
    country: str = "KE", *, begins: float = 10, ends: float = 20, hold: bool = False
) -> list[list[Row]]:
    """Everybody gets another version of the test on the tenth day, in the hour in which it begins
    to fail; with `hold` a second person on each network keeps the old one, which fails too."""
    rows, fails = [], _between(begins, ends)
    for asn in NETWORKS[:4]:
        old = _measured(asn, fails, country=country, every=2 * HOUR, version="3.18.0")
        new = _measured(asn, fails, country=country, every=2 * HOUR, version="3.19.1")
        rows.append([row for row in old if hold or row.at < START + 10 * DAY])
        rows.append([row for row in new if row.at >= START + 10 * DAY])
    return rows


def test_a_version_that_comes_with_the_failing_excuses() -> None:
    """Nobody can tell a version that does not work from a block that began in its hour. Rows that
    name no version do not say so, and are a block."""
    assert _replayed(*_upgraded()).events == ()
    unnamed = [[msgspec.structs.replace(row, version="") for row in one] for one in _upgraded()]
    assert len(_replayed(*unnamed).events) == 1


def test_a_version_that_passes_in_another_country_excuses_nobody() -> None:
    """It works: what began here in its hour is a block."""
    others = _upgraded("UG", begins=99)
    (event,) = _replayed(*_upgraded(), *others).events
    assert event.country == "KE"
    assert START + 9.5 * DAY < event.onset_latest <= START + 10.25 * DAY


def test_a_version_that_passes_on_another_network_excuses_nobody() -> None:
    """Censors know networks, versions do not."""
    passes = [
        *_measured(65000, _never, every=2 * HOUR, days=10, version="3.18.0"),
        *(
            row
            for row in _measured(65000, _never, every=2 * HOUR, version="3.19.1")
            if row.at >= START + 10 * DAY
        ),
    ]
    (event,) = _replayed(*_upgraded(), passes).events
    assert 65000 not in event.networks_affected


def test_an_old_version_that_fails_as_well_excuses_nobody() -> None:
    """Whoever did not upgrade meets the block too."""
    (event,) = _replayed(*_upgraded(hold=True)).events
    assert event.confirmed_at is not None


def test_a_version_that_comes_during_a_block_excuses_nobody() -> None:
    """All upgrade on its second day, and none keeps the old version."""
    (event,) = _replayed(*_upgraded(begins=8.5)).events
    assert event.onset_latest <= START + 8.75 * DAY
    assert event.end_earliest is None or event.end_earliest > START + 18 * DAY


def test_a_known_block_page_is_no_versions_invention() -> None:
    """One row that met it tells the block."""
    rows = [
        msgspec.structs.replace(row, confirmed=int(row.failed))
        for one in _upgraded()
        for row in one
    ]
    assert len(_replayed(rows).events) == 1


def test_no_end_is_told_while_everything_fails() -> None:
    """A block of ten days, in which one row in twelve passes: one event, one stretch, no end."""
    count = 0

    def leaky(at: datetime) -> float:
        nonlocal count
        count += 1
        return 0.0 if at < START + 5 * DAY or count % 12 == 0 else 1.0

    replayed = _replayed(*(_measured(asn, leaky, days=15) for asn in NETWORKS))
    (event,) = replayed.events
    assert event.active
    changes = [entry.change for entry in replayed.log]
    assert "ended" not in changes
    assert "reopened" not in changes
    (told,) = json_lines(replayed)
    assert len(told["stretches"]) == 1


def test_silence_within_an_event_is_told() -> None:
    """Nobody measures for six days of a block: the event stands, and says so."""
    rows = [
        row
        for asn in NETWORKS
        for row in _measured(asn, _between(5, 18))
        if not START + 8 * DAY <= row.at < START + 14 * DAY
    ]
    replayed = _replayed(rows)
    (told,) = json_lines(replayed)
    (silence,) = told["silences"]
    assert START + 7.8 * DAY < silence["start"] < START + 8 * DAY
    assert START + 14 * DAY <= silence["end"] < START + 14.2 * DAY
    assert any("nobody measured 2024-06-08" in line for line in text_lines(replayed, 100))


def test_a_country_of_networks_that_are_seldom_measured() -> None:
    """Forty networks, each measured once in one to four days, some of them never again: one event,
    bounds of days that hold the truth, and an end."""
    rng = random.Random(5)
    rows = []
    for asn in range(64512, 64552):
        often, last = rng.uniform(24, 96), rng.choice((40, 60, 60, 60))
        blocked = _between(30, 45)
        hour = rng.uniform(0, often)
        while hour < 24 * last:
            at = START + hour * HOUR
            rows += [
                row
                for row in _measured(asn, blocked, days=0.01)
                for row in [msgspec.structs.replace(row, at=at, until=at, failed=blocked(at))]
            ]
            hour += rng.expovariate(1 / often)
    rows = [msgspec.structs.replace(row, uid=str(number)) for number, row in enumerate(rows)]
    (event,) = _replayed(rows).events
    assert event.state is EventState.ENDED
    assert event.onset_earliest is not None
    assert START + 26.9 * DAY < event.onset_earliest <= START + 30 * DAY
    assert START + 30 * DAY <= event.onset_latest < START + 31 * DAY
    assert event.detected_at < START + 32 * DAY
    assert event.end_earliest is not None
    assert event.end_latest is not None
    assert START + 44 * DAY < event.end_earliest <= START + 45 * DAY
    assert START + 45 * DAY <= event.end_latest < START + 52 * DAY
    (told,) = json_lines(_replayed(rows))
    assert told["stretches"][0]["onset_earliest"] == event.onset_earliest


def _noisy(seed: int, days: int) -> Iterator[Row]:
    """Forty networks of volunteers: each measures when he likes, one row in fifty fails, and about
    twice a year a line is broken for half a day or so."""
    rng = random.Random(seed)
    for asn in range(64512, 64552):
        hour, broken = 0.0, -1.0
        often = rng.choice((2.0, 5.0, 12.0, 30.0))
        while hour < 24 * days:
            hour += rng.expovariate(1 / often)
            if rng.random() < often / 4320:
                broken = hour + rng.expovariate(1 / 12)
            failed = float(rng.random() < (0.9 if hour < broken else 0.02))
            at = START + hour * HOUR
            yield Row(
                at=at,
                until=at,
                country="KE",
                asn=asn,
                platform="telegram",
                test="telegram",
                failed=failed,
                uid=f"{asn}.{hour}",
            )


def test_months_of_volunteers_with_broken_lines_accuses_nobody() -> None:
    """Twice two months of forty networks: at most one suspicion, which nothing confirms."""
    events = [event for seed in (1, 2) for event in _replayed(list(_noisy(seed, 60))).events]
    assert len(events) <= 1
    assert all(event.confirmed_at is None for event in events)


@pytest.mark.parametrize("early", [0, 3])
def test_a_failure_by_chance_does_not_date_the_block_of_weeks_later(early: int) -> None:
    """Two tests a day on each network, one of which failed in the first days. They do not show that
    the network was open before the block began, nor that it was blocked since then."""

    def counted(asn: int, day: int) -> Row:
        failed = 2.0 if day >= 10 else 1.0 if (day, asn) == (early, NETWORKS[0]) else 0.0
        return Row(
            at=START + day * DAY,
            until=START + (day + 1) * DAY,
            country="PK",
            asn=asn,
            platform="facebook",
            test="web_connectivity",
            total=2,
            failed=failed,
            counts=True,
            interval=True,
        )

    rows = [counted(asn, day) for asn in NETWORKS[:3] for day in range(20)]
    (event,) = _replayed([row for row in rows if row.at.day % 3]).events
    assert event.onset_earliest is not None
    assert START + 8 * DAY <= event.onset_earliest <= START + 10 * DAY
    assert START + 10 * DAY <= event.onset_latest <= START + 12 * DAY


def test_who_stays_open_through_a_long_block_does_not_join_it_by_two_failures() -> None:
    """Weeks of tests passed there, though some fail by chance: two in a row are believed less than
    on the day the block began. A network that does join late is found all the same."""

    def by_chance(at: datetime) -> float:
        spans = ((2, 2.1), (4, 4.1), (6, 6.1), (8, 8.1), (25, 25.3))
        return max(_between(*span)(at) for span in spans)

    blocked = [_measured(asn, _between(10, 40), days=50) for asn in NETWORKS[:3]]
    open_all_along = _measured(NETWORKS[4], by_chance, days=50)
    assert sum(row.failed for row in open_all_along if row.at > START + 10 * DAY) == 2
    late = _measured(NETWORKS[5], _between(30, 40), days=50)
    (event,) = _replayed(*blocked, open_all_along, late).events
    assert set(event.networks_affected) == {*NETWORKS[:3], NETWORKS[5]}


def test_a_network_that_often_fails_by_chance_is_not_named_first() -> None:
    """It failed once more just before two others were blocked, and passes meanwhile."""
    rng = random.Random(15)

    def tested(asn: int, noise: float, blocked: Fails) -> Iterator[Row]:
        at = START + rng.random() * 6 * HOUR
        while at < START + 18 * DAY:
            failed = rng.random() < noise or (blocked(at) > 0 and rng.random() < 0.9)
            yield Row(
                at=at,
                until=at,
                country="KE",
                asn=asn,
                platform="x",
                test="web_connectivity",
                failed=float(failed),
                uid=f"{asn}.{at}",
            )
            at += max(0.5, rng.expovariate(1 / 9)) * HOUR

    noisy = list(tested(NETWORKS[0], 0.08, _never))
    two = [list(tested(asn, 0.02, _between(10, 16))) for asn in NETWORKS[1:3]]
    (event,) = _replayed(noisy, *two).events
    assert event.networks_affected == NETWORKS[1:3]


@pytest.mark.parametrize(("during", "blocked"), [(0.55, False), (0.97, True)])
def test_a_noisy_test_is_no_block_because_another_platform_is_blocked(
    during: float, blocked: bool
) -> None:
    """Messenger's test fails in most rows for months; then WhatsApp is blocked for two
    weeks. What failed before and goes on afterwards is no block of Messenger, unless nearly
    everything fails meanwhile."""
    rng = random.Random(4)

    def messenger(day: int) -> float:
        return min(1.0, (during if 80 <= day < 96 else 0.55) + rng.uniform(-0.15, 0.15))

    def whatsapp(day: int) -> float:
        return 0.85 if 80 <= day < 96 else rng.uniform(0, 0.03)

    events = _replayed(
        _counted("MY", messenger, days=150, platform="messenger"),
        _counted("MY", whatsapp, days=150, platform="whatsapp"),
    ).events
    found = {event.platform: event for event in events}
    assert len(found) == len(events)
    assert set(found) == ({"messenger", "whatsapp"} if blocked else {"whatsapp"})
    for event in events:
        assert event.onset_earliest is not None
        assert START + 78 * DAY <= event.onset_earliest <= START + 80 * DAY
        assert event.onset_latest <= START + 85 * DAY
        assert event.end_latest is not None
        assert START + 95 * DAY <= event.end_latest <= START + 102 * DAY
