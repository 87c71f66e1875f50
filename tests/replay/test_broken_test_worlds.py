"""Stories of a test that breaks in every country, and of blocks that begin before, in or after that
time: one event for each block that can be told, and none where only the test was at fault.

Names of versions are invented. Rows without one stand for lists and counts, which name none.
"""

import random
from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec
import pytest

from monitor.replay.imported_row import Row
from tests.replay.test_crowd import (
    DAY,
    HOUR,
    NETWORKS,
    START,
    Fails,
    _between,
    _counted,
    _measured,
    _never,
    _replayed,
)

COUNTRIES = ("KE", "UG", "TZ", "RW", "ET")
OLD, NEW = "3.18.0", "3.19.1"
BREAKS = 30.0
"""Day on which the old version begins to fail, everywhere."""
DAYS = 120.0


class Block(msgspec.Struct, frozen=True):
    """A block of Signal in Kenya, and what its event must say."""

    begins: float
    """Day of the story."""
    ends: float
    seen: float
    """Day by which rows tell it from the fault, so that the latest bound is no later."""


def _volunteer(
    country: str,
    asn: int,
    *,
    upgraded: float = DAYS,
    mended: float = DAYS,
    block: Fails = _never,
    named: bool = True,
) -> list[Row]:
    """One person's rows: the old version up to the day of the upgrade, then the new one. The old
    one fails from `BREAKS` until it is mended elsewhere, as by the platform; both fail in a
    block."""
    broken = _between(BREAKS, mended)

    def rows(fails: Fails, version: str, days: float) -> list[Row]:
        return _measured(
            asn,
            fails,
            country=country,
            platform="signal",
            days=days,
            every=24 * HOUR,
            version=version if named else "",
        )

    before = rows(lambda at: max(broken(at), block(at)), OLD, upgraded)
    after = rows(block, NEW, DAYS)
    return [*before, *(row for row in after if row.at >= START + upgraded * DAY)]


def _everywhere(
    upgraded: Callable[[str, int], float],
    *,
    mended: float = DAYS,
    block: Block | None = None,
    named: bool = True,
) -> list[list[Row]]:
    """Four people in each of five countries; `upgraded` gives the day on which one of them gets the
    new version, by the country and the number of the person."""
    blocked = _never if block is None else _between(block.begins, block.ends)
    return [
        _volunteer(
            country,
            asn,
            upgraded=upgraded(country, number),
            mended=mended,
            block=blocked if country == "KE" else _never,
            named=named,
        )
        for country in COUNTRIES
        for number, asn in enumerate(NETWORKS[:4])
    ]


def _between_days(first: float, last: float, seed: int = 3) -> Callable[[str, int], float]:
    rng = random.Random(seed)
    return lambda country, number: rng.uniform(first, last)  # noqa: ARG005


def _late(countries: Sequence[str], by: float) -> Callable[[str, int], float]:
    """Everybody upgrades within two days, and in some countries so many days later."""
    return lambda country, number: 70 + number / 2 + by * (country in countries)


def _counts(**courses: Callable[[int], float]) -> list[list[Row]]:
    """Daily counts of countries, by the share that fails on a day."""
    return [_counted(country, share, days=int(DAYS)) for country, share in courses.items()]


def _broken(share: float, until: int, begins: int = 30) -> Callable[[int], float]:
    """A share that fails while the test is broken in a country."""
    return lambda day: share if begins <= day < until else 0.01


def _fades(share: float, half: float) -> Callable[[int], float]:
    """The share falls by half in so many days, once a mended test is out on day 60."""
    return lambda day: 0.01 if day < BREAKS else max(0.01, share * 0.5 ** (max(0, day - 60) / half))


def _found_open(block: Block) -> list[list[Row]]:
    """Counts of a country whose people had the mended test weeks before others had it: they failed,
    passed, and fail again as a block begins."""

    def kenya(day: int) -> float:
        if 30 <= day < 42:
            return 0.35
        return 0.45 if block.begins <= day < block.ends else 0.02

    elsewhere = {"MY": _broken(0.3, 70), "TH": _broken(0.25, 70, 33), "ID": _broken(0.4, 75)}
    return _counts(KE=kenya, **elsewhere)


def _platform_down(block: Block) -> list[list[Row]]:
    """The platform is down for three days, and one country goes on to fail."""
    down, blocked = _between(30, 33), _between(block.begins, block.ends)

    def fails(at: datetime, country: str) -> float:
        return max(down(at), blocked(at) if country == "KE" else 0.0)

    return [
        _measured(
            asn,
            lambda at, country=country: fails(at, country),  # type: ignore[misc]
            country=country,
            platform="signal",
            days=60,
            version=NEW,
        )
        for country in COUNTRIES
        for asn in NETWORKS[:4]
    ]


def _two_on_each_network() -> list[list[Row]]:
    """Half of the people have the new version before the old one breaks; in one country those stop
    measuring, and the others never upgrade."""
    found = []
    for country in COUNTRIES:
        for asn in NETWORKS[:3]:
            new = _volunteer(country, asn, upgraded=20)
            old = _volunteer(country, asn, upgraded=DAYS if country == "TZ" else 60)
            last = START + (50 if country == "TZ" else DAYS) * DAY
            found += [old, [row for row in new if row.at < last]]
    return found


BEFORE = Block(20, 100, 21)
WITHIN = Block(60, 100, 62)
UNSEEN = Block(60, 100, 76)
"""Nobody in the country has the new version before day 74."""
ENDS_WITHIN = Block(50, 60, 52)
MENDED = Block(60, 100, 74)
AS_BEFORE = Block(60, 110, 90)
OPEN_BEFORE = Block(58, 100, 78)
AFTER_DOWN = Block(32, 50, 35)

BLOCKS: dict[str, tuple[Callable[[], list[list[Row]]], Block]] = {
    "begins while people upgrade": (
        lambda: _everywhere(_between_days(40, 72), block=WITHIN),
        WITHIN,
    ),
    "begins and ends while people upgrade": (
        lambda: _everywhere(_between_days(36, 48), block=ENDS_WITHIN),
        ENDS_WITHIN,
    ),
    "begins before anybody there upgrades": (
        lambda: _everywhere(
            lambda country, number: (74 if country == "KE" else 55) + number / 2, block=UNSEEN
        ),
        UNSEEN,
    ),
    "the platform mends what the old version meets": (
        lambda: _everywhere(lambda country, number: DAYS, mended=72, block=MENDED),  # noqa: ARG005
        MENDED,
    ),
    "the same, and rows name no version": (
        lambda: _everywhere(
            lambda country, number: DAYS,  # noqa: ARG005
            mended=72,
            block=AS_BEFORE,
            named=False,
        ),
        AS_BEFORE,
    ),
    "begins before the test breaks, and ends after it is mended": (
        lambda: _everywhere(_late((), 0), block=BEFORE),
        BEFORE,
    ),
    "begins before, and rows name no version": (
        lambda: _everywhere(_late((), 0), block=BEFORE, named=False),
        BEFORE,
    ),
    "begins before, in counts": (
        lambda: _counts(
            KE=lambda day: 0.8 if 20 <= day < 100 else 0.01,
            UG=_broken(0.4, 70),
            TZ=_broken(0.5, 71),
            RW=_broken(0.3, 72),
            ET=_broken(0.6, 72),
        ),
        BEFORE,
    ),
    "begins where people had a test that works, in counts": (
        lambda: _found_open(OPEN_BEFORE),
        OPEN_BEFORE,
    ),
    "goes on when the platform is back": (lambda: _platform_down(AFTER_DOWN), AFTER_DOWN),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_beside_a_broken_test_is_one_event(name: str) -> None:
    """Of the country that blocks, with bounds that hold the truth."""
    told, block = BLOCKS[name]
    (event,) = _replayed(*told()).events
    begins, ends = START + block.begins * DAY, START + block.ends * DAY
    assert (event.country, event.platform) == ("KE", "signal")
    assert event.confirmed_at is not None
    assert event.onset_earliest is not None
    assert event.onset_earliest <= begins <= event.onset_latest + DAY
    assert event.onset_latest <= START + block.seen * DAY
    assert event.end_earliest is not None
    assert event.end_latest is not None
    assert event.end_earliest <= ends <= event.end_latest <= ends + 3 * DAY


NOTHING: dict[str, Callable[[], list[list[Row]]]] = {
    "all upgrade within two days": lambda: _everywhere(_late((), 0)),
    "people upgrade over two months": lambda: _everywhere(_between_days(40, 100)),
    "every fifth never does": lambda: _everywhere(
        lambda country, number: DAYS if (number + ord(country[0])) % 5 == 0 else 50 + 5 * number
    ),
    "two countries get it three weeks late": lambda: _everywhere(_late(("KE", "TZ"), 21)),
    "nobody in one country ever upgrades": lambda: _everywhere(_late(("KE",), 100)),
    "one country gets it ten days late, and rows name no version": lambda: _everywhere(
        _late(("TZ",), 10), named=False
    ),
    "people upgrade over three weeks, and rows name no version": lambda: _everywhere(
        _between_days(60, 80), named=False
    ),
    "shares fade, in counts": lambda: _counts(
        KE=_fades(0.6, 5),
        UG=_fades(0.4, 3),
        TZ=_fades(0.5, 4),
        RW=_fades(0.3, 2),
        ET=_fades(0.5, 6),
    ),
    "one country is mended a week late, in counts": lambda: _counts(
        KE=_broken(0.45, 77), UG=_broken(0.4, 70), TZ=_broken(0.5, 69), RW=_broken(0.3, 70)
    ),
    "the platform mends what the old version meets": lambda: _everywhere(
        lambda country, number: DAYS,  # noqa: ARG005
        mended=72,
    ),
    "the last who have the old version have nobody beside them": _two_on_each_network,
}


@pytest.mark.parametrize("name", NOTHING)
def test_a_broken_test_alone_accuses_nobody(name: str) -> None:
    """However late people get the mended one."""
    assert _replayed(*NOTHING[name]()).events == ()
