"""Whether the vantage itself works, decided before anybody is accused.

References are endpoints that nobody blocks for their content: captive-portal checks (uplink), large
foreign sites (international) and the operator's domestic list. The latest measurement of each
reference decides the state; every one of the cycle counts for loss. The rules are tried in order,
the first that matches wins, as in `monitor.analysis.judge.rules`.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from monitor.analysis.outcome import (
    TIMEOUT,
    Outcome,
    Summary,
    best,
    hops,
    summarise,
    working_families,
)
from monitor.analysis.vantage.clock import clock_skew
from monitor.analysis.vantage.exit_location import AS_CONFIGURED, ExitMismatch
from monitor.analysis.verdict import TableRule, VantageHealth, VantageState
from probes.catalog.catalog import Reference, ReferenceScope
from probes.catalog.endpoint_kinds import EndpointKind
from probes.failure import TIMEOUTS, Failure
from probes.measurement import DnsObservation, Layer, Measurement, TcpObservation
from probes.vantage import VantagePoint

LOSSY_RESENDS = 0.3
"""Share of resent round trips from which timeouts prove nothing."""
MIN_ROUND_TRIPS = 8
"""Fewer round trips than this give no share."""
LOSSY_TIMEOUT_RATE = 0.2
WRONG_CLOCK = 86400.0
"""Seconds of skew from which certificates fail, or pass, because of the clock alone."""

ReferenceMeasurements = tuple[tuple[Reference, Measurement], ...]
HOPELESS = (VantageState.OFFLINE, VantageState.CAPTIVE_PORTAL)
"""States in which a further attempt would only load a network in trouble."""

_TLS_KINDS = (EndpointKind.TLS, EndpointKind.HTTPS)
_NO_WAY_TO_RESOLVER = TIMEOUTS | {
    "host_unreachable",
    "network_unreachable",
    "network_down",
    "permission_denied",
    "dns_non_recoverable_failure",
}
"""DNS failures that a cut cable causes as well as a dead resolver."""


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    timeout_rate: float
    """0–1, never 0."""
    lossy: bool


class ReferenceView(msgspec.Struct, frozen=True, kw_only=True):
    reference: Reference
    summary: Summary
    outcome: Outcome | None

    @property
    def reached(self) -> bool:
        return self.summary.measurement.reached

    @property
    def over_tls(self) -> bool:
        return self.reference.endpoint.kind in _TLS_KINDS


class References(msgspec.Struct, frozen=True, kw_only=True):
    latest: tuple[ReferenceView, ...]
    """The latest measurement of each reference, without those that failed at our own proxy."""
    egress_failed: bool
    """There were measurements, and every one failed at our own proxy."""
    reached_without_dns: bool
    """A platform's endpoint with a literal address answered in this cycle."""
    loss: Loss
    clock_skew: float | None
    """Seconds by which our clock is ahead, from servers over verified TLS. From cleartext servers
    only when certificates look expired or not yet valid."""
    stub_resolver: bool
    where: ExitMismatch

    def of(self, *scopes: ReferenceScope) -> tuple[ReferenceView, ...]:
        return tuple(view for view in self.latest if view.reference.scope in scopes)

    def reached(self, *scopes: ReferenceScope) -> bool:
        """Whether any reference of these scopes (none given: of all) answered."""
        return any(view.reached for view in (self.of(*scopes) if scopes else self.latest))


class HealthRule(TableRule, frozen=True, kw_only=True):
    state: VantageState = VantageState.UNKNOWN
    matches: Callable[[References], bool]


def assess(
    vantage: VantagePoint,
    references: Sequence[tuple[Reference, Measurement]],
    witnesses: Sequence[Measurement],
    at: datetime,
    where: ExitMismatch = AS_CONFIGURED,
    skew: float | None = None,
) -> VantageHealth:
    """The health of a vantage from its reference measurements, in any order and number of rounds.

    `witnesses` are measurements of platforms in the same cycle. Only those that reached their
    endpoint count, so blocking cannot pass for loss. `at` is when the last reference measurement
    ended, `where` how the exit differs from the configuration, and `skew` the seconds by which the
    vantage itself found its clock ahead: corrected and steady times do not show that. Never raises;
    without references the state is unknown.
    """
    references = [one for one in references if one[0].scope is not ReferenceScope.UDP]
    seen = _references(references, witnesses, where)
    known = [one for one in (seen.clock_skew, skew) if one is not None]
    seen = msgspec.structs.replace(seen, clock_skew=max(known, key=abs, default=None))
    rule = next(rule for rule in HEALTH_RULES if rule.matches(seen))
    families = {f for view in seen.latest for f in working_families(view.summary.measurement)}
    return VantageHealth(
        **vantage.origin,
        state=rule.state,
        rule_id=rule.id,
        references_ok=sum(view.reached for view in seen.latest),
        references_total=len(seen.latest),
        timeout_rate=seen.loss.timeout_rate,
        families=tuple(sorted(families)),
        clock_skew=seen.clock_skew,
        stub_resolver=seen.stub_resolver,
        exit_country=where.country,
        exit_asn=where.asn,
        at=at,
        measured_at=min((m.started_at for _, m in references), default=None),
    )


def hints_at_nat64(references: Sequence[tuple[Reference, Measurement]]) -> bool:
    """Whether names of references have IPv6 addresses and none answered over IPv4, or an address
    has NAT64's well-known prefix."""
    measurements = [m for _, m in references]
    given = [
        address
        for m in measurements
        for seen in m.observations
        if isinstance(seen, DnsObservation) and seen.rtype == "AAAA"
        for address in seen.addresses
    ]
    if any("ipv4" in working_families(m) for m in measurements):
        return any(address.startswith("64:ff9b:") for address in given)
    return bool(given)


def estimate_loss(
    references: Sequence[tuple[Reference, Measurement]], witnesses: Sequence[Measurement]
) -> Loss:
    """The chance that one measurement times out with nothing blocked.

    The larger of two estimates, since each misses something:

    1. *References that timed out*: (timeouts + 0.5) / (measurements + 1), so that a few successes
       never make it 0. A reference that timed out in each of two or more measurements, while no
       other ever did, is dead or blocked and does not count.
    2. *Round trips with a resend.* With loss p each way a round trip fails with chance 1 − (1 −
       p)², so the share r of connects and queries with more than one try is 0.51 for p = 30 % and
       0.19 for p = 10 %. A connect sends its SYN at 0, 1, 3 and 7 s within its 10 s, and a query
       goes out three times, so a timeout takes three failures in a row, r³. A measurement has about
       three such chances (DNS, TCP, TLS), hence 3·r³: 0.40 at 30 % loss, 0.02 at 10 %. At 10 % two
       timeouts in a row have a chance of 0.0004, which still allows detection; at 30 % no number of
       attempts in a cycle does.

    Only successes over working families count in r: blocking causes failures, never slow successes.
    """
    measurements = [(ref, m) for ref, m in references if summarise(m).egress_failure is None]
    timeouts, total = _timeouts(measurements)
    reached = [m for m in witnesses if m.reached]
    resent, trips = _round_trips([m for _, m in measurements] + reached)
    share = resent / trips if trips else 0.0
    rate = min(1.0, max((timeouts + 0.5) / (total + 1), 3 * share**3))
    lossy = (trips >= MIN_ROUND_TRIPS and share >= LOSSY_RESENDS) or (
        # A few successes keep the rate high without any sign of loss: not lossy, though too little
        # is known for a timeout to accuse anybody.
        rate > LOSSY_TIMEOUT_RATE and bool(timeouts or resent)
    )
    return Loss(timeout_rate=rate, lossy=lossy)


def _timeouts(measurements: Sequence[tuple[Reference, Measurement]]) -> tuple[int, int]:
    """Reference measurements that timed out, and all of them."""
    by_reference: dict[tuple[str, str], list[bool]] = {}
    for reference, measurement in measurements:
        outcome = best(summarise(measurement).outcomes)
        timed_out = (
            not measurement.reached and outcome is not None and outcome.sub_method == TIMEOUT
        )
        by_reference.setdefault((reference.scope, reference.endpoint.id), []).append(timed_out)
    touched = [key for key, found in by_reference.items() if any(found)]
    if len(touched) == 1 and len(by_reference) > 1:
        lone = by_reference[touched[0]]
        if len(lone) > 1 and all(lone):
            del by_reference[touched[0]]
    every = [timed_out for found in by_reference.values() for timed_out in found]
    return sum(every), len(every)


def _round_trips(measurements: Sequence[Measurement]) -> tuple[int, int]:
    """Successful connects and queries with a resend, and all of them."""
    resent = [
        (o.retransmits > 0) if isinstance(o, TcpObservation) else (o.tries > 1)
        for measurement in measurements
        for o in measurement.observations
        if isinstance(o, TcpObservation | DnsObservation) and o.failure is None
    ]
    return sum(resent), len(resent)


def _references(
    references: Sequence[tuple[Reference, Measurement]],
    witnesses: Sequence[Measurement],
    where: ExitMismatch,
) -> References:
    latest: dict[tuple[str, str], tuple[Reference, Measurement]] = {}
    for reference, measurement in sorted(references, key=lambda r: (r[1].ended_at, r[1].id)):
        latest[(reference.scope, reference.endpoint.id)] = (reference, measurement)
    views = []
    for reference, measurement in latest.values():
        summary = summarise(measurement)
        if summary.egress_failure is None:
            views.append(
                ReferenceView(reference=reference, summary=summary, outcome=best(summary.outcomes))
            )
    return References(
        latest=tuple(views),
        egress_failed=bool(latest) and not views,
        reached_without_dns=any(m.reached and not m.of(Layer.DNS) for m in witnesses),
        loss=estimate_loss(references, witnesses),
        clock_skew=_skew(views, witnesses),
        stub_resolver=any(
            isinstance(o, DnsObservation) and o.stub for _, m in references for o in m.observations
        ),
        where=where,
    )


def _skew(views: Sequence[ReferenceView], witnesses: Sequence[Measurement]) -> float | None:
    latest = [view.summary.measurement for view in views]
    proven = clock_skew([*latest, *(m for m in witnesses if m.reached)])
    failures = {view.outcome.failure for view in views if view.outcome is not None}
    if proven is not None or Failure.SSL_INVALID_CERTIFICATE not in failures:
        return proven
    # A forger of these dates can mute this vantage, but only by breaking references as well.
    return clock_skew([view.summary.measurement for view in views if view.reached], cleartext=True)


def _all_bogon(seen: References) -> bool:
    return bool(seen.latest) and all(
        view.outcome is not None and view.outcome.sub_method == "bogon" for view in seen.latest
    )


def _captive_portal(seen: References) -> bool:
    if any(view.reached and view.over_tls for view in seen.latest):
        return False
    answered_by_another = any(
        not view.reached and any(hop.status for hop in hops(view.summary.measurement))
        for view in seen.of(ReferenceScope.UPLINK)
    )
    return answered_by_another or _all_bogon(seen)


def _resolver_down(seen: References) -> bool:
    if seen.reached():
        return False
    failures = [
        view.outcome.failure if view.outcome and view.outcome.layer is Layer.DNS else None
        for view in seen.latest
    ]
    # With the cable cut nothing resolves either: only a reply tells the two apart.
    replied = any(failure not in _NO_WAY_TO_RESOLVER for failure in failures)
    return None not in failures and (replied or seen.reached_without_dns)


def _international_cut(seen: References) -> bool:
    foreign = seen.of(ReferenceScope.INTERNATIONAL)
    uplink = seen.of(ReferenceScope.UPLINK)
    if not seen.reached(ReferenceScope.DOMESTIC) or any(view.reached for view in foreign):
        return False
    # A cache inside the country often answers captive-portal checks, so they outvote a single
    # foreign site, not several.
    uplink_works = any(view.reached for view in uplink)
    return len(foreign) > 1 if uplink_works else bool(foreign or uplink)


def _no_tls(seen: References) -> bool:
    over_tls = [view for view in seen.latest if view.over_tls]
    return bool(over_tls) and not any(view.reached for view in over_tls)


HEALTH_RULES: tuple[HealthRule, ...] = (
    HealthRule(
        id="vantage.egress_failed",
        meaning="The vantage's own proxy could not be used, so nothing was tested from there.",
        state=VantageState.OFFLINE,
        wrong_when="Never: no test got past the proxy.",
        matches=lambda seen: seen.egress_failed,
    ),
    HealthRule(
        id="vantage.elsewhere",
        meaning="The vantage's traffic leaves from another country than the configured one, as"
        " with a VPN left on: its tests say nothing about the configured country.",
        wrong_when="The file that locates addresses is wrong, or a STUN answer is forged where no"
        " echo server is configured.",
        matches=lambda seen: bool(seen.where.country),
    ),
    HealthRule(
        id="vantage.other_network",
        meaning="The vantage's traffic leaves from another network than the configured one, as"
        " when a phone roams: its tests say nothing about either network.",
        wrong_when="Both networks belong to one operator and are not listed as siblings.",
        matches=lambda seen: bool(seen.where.asn),
    ),
    HealthRule(
        id="vantage.no_references",
        meaning="No reference was tested, so a failure could be the vantage's own.",
        wrong_when="The configuration names no reference that this vantage may test.",
        matches=lambda seen: not seen.latest,
    ),
    HealthRule(
        id="vantage.captive_portal",
        meaning="Something else answers in place of the captive-portal checks, or every name"
        " resolves to a private address, and no reference answers over TLS.",
        state=VantageState.CAPTIVE_PORTAL,
        wrong_when="All TLS in the country is blocked while cleartext is rewritten.",
        matches=_captive_portal,
    ),
    HealthRule(
        id="vantage.clock_skew",
        meaning="The vantage's clock is more than a day off, so valid certificates look expired"
        " or not yet valid.",
        wrong_when="Somebody breaks the references' certificates and forges dates in cleartext.",
        matches=lambda seen: abs(seen.clock_skew or 0.0) > WRONG_CLOCK,
    ),
    HealthRule(
        id="vantage.resolver_down",
        meaning="No reference's name resolves, though the network itself works.",
        state=VantageState.OFFLINE,
        wrong_when="A country makes every name fail: that is a shutdown, not a broken resolver.",
        matches=_resolver_down,
    ),
    HealthRule(
        id="vantage.offline",
        meaning="No reference answers: the vantage, or the whole network it is on, is cut off.",
        state=VantageState.OFFLINE,
        wrong_when="Every reference is blocked while other sites work.",
        matches=lambda seen: not seen.reached(),
    ),
    HealthRule(
        id="vantage.international_cut",
        meaning="Domestic references answer and foreign ones do not: international connections"
        " are cut.",
        state=VantageState.INTERNATIONAL_CUT,
        wrong_when="Each foreign reference is down or blocked by itself.",
        matches=_international_cut,
    ),
    HealthRule(
        id="vantage.no_tls",
        meaning="Cleartext works but no reference answers over TLS: a device decrypts all"
        " traffic, or a filter blocks all of it.",
        wrong_when="The few TLS references are down or blocked by themselves.",
        matches=_no_tls,
    ),
    HealthRule(
        id="vantage.lossy",
        meaning="References answer, but so many packets are lost that a timeout proves nothing.",
        state=VantageState.LOSSY,
        wrong_when="Several references are themselves blocked by dropping packets.",
        matches=lambda seen: seen.loss.lossy,
    ),
    HealthRule(
        id="vantage.ok",
        meaning="References answer, so failures elsewhere are not the vantage's own.",
        state=VantageState.OK,
        wrong_when="The fault is a partial one that spares every reference.",
        matches=lambda _: True,
    ),
)
"""Tried in order; the last rule always matches."""
