"""Whether an endpoint needs another attempt in the same cycle."""

from collections import Counter
from collections.abc import Iterable, Sequence

from monitor.analysis.judge.cleartext_pages import (
    Likeness,
    cleartext_page,
    compare,
    redirects_elsewhere,
)
from monitor.analysis.judge.controls import misled, reached_at
from monitor.analysis.judge.counted_flows import CUT_OFF
from monitor.analysis.judge.grade_by_sign import AGREEING_ATTEMPTS, WEIGHTS, Weight
from monitor.analysis.judge.hello_forms import other_hello_failed
from monitor.analysis.judge.lossy_paths import connections
from monitor.analysis.judge.one_family import ipv4_untried
from monitor.analysis.judge.quic_blocked import quic_failed
from monitor.analysis.judge.server_errors import errs
from monitor.analysis.measurement_summary import (
    TIMEOUT,
    Outcome,
    best,
    came_late,
    contradicting,
    decisive,
    outcome_over,
    rank,
    sub_method_of,
    summarise,
    usable,
    works,
)
from probes.failure_strings import Failure
from probes.layers.nat64 import is_made_up
from probes.measure.follow_up_reasons import Reason
from probes.measurement import Layer, Measurement, TlsObservation
from probes.target import Dial

_AT_ADDRESS = frozenset({"timeout", "refused", "reset", "unreachable", "eof", "alert"})
"""Failures that a control can find at the same address, or not."""
_AGAIN = (Reason.NAME_AGAIN, Reason.USUAL_HELLO)
_DIALLED = 2
"""Addresses of each family that a control tries, at most."""


def suspicious(measurement: Measurement, families: tuple[str, ...]) -> bool:
    """Whether the endpoint was not reached, or not over a family that works from here, or not at
    every address, or not over QUIC where that was tried, or only by a cleartext redirect that
    anybody could forge, or answered with an error, or not in another form of greeting where that
    was tried.

    `families` are those over which a reference answered.
    """
    if not measurement.reached or redirects_elsewhere(measurement, None):
        return True
    if quic_failed(measurement, families) or errs(measurement) or other_hello_failed(measurement):
        return True
    return bool(failing_families(measurement, families) or failing_addresses(measurement, families))


def needs_comparison(attempts: Sequence[Measurement], families: tuple[str, ...]) -> bool:
    """Whether the last attempt is `suspicious`, or an earlier one that got contradicting replies to
    a question is: who forges answers misses some questions, and the last one may be among them."""
    return any(
        suspicious(attempt, families) and (attempt is attempts[-1] or _contradicted(attempt))
        for attempt in attempts
    )


def _contradicted(measurement: Measurement) -> bool:
    return any(contradicting(o.answers) for o in summarise(measurement).last_hop.dns)


def failing_families(measurement: Measurement, families: tuple[str, ...]) -> frozenset[str]:
    """The `families` that failed, or were not tried because the resolver answered too late."""
    summary = summarise(measurement)
    failed = {
        family
        for family in families
        if (outcome := outcome_over(summary, family)) is not None
        and not works(outcome, measurement)
        and not _untried(outcome)
    }
    return frozenset(failed | (came_late(measurement) & set(families)))


def failing_addresses(measurement: Measurement, families: tuple[str, ...]) -> frozenset[str]:
    """The addresses that failed though the endpoint was reached, over `families` that worked."""
    if not measurement.reached:
        return frozenset()
    summary = summarise(measurement)
    well = {one.family for one in summary.outcomes if works(one, measurement)}
    return frozenset(
        path.address
        for path in usable(summary.paths, families)
        if path.address and path.family in well and path.sub_method in _AT_ADDRESS
    )


def cut_off_at_times(attempts: Sequence[Measurement], families: tuple[str, ...]) -> Dial | None:
    """The address where attempts were most often cut off in the handshake, though the endpoint was
    reached: there it pays to count how many connections are. None where there is none."""
    if not any(one.reached for one in attempts):
        return None
    cut = Counter(
        (summary.last_hop.host, path.address)
        for summary in map(summarise, attempts)
        for path in usable(summary.paths, families)
        if path.layer is Layer.TLS and path.sub_method in _AT_ADDRESS and path.address
    )
    if not cut:
        return None
    host, address = max(sorted(cut), key=cut.__getitem__)
    ports = [
        o.port
        for one in attempts
        for o in one.observations
        if isinstance(o, TlsObservation) and o.address == address
    ]
    return Dial(host=host, port=ports[0], addresses=(address,))


def perhaps_by_chance(
    attempts: Sequence[Measurement], follow_ups: Sequence[Measurement]
) -> Dial | None:
    """Where it pays to count as well, though the name was cut off every time: an address at which
    it worked in a follow-up, or at which the innocuous name was answered, which was cut off at
    another, or where packets to the endpoint get lost."""
    host = summarise(attempts[-1]).last_hop.host
    made = [o for asked in follow_ups for o in asked.observations if isinstance(o, TlsObservation)]
    innocuous = [o for o in made if o.reason == Reason.INNOCUOUS_SNI]
    telling = [o for o in made if o.reason in _AGAIN and not o.failure]
    if any(sub_method_of(o) in CUT_OFF for o in innocuous) or _silent_and_lossy(
        attempts, follow_ups
    ):
        telling += [o for o in innocuous if not o.failure]
    for one in telling:
        return Dial(host=host, port=one.port, addresses=(one.address,)) if one.address else None
    return None


def _silent_and_lossy(attempts: Sequence[Measurement], follow_ups: Sequence[Measurement]) -> bool:
    """Whether the last handshake fell silent, and a connection needed more than one try."""
    paths = summarise(attempts[-1]).paths
    silent = any(path.layer is Layer.TLS and path.sub_method == TIMEOUT for path in paths)
    made = (one for measured in (*attempts, *follow_ups) for one in connections(measured))
    return silent and any(one.retransmits for one in made)


def _untried(outcome: Outcome) -> bool:
    """The name resolved but no address was tried: low-traffic measurements use one family only."""
    return outcome.layer is Layer.DNS and outcome.failure is None


def same_addresses(
    failed: Measurement, families: tuple[str, ...], nat64: tuple[str, ...] = ()
) -> Dial | None:
    """Where a control should try the addresses that failed here; None without any. Never one where
    a false certificate was shown: a resolver that lies may have led there. Nor one that the NAT64
    with these prefixes made up (`VantageHealth.nat64`): nobody answers there outside its network.
    """
    summary = summarise(failed)
    paths = [
        path
        for path in usable(summary.paths, families)
        if path.address and path.sub_method in _AT_ADDRESS and not is_made_up(path.address, nat64)
    ]
    addresses = tuple(
        address
        for family in ("ipv4", "ipv6")
        for address in sorted({p.address for p in paths if p.family == family})[:_DIALLED]
    )
    last_hop = summary.last_hop
    ports = [o.port for o in last_hop.tcp if o.address in addresses]
    if not ports:
        return None
    return Dial(host=last_hop.host, port=ports[0], addresses=addresses)


def looks_overloaded(attempts: Sequence[Measurement], families: tuple[str, ...]) -> bool:
    """Whether an attempt shows what an overloaded server does too: that takes one more attempt than
    other failures, and some time between them."""
    came_to = (_came_to(m, families) for m in attempts)
    return any(
        one is not None and WEIGHTS.get((one.layer, one.sub_method)) is Weight.OVERLOAD
        for one in came_to
    )


def one_more_pays(attempts: Sequence[Measurement], families: tuple[str, ...]) -> bool:
    """Whether to try once more than other failures take: an overloaded server may have caused it,
    or addresses came too late."""
    return looks_overloaded(attempts, families) or bool(came_late(attempts[-1]))


def attempts_agree(attempts: tuple[Measurement, ...], families: tuple[str, ...]) -> bool:
    """Whether the last attempts agree, in a way that packet loss cannot cause: two, or four of what
    an overloaded server does.

    Another attempt would add nothing. Timeouts never agree: each further one makes loss a worse
    explanation. Nor does an attempt that went on before all addresses came, or without those that
    never did: it tells nothing of a family.
    """
    last = _came_to(attempts[-1], families)
    if last is None or came_late(attempts[-1]) or ipv4_untried(summarise(attempts[-1])):
        return False
    weight = WEIGHTS.get((last.layer, last.sub_method), Weight.REPEAT)
    needed = AGREEING_ATTEMPTS.get(weight, 2)
    if len(attempts) < needed:
        return False
    came_to = {
        (one.layer, one.failure, one.sub_method) if one is not None else None
        for one in (_came_to(m, families) for m in attempts[-needed:])
    }
    return len(came_to) == 1 and (last.failure is None or rank(last.sub_method) == 0)


def deepest(attempts: Sequence[Measurement], families: tuple[str, ...]) -> Measurement:
    """The attempt to ask further about: the last of those that failed furthest on, if possible
    after they tried every family. A censor that cut off a handshake may answer for the address, or
    silence it, for minutes."""
    failed = [one for one in attempts if suspicious(one, families)] or attempts
    failed = [one for one in failed if not (one.reached and came_late(one))] or failed
    depths = [outcome.depth if (outcome := decisive(one, families)) else 0 for one in failed]
    return next(
        one
        for one, depth in reversed(list(zip(failed, depths, strict=True)))
        if depth == max(depths)
    )


def _came_to(measurement: Measurement, families: tuple[str, ...]) -> Outcome | None:
    """What an attempt came to, over the family that failed where the other one answered: else what
    fails would look settled as soon as the endpoint was reached twice."""
    failed = failing_families(measurement, families) if measurement.reached else frozenset()
    outcome = best(one for one in summarise(measurement).outcomes if one.family in failed)
    return outcome or decisive(measurement, families)


def answered(measurement: Measurement) -> bool:
    """Whether an answer came, even if only a comparison can tell what it is."""
    outcome = decisive(measurement)
    return measurement.reached or (outcome is not None and outcome.failure is None)


def same_page_as_control(measurement: Measurement, controls: Iterable[Measurement]) -> bool:
    """Whether a cleartext answer is the page that a control got, so that no question is left."""
    page = cleartext_page(summarise(measurement))
    others = (summarise(control).last_hop.http for control in controls)
    return page is not None and any(
        other is not None and compare(page, other) is Likeness.SAME for other in others
    )


def retry_may_tell(
    first: Measurement, controls: Sequence[Measurement], families: tuple[str, ...]
) -> bool:
    """True when another attempt could change the verdict; `controls` were made after the first.

    It cannot when the endpoint failed for every control too, and none may be misled by its resolver
    as we may be by ours, or answered each with an error as it
    did here, nor when they read the same, nor when all that failed were addresses where no control
    is answered.
    """
    some = failing_addresses(first, families)
    if some and not failing_families(first, families) and not redirects_elsewhere(first, None):
        places = [reached_at(summarise(control)) for control in controls]
        return any(place.get(address) for place in places for address in some)
    if controls and not any(_meets(first, control) for control in controls):
        return False
    if errs(first) and controls and all(map(errs, controls)):
        return False
    return not same_page_as_control(first, controls)


def _meets(failed: Measurement, control: Measurement) -> bool:
    """Whether a control got further than what failed here, or its resolver may lie as ours may. Its
    clock may spoil the certificate that it got, which tells all the same that the server is
    there."""
    if answered(control):
        return True
    here, there = decisive(failed), decisive(control)
    if here is not None and there is not None and misled(here) and misled(there):
        return True
    return (
        there is not None
        and there.failure == Failure.SSL_INVALID_CERTIFICATE
        and (here is None or here.depth < there.depth or here.failure != there.failure)
    )
