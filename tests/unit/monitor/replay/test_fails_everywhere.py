"""Which rows show nothing while a platform's test fails in most countries, and afterwards."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from monitor.replay.broken_versions import BrokenVersions
from monitor.replay.fails_everywhere import FailsEverywhere
from monitor.replay.imported_row import Row

START = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
OTHERS = ("UG", "TZ", "RW")
BREAKS, MENDED = 20, 60
"""Days from which the test fails in the other countries, and passes again."""


def _row(day: float, *, country: str, failed: float, version: str = "", asn: int = 1) -> Row:
    at = START + day * DAY
    return Row(
        at=at,
        until=at,
        country=country,
        asn=asn,
        platform="signal",
        test="signal",
        failed=failed,
        version=version,
    )


def _rows(
    country: str, fails: Callable[[float], bool], *, version: str = "", first: int = 0
) -> list[Row]:
    """Six rows a day for a hundred days."""
    return [
        _row(tick / 6, country=country, failed=float(fails(tick / 6)), version=version)
        for tick in range(6 * first, 600)
    ]


def _broken(day: float) -> bool:
    return BREAKS <= day < MENDED


def _everywhere(*more: Row, version: str = "") -> FailsEverywhere:
    others = [row for country in OTHERS for row in _rows(country, _broken, version=version)]
    return FailsEverywhere([*others, *more])


@pytest.mark.parametrize(("day", "silent"), [(10, False), (40, True), (65, True), (85, False)])
def test_a_network_that_failed_all_the_time_is_excused_for_a_while(day: int, silent: bool) -> None:
    """Half as long again as the test was broken, 14 days at most."""
    kenya = _rows("KE", lambda day: day >= BREAKS)
    assert _everywhere(*kenya).silent(_row(day, country="KE", failed=1)) is silent


@pytest.mark.parametrize(
    ("day", "silent"), [(25, True), (38, False), (50, True), (59, True), (61, False)]
)
def test_a_network_that_was_found_open_is_excused_only_meanwhile(day: int, silent: bool) -> None:
    """It passed from day 35 to 42, while others failed: those rows count, and those after the
    test was mended elsewhere."""
    kenya = _rows("KE", lambda day: BREAKS <= day < 35 or day >= 42)
    assert _everywhere(*kenya).silent(_row(day, country="KE", failed=1)) is silent


def test_a_day_that_passes_is_not_found_open() -> None:
    """Its rows may be one person's."""
    kenya = _rows("KE", lambda day: BREAKS <= day < 35 or day >= 36)
    assert _everywhere(*kenya).silent(_row(65, country="KE", failed=1))


def test_another_network_of_the_country_keeps_its_excuse() -> None:
    """What is found open on one says nothing of the test that people on another have."""
    kenya = [
        *_rows("KE", lambda day: BREAKS <= day < 35 or day >= 42),
        *(
            _row(tick / 6, country="KE", failed=float(tick >= 6 * BREAKS), asn=2)
            for tick in range(600)
        ),
    ]
    everywhere = _everywhere(*kenya)
    assert not everywhere.silent(_row(65, country="KE", failed=1))
    assert everywhere.silent(_row(65, country="KE", failed=1, asn=2))


def test_a_version_that_passes_elsewhere_counts_while_another_fails() -> None:
    """And it is what makes a test with certificates of its own believed."""
    old = [row for country in (*OTHERS, "KE") for row in _rows(country, _broken, version="old")]
    new = _rows("UG", lambda _: False, version="new", first=30)
    kenya = _row(40, country="KE", failed=1, version="new")
    everywhere = FailsEverywhere([*old, *new, kenya])
    assert not everywhere.silent(kenya)
    assert everywhere.silent(_row(40, country="KE", failed=1, version="old"))
    assert everywhere.works_elsewhere(kenya)


def test_a_version_that_nobody_else_has_any_more_never_counts() -> None:
    """It failed everywhere, and nobody saw it pass since."""
    old = [
        row
        for country in OTHERS
        for row in _rows(country, _broken, version="old")
        if row.at < START + MENDED * DAY
    ]
    new = [
        row
        for country in OTHERS
        for row in _rows(country, lambda _: False, version="new", first=MENDED)
    ]
    kenya = _rows("KE", lambda day: day >= BREAKS, version="old")
    everywhere = FailsEverywhere([*old, *new, *kenya])
    assert everywhere.silent(_row(99, country="KE", failed=1, version="old"))


def test_a_version_counts_once_it_passes_elsewhere_again() -> None:
    """The platform mended what it met: there is no old version to wait for."""
    kenya = _rows("KE", lambda day: day >= BREAKS, version="old")
    everywhere = _everywhere(*kenya, version="old")
    assert everywhere.silent(_row(59, country="KE", failed=1, version="old"))
    assert not everywhere.silent(_row(62, country="KE", failed=1, version="old"))


@pytest.mark.parametrize(("passes", "broken"), [(False, True), (True, False)])
def test_a_broken_version_stays_so_until_it_passes(passes: bool, broken: bool) -> None:
    """Two networks compare it with another version in the first week; in the third only one
    network has it."""
    compared = [
        _row(day, country="KE", failed=float(version == "old"), version=version, asn=asn)
        for day in (1, 2, 3)
        for asn in (1, 2)
        for version in ("old", "new")
    ]
    again = [
        _row(8 + day, country="UG", failed=float(not passes), version="old", asn=asn)
        for day in (0, 1, 2)
        for asn in (1, 2)
    ]
    last = [_row(15 + day, country="KE", failed=1, version="old") for day in (0, 1, 2)]
    assert BrokenVersions([*compared, *again, *last]).made(last[0]) is broken


@pytest.mark.parametrize(
    ("failing", "before", "silent"),
    [(OTHERS, 0, True), ((), 0, False), (("UG",), 0, False), (OTHERS, 1, False)],
)
def test_countries_with_few_rows_tell_together(
    failing: tuple[str, ...], before: float, silent: bool
) -> None:
    """For hours the platform fails everywhere, and nobody near by measured it four times. Where
    they failed long before, it says nothing."""
    began, over = 20.6, 20.8
    kenya = [
        _row(n / 60, country="KE", failed=float(began <= n / 60 < over)) for n in range(60 * 22)
    ]
    near = [
        _row(day, country=country, failed=before if day < began else float(country in failing))
        for country in OTHERS
        for day in (*range(20), 20.65, 20.75)
    ]
    found = FailsEverywhere([*kenya, *near])
    assert found.silent(_row(20.7, country="KE", failed=1)) is silent


def test_what_fails_elsewhere_is_that_of_half_of_the_countries() -> None:
    """One that blocks tells nothing of the others, and the country itself is not asked."""
    rows = [
        *_rows("KE", lambda _: True),
        *_rows("UG", lambda _: True),
        *_rows("TZ", lambda day: day % 10 < 1),
        *_rows("RW", lambda _: False),
    ]
    usual = FailsEverywhere(rows).usual_elsewhere
    kenya = _row(90, country="KE", failed=1)
    assert usual(kenya, START + 60 * DAY, START + 90 * DAY) == pytest.approx(0.1, abs=0.02)
    assert usual(kenya, START + 200 * DAY, START + 210 * DAY) == 0
