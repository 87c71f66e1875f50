"""Versions of a test that fail where others pass: the test is at fault, and accuses nobody.

A test that breaks is mended in a later version, and for months both are in use. Where, in the same
days and network, most rows of one version fail and most rows of the others pass, no network blocks
anything: a censor knows no versions. What passed before the first failure, or after the last, may
have met no block. What is broken stays broken until it is seen to pass, for the
last who use it have nobody beside them to compare with.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from monitor.replay.imported_row import Row

_WEEK = timedelta(days=7)
_EPOCH = datetime.fromisoformat("2012-01-02T00:00:00Z")
"""A Monday before the first row of OONI."""
_FEW = 2.0
"""Rows of each side that are needed in one network and week."""
_MOST, _HARDLY_ANY = 0.5, 0.2
"""Shares of rows that fail: those of a broken version, and those of a sound one."""
_NETWORKS = 2
"""Networks on which a version must fail where others pass: one may be one person's device."""

_Kind = tuple[str, str, str, int]
"""Platform, part, test and number of the week."""


class _Counts(msgspec.Struct):
    failed: float = 0.0
    total: float = 0.0
    rows: list[Row] = []


class BrokenVersions:
    """Which versions fail where others pass, week by week."""

    def __init__(self, rows: Iterable[Row]) -> None:
        counts: dict[_Kind, dict[tuple[str, int], dict[str, _Counts]]] = {}
        for row in rows:
            if row.version:
                network = counts.setdefault(_kind(row), {}).setdefault((row.country, row.asn), {})
                seen = network.setdefault(row.version, _Counts())
                seen.failed += row.failed
                seen.total += row.total
                seen.rows.append(row)
        self._broken: set[tuple[_Kind, str]] = set()
        lasting: set[tuple[str, ...]] = set()
        for kind, by_network in sorted(counts.items()):
            networks = by_network.values()
            for version in {version for network in networks for version in network}:
                same = (*kind[:-1], version)
                if _is_broken(version, networks):
                    lasting.add(same)
                elif _passes(version, networks):
                    lasting.discard(same)
                if same in lasting:
                    self._broken.add((kind, version))

    def made(self, row: Row) -> bool:
        """Whether a broken version made this row, so that it shows nothing."""
        return bool(self._broken) and (_kind(row), row.version) in self._broken


def _kind(row: Row) -> _Kind:
    return row.platform, row.part, row.test, (row.at - _EPOCH) // _WEEK


def _passes(version: str, networks: Iterable[dict[str, _Counts]]) -> bool:
    """Whether it passes on more networks than it fails on."""
    seen = [one for network in networks if (one := network.get(version, _Counts())).total >= _FEW]
    passing = sum(one.failed <= _HARDLY_ANY * one.total for one in seen)
    return passing > sum(one.failed >= _MOST * one.total for one in seen)


def _is_broken(version: str, networks: Iterable[dict[str, _Counts]]) -> bool:
    alone = together = 0
    for network in networks:
        mine = network.get(version, _Counts())
        failing = [row.at for row in mine.rows if row.failed]
        if mine.total < _FEW or mine.failed < _MOST * mine.total:
            continue
        beside = [
            row
            for other, one in network.items()
            for row in one.rows
            if other != version and min(failing) <= row.at <= max(failing)
        ]
        failed, total = sum(row.failed for row in beside), sum(row.total for row in beside)
        if total >= _FEW:
            alone += failed <= _HARDLY_ANY * total
            together += failed >= _MOST * total
    return alone >= _NETWORKS and alone > together
