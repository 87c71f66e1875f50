"""A block of several networks, and of several platforms together."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from monitor.replay.fails_everywhere import Subject
from monitor.replay.several_networks import Shown, common_onset, joint_onset

START = datetime(2024, 6, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
FAILED, PASSED = 3.3, -1.8
"""Nats of one row."""
OWNERS = {"x": "x", "facebook": "meta", "instagram": "meta", "youtube": "google"}

Told = tuple[Subject, Shown]


def _owner(platform: str) -> str:
    return OWNERS.get(platform, platform)


def _rows(platform: str, asn: int, nats: float, hours: Iterable[float]) -> list[Told]:
    return [((platform, ""), Shown(at=START + hour * HOUR, asn=asn, nats=nats)) for hour in hours]


def _in_order(*several: list[Told]) -> list[Told]:
    return sorted((one for rows in several for one in rows), key=lambda one: one[1].at)


def _background() -> list[Told]:
    """Two days in which everything passes on three networks, and Telegram afterwards as well."""
    before = [
        _rows(platform, asn, PASSED, range(hour, 48, 6))
        for platform in ("x", "facebook", "youtube", "telegram")
        for hour, asn in enumerate((64512, 64513, 64514))
    ]
    after = [_rows("telegram", asn, PASSED, (50, 53, 56)) for asn in (64512, 64513, 64514)]
    return _in_order(*before, *after)


SITTING = {"x": 52.0, "facebook": 53.5, "instagram": 53.5, "youtube": 55.0}
"""Hours at which somebody on the second network meets the block of each."""


def _block(platform: str, sitting: float = 0) -> list[Told]:
    """Three failures on two networks."""
    second = (sitting or SITTING[platform],)
    return [*_rows(platform, 64512, FAILED, (50, 54)), *_rows(platform, 64513, FAILED, second)]


def test_platforms_that_fail_together_are_blocked_though_none_shows_it_alone() -> None:
    """Three failures of each are what chance brings in so many rows; of three platforms at once,
    where a fourth passes, they are not."""
    rows = _in_order(_background(), _block("x"), _block("facebook"), _block("youtube"))
    for platform in ("x", "facebook", "youtube"):
        assert common_onset([one for (name, _), one in rows if name == platform]) == []
    found = joint_onset(rows, _owner)
    assert {platform for platform, _ in found} == {"x", "facebook", "youtube"}
    for firsts in found.values():
        assert {one.asn for one in firsts} == {64512, 64513}
        assert min(one.at for one in firsts) == START + 50 * HOUR


@pytest.mark.parametrize("alone", ["x", "facebook"])
def test_one_platform_or_one_owner_is_not_several(alone: str) -> None:
    """What Meta's servers do shows on Facebook and Instagram at once."""
    rows = _in_order(_background(), _block(alone))
    assert joint_onset(rows, _owner) == {}
    meta = _in_order(_background(), _block("facebook"), _block("instagram"))
    assert joint_onset(meta, _owner) == {}


def test_a_platform_among_several_is_dated_by_its_own_failures() -> None:
    """One failed by chance when the others were blocked already."""
    late = [*_rows("youtube", 64512, FAILED, (50, 60, 64)), *_rows("youtube", 64513, FAILED, (62,))]
    late += _rows("youtube", 64512, PASSED, (55,))
    found = joint_onset(_in_order(_background(), _block("x"), _block("facebook"), late), _owner)
    assert min(one.at for one in found["x", ""]) == START + 50 * HOUR
    assert min(one.at for one in found["youtube", ""]) == START + 60 * HOUR


def test_without_samples_nothing_is_blocked() -> None:
    """As where the only platform measured is known to be blocked."""
    assert joint_onset([], _owner) == {}


def test_where_nothing_else_passes_nothing_is_blocked() -> None:
    """Lines that fail altogether."""
    rows = _in_order(_background(), _block("x"), _block("facebook"), _block("youtube"))
    broken = [one for one in rows if one[0][0] != "telegram" or one[1].at < START + 48 * HOUR]
    assert joint_onset(broken, _owner) == {}


def test_one_broken_line_is_no_block_of_several_platforms() -> None:
    """However many platforms fail on it, and however often."""
    lines = [_rows(name, 64512, FAILED, range(50, 60)) for name in ("x", "facebook", "youtube")]
    assert joint_onset(_in_order(_background(), *lines), _owner) == {}


def test_one_sitting_on_a_second_network_is_a_moment_of_one_line() -> None:
    """All that is tested then fails, within minutes."""
    blocked = (_block(platform, 52) for platform in ("x", "facebook", "youtube"))
    assert joint_onset(_in_order(_background(), *blocked), _owner) == {}


def test_a_platform_that_failed_once_is_not_taken_along() -> None:
    """Beside three that are blocked."""
    once = _rows("whatsapp", 64512, FAILED, (51,))
    blocked = (_block("x"), _block("facebook"), _block("youtube"))
    found = joint_onset(_in_order(_background(), *blocked, once), _owner)
    assert {platform for platform, _ in found} == {"x", "facebook", "youtube"}
