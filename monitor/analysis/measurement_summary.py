"""What one measurement came to: how far it got over each address family, and what stopped it.

A measurement lists everything that was observed. Three choices reduce it to what matters:

* **The last host of a redirect chain decides.** Every hop opens its own connection, so the
  observations of a hop are those between two requests.
* **The best address of a family decides.** Applications try several addresses. The best one got
  furthest; among equals, the one whose failure says most (a refusal more than a timeout).
* **The order of observations within a layer means nothing.** Only their times do.
"""

from collections.abc import Iterable
from math import inf
from urllib.parse import urljoin, urlsplit

import msgspec

from monitor.analysis.remembered import remembered
from probes.catalog.endpoint_kinds import EndpointKind
from probes.catalog.host import is_literal
from probes.failure_strings import (
    CERTIFICATE_FAILURES,
    TIMEOUTS,
    TURNED_AWAY,
    UNREACHABLE,
    Failure,
)
from probes.layers.bogon import is_fake
from probes.measurement import (
    DOH,
    LATE_ANSWER,
    REDIRECTS,
    AnyObservation,
    AppObservation,
    DnsAnswer,
    DnsObservation,
    HttpObservation,
    Layer,
    Measurement,
    Observation,
    TcpObservation,
    TlsObservation,
    family_of,
    layer_of,
)

_Dialled = TcpObservation | TlsObservation | HttpObservation | AppObservation

TIMEOUT = "timeout"

DEPTH = {Layer.DNS: 0, Layer.TCP: 1, Layer.TLS: 2, Layer.HTTP: 3, Layer.APP: 3}
"""Layers passed before each layer is reached."""

NEEDED_DEPTH = {
    EndpointKind.DNS: 1,
    EndpointKind.STUN: 4,
    EndpointKind.NTP: 4,
    EndpointKind.TCP: 2,
    EndpointKind.HTTP: 2,
    EndpointKind.TLS: 3,
    EndpointKind.HTTPS: 3,
}
"""Layers a family must pass to count as working. HTTP uses one family only, so the other one can
only be seen to work up to the layer below."""

_KINDS = {kind.value: kind for kind in EndpointKind}
_FAMILY_OF_RTYPE = {"A": "ipv4", "AAAA": "ipv6"}
_SUB_METHODS: dict[tuple[Layer, str], str] = {
    (Layer.DNS, Failure.DNS_NXDOMAIN): "nxdomain",
    (Layer.DNS, Failure.DNS_REFUSED): "refused",
    (Layer.DNS, Failure.DNS_SERVFAIL): "servfail",
    (Layer.DNS, Failure.DNS_NO_ANSWER): "no_answer",
    (Layer.DNS, Failure.DNS_BOGON): "bogon",
    (Layer.DNS, Failure.CONNECTION_RESET): "reset",
    (Layer.DNS, Failure.EOF): "eof",
    (Layer.TCP, Failure.CONNECTION_REFUSED): "refused",
    (Layer.TCP, Failure.CONNECTION_RESET): "reset",
    **{(Layer.TCP, failure): "unreachable" for failure in UNREACHABLE},
    (Layer.TLS, Failure.CONNECTION_RESET): "reset",
    (Layer.TLS, Failure.EOF): "eof",
    (Layer.TLS, Failure.SSL_FAILED_HANDSHAKE): "handshake",
    **{(Layer.TLS, failure): "certificate" for failure in CERTIFICATE_FAILURES},
    (Layer.HTTP, Failure.CONNECTION_RESET): "reset",
    (Layer.HTTP, Failure.EOF): "eof",
    (Layer.APP, Failure.CONNECTION_RESET): "reset",
    (Layer.APP, Failure.EOF): "eof",
    (Layer.APP, Failure.CONNECTION_REFUSED): "refused",
    **{(Layer.APP, failure): "unreachable" for failure in UNREACHABLE},
    (Layer.QUIC, Failure.CONNECTION_REFUSED): "refused",
    **{(Layer.QUIC, failure): "unreachable" for failure in UNREACHABLE},
    **{(Layer.QUIC, failure): "certificate" for failure in CERTIFICATE_FAILURES},
    **{
        (layer, failure): TIMEOUT
        for layer in (Layer.DNS, Layer.TCP, Layer.TLS, Layer.HTTP, Layer.APP, Layer.QUIC)
        for failure in TIMEOUTS
    },
}
"""Failures that interference can cause → sub-method. Other failures accuse nobody."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How far one measurement got on one address, or over one address family."""

    family: str
    """`ipv4`, `ipv6`, or empty when a proxy resolved."""
    depth: int
    """Layers passed: 0 none, 1 DNS, 2 TCP, 3 TLS, 4 HTTP or the application's own protocol."""
    layer: Layer
    """The layer that failed, else the last one that worked."""
    failure: str | None = None
    sub_method: str = ""
    """The failure as a sub-method; empty without a failure, or when it accuses nobody."""
    address: str = ""
    """Empty for a DNS query, and where a proxy resolved."""


class LastHop(msgspec.Struct, frozen=True, kw_only=True):
    """The observations of the last host of a redirect chain."""

    host: str
    dns: tuple[DnsObservation, ...]
    tcp: tuple[TcpObservation, ...]
    tls: tuple[TlsObservation, ...]
    http: HttpObservation | None
    """The last request, unless the chain continued from there."""
    app: tuple[AppObservation, ...] = ()

    @property
    def resolved_elsewhere(self) -> bool:
        """Only a DNS-over-HTTPS server resolved the name, so the answers are not the network's."""
        return bool(self.dns) and all(o.transport == DOH for o in self.dns)


class Outline(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement, reduced to what the rules need."""

    egress_failure: str | None
    """Why our own proxy failed; then nothing is known about the endpoint."""
    last_hop: LastHop
    paths: tuple[Outcome, ...]
    """One for each address and query, in no particular order."""
    outcomes: tuple[Outcome, ...]
    """The best of each address family that the endpoint was seen to have."""
    injected: bool
    """One query got contradicting replies."""


class Summary(Outline, frozen=True, kw_only=True):
    """A measurement with its outline."""

    measurement: Measurement


def summarise(measurement: Measurement) -> Summary:
    """Reduce a measurement, once for as long as it lives. Never raises."""
    outline = _outline(measurement)
    return Summary(
        measurement=measurement,
        egress_failure=outline.egress_failure,
        last_hop=outline.last_hop,
        paths=outline.paths,
        outcomes=outline.outcomes,
        injected=outline.injected,
    )


@remembered
def _outline(measurement: Measurement) -> Outline:
    last_hop = last_hop_of(measurement)
    egress = sorted(measurement.of(Layer.EGRESS), key=lambda o: (o.start, o.failure or ""))
    failure = next((o.failure for o in egress if o.failure), None)
    paths = _paths(last_hop)
    return Outline(
        egress_failure=None if measurement.reached else failure,
        last_hop=last_hop,
        paths=paths,
        outcomes=_best_of_each_family(paths),
        injected=any(contradicting(observation.answers) for observation in last_hop.dns),
    )


def usable(outcomes: Iterable[Outcome], families: tuple[str, ...]) -> tuple[Outcome, ...]:
    """The outcomes over address families that work from the vantage (empty: unknown, so all).

    DNS failures stay: names are resolved for both families.
    """
    return tuple(o for o in outcomes if not families or not o.family or o.family in families)


def best(outcomes: Iterable[Outcome]) -> Outcome | None:
    """The deepest outcome; among equals the one that says most about why it stopped."""
    return max(
        outcomes,
        key=lambda o: (
            (o.depth, o.failure is not None, -rank(o.sub_method)),
            (o.failure or "", o.sub_method, o.family),
        ),
        default=None,
    )


def rank(sub_method: str) -> int:
    """Order by what a failure proves: 0 something answered or cut, 1 a timeout, 2 nothing known."""
    if not sub_method:
        return 2
    return 1 if sub_method == TIMEOUT else 0


def outcome_over(summary: Summary, family: str) -> Outcome | None:
    """The outcome over a family. A name without IPv4 addresses counts as failed: most people have
    no other. Without IPv6 ones it does not: resolvers leave these out for whoever cannot use them,
    and many names have none."""
    for outcome in summary.outcomes:
        if outcome.family == family:
            return outcome
    if family == "ipv4" and any(o.rtype == "A" for o in summary.last_hop.dns):
        return Outcome(
            family=family,
            depth=0,
            layer=Layer.DNS,
            failure=Failure.DNS_NO_ANSWER,
            sub_method="no_answer",
        )
    return None


def reached_over(summary: Summary, family: str) -> bool:
    """Whether a measurement got as far over a family as this kind of endpoint requires."""
    outcome = outcome_over(summary, family)
    return outcome is not None and works(outcome, summary.measurement)


def working_families(measurement: Measurement) -> tuple[str, ...]:
    """The address families over which a measurement reached its endpoint, sorted."""
    if not measurement.reached:
        return ()
    return tuple(
        sorted(
            o.family for o in summarise(measurement).outcomes if o.family and works(o, measurement)
        )
    )


def works(outcome: Outcome, measurement: Measurement) -> bool:
    """Whether a family got as far as this kind of endpoint requires."""
    return outcome.failure is None and outcome.depth >= NEEDED_DEPTH[kind_of(measurement.endpoint)]


def came_late(measurement: Measurement) -> frozenset[str]:
    """Families whose addresses came after the measurement went on without them, so not tried.

    Only the first host counts; a family that was dialled is not late.
    """
    dialled = {
        family_of(o.address)
        for o in measurement.observations
        if isinstance(o, TcpObservation) and o.address and not o.reason
    }
    late = {
        _FAMILY_OF_RTYPE[o.rtype]
        for o in measurement.observations
        if isinstance(o, DnsObservation)
        and o.reason == LATE_ANSWER
        and o.failure is None
        and o.addresses
        and o.rtype in _FAMILY_OF_RTYPE
    }
    return frozenset(late - dialled)


def decisive(measurement: Measurement, families: tuple[str, ...] = ()) -> Outcome | None:
    """The best outcome over the families that work; None when nothing was observed."""
    return best(usable(summarise(measurement).outcomes, families))


def failures(summary: Summary, outcome: Outcome | None) -> dict[str, str]:
    """Layer → failure string: every layer on which nothing worked, and the deciding one."""
    found: dict[str, str] = {}
    if summary.egress_failure:
        found[Layer.EGRESS.value] = summary.egress_failure
    last_hop = summary.last_hop
    http: tuple[AnyObservation, ...] = (last_hop.http,) if last_hop.http else ()
    for layer, observations in (
        (Layer.DNS, last_hop.dns),
        (Layer.TCP, last_hop.tcp),
        (Layer.TLS, last_hop.tls),
        (Layer.HTTP, http),
        (Layer.APP, last_hop.app),
    ):
        failed = [o for o in observations if o.failure is not None]
        if failed and len(failed) == len(observations):
            found[layer.value] = str(_most_informative(failed).failure)
    if outcome is not None and outcome.failure:
        found[outcome.layer.value] = outcome.failure
    return {key: str(value) for key, value in found.items()}


def kind_of(endpoint: str) -> EndpointKind:
    """The kind in an endpoint's id; https when the id is not one of ours."""
    word = endpoint.partition(":")[0]
    return _KINDS.get(word, EndpointKind.HTTPS)


def host_of(url: str) -> str:
    """The host in a URL or an endpoint's id, lower case; empty when there is none."""
    if url.startswith("dns:"):
        return url.removeprefix("dns:").lower().rstrip(".")
    if url.startswith(("stun:", "ntp:")):
        url = f"//{url.partition(':')[2]}"
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""


def redirect_target(observation: HttpObservation) -> str:
    """The URL a response redirects to, or empty."""
    if observation.failure or observation.status not in REDIRECTS or not observation.location:
        return ""
    try:
        return urljoin(observation.url, observation.location)
    except ValueError:
        return ""


def contradicting(answers: tuple[DnsAnswer, ...]) -> bool:
    """Whether one query got two replies that contradict each other.

    A repeated query may get another address of a large pool, so only replies to one query count.
    """
    for position, one in enumerate(answers):
        for other in answers[position + 1 :]:
            if one.query != other.query:
                continue
            first, second = set(one.addresses), set(other.addresses)
            if one.rcode != other.rcode or (first != second and not first & second):
                return True
    return False


def led_through_proxy(summary: Summary) -> bool:
    """Whether the name leads to fake addresses, which software at the vantage's own site gives it
    to connect through a proxy: what is tested then is not the network."""
    false = [o for o in summary.last_hop.dns if sub_method_of(o) == "bogon"]
    return bool(false) and all(o.addresses and all(map(is_fake, o.addresses)) for o in false)


def last_hop_of(measurement: Measurement) -> LastHop:
    """The observations of the host at which the redirect chain ended."""
    requests = hops(measurement)
    tcp = tuple(o for o in measurement.of(Layer.TCP) if isinstance(o, TcpObservation))
    tls = tuple(o for o in measurement.of(Layer.TLS) if isinstance(o, TlsObservation))
    dns = tuple(o for o in measurement.of(Layer.DNS) if isinstance(o, DnsObservation))

    def since(moment: float, host: str, http: HttpObservation | None = None) -> LastHop:
        return LastHop(
            host=host,
            dns=_named(dns, host),
            tcp=tuple(o for o in tcp if o.start >= moment),
            tls=tuple(o for o in tls if o.start >= moment),
            http=http,
            app=app,
        )

    app: tuple[AppObservation, ...] = ()
    if not requests:
        app = tuple(o for o in measurement.of(Layer.APP) if isinstance(o, AppObservation))
        return since(-inf, host_of(measurement.endpoint))
    last = requests[-1]
    onward = host_of(redirect_target(last))
    if onward and any(o.start >= last.start for o in (*tcp, *tls, *_named(dns, onward))):
        return since(last.start, onward)
    return since(requests[-2].start if len(requests) > 1 else -inf, host_of(last.url), last)


def hops(measurement: Measurement) -> tuple[HttpObservation, ...]:
    """The requests of a redirect chain, first to last."""
    found = [o for o in measurement.of(Layer.HTTP) if isinstance(o, HttpObservation)]
    return tuple(
        sorted(found, key=lambda o: (o.hop, o.start, o.url, o.address, o.failure or "", o.status))
    )


def _paths(last_hop: LastHop) -> tuple[Outcome, ...]:
    found = [
        _of_address(last_hop, address)
        for address in sorted({o.address for o in _dialled(last_hop)})
    ]
    for observation in last_hop.dns:
        family = _FAMILY_OF_RTYPE.get(observation.rtype, "")
        if observation.failure is not None:
            found.append(_failed(family, observation))
        elif observation.addresses and not _denied_first(observation.answers):
            found.append(Outcome(family=family, depth=1, layer=Layer.DNS))
        # Else the name has no addresses of this family, which is no failure.
    if not found and is_literal(last_hop.host):
        # The machine does not have this address family: nothing was tried.
        family = family_of(last_hop.host)
        found.append(Outcome(family=family, depth=1, layer=Layer.DNS))
    return tuple(found)


def _denied_first(answers: tuple[DnsAnswer, ...]) -> bool:
    """Whether the first reply, with which a measurement goes on, gave no addresses, and another
    one to the same query did."""
    return not answers[0].addresses and contradicting(answers)


def _best_of_each_family(paths: tuple[Outcome, ...]) -> tuple[Outcome, ...]:
    families = sorted({path.family for path in paths})
    chosen = (best(path for path in paths if path.family == family) for family in families)
    return tuple(outcome for outcome in chosen if outcome is not None)


def _dialled(last_hop: LastHop) -> list[_Dialled]:
    http = () if last_hop.http is None else (last_hop.http,)
    return [*last_hop.tcp, *last_hop.tls, *last_hop.app, *http]


def _of_address(last_hop: LastHop, address: str) -> Outcome:
    """How far the measurement got on one address. An observed layer implies that those below
    worked."""
    here = [o for o in _dialled(last_hop) if o.address == address]
    deepest = max((layer_of(o) for o in here), key=DEPTH.__getitem__)
    seen = [o for o in here if layer_of(o) is deepest]
    family = family_of(address)
    if all(o.failure is not None for o in seen):
        return _failed(family, _most_informative(seen), address)
    return Outcome(family=family, depth=DEPTH[deepest] + 1, layer=deepest, address=address)


def _failed(family: str, observation: Observation, address: str = "") -> Outcome:
    layer = layer_of(observation)
    return Outcome(
        family=family,
        depth=DEPTH[layer],
        layer=layer,
        failure=observation.failure,
        sub_method=sub_method_of(observation),
        address=address,
    )


def sub_method_of(observation: Observation) -> str:
    """The sub-method of an observation's failure, or empty."""
    word = _SUB_METHODS.get((layer_of(observation), observation.failure or ""), "")
    if word == "handshake" and isinstance(observation, TlsObservation) and observation.alert:
        return "alert"
    if not word and isinstance(observation, AppObservation) and observation.first_reply:
        # Something answered, but not in the application's protocol.
        return "middlebox" if observation.failure not in (None, TURNED_AWAY) else ""
    return word


def _most_informative(observations: Iterable[Observation]) -> Observation:
    return min(
        observations,
        key=lambda o: (rank(sub_method_of(o)), o.failure or "", sub_method_of(o), o.start),
    )


def _named(dns: tuple[DnsObservation, ...], host: str) -> tuple[DnsObservation, ...]:
    return tuple(o for o in dns if o.name.lower().rstrip(".") == host)
