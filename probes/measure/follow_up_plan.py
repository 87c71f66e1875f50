"""What to ask about a failed measurement (`probes.measure.follow_up` asks it)."""

from collections.abc import Iterable
from urllib.parse import urlsplit

import msgspec

from probes.catalog.endpoint_kinds import EndpointKind
from probes.failure_strings import TIMEOUTS, UNANSWERED, Failure
from probes.layers.bogon import NOWHERE
from probes.layers.http_answer import offers_http3
from probes.measure.other_hello import other_hello
from probes.measurement import (
    DnsObservation,
    Hello,
    HttpObservation,
    Measurement,
    TcpObservation,
    TlsObservation,
    answering_addresses,
    family_of,
)
from probes.target import Dial, Target

CUT_OFF = (Failure.CONNECTION_RESET, Failure.EOF)
PER_FAMILY = 1
"""Addresses of each family that are tested with an innocuous name."""


class FollowUpPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What to ask about one failed measurement."""

    target: Target
    host: str
    """The name (or address) that failed: the endpoint's, or that of the last redirect."""
    port: int
    tls: bool
    """Whether the endpoint speaks TLS."""
    failed_addresses: tuple[str, ...] = ()
    """Addresses that accepted a connection and failed after that."""
    silent: tuple[str, ...] = ()
    """Those of them that fell silent in the handshake."""
    unreached: tuple[str, ...] = ()
    """Addresses that made no connection in time, first those at which a control got an answer."""
    way: bool = False
    """Find out how far packets come on the way to one of these, unless a neighbour answers."""
    cut: tuple[str, ...] = ()
    """Those of them that cut the handshake off, or fell silent in it."""
    other_hello: Hello = Hello.SHORT
    """The form of greeting that differs from the usual one in its number of packets."""
    given: tuple[str, ...] = ()
    """Addresses the vantage's own resolver gave."""
    denied: bool = False
    """It answered, and gave none."""
    known_elsewhere: tuple[str, ...] = ()
    """Addresses that controls used for the name."""
    elsewhere: str = ""
    """Host name of an innocuous server, which gets the endpoint's name."""
    resolver_cut: bool = False
    """The vantage's own resolver, asked over TCP, was cut off."""
    http3: bool = False
    """This host and port offer HTTP/3."""
    only_innocuous: bool = False
    """Test an innocuous name alone."""
    only_http3: bool = False
    """Test HTTP/3 alone, to show that datagrams leave the vantage."""
    flows_at: str = ""
    """Ask nothing else, but count how many handshakes are cut off at this address."""


def plan_follow_up(
    target: Target,
    failed: Measurement,
    controls: Iterable[Measurement],
    *,
    elsewhere: str,
    dials_known: bool = True,
    way: bool = False,
) -> FollowUpPlan:
    """The questions that a failed measurement and the controls after it suggest; with `dials_known`
    at addresses that only the controls know, too, and with `way` about the way to one that is
    silent."""
    endpoint = target.endpoint
    names = [o.name for o in failed.observations if isinstance(o, DnsObservation) and not o.reason]
    host = names[-1] if names else endpoint.host
    connected = [o for o in failed.observations if isinstance(o, TcpObservation) and not o.reason]
    port = connected[-1].port if connected else endpoint.port
    given = tuple(_answers(failed, host))
    refused = [
        o.address
        for o in failed.observations
        if isinstance(o, TlsObservation) and o.failure and o.server_name == host.rstrip(".")
    ]
    answering = {address for control in controls for address in answering_addresses(control)}
    unreached = [
        o.address for o in connected if o.failure in UNANSWERED and o.address not in NOWHERE
    ]
    unreached.sort(key=lambda address: address not in answering)
    handshakes = [o for o in failed.observations if isinstance(o, TlsObservation) and not o.reason]
    silent = {o.address for o in handshakes if o.failure in TIMEOUTS}
    cut = silent | {o.address for o in handshakes if o.failure in CUT_OFF}
    asked = [
        o.address
        for o in failed.observations
        if isinstance(o, HttpObservation) and _host_in(o.url) == host
    ]
    sources = controls if dials_known else ()
    known = [address for control in sources for address in _addresses_seen(control, host)]
    tls = endpoint.kind in (EndpointKind.HTTPS, EndpointKind.TLS) or bool(refused)
    failed_at = [address for address in refused or asked if address and address not in NOWHERE]
    failed_addresses = first_of_families(failed_at, PER_FAMILY)
    return FollowUpPlan(
        target=target,
        host=host,
        port=port,
        tls=tls,
        failed_addresses=failed_addresses,
        silent=tuple(address for address in failed_addresses if address in silent),
        unreached=tuple(dict.fromkeys(unreached)),
        way=way,
        other_hello=other_hello(handshakes),
        cut=tuple(address for address in failed_addresses if address in cut),
        given=given,
        denied=not given and _denied(failed, host),
        known_elsewhere=tuple(dict.fromkeys(known)),
        elsewhere=elsewhere,
        resolver_cut=any(
            isinstance(o, DnsObservation) and not o.reason and o.failure in CUT_OFF
            for o in failed.observations
        ),
        http3=any(_offers_http3(control, host, port) for control in controls),
    )


def plan_innocuous(target: Target, failed: Measurement) -> FollowUpPlan | None:
    """A plan that tests an innocuous name alone, where a handshake was cut off or fell silent; None
    where none was."""
    cut = any(
        isinstance(o, TlsObservation)
        and not o.reason
        and (o.failure in TIMEOUTS or o.failure == Failure.CONNECTION_RESET)
        for o in failed.observations
    )
    if failed.reached or not cut:
        return None
    plan = plan_follow_up(target, failed, (), elsewhere="")
    return msgspec.structs.replace(plan, only_innocuous=True)


def plan_http3(target: Target) -> FollowUpPlan:
    """A plan that tests HTTP/3 alone, at an endpoint that offers it."""
    endpoint = target.endpoint
    return FollowUpPlan(
        target=target, host=endpoint.host, port=endpoint.port, tls=True, http3=True, only_http3=True
    )


def plan_flows(target: Target, where: Dial) -> FollowUpPlan:
    """A plan that counts how many handshakes with a name are cut off at one address."""
    (address,) = where.addresses
    return FollowUpPlan(target=target, host=where.host, port=where.port, tls=True, flows_at=address)


def _answers(measurement: Measurement, host: str) -> Iterable[str]:
    for observation in measurement.observations:
        if isinstance(observation, DnsObservation) and observation.name == host:
            for answer in observation.answers:
                yield from answer.addresses


def _denied(measurement: Measurement, host: str) -> bool:
    return any(
        isinstance(o, DnsObservation) and o.name == host and not o.reason and o.answers
        for o in measurement.observations
    )


def _addresses_seen(control: Measurement, host: str) -> Iterable[str]:
    """Addresses of `host` at a control: those its resolver gave, and those that worked."""
    yield from _answers(control, host)
    for observation in control.observations:
        if (
            isinstance(observation, TlsObservation)
            and observation.server_name == host
            and observation.address
            and observation.failure is None
        ):
            yield observation.address


def first_of_families(addresses: Iterable[str], count: int) -> tuple[str, ...]:
    """The first `count` addresses of each family."""
    taken: dict[str, list[str]] = {}
    for address in dict.fromkeys(addresses):
        family = taken.setdefault(family_of(address), [])
        if len(family) < count:
            family.append(address)
    return tuple(address for family in taken.values() for address in family)


def _host_in(url: str) -> str:
    """The host in a URL; empty where it was scrubbed, which may leave none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _offers_http3(measurement: Measurement, host: str, port: int) -> bool:
    """Whether `host` offered HTTP/3 on this port over verified TLS."""
    return any(
        name == "alt-svc" and offers_http3(value, host, port)
        for observation in measurement.observations
        if isinstance(observation, HttpObservation)
        and observation.url.startswith("https:")
        and _host_in(observation.url) == host
        for name, value in observation.headers
    )
