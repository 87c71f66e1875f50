"""web_connectivity: one URL with its redirects, and the test helper's measurement as control.

From version 0.5 the test also asks resolvers of its own choice and dials the addresses that those
and the helper gave. These observations become follow-ups, each with its reason.
"""

from collections.abc import Mapping, Sequence

import msgspec

from monitor.analysis.judge.cleartext_pages import Likeness, compare
from monitor.ooni.connections_in_test import lookups
from monitor.ooni.entries import (
    BOGON_DIALLED,
    TestedEndpoint,
    ended,
    failed_on,
    marked,
    read_request,
)
from monitor.ooni.failures import implied_layer
from monitor.ooni.observations import (
    Reader,
    addresses_of,
    by_system,
    host_port,
    literal,
    split_address,
    url_of,
)
from monitor.ooni.ooni_format import (
    WireControl,
    WireControlHttp,
    WireHandshake,
    WireKeys,
    WireTransaction,
    header_pairs,
)
from probes.catalog.catalog import Endpoint, EndpointKind
from probes.failure import Failure
from probes.measure.follow_up_reasons import Reason
from probes.measurement import (
    LEGAL_REASONS,
    AnyObservation,
    DnsAnswer,
    DnsObservation,
    HttpObservation,
    Layer,
    TcpObservation,
    TlsObservation,
    family_of,
    layer_of,
)

HELPER = "OONI test helper"
GIVEN_ADDRESS = "given_address"
"""Reason of the helper's observations at addresses that the vantage sent to it."""

_FOLLOW_UP_REASONS = (Reason.OPEN_RESOLVER, Reason.DOH, Reason.HONEST_ADDRESS)
_TICK = 1e-6
"""Seconds between observations whose order is known and whose times are not."""


class WebMeasurement(msgspec.Struct, frozen=True, kw_only=True):
    field: TestedEndpoint
    """What a user there would get."""
    follow_up: TestedEndpoint | None
    """The additional observations, each with its reason; None for none."""
    control: TestedEndpoint | None
    """The helper's measurement; None when it did not answer."""


def read_web(endpoint: Endpoint, role: str, keys: WireKeys, reader: Reader) -> WebMeasurement:
    chain = redirect_chain(keys.requests or ())
    hosts = list(dict.fromkeys([endpoint.host, *(host_port(url_of(one))[0] for one in chain)]))
    addresses = _system_addresses(keys, hosts)
    below = _below_http(endpoint, keys, hosts, addresses, reader)
    pages, instead = _pages(chain, below, addresses, reader)
    kept = [marked(reader.kept(page), _page_reason(page, addresses, reader)) for page in pages]
    every = (*below, *instead, *kept)
    follow_up = tuple(o for o in every if o.reason in _FOLLOW_UP_REASONS)
    return WebMeasurement(
        field=TestedEndpoint(
            role=role,
            endpoint=endpoint,
            observations=tuple(o for o in every if o.reason not in _FOLLOW_UP_REASONS),
            reached=_reached(pages, addresses, reader),
            not_observed=_not_observed(pages, below),
        ),
        follow_up=TestedEndpoint(
            role=role, endpoint=endpoint, observations=follow_up, reached=False
        )
        if follow_up
        else None,
        control=_control(endpoint, role, keys, pages, reader),
    )


# -- the vantage's measurement -----------------------------------------------------------------


def redirect_chain(transactions: Sequence[WireTransaction]) -> list[WireTransaction]:
    """The requests a browser would have made, oldest first.

    OONI lists the newest first. Of failed tries at the same URL only the newest stays; from 0.5
    only those count that fetched the body, the rest went to further addresses.
    """
    chain = [one for one in reversed(transactions) if url_of(one)]
    if chain and all(one.t0 is not None for one in chain):
        chain.sort(key=lambda one: one.t0 or 0.0)
    if any(tag.startswith("fetch_body=") for one in chain for tag in one.tags or ()):
        chain = [one for one in chain if "fetch_body=true" in (one.tags or ())]
    after = [url_of(one) for one in chain[1:]]
    return [
        one
        for one, following in zip(chain, [*after, ""], strict=False)
        if not (one.failure and url_of(one) == following)
    ]


def _system_addresses(keys: WireKeys, hosts: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Host → the addresses from the machine's own resolver; a host without a query is absent."""
    found: dict[str, tuple[str, ...]] = {
        host: (address,) for host in hosts if (address := literal(host))
    }
    for host in hosts:
        queries = [
            query
            for query in keys.queries or ()
            if by_system(query) and query.hostname.lower().rstrip(".") == host
        ]
        if queries:
            found.setdefault(host, addresses_of(queries))
    return found


def _below_http(
    endpoint: Endpoint,
    keys: WireKeys,
    hosts: Sequence[str],
    addresses: Mapping[str, tuple[str, ...]],
    reader: Reader,
) -> list[AnyObservation]:
    found: list[AnyObservation] = []
    for queries in lookups(keys.queries or ()):
        if queries[0].hostname.lower().rstrip(".") in hosts and not literal(queries[0].hostname):
            extra = "" if by_system(queries[0]) else _resolver_reason(queries[0].engine)
            found += [marked(o, extra) for o in reader.dns(queries, None)]
    resolved = ended([o for o in found if not o.reason])
    connected = [reader.tcp(connect, resolved) for connect in keys.tcp_connect or ()]
    found += [marked(o, _address_reason(o.address, addresses, reader)) for o in connected]
    for handshake in keys.tls_handshakes or ():
        over = _connection_of(handshake, connected, addresses)
        since = over.start + over.duration if over is not None else resolved
        address, port = (over.address, over.port) if over is not None else ("", endpoint.port)
        tls = reader.tls(handshake, since, address=address, port=port, verify=True)
        found.append(marked(tls, _address_reason(tls.address, addresses, reader)))
    return found


def _resolver_reason(engine: str | None) -> str:
    return Reason.DOH if engine == "doh" else Reason.OPEN_RESOLVER


def _address_reason(address: str, addresses: Mapping[str, tuple[str, ...]], reader: Reader) -> str:
    """Reason of an observation at this address; empty when the user's connection would use it."""
    if reader.bogon(address):
        return BOGON_DIALLED
    given = {one for found in addresses.values() for one in found}
    foreign = bool(address) and bool(addresses) and address not in given
    return Reason.HONEST_ADDRESS if foreign else ""


def _connection_of(
    handshake: WireHandshake,
    connected: Sequence[TcpObservation],
    addresses: Mapping[str, tuple[str, ...]],
) -> TcpObservation | None:
    said, port = split_address(handshake.address or "")
    of_host = addresses.get((handshake.server_name or "").lower().rstrip("."), ())
    for tcp in connected:
        if tcp.failure is None and (
            (tcp.address, tcp.port) == (said, port) if said else tcp.address in of_host
        ):
            return tcp
    return None


def _pages(
    chain: Sequence[WireTransaction],
    below: Sequence[AnyObservation],
    addresses: Mapping[str, tuple[str, ...]],
    reader: Reader,
) -> tuple[list[HttpObservation], list[AnyObservation]]:
    """The requests made, and the failures before one could be."""
    pages: list[HttpObservation] = []
    instead: list[AnyObservation] = []
    since = _TICK
    for hop, transaction in enumerate(chain):
        host, port = host_port(url_of(transaction))
        under = [o for o in below if _under(o, host, port, addresses)]
        address = literal(host) or _foreign_address(host, below, addresses)
        asked = read_request(reader, transaction, under, since=since, address=address, hop=hop)
        if isinstance(asked, HttpObservation):
            pages.append(asked)
            since = asked.start + _TICK
        elif asked is not None:
            instead.append(asked)
    return pages, instead


def _foreign_address(
    host: str, below: Sequence[AnyObservation], addresses: Mapping[str, tuple[str, ...]]
) -> str:
    """The address of a page whose name the machine's own resolver did not resolve."""
    if addresses.get(host) != ():
        return ""
    connected = (
        o.address
        for o in below
        if isinstance(o, TcpObservation) and o.failure is None and o.reason == Reason.HONEST_ADDRESS
    )
    return next(connected, "")


def _under(
    observation: AnyObservation, host: str, port: int, addresses: Mapping[str, tuple[str, ...]]
) -> bool:
    """Whether a request to this host and port depends on the observation."""
    match observation:
        case DnsObservation():
            return observation.name.lower().rstrip(".") == host
        case TcpObservation():
            return observation.port == port and observation.address in addresses.get(host, ())
        case TlsObservation():
            return observation.port == port and observation.server_name.lower() == host
        case _:
            return False


def _page_reason(
    page: HttpObservation, addresses: Mapping[str, tuple[str, ...]], reader: Reader
) -> str:
    address = page.address
    host, _ = host_port(page.url)
    if not address and host in addresses:
        known = addresses[host]
        return BOGON_DIALLED if known and all(map(reader.bogon, known)) else ""
    return "" if address == literal(host) else _address_reason(address, addresses, reader)


def _reached(
    pages: Sequence[HttpObservation], addresses: Mapping[str, tuple[str, ...]], reader: Reader
) -> bool:
    """Whether a response came over a verified connection, other than 451."""
    if not pages or _page_reason(pages[-1], addresses, reader):
        return False
    last = pages[-1]
    return (
        last.failure is None
        and last.url.startswith("https:")
        and last.status not in (0, LEGAL_REASONS)
    )


def _not_observed(
    pages: Sequence[HttpObservation], below: Sequence[AnyObservation]
) -> tuple[Layer, ...]:
    """Engines before 0.5 list no handshakes of hosts after a redirect."""
    if not pages or not pages[-1].url.startswith("https:"):
        return ()
    host, _ = host_port(pages[-1].url)
    handshake = any(isinstance(o, TlsObservation) and o.server_name.lower() == host for o in below)
    return () if handshake else (Layer.TLS,)


# -- the helper's measurement ------------------------------------------------------------------


def helper_answered(keys: WireKeys) -> bool:
    """Whether the test helper sent a report, which needs a working international connection."""
    control = keys.control
    return (
        not keys.control_failure
        and control is not None
        and (control.dns is not None or control.http_request is not None)
    )


def _control(
    endpoint: Endpoint, role: str, keys: WireKeys, pages: Sequence[HttpObservation], reader: Reader
) -> TestedEndpoint | None:
    control = keys.control
    if control is None or not helper_answered(keys):
        return None
    below = _control_below(endpoint, control, reader)
    asked = _control_asked(endpoint, control.http_request, pages, below, reader)
    last = asked[-1] if asked else None
    reached = (
        isinstance(last, HttpObservation)
        and last.failure is None
        and endpoint.kind is EndpointKind.HTTPS
        and last.status not in (0, LEGAL_REASONS)
    )
    return TestedEndpoint(
        role=role, endpoint=endpoint, observations=(*below, *asked), reached=reached
    )


def _control_below(
    endpoint: Endpoint, control: WireControl, reader: Reader
) -> list[AnyObservation]:
    found: list[AnyObservation] = list(_control_dns(endpoint, control, reader))
    own = {address for o in found if isinstance(o, DnsObservation) for address in o.addresses}

    def at(text: str) -> tuple[str, int, str]:
        address, port = split_address(text)
        # An address that it was given is not part of its own measurement.
        return address, port, "" if not own or address in own else GIVEN_ADDRESS

    for text, one in (control.tcp_connect or {}).items():
        address, port, extra = at(text)
        if address:
            tcp = TcpObservation(
                start=_TICK,
                duration=0.0,
                failure=reader.outcome(one.failure, worked=one.status),
                address=address,
                port=port,
            )
            found.append(marked(tcp, extra))
    for text, one in (control.tls_handshake or {}).items():
        address, port, extra = at(text)
        if address:
            tls = TlsObservation(
                start=2 * _TICK,
                duration=0.0,
                failure=reader.outcome(one.failure, worked=one.status),
                address=address,
                port=port,
                server_name=one.server_name or endpoint.host,
            )
            # But one that proves to be the site's own counts like one that it found.
            found.append(marked(tls, extra if tls.failure else ""))
    return found


def _control_dns(endpoint: Endpoint, control: WireControl, reader: Reader) -> list[DnsObservation]:
    if control.dns is None or literal(endpoint.host):
        return []
    failure = reader.failure(control.dns.failure)
    given = [address for text in control.dns.addrs or () if (address := literal(text))]
    found = []
    for rtype, family in (("A", "ipv4"), ("AAAA", "ipv6")):
        addresses = tuple(address for address in given if family_of(address) == family)
        if not addresses and (rtype == "AAAA" or (given and failure is None)):
            continue
        bogon = bool(addresses) and all(map(reader.bogon, addresses))
        nothing = None if addresses else Failure.DNS_NO_ANSWER
        answer = DnsAnswer(delay=0.0, rcode="NOERROR", addresses=addresses)
        found.append(
            DnsObservation(
                start=0.0,
                duration=0.0,
                failure=Failure.DNS_BOGON if bogon else failure or nothing,
                name=endpoint.host,
                rtype=rtype,
                resolver=HELPER,
                answers=(answer,) if addresses else (),
            )
        )
    return found


def _control_asked(
    endpoint: Endpoint,
    response: WireControlHttp | None,
    pages: Sequence[HttpObservation],
    below: Sequence[AnyObservation],
    reader: Reader,
) -> list[AnyObservation]:
    """The helper's request, with the redirects it must have followed.

    It does not say where it was led. When its last response is like the vantage's last one, it
    followed the same redirects; otherwise its response counts as one to the URL as given.
    """
    if response is None:
        return []
    failure = reader.failure(response.failure)
    status = max(0, response.status_code or 0) if failure is None else 0
    page = HttpObservation(
        start=3 * _TICK,
        duration=0.0,
        failure=failure,
        url=endpoint.id,
        address="",
        status=status,
        title=reader.scrubber.text(response.title or ""),
        headers=header_pairs(response) if status else (),
        body_length=max(0, response.body_length or 0),
    )
    if failure is not None:
        return _control_failed(page, failure, below, reader)
    last = pages[-1] if pages else None
    if last is None or last.failure is not None or compare(last, page) is not Likeness.SAME:
        return [reader.kept(page)]
    led = [
        msgspec.structs.replace(
            reader.kept(one),
            start=(3 + hop) * _TICK,
            duration=0.0,
            hop=hop,
            address="",
            body="",
            body_sha256="",
        )
        for hop, one in enumerate(pages[:-1])
    ]
    last_hop = len(led)
    here = msgspec.structs.replace(page, url=last.url, hop=last_hop, start=(3 + last_hop) * _TICK)
    return [*led, reader.kept(here)]


def _control_failed(
    page: HttpObservation, failure: str, below: Sequence[AnyObservation], reader: Reader
) -> list[AnyObservation]:
    """A request that failed before it was made shows on the layer that failed."""
    layer = implied_layer(failure)
    here = [o for o in below if layer_of(o) is layer and not o.reason]
    if layer is Layer.HTTP:
        return [page]
    if here and all(o.failure is not None for o in here):
        return []
    return [failed_on(layer, failure, page.url, reader, start=page.start)]
