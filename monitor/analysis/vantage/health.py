"""Is the vantage itself well? Asked before anybody is accused.

References are endpoints nobody blocks for what they say: captive-portal checks (uplink), large
foreign sites (international) and the operator's domestic list. What they show decides whether a
failed look at a platform can mean anything at all. The latest look at each reference tells the
state; every look of the cycle, before and after the failures, counts for loss.

The rules below are tried in order, the first that matches wins, as in
`monitor.analysis.judge.rules`.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from monitor.analysis.judge.outcome import (
    TIMEOUT,
    Outcome,
    Outline,
    best,
    hops,
    outline,
    working_families,
)
from monitor.analysis.vantage.clock import clock_skew
from monitor.analysis.vantage.whereabouts import AS_CONFIGURED, Whereabouts
from monitor.analysis.verdict import VantageHealth, VantageState
from probes.catalog.catalog import EndpointKind, Reference, ReferenceScope
from probes.failure import TIMEOUTS, Failure
from probes.measurement import DnsObservation, Layer, Measurement, TcpObservation
from probes.vantage import VantagePoint

LOSSY_RESENDS = 0.3
"""Share of round trips sent again from which on timeouts prove nothing."""
MIN_ROUND_TRIPS = 8
"""Fewer round trips than this say nothing about the share."""
LOSSY_TIMEOUT_RATE = 0.2
WRONG_CLOCK = 86400.0
"""Seconds of skew from which on certificates fail, or pass, for the clock's sake alone."""

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
"""DNS failures that a cut cable causes just as well as a dead resolver."""


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """How much packet loss alone explains."""

    timeout_rate: float
    """0–1, never 0."""
    lossy: bool


class ReferenceView(msgspec.Struct, frozen=True, kw_only=True):
    """The latest look at one reference."""

    reference: Reference
    shown: Outline
    outcome: Outcome | None

    @property
    def reached(self) -> bool:
        return self.shown.measurement.reached

    @property
    def over_tls(self) -> bool:
        return self.reference.endpoint.kind in _TLS_KINDS


class References(msgspec.Struct, frozen=True, kw_only=True):
    """What the health rules look at."""

    latest: tuple[ReferenceView, ...]
    """The latest look at each reference, without those that died at our own proxy."""
    egress_failed: bool
    """Looks there were, and every one died at our own proxy."""
    reached_without_dns: bool
    """A platform's endpoint given by address answered in this cycle."""
    loss: Loss
    clock_skew: float | None
    """Seconds our clock is ahead, as servers over verified TLS tell it; else, only where a wrong
    clock shows in certificates that are called expired or not yet valid, as cleartext tells it."""
    stub_resolver: bool
    where: Whereabouts
    """In what the place where packets come out differs from the configuration."""

    def of(self, *scopes: ReferenceScope) -> tuple[ReferenceView, ...]:
        """The references of these scopes."""
        return tuple(view for view in self.latest if view.reference.scope in scopes)

    def reached(self, *scopes: ReferenceScope) -> bool:
        """Whether any reference of these scopes (none given: of all) answered."""
        return any(view.reached for view in (self.of(*scopes) if scopes else self.latest))


class HealthRule(msgspec.Struct, frozen=True, kw_only=True):
    """One way a vantage can be."""

    id: str
    meaning: str
    """One sentence for somebody who does not program."""
    state: VantageState
    wrong_when: str
    """What would make it wrong."""
    matches: Callable[[References], bool]


def assess(
    vantage: VantagePoint,
    references: Sequence[tuple[Reference, Measurement]],
    witnesses: Sequence[Measurement],
    at: datetime,
    where: Whereabouts = AS_CONFIGURED,
    skew: float | None = None,
) -> VantageHealth:
    """The health of a vantage from its looks at references, in any order and any number of rounds.

    `witnesses` are looks of the same cycle at platforms; only those that reached their endpoint
    are used, so that blocking cannot pass for loss. `at` is when the last reference look ended,
    `where` in what the vantage's exit differs from where it should be, `skew` the seconds by which
    its clock was ahead as it found itself: times that were corrected since show nothing of that.
    Never raises; no references give the state unknown.
    """
    seen = _references(references, witnesses, where)
    seen = msgspec.structs.replace(seen, clock_skew=_worse(seen.clock_skew, skew))
    rule = next(rule for rule in HEALTH_RULES if rule.matches(seen))
    families = {f for view in seen.latest for f in working_families(view.shown.measurement)}
    return VantageHealth(
        vantage=vantage.id,
        country=vantage.country,
        asn=vantage.asn,
        network=vantage.network,
        vantage_role=vantage.role.value,
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
    )


def _worse(one: float | None, other: float | None) -> float | None:
    return max((each for each in (one, other) if each is not None), key=abs, default=None)


def hints_at_nat64(references: Sequence[tuple[Reference, Measurement]]) -> bool:
    """Whether IPv6 addresses were given for references and no reference answered over IPv4, or an
    address was made up by NAT64 as far as everybody knows."""
    looks = [look for _, look in references]
    given = [
        address
        for look in looks
        for seen in look.observations
        if isinstance(seen, DnsObservation) and seen.rtype == "AAAA"
        for address in seen.addresses
    ]
    if any("ipv4" in working_families(look) for look in looks):
        return any(address.startswith("64:ff9b:") for address in given)
    return bool(given)


def estimate_loss(
    references: Sequence[tuple[Reference, Measurement]], witnesses: Sequence[Measurement]
) -> Loss:
    """The chance that one look times out though nothing is blocked.

    The larger of two estimates, since each is blind to something:

    1. *References that timed out.* (timeouts + 0.5) / (looks + 1), so that a few successes never
       make it 0. A reference that timed out in each of two or more looks, while no other ever did,
       is dead or blocked and tells nothing about loss; it is left out.
    2. *Round trips that needed a resend.* With loss p each way a round trip fails with chance
       1 − (1 − p)², so the share r of connects and queries that needed more than one try is 0.51
       for p = 30 % and 0.19 for p = 10 %. A connect sends its SYN at 0, 1, 3 and 7 s within its
       10 s, and a query goes out three times, so it takes at least three failures in a row, r³, to
       run into a deadline; a look has about three such chances (DNS, TCP, TLS), hence 3·r³: 0.40
       at 30 % loss, 0.02 at 10 %. At 10 % two timeouts in a row are then a matter of 0.0004, which
       still allows detection; at 30 % no number of repeats within a cycle does.

    Only what got through counts in r, over families that work: blocking makes failures, never
    slow successes, so r stays honest under a censor.
    """
    looks = [(ref, m) for ref, m in references if outline(m).egress_failure is None]
    timeouts, total = _timeouts(looks)
    reached = [m for m in witnesses if m.reached]
    resent, trips = _round_trips([m for _, m in looks] + reached)
    share = resent / trips if trips else 0.0
    rate = min(1.0, max((timeouts + 0.5) / (total + 1), 3 * share**3))
    lossy = (trips >= MIN_ROUND_TRIPS and share >= LOSSY_RESENDS) or (
        # A handful of successes keeps the rate high without any sign of loss: not lossy, though
        # too little known for a timeout to accuse anybody.
        rate > LOSSY_TIMEOUT_RATE and bool(timeouts or resent)
    )
    return Loss(timeout_rate=rate, lossy=lossy)


def _timeouts(looks: Sequence[tuple[Reference, Measurement]]) -> tuple[int, int]:
    """How many reference looks timed out, out of how many."""
    by_reference: dict[tuple[str, str], list[bool]] = {}
    for reference, look in looks:
        outcome = best(outline(look).outcomes)
        timed_out = not look.reached and outcome is not None and outcome.sub_method == TIMEOUT
        by_reference.setdefault((reference.scope, reference.endpoint.id), []).append(timed_out)
    touched = [key for key, found in by_reference.items() if any(found)]
    if len(touched) == 1 and len(by_reference) > 1:
        lone = by_reference[touched[0]]
        if len(lone) > 1 and all(lone):
            del by_reference[touched[0]]
    every = [timed_out for found in by_reference.values() for timed_out in found]
    return sum(every), len(every)


def _round_trips(looks: Sequence[Measurement]) -> tuple[int, int]:
    """How many successful connects and queries needed a resend, out of how many."""
    resent = total = 0
    for look in looks:
        for observation in look.observations:
            if observation.failure is not None:
                continue
            if isinstance(observation, TcpObservation):
                resent += observation.retransmits > 0
                total += 1
            elif isinstance(observation, DnsObservation):
                resent += observation.tries > 1
                total += 1
    return resent, total


def _references(
    references: Sequence[tuple[Reference, Measurement]],
    witnesses: Sequence[Measurement],
    where: Whereabouts,
) -> References:
    latest: dict[tuple[str, str], tuple[Reference, Measurement]] = {}
    for reference, look in sorted(references, key=lambda r: (r[1].ended_at, r[1].id)):
        latest[(reference.scope, reference.endpoint.id)] = (reference, look)
    views = []
    for reference, look in latest.values():
        shown = outline(look)
        if shown.egress_failure is None:
            views.append(
                ReferenceView(reference=reference, shown=shown, outcome=best(shown.outcomes))
            )
    return References(
        latest=tuple(views),
        egress_failed=bool(latest) and not views,
        reached_without_dns=any(m.reached and not m.of(Layer.DNS) for m in witnesses),
        loss=estimate_loss(references, witnesses),
        clock_skew=_skew(views, witnesses),
        stub_resolver=any(_through_stub(look) for _, look in references),
        where=where,
    )


def _skew(views: Sequence[ReferenceView], witnesses: Sequence[Measurement]) -> float | None:
    latest = [view.shown.measurement for view in views]
    proven = clock_skew([*latest, *(look for look in witnesses if look.reached)])
    if proven is not None or not any(_out_of_date(view) for view in views):
        return proven
    # Whoever forges these dates can mute this vantage, but only by breaking references as well.
    return clock_skew([view.shown.measurement for view in views if view.reached], cleartext=True)


def _out_of_date(view: ReferenceView) -> bool:
    return view.outcome is not None and view.outcome.failure == Failure.SSL_INVALID_CERTIFICATE


def _through_stub(look: Measurement) -> bool:
    return any(isinstance(seen, DnsObservation) and seen.stub for seen in look.observations)


def _all_bogon(seen: References) -> bool:
    return bool(seen.latest) and all(
        view.outcome is not None and view.outcome.sub_method == "bogon" for view in seen.latest
    )


def _captive_portal(seen: References) -> bool:
    if any(view.reached and view.over_tls for view in seen.latest):
        return False
    answered_by_another = any(
        not view.reached and any(hop.status for hop in hops(view.shown.measurement))
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
    # With the cable cut nothing resolves either: only a sign of life tells the two apart.
    replied = any(failure not in _NO_WAY_TO_RESOLVER for failure in failures)
    return None not in failures and (replied or seen.reached_without_dns)


def _international_cut(seen: References) -> bool:
    foreign = seen.of(ReferenceScope.INTERNATIONAL)
    uplink = seen.of(ReferenceScope.UPLINK)
    if not seen.reached(ReferenceScope.DOMESTIC) or any(view.reached for view in foreign):
        return False
    # Captive-portal checks are often answered by a cache inside the country, so they outvote a
    # single foreign site, not several.
    uplink_works = any(view.reached for view in uplink)
    return len(foreign) > 1 if uplink_works else bool(foreign or uplink)


def _wrong_clock(seen: References) -> bool:
    return seen.clock_skew is not None and abs(seen.clock_skew) > WRONG_CLOCK


def _no_tls(seen: References) -> bool:
    over_tls = [view for view in seen.latest if view.over_tls]
    return bool(over_tls) and not any(view.reached for view in over_tls)


HEALTH_RULES: tuple[HealthRule, ...] = (
    HealthRule(
        id="vantage.egress_failed",
        meaning="The vantage's own proxy could not be used, so nothing was seen from there.",
        state=VantageState.OFFLINE,
        wrong_when="Never known to be: no look got past the proxy.",
        matches=lambda seen: seen.egress_failed,
    ),
    HealthRule(
        id="vantage.elsewhere",
        meaning="The vantage's packets come out in another country than the configured one, as with"
        " a VPN left on: what is seen from there is nothing about the country watched.",
        state=VantageState.UNKNOWN,
        wrong_when="The file that tells where addresses are is wrong, or a forged STUN answer where"
        " no echo server is configured.",
        matches=lambda seen: bool(seen.where.country),
    ),
    HealthRule(
        id="vantage.other_network",
        meaning="The vantage's packets come out of another network of the country than the"
        " configured one, as when a phone roams: neither network can be judged by that.",
        state=VantageState.UNKNOWN,
        wrong_when="Both networks are one operator's and not listed as siblings.",
        matches=lambda seen: bool(seen.where.asn),
    ),
    HealthRule(
        id="vantage.no_references",
        meaning="No reference was looked at, so a failure could as well be the vantage's own.",
        state=VantageState.UNKNOWN,
        wrong_when="The configuration names no reference that this vantage may ask.",
        matches=lambda seen: not seen.latest,
    ),
    HealthRule(
        id="vantage.captive_portal",
        meaning="Something else answers in place of the captive-portal checks, or every name leads"
        " to a private address, and no reference answers over TLS.",
        state=VantageState.CAPTIVE_PORTAL,
        wrong_when="All TLS in the country is blocked and cleartext is rewritten at once.",
        matches=_captive_portal,
    ),
    HealthRule(
        id="vantage.clock_skew",
        meaning="The vantage's clock is more than a day off, so certificates look expired or not"
        " yet valid though they are fine.",
        state=VantageState.UNKNOWN,
        wrong_when="Somebody breaks the references' certificates and forges dates in cleartext.",
        matches=_wrong_clock,
    ),
    HealthRule(
        id="vantage.resolver_down",
        meaning="No reference's name resolves, though the network itself gives signs of life.",
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
        meaning="Domestic references answer and foreign ones do not: the way abroad is cut.",
        state=VantageState.INTERNATIONAL_CUT,
        wrong_when="Each of the foreign references is down or blocked by itself.",
        matches=_international_cut,
    ),
    HealthRule(
        id="vantage.no_tls",
        meaning="Cleartext works but no reference answers over TLS: a device that opens all"
        " encryption, or a filter on everything.",
        state=VantageState.UNKNOWN,
        wrong_when="The few TLS references are down or blocked by themselves.",
        matches=_no_tls,
    ),
    HealthRule(
        id="vantage.lossy",
        meaning="References answer, but so much is lost on the way that a timeout proves nothing.",
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
"""Tried in order; the last one always matches."""
