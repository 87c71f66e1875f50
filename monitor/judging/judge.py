"""From what was seen in one cycle of one vantage to its verdicts, now or years later.

Pure: a cycle that has just ended and one read from the store go the same way.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from monitor.analysis.judge.case import Case
from monitor.analysis.judge.controls import ABLE
from monitor.analysis.judge.fingerprint import Fingerprint
from monitor.analysis.judge.platform import roll_up
from monitor.analysis.judge.quic_blocked import answered_over_udp
from monitor.analysis.judge.rules import judge
from monitor.analysis.judge.suspicion import answered, same_page_as_control
from monitor.analysis.throttling.throttling import combine
from monitor.analysis.throttling.transfer_verdict import TransferVerdict
from monitor.analysis.verdict import PlatformVerdict, VantageHealth, VantageState, Verdict
from probes.catalog.catalog import Platform
from probes.measurement import Measurement
from probes.vantage import VantagePoint

HOPELESS = (VantageState.OFFLINE, VantageState.CAPTIVE_PORTAL)
"""With the uplink gone, looking again would only load a network in trouble."""


class EndpointMeasurements(msgspec.Struct, frozen=True, kw_only=True):
    """All looks at one endpoint in one cycle."""

    platform: str
    """Name of the platform."""
    role: str
    endpoint: str
    """`Endpoint.id`."""
    attempts: tuple[Measurement, ...]
    controls: tuple[Measurement, ...] = ()
    follow_ups: tuple[Measurement, ...] = ()
    """Extra observations made because the looks failed, each with its reason."""
    health: VantageHealth | None = None
    """The vantage's own right after the last look failed, where that was asked."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that bears on the verdicts of one cycle of one vantage."""

    cycle: str
    vantage: VantagePoint
    health: VantageHealth
    looked: tuple[EndpointMeasurements, ...] = ()
    witnesses: tuple[Measurement, ...] = ()
    """Looks made only to show that UDP works."""
    control_health: Mapping[str, VantageHealth] = {}
    """Vantage id → health, of the controls that were asked for it."""
    speeds: tuple[TransferVerdict, ...] = ()
    """Verdicts on speed that hold in this cycle."""
    judged_at: datetime
    """UTC."""

    @property
    def looks(self) -> tuple[Measurement, ...]:
        """All looks from the vantage itself at platforms, transfers aside."""
        looks = (m for one in self.looked for m in (*one.attempts, *one.follow_ups))
        return (*looks, *self.witnesses)


def verdicts_on(seen: Seen, fingerprints: tuple[Fingerprint, ...]) -> list[Verdict]:
    """A verdict on each endpoint; `fingerprints` are of the block pages known."""
    over_udp = answered_over_udp(seen.looks)
    return combine(
        [_verdict(one, seen, over_udp, fingerprints) for one in seen.looked], seen.speeds
    )


def platforms_on(
    seen: Seen, verdicts: Sequence[Verdict], platforms: Iterable[Platform]
) -> tuple[PlatformVerdict, ...]:
    """The verdicts rolled up, for those of `platforms` that were looked at."""
    began: dict[str, datetime] = {}
    for one in seen.looked:
        at = one.attempts[0].started_at
        began[one.platform] = min(at, began.get(one.platform, at))
    return tuple(
        roll_up(
            platform,
            [verdict for verdict in verdicts if verdict.platform == platform.name],
            started_at=began[platform.name],
        )
        for platform in platforms
        if platform.name in began
    )


def not_settled_by(controls: Sequence[Measurement], first: Measurement) -> bool:
    """Whether a second look could change the verdict, as the controls' looks after the first have
    it: not when it is down for them too, nor when they read the same."""
    return (not controls or any(map(answered, controls))) and not same_page_as_control(
        first, controls
    )


def _verdict(
    one: EndpointMeasurements,
    seen: Seen,
    over_udp: frozenset[str],
    fingerprints: tuple[Fingerprint, ...],
) -> Verdict:
    health = seen.health
    if one.health is not None and one.health.state not in ABLE:
        health = one.health  # what ails the vantage at the time of a failure outweighs later
    return judge(
        Case(
            cycle=seen.cycle,
            vantage=seen.vantage.id,
            country=seen.vantage.country,
            asn=seen.vantage.asn,
            network=seen.vantage.network,
            platform=one.platform,
            role=one.role,
            endpoint=one.endpoint,
            attempts=one.attempts,
            controls=one.controls,
            follow_ups=one.follow_ups,
            fingerprints=fingerprints,
            udp_works=bool(over_udp - {one.endpoint}),
            health=health,
            control_health=seen.control_health,
            judged_at=seen.judged_at,
        )
    )
