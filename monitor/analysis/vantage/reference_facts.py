"""What the references of one cycle show: which answer, and how the others fail."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from monitor.analysis.measurement_summary import (
    Outcome,
    Summary,
    best,
    host_of,
    led_through_proxy,
    reached_over,
    summarise,
    working_families,
)
from monitor.analysis.vantage.clock import clock_skew
from monitor.analysis.vantage.exit_location import ExitMismatch
from monitor.analysis.vantage.loss import Loss, estimate_loss
from probes.catalog.catalog import Reference, ReferenceScope
from probes.catalog.endpoint_kinds import EndpointKind
from probes.failure_strings import TIMEOUTS, Failure
from probes.measure.follow_up_reasons import Reason
from probes.measurement import (
    DnsObservation,
    Layer,
    Measurement,
    TcpObservation,
    TlsObservation,
)

_NO_WAY_TO_RESOLVER = TIMEOUTS | {
    "host_unreachable",
    "network_unreachable",
    "network_down",
    "permission_denied",
    "dns_non_recoverable_failure",
}
"""DNS failures that a cut cable causes as well as a dead resolver."""
_NO_WAY_TO_NAME_SERVERS = _NO_WAY_TO_RESOLVER | {Failure.DNS_SERVFAIL, Failure.DNS_REFUSED}
"""DNS failures of a resolver that reaches no name server; one that lies has others to choose."""
_ANSWER_EVERYBODY = frozenset(
    {
        *("1.1.1.1", "1.0.0.1", "2606:4700:4700::1111", "2606:4700:4700::1001"),
        *("8.8.8.8", "8.8.4.4", "2001:4860:4860::8888", "2001:4860:4860::8844"),
        *("9.9.9.9", "149.112.112.112", "2620:fe::fe", "2620:fe::9"),
        *("208.67.222.222", "208.67.220.220", "2620:119:35::35", "2620:119:53::53"),
        *("94.140.14.14", "94.140.15.15", "2a10:50c0::ad1:ff", "2a10:50c0::ad2:ff"),
    }
)
"""Resolvers of Cloudflare, Google, Quad9, OpenDNS and AdGuard, as each documents them. Machines on
any network ask them."""
_TLS_KINDS = (EndpointKind.TLS, EndpointKind.HTTPS)
_PROOF = (Layer.TLS, Layer.APP, Layer.QUIC)
"""Layers that no box completes in a server's place."""
SEVERAL = 2
"""One reference that fails over a family may be down over it itself."""


class ReferenceView(msgspec.Struct, frozen=True, kw_only=True):
    reference: Reference
    summary: Summary
    """Of its latest measurement."""
    outcome: Outcome | None
    ever_reached: bool
    """It answered in one of the cycle's measurements."""
    wrong_clock: bool = False
    """Our clock is known to be so wrong that certificates look invalid."""

    @property
    def reached(self) -> bool:
        """Whether it answered, if need be with a certificate that our own clock spoils."""
        spoiled = (
            self.wrong_clock
            and self.outcome is not None
            and self.outcome.failure == Failure.SSL_INVALID_CERTIFICATE
        )
        return self.summary.measurement.reached or spoiled

    @property
    def over_tls(self) -> bool:
        """Whether a server has to prove who it is."""
        endpoint = self.reference.endpoint
        return endpoint.kind in _TLS_KINDS and endpoint.verify

    @property
    def connected(self) -> bool:
        """Whether a connection to an address of it was made."""
        return any(
            isinstance(one, TcpObservation) and one.failure is None
            for one in self.summary.measurement.observations
        )

    @property
    def dns_failure(self) -> str | None:
        """Why its name did not resolve; None when it did."""
        outcome = self.outcome
        return outcome.failure if outcome is not None and outcome.layer is Layer.DNS else None

    @property
    def silent_resolver(self) -> bool:
        """Whether its name fails as it does with the cable cut."""
        return self.dns_failure in _NO_WAY_TO_RESOLVER

    @property
    def led_through_proxy(self) -> bool:
        """Whether software at the vantage's own site leads its name through a proxy."""
        return not self.reached and led_through_proxy(self.summary)

    @property
    def unresolved(self) -> bool:
        """Whether its name fails as it does where a resolver reaches no name server."""
        return self.dns_failure in _NO_WAY_TO_NAME_SERVERS


class References(msgspec.Struct, frozen=True, kw_only=True):
    latest: tuple[ReferenceView, ...]
    """The latest measurement of each reference with a name, without those that failed at our own
    proxy."""
    egress_failed: bool
    """There were measurements, and every one failed at our own proxy."""
    by_address: bool | None
    """Whether anything with a literal address answered; None when nothing was asked for."""
    platforms: tuple[str, ...]
    """Hosts of platforms that proved to answer in this cycle."""
    large_packets: bool
    """Whether anybody finished a handshake of TLS, which takes packets of full size."""
    only_small_packets: bool
    """Whether most of those that were greeted again in small packets, since they fell silent,
    answered these: large packets get lost on the way to them."""
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

    @property
    def resolved_elsewhere(self) -> bool:
        """Whether the vantage asks a third party's resolvers alone, over HTTPS or such as answer
        everybody, and not the network's."""
        if any(view.summary.last_hop.resolved_elsewhere for view in self.latest):
            return True
        asked = {
            o.resolver
            for view in self.latest
            for o in view.summary.measurement.observations
            if isinstance(o, DnsObservation) and not o.reason
        }
        return bool(asked) and all(map(_answers_everybody, asked))

    @property
    def families(self) -> frozenset[str]:
        """Address families over which references answer. Cleartext and small packets may pass where
        no handshake of TLS is finished, so a family is left out over which `SEVERAL` that prove who
        they are over another one fail, and none of them proves it."""
        answering = {f for view in self.latest for f in working_families(view.summary.measurement)}
        proving = [view.summary for view in self.latest if view.over_tls]
        alive = [one for one in proving if any(reached_over(one, f) for f in answering)]
        failed = Counter(
            outcome.family
            for one in alive
            for outcome in one.outcomes
            if outcome.failure is not None and outcome.layer is not Layer.DNS
        )
        proven = {f for one in alive for f in answering if reached_over(one, f)}
        return frozenset(f for f in answering if f in proven or failed[f] < SEVERAL)

    @property
    def passing(self) -> tuple[str, ...]:
        """Hosts that answer: references by kind, then platforms."""
        known = (ReferenceScope.INTERNATIONAL, ReferenceScope.POPULAR, ReferenceScope.DOMESTIC)
        hosts = [
            view.reference.endpoint.host
            for scope in known
            for view in self.of(scope)
            if view.reached
        ]
        return tuple(dict.fromkeys((*hosts, *self.platforms)))


def _answers_everybody(resolver: str) -> bool:
    """Whether a resolver, as an observation names it, is one of those."""
    host = resolver.removeprefix("proxy:").rpartition(":")[0]
    return host.strip("[]") in _ANSWER_EVERYBODY


def gather(
    references: Sequence[tuple[Reference, Measurement]],
    witnesses: Sequence[Measurement],
    where: ExitMismatch,
) -> References:
    """The facts of a cycle's reference measurements, and of platforms that it reached."""
    named = [one for one in references if one[0].scope is not ReferenceScope.ADDRESS]
    addressed = [m for reference, m in references if reference.scope is ReferenceScope.ADDRESS]
    latest: dict[tuple[str, str], tuple[Reference, Measurement]] = {}
    reached: set[tuple[str, str]] = set()
    for reference, measurement in sorted(named, key=lambda r: (r[1].ended_at, r[1].id)):
        key = (reference.scope, reference.endpoint.id)
        latest[key] = (reference, measurement)
        if measurement.reached:
            reached.add(key)
    views = tuple(_views(latest, reached))
    answered = [m for m in (*addressed, *witnesses) if m.reached and not m.of(Layer.DNS)]
    return References(
        latest=views,
        egress_failed=bool(latest) and not views,
        by_address=bool(answered) if answered or addressed else None,
        platforms=tuple(dict.fromkeys(_proven(witnesses))),
        large_packets=any(
            isinstance(o, TlsObservation) and o.failure is None
            for m in (*(view.summary.measurement for view in views), *witnesses)
            if m.reached
            for o in m.observations
        ),
        only_small_packets=_only_small_packets(m for _, m in named),
        loss=estimate_loss(named, witnesses),
        clock_skew=_skew(views, witnesses),
        stub_resolver=any(
            isinstance(o, DnsObservation) and o.stub for _, m in named for o in m.observations
        ),
        where=where,
    )


def _views(
    latest: dict[tuple[str, str], tuple[Reference, Measurement]], reached: set[tuple[str, str]]
) -> Iterator[ReferenceView]:
    for key, (reference, measurement) in latest.items():
        summary = summarise(measurement)
        if summary.egress_failure is None:
            yield ReferenceView(
                reference=reference,
                summary=summary,
                outcome=best(summary.outcomes),
                ever_reached=key in reached,
            )


def _only_small_packets(measurements: Iterable[Measurement]) -> bool:
    smaller = [
        one.failure is None
        for measurement in measurements
        for one in measurement.observations
        if isinstance(one, TlsObservation) and one.reason == Reason.SMALL_SEGMENTS
    ]
    return 2 * sum(smaller) > len(smaller)


def _proven(witnesses: Sequence[Measurement]) -> Iterator[str]:
    for one in witnesses:
        if one.reached and any(one.of(layer) for layer in _PROOF):
            yield host_of(one.endpoint)


def _skew(views: Sequence[ReferenceView], witnesses: Sequence[Measurement]) -> float | None:
    latest = [view.summary.measurement for view in views]
    proven = clock_skew([*latest, *(m for m in witnesses if m.reached)])
    failures = {view.outcome.failure for view in views if view.outcome is not None}
    if proven is not None or Failure.SSL_INVALID_CERTIFICATE not in failures:
        return proven
    # A forger of these dates can mute this vantage, but only by breaking references as well.
    return clock_skew([view.summary.measurement for view in views if view.reached], cleartext=True)
