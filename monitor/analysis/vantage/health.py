"""Whether the vantage itself works, decided before anybody is accused.

References are endpoints that nobody blocks for their content: captive-portal checks (uplink),
foreign sites that a list of sites to spare would name (popular) or not (international), foreign
addresses, and the operator's domestic list. The latest measurement of each reference decides the
state; every one of the cycle counts for loss. The rules are tried in order, the first that matches
wins, as in `monitor.analysis.judge.rules.table`.

loss.py             how many packets the line loses
reference_facts.py  which references answer, and how the others fail
abroad.py           how much of what is abroad is reached
"""

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from monitor.analysis.measurement_summary import hops, working_families
from monitor.analysis.vantage.abroad import (
    cut_by_name,
    cut_off,
    cut_to_list,
    ipv4_cut,
    large_packets_lost,
    resolver_cut_off,
    resolver_down,
)
from monitor.analysis.vantage.exit_location import AS_CONFIGURED, ExitMismatch
from monitor.analysis.vantage.reference_facts import SEVERAL, References, gather
from monitor.analysis.verdict import TableRule, VantageHealth, VantageState
from probes.catalog.catalog import Reference, ReferenceScope
from probes.measurement import DnsObservation, Measurement
from probes.vantage import VantagePoint

WRONG_CLOCK = 86400.0
"""Seconds of skew from which certificates fail, or pass, because of the clock alone."""

ReferenceMeasurements = tuple[tuple[Reference, Measurement], ...]
HOPELESS = (VantageState.OFFLINE, VantageState.CAPTIVE_PORTAL)
"""States in which a further attempt would only load a network in trouble."""
LOGIN_WANTED = {407, 511}
"""Statuses of HTTP by which a device on the way asks for a login."""
NO_REFERENCES = "vantage.no_references"
RESOLVER_DOWN = "vantage.resolver_down"
ALLOWLIST_BY_NAME = "vantage.allowlist_by_name"
IPV4_CUT = "vantage.ipv4_cut"
MOST_PASSING = 40
"""Most hosts that are named of those that a list lets pass."""


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
    seen = gather(references, witnesses, where)
    known = [one for one in (seen.clock_skew, skew) if one is not None]
    skew = max(known, key=abs, default=None)
    wrong = abs(skew or 0.0) > WRONG_CLOCK
    latest = tuple(msgspec.structs.replace(view, wrong_clock=wrong) for view in seen.latest)
    seen = msgspec.structs.replace(seen, clock_skew=skew, latest=latest)
    rule = next(rule for rule in HEALTH_RULES if rule.matches(seen))
    families = seen.families
    if rule.id == IPV4_CUT:  # which accuses no platform
        families -= {"ipv4"}
    return VantageHealth(
        **vantage.origin,
        state=_state(rule, seen),
        rule_id=rule.id,
        references_ok=sum(view.summary.measurement.reached for view in seen.latest),
        references_total=len(seen.latest),
        timeout_rate=seen.loss.timeout_rate,
        families=tuple(sorted(families)),
        passing=seen.passing[:MOST_PASSING] if rule.state is VantageState.ALLOWLIST else (),
        clock_skew=seen.clock_skew,
        stub_resolver=seen.stub_resolver,
        exit_country=where.country,
        exit_asn=where.asn,
        at=at,
        measured_at=min((m.started_at for _, m in references), default=None),
    )


def _state(rule: HealthRule, seen: References) -> VantageState:
    """The state that a rule gives. A third party's resolver that fails says nothing of the network:
    several vantages may ask the same one, and it is no shutdown when that is down or blocked."""
    if rule.id == RESOLVER_DOWN and seen.resolved_elsewhere:
        return VantageState.UNKNOWN
    return rule.state


def wrong_clock(health: VantageHealth) -> bool:
    """Whether certificates fail, or pass, because of the vantage's clock alone."""
    return abs(health.clock_skew or 0.0) > WRONG_CLOCK


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


def _all_bogon(seen: References) -> bool:
    return bool(seen.latest) and all(
        view.outcome is not None and view.outcome.sub_method == "bogon" for view in seen.latest
    )


def _captive_portal(seen: References) -> bool:
    uplinks = seen.of(ReferenceScope.UPLINK)
    by_another = [
        {hop.status for hop in hops(view.summary.measurement)} - {0}
        for view in uplinks
        if not view.reached
    ]
    statuses = [one for one in by_another if one]
    over_tls = [view for view in seen.latest if view.over_tls]
    reached = sum(view.reached for view in over_tls)
    if not reached:
        return bool(statuses) or _all_bogon(seen)
    if not len(statuses) == len(uplinks) >= SEVERAL:
        return False
    # It lets some sites pass, or asks for a login in cleartext only.
    return 2 * reached < len(over_tls) or all(one & LOGIN_WANTED for one in statuses)


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
        id=NO_REFERENCES,
        meaning="No reference was tested, so a failure could be the vantage's own.",
        wrong_when="The configuration names no reference that this vantage may test.",
        matches=lambda seen: not seen.latest,
    ),
    HealthRule(
        id="vantage.captive_portal",
        meaning="Something else answers in place of the captive-portal checks, and asks for a login"
        " or lets few references answer over TLS; or every name resolves to a private address, and"
        " none does.",
        state=VantageState.CAPTIVE_PORTAL,
        wrong_when="The country blocks all TLS, or all but a list, while it rewrites cleartext.",
        matches=_captive_portal,
    ),
    HealthRule(
        id=RESOLVER_DOWN,
        meaning="No reference's name resolves, though the network itself works.",
        state=VantageState.OFFLINE,
        wrong_when="A country makes every name fail: that is a shutdown, not a broken resolver.",
        matches=resolver_down,
    ),
    HealthRule(
        id="vantage.offline",
        meaning="Nothing answers: the vantage, or the whole network it is on, is cut off.",
        state=VantageState.OFFLINE,
        wrong_when="Every reference and every platform is blocked while other sites work.",
        matches=lambda seen: not seen.reached() and not seen.platforms,
    ),
    HealthRule(
        id="vantage.resolver_cut_off",
        meaning="The resolver answers for domestic names or those it remembers and not for foreign"
        " ones, though foreign addresses can be reached: the resolver is at fault.",
        wrong_when="The country makes all foreign names fail on purpose.",
        matches=resolver_cut_off,
    ),
    HealthRule(
        id="vantage.international_cut",
        meaning="Domestic references answer and nothing foreign does: international connections"
        " are cut.",
        state=VantageState.INTERNATIONAL_CUT,
        wrong_when="Each foreign reference is down or blocked by itself.",
        matches=cut_off,
    ),
    HealthRule(
        id="vantage.large_packets",
        meaning="Most foreign sites fall silent, and answer in small packets: large ones get lost"
        " on the way abroad.",
        state=VantageState.UNKNOWN,
        wrong_when="Only a list of names passes, and its keeper misses names in small packets.",
        matches=large_packets_lost,
    ),
    HealthRule(
        id=ALLOWLIST_BY_NAME,
        meaning="Some sites answer. To most foreign ones connections are made and go silent once"
        " their name is sent: only a list of names passes.",
        state=VantageState.ALLOWLIST,
        wrong_when="A filter of the vantage's own site lets only a list of names pass.",
        matches=cut_by_name,
    ),
    HealthRule(
        id="vantage.allowlist",
        meaning="Some sites answer, and most foreign ones fail at every try: only a list of sites"
        " passes.",
        state=VantageState.ALLOWLIST,
        wrong_when="The lines abroad are cut, and caches inside the country answer for the sites"
        " that seem to pass; or a filter of the vantage's own site does it.",
        matches=cut_to_list,
    ),
    HealthRule(
        id="vantage.no_tls",
        meaning="Cleartext works but no reference answers over TLS: a device decrypts all"
        " traffic, a filter blocks all of it, or large packets get lost.",
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
        id="vantage.clock_skew",
        meaning="The vantage's clock is more than a day off, so valid certificates look expired"
        " or not yet valid. Otherwise it works.",
        wrong_when="Somebody breaks the references' certificates and forges dates in cleartext.",
        matches=lambda seen: abs(seen.clock_skew or 0.0) > WRONG_CLOCK,
    ),
    HealthRule(
        id=IPV4_CUT,
        meaning="Over IPv4 domestic references answer and nothing foreign does. What is abroad is"
        " reached and tested over IPv6 alone, which few people have.",
        state=VantageState.OK,
        wrong_when="The line of this vantage alone lost its way abroad over IPv4.",
        matches=ipv4_cut,
    ),
    HealthRule(
        id="vantage.ok",
        meaning="References answer, so failures elsewhere are not the vantage's own.",
        state=VantageState.OK,
        wrong_when="The fault is a partial one that spares every reference, or somebody blocks all"
        " encryption over one of IPv4 and IPv6.",
        matches=lambda _: True,
    ),
)
"""Tried in order; the last rule always matches."""
