"""QUIC blocked while the platform answers over TCP.

Browsers fall back to TCP, so only measurement shows such a block. Many networks let through no UDP
but DNS, and some block QUIC whoever it is for: QUIC is accused only where another endpoint's QUIC
worked from the same vantage in the same cycle, and a control reached this endpoint over HTTP/3
afterwards. Calls that work (STUN) show that UDP does, and no more than that.

Most people have IPv4 alone, and networks treat the two families differently. So where IPv4 works,
what happens over it counts, here and at whatever shows that QUIC works; IPv6 alone shows nothing of
IPv4, and where IPv6 alone is cut off programs use IPv4.
"""

from collections.abc import Collection, Iterable, Sequence

import msgspec

from monitor.analysis.judge.case import Case
from monitor.analysis.judge.controls import ABLE, controls_for, follows
from monitor.analysis.judge.grade_by_attempts import FailedAttempt, Finding, strongest
from monitor.analysis.judge.grade_by_sign import Sign
from monitor.analysis.measurement_summary import DEPTH, Outcome, Summary, sub_method_of, summarise
from monitor.analysis.verdict import Evidence
from probes.catalog.endpoint_kinds import DATAGRAM_KINDS
from probes.measure.follow_up_reasons import Reason
from probes.measurement import AnyObservation, AppObservation, Layer, Measurement, QuicObservation


def quic_finding(case: Case, attempts: Sequence[Summary]) -> Finding | None:
    """What blocks QUIC to an endpoint that answers over TCP; None when nothing accuses.

    `attempts` are the measurements of the endpoint in the order made. Follow-ups count as attempts
    here.
    """
    failed = _failed(case, attempts) if case.quic_works else []
    covered = [
        FailedAttempt(summary=one, signs=_signs(one, case.health.families), covered=True)
        for one in failed
    ]
    found = strongest(case, covered)
    if found is None or found.evidence is Evidence.NONE or case.excuses(found.sign):
        return None
    return msgspec.structs.replace(found, family="ipv4") if _over_ipv6(failed) else found


def quic_fails_everywhere(case: Case, attempts: Sequence[Summary]) -> bool:
    """Whether QUIC to this endpoint fails as it does to all others, while other UDP works: the
    network blocks the protocol, and no platform."""
    over_udp = case.udp_works or bool(case.udp_references)
    return over_udp and not case.quic_works and bool(_failed(case, attempts))


def quic_cannot_be_compared(case: Case, attempts: Sequence[Summary]) -> bool:
    """Whether QUIC to this endpoint failed every time, while it works to another from here, and no
    ordinary fault of the line explains it."""
    failed = _all_failed(case, attempts)
    return (
        case.quic_works
        and case.health.state in ABLE
        and not _over_ipv6(failed)
        and any(
            not case.excuses(sign) for one in failed for sign in _signs(one, case.health.families)
        )
    )


def _failed(case: Case, attempts: Sequence[Summary]) -> list[Summary]:
    """The attempts and follow-ups in which QUIC failed though it works from a control; none where
    one of them worked."""
    if case.health.state not in ABLE:
        return []
    tried = _all_failed(case, attempts)
    if controls_for(case, attempts[-1:]).unsettled:
        # A single agent's word that QUIC works elsewhere accuses nobody.
        return []
    tries = [o for one in tried for o in _tries(one.measurement, case.health.families)]
    over = {o.family for o in tries} - {o.family for o in tries if o.failure is None}
    working = [control for control in case.controls if _works(case, control, over)]
    return [one for one in tried if any(follows(control, one) for control in working)]


def _all_failed(case: Case, attempts: Sequence[Summary]) -> list[Summary]:
    """The attempts and follow-ups that tried QUIC; none where one of them worked."""
    extra = [summarise(one) for one in case.follow_ups if one.endpoint == case.endpoint]
    tried = [one for one in (*attempts, *extra) if _tries(one.measurement, case.health.families)]
    failed = [quic_failed(one.measurement, case.health.families) for one in tried]
    return tried if all(failed) else []


def answered_over_udp(measurements: Iterable[Measurement]) -> frozenset[str]:
    """Ids of the endpoints that answered over UDP other than DNS."""
    return frozenset(
        m.endpoint
        for m in measurements
        for o in m.observations
        if o.failure is None and (isinstance(o, QuicObservation) or _in_datagrams(o))
    )


def answered_over_quic(
    measurements: Iterable[Measurement], families: tuple[str, ...] = ()
) -> frozenset[str]:
    """Ids of the endpoints that answered over QUIC: over IPv4 where it is among the `families` that
    work (empty: unknown)."""
    return frozenset(
        m.endpoint
        for m in measurements
        for o in m.observations
        if o.failure is None
        and isinstance(o, QuicObservation)
        and (o.family == "ipv4" or "ipv4" not in families)
    )


def quic_failed(measurement: Measurement, families: tuple[str, ...]) -> bool:
    """Whether a measurement tried QUIC over working families (empty: all) and no try worked that
    counts: over IPv4, or over IPv6 where that alone was tried."""
    tries = _tries(measurement, families)
    counting = [o for o in tries if o.family == "ipv4"] or tries
    return bool(counting) and all(o.failure is not None for o in counting)


def _in_datagrams(observation: AnyObservation) -> bool:
    return isinstance(observation, AppObservation) and observation.protocol in DATAGRAM_KINDS


def _tries(measurement: Measurement, families: tuple[str, ...]) -> list[QuicObservation]:
    return [
        o
        for o in measurement.observations
        if isinstance(o, QuicObservation)
        and o.reason in ("", Reason.HTTP3)
        and (not families or o.family in families)
    ]


def _over_ipv6(failed: Iterable[Summary]) -> bool:
    """Whether QUIC worked over IPv6 in measurements in which it failed over IPv4."""
    return any(o.failure is None for one in failed for o in _tries(one.measurement, ()))


def _works(case: Case, control: Measurement, over: Collection[str]) -> bool:
    """Whether a control reached the endpoint over QUIC and one of these families."""
    health = case.control_health.get(control.vantage)
    return (
        control.endpoint == case.endpoint
        and health is not None
        and health.state in ABLE
        and any(o.failure is None and o.family in over for o in _tries(control, ()))
    )


def _signs(summary: Summary, families: tuple[str, ...]) -> dict[Sign, Outcome]:
    failed = [o for o in _tries(summary.measurement, families) if sub_method_of(o)]
    return {
        (Layer.QUIC, sub_method_of(o)): Outcome(
            family=o.family,
            depth=DEPTH[Layer.TCP],
            layer=Layer.QUIC,
            failure=o.failure,
            sub_method=sub_method_of(o),
        )
        for o in sorted(failed, key=lambda o: (o.failure or "", o.address, o.start))
    }
