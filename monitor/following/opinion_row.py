"""Has our rules judge what one stranger's probe found, beside references and controls that were
taken the same way."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from monitor.analysis.seen import EndpointMeasurements, Seen
from monitor.analysis.verdict import State, VantageHealth, VantageState
from monitor.judging.judge_cycle import judge_cycle
from probes.catalog.catalog import Catalog, Endpoint, Function, Platform
from probes.failure_strings import TIMEOUTS
from probes.measurement import AnyObservation, Layer, Measurement, TcpObservation
from probes.vantage import VantagePoint

_BLOCKED = (State.BLOCKED, State.DEGRADED, State.PARTIAL)


class Suspect(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for a second opinion on."""

    country: str
    platform: Platform
    function: Function
    endpoint: Endpoint
    """Its page."""

    @property
    def alone(self) -> Platform:
        """The platform with nothing but this page."""
        function = msgspec.structs.replace(self.function, endpoints=(self.endpoint,), groups=())
        return msgspec.structs.replace(self.platform, functions=(function,))

    @property
    def part(self) -> str:
        """As rows have it."""
        return "" if self.function.core else self.function.name


class Opinion(msgspec.Struct, frozen=True, kw_only=True):
    """What our rules say of a failing probe, in the fields of a row."""

    judged: str
    methods: tuple[str, ...] = ()
    left_out: str = ""


def opinion_of(
    suspect: Suspect,
    vantage: VantagePoint,
    made: Measurement,
    health: VantageHealth,
    controls: Sequence[tuple[Measurement, VantageHealth]],
    follow_ups: Sequence[Measurement] = (),
) -> Opinion:
    """Where the rules decide nothing although references and a control work, it fails without a
    reason: a hint. Where these do not, it counts for nothing."""
    known: Mapping[str, VantageHealth] = {one.vantage: health for one, health in controls}
    compared = tuple(one for one, _ in controls)
    alone = suspect.alone
    ended = max([made.ended_at, *(one.ended_at for one in (*compared, *follow_ups))])
    at = datetime.fromtimestamp(ended, made.started_at.tzinfo)
    seen = Seen(
        cycle=made.cycle,
        vantage=vantage,
        started_at=made.started_at,
        finished_at=at,
        judged_at=at,
        health=health,
        endpoints=(
            EndpointMeasurements(
                platform=alone.name,
                function=suspect.function.name,
                endpoint=suspect.endpoint.id,
                attempts=(made,),
                controls=compared,
                follow_ups=tuple(follow_ups),
            ),
        ),
        control_health=dict(known),
        measurements=(made, *follow_ups, *compared),
    )
    (verdict,) = judge_cycle(seen, Catalog(platforms=(alone,)), ()).platforms
    state = str(verdict.state)
    if verdict.state in _BLOCKED:
        method = ".".join(filter(None, (verdict.method, verdict.sub_method)))
        return Opinion(judged=state, methods=(method,) if method else ())
    if verdict.state is State.DOWN:
        return Opinion(judged=state, left_out="down")
    if health.state is not VantageState.OK:
        return Opinion(judged=state, left_out="references")
    if not any(one.reached for one in compared):
        return Opinion(judged=state, left_out="control")
    return Opinion(judged=state)


Found = tuple[tuple[AnyObservation, ...], tuple[Layer, ...], bool]
"""What a test found; the layers that are not told; whether the right server answered."""


def health_of(vantage: VantagePoint, references: Sequence[Found], at: datetime) -> VantageHealth:
    """Well where a reference was reached; else nobody is accused."""
    well = sum(reached for _, _, reached in references)
    silent = sum(
        not reached and (bool(untold) or any(o.failure in TIMEOUTS for o in seen))
        for seen, untold, reached in references
    )
    families = {
        o.family
        for seen, _, reached in references
        for o in seen
        if reached and isinstance(o, TcpObservation) and o.family
    }
    return VantageHealth(
        **vantage.origin,
        state=VantageState.OK if well else VantageState.UNKNOWN,
        rule_id="vantage.ok" if well else "vantage.no_references",
        references_ok=well,
        references_total=len(references),
        timeout_rate=(silent + 0.5) / (len(references) + 1),
        families=tuple(sorted(families)),
        at=at,
        measured_at=at,
    )
