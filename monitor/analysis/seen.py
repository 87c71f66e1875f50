"""What one cycle of one vantage showed, before anything is judged.

A cycle that has just finished and a cycle read from the store give the same value, so one judge
(`monitor.judging.judge_cycle`) serves both.
"""

import math
from collections.abc import Mapping
from datetime import datetime

import msgspec

from monitor.analysis.transfer_verdict import TransferVerdict
from monitor.analysis.verdict import VantageHealth
from probes.measurement import Measurement
from probes.vantage import VantagePoint

Place = tuple[str, str, str]
"""Platform, function and endpoint, by name and id."""


class EndpointMeasurements(msgspec.Struct, frozen=True, kw_only=True):
    """All measurements of one endpoint in one cycle."""

    platform: str
    function: str
    endpoint: str
    """`Endpoint.id`."""
    attempts: tuple[Measurement, ...]
    controls: tuple[Measurement, ...] = ()
    follow_ups: tuple[Measurement, ...] = ()
    """Further tests made because the attempts failed; each observation has its reason."""
    health: VantageHealth | None = None
    """Health of the vantage right after the last failed attempt, where it was checked then."""


class ObjectTransfers(msgspec.Struct, frozen=True, kw_only=True):
    """The transfers of one object in one cycle, with what earlier cycles add to them."""

    platform: str
    function: str
    endpoint: str
    """Id of the catalogue's endpoint. Redirects may have led to another one."""
    made: tuple[Measurement, ...]
    """The rounds of this cycle, from the field vantage."""
    rounds: tuple[Measurement, ...]
    """The rounds to judge by, oldest first. Earlier cycles may have made some of them."""
    controls: tuple[Measurement, ...] = ()
    distance: float = math.inf
    """Shortest time of recent connects to the object's host, in seconds."""
    usual_ratios: tuple[float, ...] = ()
    """Earlier ratios of this object's rate to the reference's, of rounds that were not slow."""
    accused_rate: float | None = None
    """Bits per second by which an earlier verdict that still holds says throttled; None without."""

    @property
    def place(self) -> Place:
        return (self.platform, self.function, self.endpoint)


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that bears on the verdicts of one cycle of one vantage."""

    cycle: str
    vantage: VantagePoint
    started_at: datetime
    """UTC."""
    finished_at: datetime
    """UTC."""
    judged_at: datetime
    """UTC. The moment that the verdicts carry: the end of the cycle, or the moment of older
    verdicts on it."""
    health: VantageHealth
    early: VantageHealth | None = None
    """The health before any endpoint was measured; None where none was."""
    endpoints: tuple[EndpointMeasurements, ...] = ()
    witnesses: tuple[Measurement, ...] = ()
    """Measurements made only to show that UDP works."""
    control_health: Mapping[str, VantageHealth] = {}
    """Health of the controls that were used, by vantage id."""
    transfers: tuple[ObjectTransfers, ...] = ()
    accusations: tuple[TransferVerdict, ...] = ()
    """Verdicts of earlier cycles that say throttled and still hold."""
    measurements: tuple[Measurement, ...] = ()
    """Every measurement of the cycle, those above included, each once."""
    out_of_turn: bool = False
    """The cycle was not a scheduled one, or was skipped."""

    @property
    def own(self) -> tuple[Measurement, ...]:
        """All measurements of platforms from the vantage itself, without transfers."""
        made = (m for one in self.endpoints for m in (*one.attempts, *one.follow_ups))
        return (*made, *self.witnesses)

    @property
    def last_attempts(self) -> dict[tuple[str, str], Measurement]:
        """The last attempt at each endpoint, by platform and endpoint."""
        return {(one.platform, one.endpoint): one.attempts[-1] for one in self.endpoints}
