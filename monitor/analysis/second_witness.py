"""How measurements of others stand to an event of our own.

They agree, are silent or differ, or fail in other countries too; none of it changes the event. To
differ acquits nobody: others may have tested other networks and hours.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

import msgspec

from monitor.analysis.verdict import Evidence

_FEWEST = 2
"""Tests that say something; one may be anybody's."""
_SHARE = 0.5
"""Share of failing tests from which on they agree."""


class Position(StrEnum):
    """How a source stands to an event."""

    AGREES = "agrees"
    AGREES_IN_PART = "agrees_in_part"
    """It saw a drop of the country in one way alone, which is often its own mistake."""
    SILENT = "silent"
    """It saw nothing, which excludes nothing."""
    NOT_READ = "not_read"
    """It was not read since the event began, or not about that time."""
    DIFFERS = "differs"
    FAILS_ELSEWHERE = "fails_elsewhere"
    """Its tests fail, and in other countries too in the same time: they may be at fault."""
    CAUTION = "caution"
    """It saw the whole country fail while a platform is said to be blocked."""


class OpinionKind(StrEnum):
    """What a source's own program says."""

    BEGINS = "begins"
    """Blocking began on a network."""
    ENDS = "ends"
    """It ended there."""
    SCORE = "score"
    """How sure it is of a block there."""


class Opinion(msgspec.Struct, frozen=True, kw_only=True):
    """What a source's own program makes of tests of one platform on one network. It reads the tests
    that the source publishes, so it is an annotation, and no witness more."""

    country: str
    asn: int
    platform: str
    kind: OpinionKind
    at: datetime
    """UTC; when it noticed, not when it happened; of a score, until when the tests go."""
    sign: str = ""
    """In its own words: a layer, as `tls`, or a failure, as `tls.connection_reset`."""
    score: float = 0.0
    """From 0 to 1; of a score alone."""
    tests: int = 0
    """That the score is made of."""


class OnNetwork(msgspec.Struct, frozen=True, kw_only=True):
    """What a source has of one network."""

    asn: int
    total: int
    failed: int


class Witness(msgspec.Struct, frozen=True, kw_only=True):
    """What one source measured of the platform in the country while the event lasted."""

    source: str
    title: str
    """The source's own name."""
    credit: str
    """The attribution that it asks for."""
    home: str
    """Where people can read its data."""
    networks: tuple[OnNetwork, ...]
    """Every network that it has tests of, by AS number."""
    grade: Evidence = Evidence.NONE
    """How much its failing tests prove by themselves; none where the source has no grade."""
    opinions: tuple[Opinion, ...] = ()
    """What its own programs made of them, by time; they have no part in the position."""
    elsewhere: bool = False
    """Whether its tests of the platform fail in other countries in the same time too."""

    @property
    def total(self) -> int:
        """Its tests."""
        return sum(one.total for one in self.networks)

    @property
    def failed(self) -> int:
        """Those that failed."""
        return sum(one.failed for one in self.networks)

    @property
    def position(self) -> Position:
        """How it stands to the event."""
        if self.total < _FEWEST:
            return Position.SILENT
        if self.failed < self.total * _SHARE:
            return Position.DIFFERS
        return Position.FAILS_ELSEWHERE if self.elsewhere else Position.AGREES

    def on(self, asns: Sequence[int]) -> tuple[OnNetwork, ...]:
        """What it has of each of these networks; a network without a row has no test."""
        known = {one.asn: one for one in self.networks}
        return tuple(known.get(asn, OnNetwork(asn=asn, total=0, failed=0)) for asn in asns)


class OutsideWitness(msgspec.Struct, frozen=True, kw_only=True):
    """What a source that looks from outside saw of the whole country while an event lasted."""

    source: str
    title: str
    credit: str
    home: str
    read: bool
    """Whether it was read since the event began, and about that time; else nothing is known."""
    drops: tuple[tuple[str, float], ...]
    """Datasource → share (0–1) that was lost at worst, by name."""
    quiet: tuple[tuple[str, float], ...] = ()
    """The same of datasources that were looked at and show no drop."""
    of_platform: bool
    """Whether the event is about one platform, of which it sees nothing."""

    @property
    def position(self) -> Position:
        """How it stands to the event."""
        if not self.drops:
            return Position.SILENT if self.read else Position.NOT_READ
        if self.of_platform:
            return Position.CAUTION
        return Position.AGREES if len(self.drops) > 1 else Position.AGREES_IN_PART


AnyWitness = Witness | OutsideWitness


def grade_of(witness: AnyWitness) -> Evidence:
    """How much a source that agrees proves by itself; none for any other."""
    agrees = isinstance(witness, Witness) and witness.position is Position.AGREES
    return witness.grade if isinstance(witness, Witness) and agrees else Evidence.NONE
