"""OONI's tests of applications: telegram, whatsapp, facebook_messenger, signal.

Each test measures many targets; every target becomes a measurement of one endpoint. What a test
leaves out is not claimed: OONI only connects to Messenger's hosts, so they become tcp endpoints,
though live measurements go as far as TLS there.
"""

import re
from collections.abc import Mapping, Sequence

from monitor.ooni.connections_in_test import ConnectionGroup, connected, connection_groups
from monitor.ooni.entries import (
    BOGON_DIALLED,
    TestedEndpoint,
    ended,
    marked,
    read_request,
    unjudged,
)
from monitor.ooni.observations import Reader, literal, url_of
from monitor.ooni.ooni_format import WireKeys
from probes.catalog.catalog import Endpoint
from probes.catalog.endpoint_kinds import EndpointKind
from probes.measurement import (
    LEGAL_REASONS,
    AnyObservation,
    DnsObservation,
    HttpObservation,
    Layer,
    TcpObservation,
    TlsObservation,
)

PLATFORMS = {
    "telegram": "telegram",
    "whatsapp": "whatsapp",
    "facebook_messenger": "messenger",
    "signal": "signal",
}
"""Test → platform in the catalogue."""

_TLS_PORT = 443
_WHATSAPP_CHAT = re.compile(r"(?:e\d{1,2}|g)\.whatsapp\.net")
_WHATSAPP_PORTS = (443, 5222)
_PAGES: Mapping[tuple[str, str], tuple[str, str]] = {
    ("telegram", "web.telegram.org"): ("web", "/"),
    ("whatsapp", "v.whatsapp.net"): ("registration", "/v2/register"),
    ("whatsapp", "web.whatsapp.com"): ("web", "/"),
}
"""(test, host) → function and path of an HTTPS request."""
_MESSENGER = {
    "edge-mqtt.facebook.com": "chat",
    "b-api.facebook.com": "app",
    "b-graph.facebook.com": "app",
    "star.c10r.facebook.com": "app",
    "scontent.xx.fbcdn.net": "pictures",
    "external.xx.fbcdn.net": "pictures",
}
_STUN = "stun.fbsbx.com"
"""OONI only resolves it, which shows a name and no call."""
_SIGNAL = {
    "chat.signal.org": "chat",
    "textsecure-service.whispersystems.org": "chat",
    "storage.signal.org": "storage",
    "api.directory.signal.org": "contacts",
    "cdsi.signal.org": "contacts",
    "sfu.voip.signal.org": "group-calls",
    "cdn.signal.org": "media",
    "cdn2.signal.org": "media",
    "cdn3.signal.org": "media",
}
"""Without `uptime.signal.org`: its address is a message (127.0.0.1: all is well), not a host."""


def tested_by_app(test: str, keys: WireKeys, reader: Reader) -> list[TestedEndpoint]:
    """The endpoints that an application's test measured, in the order they began."""
    groups = sorted(connection_groups(keys), key=lambda group: group.began)
    _guess_ports(test, groups)
    found: list[TestedEndpoint] = []
    for group in groups:
        target = _target(test, group)
        if target is not None:
            found.append(_tested_endpoint(*target, group, reader))
    return found


def _guess_ports(test: str, groups: Sequence[ConnectionGroup]) -> None:
    """Give names that did not resolve, and so have no port, a port not yet seen for them."""
    if test != "whatsapp":
        return
    for group in groups:
        if not group.port and _WHATSAPP_CHAT.fullmatch(group.host):
            taken = {other.port for other in groups if other.host == group.host}
            group.port = next((p for p in _WHATSAPP_PORTS if p not in taken), _WHATSAPP_PORTS[0])


def _target(test: str, group: ConnectionGroup) -> tuple[str, Endpoint] | None:
    """Function and endpoint of a group; None for a target that this monitor does not measure."""
    host, port = group.host, group.port
    if (test, host) in _PAGES:
        function, path = _PAGES[test, host]
        # Without the cleartext page: anybody can answer it, and it only leads to this one.
        return (function, _https(host, path)) if port in (0, _TLS_PORT) else None
    if test == "signal" and host in _SIGNAL:
        return _SIGNAL[host], _https(host, "/", verify=False)
    if test == "facebook_messenger" and host == _STUN:
        return "call-names", Endpoint(kind=EndpointKind.DNS, host=host, port=0)
    chat = {
        "telegram": bool(literal(host)) and bool(port),
        "whatsapp": bool(_WHATSAPP_CHAT.fullmatch(host)),
        "facebook_messenger": host in _MESSENGER,
    }
    if not chat.get(test):
        return None
    function = _MESSENGER.get(host, "chat")
    return function, Endpoint(kind=EndpointKind.TCP, host=host, port=port or _TLS_PORT)


def _https(host: str, path: str, *, verify: bool = True) -> Endpoint:
    return Endpoint(kind=EndpointKind.HTTPS, host=host, port=_TLS_PORT, path=path, verify=verify)


def _tested_endpoint(
    function: str, endpoint: Endpoint, group: ConnectionGroup, reader: Reader
) -> TestedEndpoint:
    below = _below_http(endpoint, group, reader)
    observations = [*below, *_request(endpoint, group, below, reader)]
    own = [o for o in observations if not o.reason]
    tcp_seen = any(isinstance(o, TcpObservation) for o in own)
    resolved = all(o.failure is None for o in own if isinstance(o, DnsObservation))
    undialled = endpoint.kind is not EndpointKind.DNS and resolved and not tcp_seen
    return TestedEndpoint(
        function=function,
        endpoint=endpoint,
        observations=tuple(observations),
        reached=_reached(endpoint, own),
        not_observed=(Layer.TCP,) if undialled else (),
    )


def _below_http(endpoint: Endpoint, group: ConnectionGroup, reader: Reader) -> list[AnyObservation]:
    began = [one.t for one in group.requests if one.t0 is None and one.t is not None]
    lookup = reader.dns(group.queries, began[0] if began else None)
    observations: list[AnyObservation] = list(lookup)
    if endpoint.kind is EndpointKind.DNS:
        return observations
    since = ended(lookup)
    address = ""
    for connect in group.connects:
        tcp = reader.tcp(connect, since)
        since = tcp.start + tcp.duration
        address = address or (tcp.address if connected(connect) else "")
        observations.append(marked(tcp, BOGON_DIALLED if reader.bogon(tcp.address) else ""))
    for handshake in group.handshakes:
        tls = reader.tls(
            handshake, since, address=address, port=endpoint.port, verify=endpoint.verify
        )
        observations.append(marked(tls, BOGON_DIALLED if reader.bogon(tls.address) else ""))
    return observations


def _request(
    endpoint: Endpoint, group: ConnectionGroup, below: Sequence[AnyObservation], reader: Reader
) -> list[AnyObservation]:
    found: list[AnyObservation] = []
    tcp = [o for o in below if isinstance(o, TcpObservation) and o.failure is None]
    address = tcp[0].address if tcp else ""
    for transaction in group.requests:
        if not url_of(transaction) or (not endpoint.verify and unjudged(transaction)):
            continue
        asked = read_request(reader, transaction, below, since=ended(below), address=address)
        if isinstance(asked, HttpObservation):
            page = reader.kept(asked)
            found.append(marked(page, BOGON_DIALLED if reader.bogon(address) else ""))
        elif asked is not None:
            found.append(asked)
    return found


def _reached(endpoint: Endpoint, own: Sequence[AnyObservation]) -> bool:
    """Whether it answered as expected, in the sense of a live measurement.

    Telegram's data centres get an HTTP request, which their servers answer too: a middlebox
    completes handshakes as well. A certificate of Signal's own authority is not judged, so the
    handshake suffices.
    """
    if endpoint.kind is EndpointKind.DNS:
        return any(isinstance(o, DnsObservation) and o.failure is None for o in own)
    asked = [o for o in own if isinstance(o, HttpObservation)]
    if endpoint.kind is EndpointKind.TCP:
        connected_any = any(isinstance(o, TcpObservation) and o.failure is None for o in own)
        return connected_any and all(o.failure is None for o in asked)
    handshakes = [o for o in own if isinstance(o, TlsObservation) and o.failure is None]
    if not endpoint.verify and any(o.verify_error for o in handshakes):
        return True
    return any(o.failure is None and o.status not in (0, LEGAL_REASONS) for o in asked)
