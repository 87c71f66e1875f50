"""The one judge: from what one cycle of one vantage showed to its verdicts.

It judges live cycles, cycles that agents send, late ones, stored ones that are judged again
(`monitor.judging.rejudge`), and imported ones (`monitor.judging.from_ooni`). Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from monitor.analysis.judge.case import Case
from monitor.analysis.judge.common_addresses import common_addresses
from monitor.analysis.judge.controls import ABLE
from monitor.analysis.judge.cut_by_chance import cut_shares
from monitor.analysis.judge.fingerprint import Fingerprint
from monitor.analysis.judge.grade_by_follow_ups import (
    EXPLAINS,
    HIJACK_RULE,
    LARGE_HELLO,
    LATE_RULE,
    SHORT_HELLO,
    SLOW,
)
from monitor.analysis.judge.grade_by_sign import Sign
from monitor.analysis.judge.hello_forms import greets_otherwise, other_hello_failed
from monitor.analysis.judge.interception import local_authorities
from monitor.analysis.judge.judge_case import judge
from monitor.analysis.judge.lossy_paths import lossy_platforms, perhaps_lossy_platforms
from monitor.analysis.judge.platform import roll_up
from monitor.analysis.judge.private_addresses import proven_in_private
from monitor.analysis.judge.protocols_of_apps import none_is_answered
from monitor.analysis.judge.quic_blocked import answered_over_quic, answered_over_udp
from monitor.analysis.judge.refused_by_chance import refusals_by_chance
from monitor.analysis.judge.siblings import sampled_out
from monitor.analysis.judge.silent_addresses import cut_off_addresses, silent_together
from monitor.analysis.judge.slow_line import slow_line
from monitor.analysis.measurement_summary import working_families
from monitor.analysis.seen import EndpointMeasurements, ObjectTransfers, Seen
from monitor.analysis.throttling.history import goes_on
from monitor.analysis.throttling.throttling import combine, judge_transfers
from monitor.analysis.throttling.transfer_facts import TransferCase
from monitor.analysis.transfer_verdict import TransferClass, TransferVerdict
from monitor.analysis.trust import OWN_ALONE, Trust
from monitor.analysis.vantage.health import NO_REFERENCES
from monitor.analysis.verdict import PlatformVerdict, State, VantageState, Verdict
from probes.catalog.catalog import Catalog, Function, Platform, ReferenceScope
from probes.catalog.endpoint_text import parse_endpoint
from probes.measurement import Layer, Measurement, Purpose, QuicObservation
from storage.values.cycle import Cycle


def judge_cycle(
    seen: Seen,
    catalog: Catalog,
    fingerprints: tuple[Fingerprint, ...],
    trust: Trust = OWN_ALONE,
) -> Cycle:
    """The cycle with its verdicts; `fingerprints` are those of known block pages, and `trust` tells
    what each control's word weighs.

    A control's cycle has no verdicts, nor has one that measured no platform.
    """
    references = _references(seen)
    connected = (*seen.own, *(made for one in seen.transfers for made in one.made))
    lossy = lossy_platforms(connected, references)
    perhaps_lossy = perhaps_lossy_platforms(connected, references)
    owners = {platform.name: platform.owner for platform in catalog.platforms}
    cut_off = cut_off_addresses(seen.endpoints, references)
    transfers = tuple(_transfer_verdict(one, seen, lossy, perhaps_lossy) for one in seen.transfers)
    shared = _Shared(
        over_udp=answered_over_udp(seen.own),
        over_quic=answered_over_quic(seen.own, seen.health.families),
        udp_references={
            one.endpoint: working_families(one)
            for one in references
            if one.reached and one.function == ReferenceScope.UDP
        },
        no_protocol_of_apps=none_is_answered(seen.own),
        local_authorities=local_authorities(
            (m for m in seen.measurements if m.vantage == seen.vantage.id), owners
        ),
        lossy_platforms=lossy,
        slow_line=slow_line(references, (m for one in seen.endpoints for m in one.attempts)),
        perhaps_lossy=perhaps_lossy,
        refusals=refusals_by_chance(references),
        cut_off=cut_off,
        common_addresses=common_addresses(seen.endpoints, owners),
        private_addresses=proven_in_private(seen.endpoints),
        cut_shares=cut_shares(seen.endpoints),
        sampled_out=sampled_out(seen.endpoints),
        fingerprints=fingerprints,
        trust=trust,
    )
    standing = tuple(_standing(seen, transfers))
    verdicts = combine(_verdicts(seen, shared, transfers), transfers, standing)
    return Cycle(
        id=seen.cycle,
        vantage=seen.vantage.id,
        country=seen.vantage.country,
        started_at=seen.started_at,
        finished_at=seen.finished_at,
        health=seen.health,
        measurements=seen.measurements,
        verdicts=tuple(verdicts),
        platforms=_platforms(
            seen,
            verdicts,
            transfers,
            standing,
            catalog.platforms,
            others_silent=silent_together(cut_off, owners),
        ),
        hurried=seen.out_of_turn,
        transfers=transfers,
    )


_SILENT = ("tls.timeout", "http.timeout")


def _references(seen: Seen) -> list[Measurement]:
    """The measurements of references from the vantage itself."""
    return [
        one
        for one in seen.measurements
        if one.look is Purpose.REFERENCE and one.vantage == seen.vantage.id
    ]


class _Shared(msgspec.Struct, frozen=True, kw_only=True):
    """What the verdicts on all endpoints of a cycle share."""

    over_udp: frozenset[str]
    """Ids of the endpoints that answered over UDP."""
    over_quic: frozenset[str]
    """Ids of those that answered over QUIC, references included."""
    udp_references: Mapping[str, tuple[str, ...]]
    """Of references that answered over UDP: id → address families."""
    no_protocol_of_apps: bool
    local_authorities: frozenset[str]
    lossy_platforms: frozenset[str]
    slow_line: bool
    perhaps_lossy: frozenset[str]
    refusals: Mapping[Sign, float]
    cut_off: Mapping[str, frozenset[str]]
    common_addresses: frozenset[str]
    private_addresses: Mapping[str, frozenset[str]]
    cut_shares: Mapping[str, float]
    sampled_out: frozenset[tuple[str, str, str]]
    fingerprints: tuple[Fingerprint, ...]
    trust: Trust


def _verdicts(seen: Seen, shared: _Shared, transfers: Sequence[TransferVerdict]) -> list[Verdict]:
    """The verdicts on all endpoints: first on those that were followed up, since what follow-ups
    found at one endpoint of a platform may explain the others. What transfers found explains others
    of the function."""
    found: dict[int, Verdict] = {}
    explained: dict[str, set[str]] = {}
    slow = {
        (one.verdict.platform, one.verdict.function)
        for one in transfers
        if one.verdict.rule_id == SLOW
    }
    for number, one in sorted(enumerate(seen.endpoints), key=lambda n: not n[1].follow_ups):
        known = frozenset(explained.get(one.platform, ()))
        if (one.platform, one.function) in slow:
            known |= {SLOW}
        found[number] = verdict = _verdict(one, seen, shared, known)
        if verdict.rule_id in EXPLAINS or verdict.rule_id == HIJACK_RULE:
            explained.setdefault(one.platform, set()).add(verdict.rule_id)
    for number, one in enumerate(seen.endpoints):
        # Which of them was late is not known before all were judged.
        known = frozenset(explained.get(one.platform, ()))
        if found[number].rule_id in _SILENT and LATE_RULE in known:
            found[number] = _verdict(one, seen, shared, known)
    return [found[number] for number in range(len(seen.endpoints))]


def _verdict(
    one: EndpointMeasurements, seen: Seen, shared: _Shared, explained: frozenset[str]
) -> Verdict:
    health = seen.health
    # Whatever controls happened to measure, others stand for it.
    sampled = (one.platform, one.function, one.endpoint) in shared.sampled_out
    early = seen.early
    if early is not None and (health.state not in ABLE or early.rule_id == NO_REFERENCES):
        early = None
    for known in (early, one.health):
        # Trouble before the tests, or at the time of a failure, outweighs good health later.
        if not sampled and known is not None and known.state not in ABLE:
            health = known
    return judge(
        Case(
            cycle=seen.cycle,
            vantage=seen.vantage.id,
            country=seen.vantage.country,
            asn=seen.vantage.asn,
            network=seen.vantage.network,
            platform=one.platform,
            function=one.function,
            endpoint=one.endpoint,
            attempts=one.attempts,
            controls=() if sampled else one.controls,
            follow_ups=one.follow_ups,
            fingerprints=shared.fingerprints,
            udp_works=bool(shared.over_udp - {one.endpoint}),
            quic_works=bool(shared.over_quic - {one.endpoint}),
            udp_references=shared.udp_references,
            no_protocol_of_apps=shared.no_protocol_of_apps,
            local_authorities=shared.local_authorities,
            explained=explained,
            lossy_path=one.platform in shared.lossy_platforms,
            slow_line=shared.slow_line,
            perhaps_lossy_path=one.platform in shared.perhaps_lossy,
            refusals=shared.refusals,
            cut_off=shared.cut_off[one.platform],
            common_addresses=shared.common_addresses,
            private_addresses=shared.private_addresses[one.platform],
            cut_share=shared.cut_shares.get(one.platform, 0.0),
            sampled_out=sampled,
            health=health,
            control_health=seen.control_health,
            trust=shared.trust,
            judged_at=seen.judged_at,
        )
    )


def _transfer_verdict(
    one: ObjectTransfers, seen: Seen, lossy: frozenset[str], perhaps_lossy: frozenset[str]
) -> TransferVerdict:
    return judge_transfers(
        TransferCase(
            cycle=seen.cycle,
            vantage=seen.vantage.id,
            country=seen.vantage.country,
            asn=seen.vantage.asn,
            network=seen.vantage.network,
            platform=one.platform,
            function=one.function,
            endpoint=one.endpoint,
            rounds=one.rounds,
            controls=one.controls,
            distance=one.distance,
            usual_ratios=one.usual_ratios,
            accused_rate=one.accused_rate,
            lossy_path=one.platform in lossy,
            perhaps_lossy_path=one.platform in perhaps_lossy,
            health=seen.health,
            judged_at=seen.judged_at,
        )
    )


def _standing(seen: Seen, transfers: Sequence[TransferVerdict]) -> Iterable[TransferVerdict]:
    """What an earlier cycle's accusation of an object comes to in this one, where it measured the
    platform and showed neither that the object is slow nor that it is not. Without a new transfer
    the accusation holds, unless the vantage is in trouble, which accuses nobody."""
    measured = {one.place: verdict for one, verdict in zip(seen.transfers, transfers, strict=True)}
    platforms = {one.platform for one in seen.endpoints}
    accused = {
        (k.verdict.platform, k.verdict.function, k.verdict.endpoint) for k in seen.accusations
    }
    for one, fresh in zip(seen.transfers, transfers, strict=True):
        # Its vantage knows of an accusation that was forgotten here.
        forgotten = goes_on(one.made) and one.place not in accused
        if forgotten and fresh.verdict.state is State.INSUFFICIENT:
            yield fresh
    for known in seen.accusations:
        old = known.verdict
        new = measured.get((old.platform, old.function, old.endpoint))
        if old.platform not in platforms:
            continue
        if new is not None:
            if new.verdict.state is State.INSUFFICIENT:
                yield new
        elif seen.health.state is VantageState.OK:
            verdict = msgspec.structs.replace(old, cycle=seen.cycle, judged_at=seen.judged_at)
            yield msgspec.structs.replace(known, verdict=verdict)
        else:
            none = ObjectTransfers(
                platform=old.platform,
                function=old.function,
                endpoint=old.endpoint,
                made=(),
                rounds=(),
            )
            yield _transfer_verdict(none, seen, frozenset(), frozenset())


def _platforms(
    seen: Seen,
    verdicts: Sequence[Verdict],
    transfers: Sequence[TransferVerdict],
    standing: Sequence[TransferVerdict],
    platforms: Iterable[Platform],
    *,
    others_silent: bool,
) -> tuple[PlatformVerdict, ...]:
    """A verdict on each of `platforms` that the cycle measured."""
    began: dict[str, datetime] = {}
    endpoints: dict[str, dict[str, list[str]]] = {}
    for one in seen.endpoints:
        at = one.attempts[0].started_at
        began[one.platform] = min(at, began.get(one.platform, at))
        endpoints.setdefault(one.platform, {}).setdefault(one.function, []).append(one.endpoint)
    return tuple(
        roll_up(
            _as_measured(platform, endpoints[platform.name]),
            [verdict for verdict in verdicts if verdict.platform == platform.name],
            started_at=began[platform.name],
            speeds=[one.verdict for one in transfers if one.verdict.platform == platform.name],
            unclear=[
                one.verdict.endpoint
                for one in standing
                if one.verdict.platform == platform.name and not one.accuses
            ],
            quic=_over_quic(seen, platform.name),
            hellos=_in_another_form(seen, verdicts, platform.name),
            stalls={
                one.verdict.function: round(one.stalled_at.median)
                for one in (*standing, *transfers)
                if one.verdict.platform == platform.name
                and one.kind is TransferClass.STALLED
                and one.stalled_at is not None
            },
            others_silent=others_silent,
        )
        for platform in platforms
        if platform.name in began
    )


def _over_quic(seen: Seen, platform: str) -> frozenset[str]:
    """The functions of a platform of which an endpoint answered over QUIC."""
    return frozenset(
        one.function
        for one in seen.endpoints
        if one.platform == platform
        and any(
            isinstance(o, QuicObservation) and o.failure is None
            for attempt in one.attempts
            for o in attempt.observations
        )
    )


def _in_another_form(seen: Seen, verdicts: Iterable[Verdict], platform: str) -> frozenset[str]:
    """The functions of a platform of which an endpoint answered another form of greeting too, or is
    accused by that one, as it answered the usual one."""
    cut = {
        (one.platform, one.function, one.endpoint)
        for one in verdicts
        if (Layer.TLS, one.sub_method) in (SHORT_HELLO, LARGE_HELLO)
    }
    return frozenset(
        one.function
        for one in seen.endpoints
        if one.platform == platform
        for last in one.attempts[-1:]
        if last.reached and greets_otherwise(last)
        if not other_hello_failed(last) or (platform, one.function, one.endpoint) in cut
    )


def _as_measured(platform: Platform, measured: Mapping[str, Sequence[str]]) -> Platform:
    """The platform with the functions and endpoints that the cycle knew; `measured` are its
    endpoints by function.

    The catalogue changes. An endpoint that it got since was not measured, which says nothing about
    the platform, and one that it lost since is still part of what was seen. A canonical endpoint
    stays: no other can stand for it.
    """
    functions = tuple(
        _function_as_measured(function, measured[function.name])
        for function in platform.functions
        if function.name in measured
    )
    return msgspec.structs.replace(platform, functions=functions) if functions else platform


def _function_as_measured(function: Function, measured: Sequence[str]) -> Function:
    named = {endpoint.id for endpoint in function.endpoints}
    gone = [parse_endpoint(text) for text in sorted(measured) if text not in named]
    kept = [
        endpoint
        for number, endpoint in enumerate(function.endpoints)
        if endpoint.id in measured or function.sample or (function.canonical and number == 0)
    ]
    # A group without a measured member is as new as an endpoint that was not measured.
    groups = tuple(group for group in function.groups if set(group.endpoints) & set(measured))
    return msgspec.structs.replace(function, endpoints=(*kept, *gone), groups=groups)
