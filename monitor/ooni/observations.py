"""Converts OONI's entries into observations without any address of the vantage.

OONI counts seconds from the measurement's start: `t0` is when something began and `t` when it
ended. Engines before 2022 gave only `t`, the oldest nothing. Then something began when what had to
come before it ended, if that is known, and has no duration otherwise.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TypeVar, cast
from urllib.parse import urljoin, urlsplit, urlunsplit

import msgspec

from monitor.ooni.failures import failure_of
from monitor.ooni.ooni_format import (
    WireConnect,
    WireHandshake,
    WireMeasurement,
    WireQuery,
    WireResponse,
    WireStatus,
    WireTransaction,
    header_pairs,
    octets,
)
from probes.catalog.endpoint_text import parse_host
from probes.failure_strings import CERTIFICATE_FAILURES, Failure
from probes.layers.bogon import BogonList
from probes.layers.http_answer import kept_headers, with_content
from probes.layers.http_exchange import Exchange
from probes.layers.scrub import Scrubber, scrub_observation
from probes.measurement import (
    LEGAL_REASONS,
    DnsAnswer,
    DnsObservation,
    HttpObservation,
    TcpObservation,
    TlsObservation,
)
from probes.sockets.network import chain_digest

_Observation = TypeVar("_Observation", DnsObservation, TlsObservation, HttpObservation)

SYSTEM_ENGINES = frozenset({"", "system", "getaddrinfo", "golang_net_resolver"})
_TRANSPORTS = {"doh": "doh", "dot": "tcp", "tcp": "tcp"}
_RCODES = {
    Failure.DNS_NXDOMAIN: "NXDOMAIN",
    Failure.DNS_SERVFAIL: "SERVFAIL",
    Failure.DNS_REFUSED: "REFUSED",
    Failure.DNS_NO_ANSWER: "NOERROR",
}


class Reader:
    def __init__(self, wire: WireMeasurement, bogons: BogonList) -> None:
        """Addresses that the test used may stay in peers' texts; all others are removed."""
        self.bogons = bogons
        self.scrubber = Scrubber(_own(wire), _dealt_with(wire))
        asn = wire.resolver_asn or ""
        self._system_resolver = "system" if asn in ("", "AS0") else f"system ({asn})"

    def failure(self, text: str | bool | None) -> str | None:
        return failure_of(text, self.scrubber)

    def bogon(self, address: str) -> bool:
        """Whether no public service can have this address; False for none."""
        return bool(address) and address in self.bogons

    def dns(self, queries: Sequence[WireQuery], since: float | None) -> tuple[DnsObservation, ...]:
        """The queries of one lookup (A and AAAA of one name at one resolver)."""
        seen = tuple(self._query(query, since) for query in queries)
        resolved = any(o.addresses for o in seen)
        return tuple(self._judged_together(o, resolved=resolved) for o in seen)

    def _query(self, query: WireQuery, since: float | None) -> DnsObservation:
        failure = self.failure(query.failure)
        start, duration = span(query.t0, query.t, since)
        answers: tuple[DnsAnswer, ...] = ()
        if failure is None or failure in _RCODES:
            answer = DnsAnswer(
                delay=duration,
                rcode=_RCODES.get(Failure(failure), "") if failure else "NOERROR",
                addresses=addresses_of([query]),
                cnames=tuple(
                    answer.hostname
                    for answer in query.answers or ()
                    if answer.answer_type == "CNAME" and answer.hostname
                ),
            )
            answers = (answer,)
        system = by_system(query)
        engine = query.engine or ""
        observation = DnsObservation(
            start=start,
            duration=duration,
            failure=failure,
            name=name_of(query.hostname),
            rtype=query.query_type,
            resolver=self._system_resolver if system else query.resolver_address or engine,
            transport=_TRANSPORTS.get(engine, "udp"),
            stub=system,
            answers=answers,
        )
        return self._scrubbed(observation)

    def _judged_together(self, observation: DnsObservation, *, resolved: bool) -> DnsObservation:
        failure = observation.failure
        addresses = observation.addresses
        if addresses and all(self.bogon(address) for address in addresses):
            failure = str(Failure.DNS_BOGON)
        elif failure is None and not addresses and not resolved:
            failure = str(Failure.DNS_NO_ANSWER)
        elif failure == Failure.DNS_NO_ANSWER and resolved:
            failure = None  # a name need not have addresses of both families
        return msgspec.structs.replace(observation, failure=failure)

    def tcp(self, connect: WireConnect, since: float | None) -> TcpObservation:
        start, duration = span(connect.t0, connect.t, since)
        return TcpObservation(
            start=start,
            duration=duration,
            failure=self._outcome(connect.status),
            address=self.scrubber.address(literal(connect.ip)),
            port=connect.port,
        )

    def _outcome(self, status: WireStatus | bool | None) -> str | None:
        if isinstance(status, WireStatus):
            return self.outcome(status.failure, worked=status.success)
        return None if status else self.failure(True)

    def outcome(self, text: str | bool | None, *, worked: bool | None) -> str | None:
        """The failure of a test; engines may say only that it did not work."""
        return self.failure(True if text is None and worked is False else text)

    def tls(
        self,
        handshake: WireHandshake,
        since: float | None,
        *,
        address: str,
        port: int,
        verify: bool,
    ) -> TlsObservation:
        """One handshake; `address` and `port` are used when the engine gave none.

        Without `verify` a certificate that does not verify is recorded but no failure, as in live
        measurements of endpoints whose certificate is not judged.
        """
        start, duration = span(handshake.t0, handshake.t, since)
        stated_address, stated_port = split_address(handshake.address or "")
        failure = self.failure(handshake.failure)
        verify_error = ""
        if failure in CERTIFICATE_FAILURES:
            verify_error = f"OONI says {failure}"
            failure = failure if verify else None
        found = tuple(filter(None, map(octets, handshake.peer_certificates or ())))
        observation = TlsObservation(
            start=start,
            duration=duration,
            failure=failure,
            address=stated_address or address,
            port=stated_port or port,
            server_name=name_of(handshake.server_name or ""),
            version=handshake.tls_version or "",
            cipher=handshake.cipher_suite or "",
            alpn=handshake.negotiated_protocol or "",
            verify_error=verify_error,
            chain_sha256=chain_digest(found),
            chain=found if failure is not None else (),
        )
        return self._scrubbed(observation)

    def page(
        self, transaction: WireTransaction, since: float | None, *, address: str, hop: int
    ) -> HttpObservation:
        """One request and its response; `address` is used when the engine gave none."""
        url = url_of(transaction)
        response = transaction.response or WireResponse()
        failure = self.failure(transaction.failure)
        status = max(0, response.code or 0) if failure is None else 0
        headers = header_pairs(response) if status else ()
        body = octets(response.body) if status else b""
        start, duration = _request_span(transaction, since)
        page = HttpObservation(
            start=start,
            duration=duration,
            failure=failure,
            url=url,
            address=split_address(transaction.address or "")[0] or address,
            hop=hop,
            status=status,
        )
        answer = Exchange(
            duration=duration,
            failure=failure,
            status=status,
            headers=headers,
            body=body,
            truncated=bool(response.body_is_truncated),
        )
        page = with_content(page, answer, self.scrubber, (), suspicious=_suspicious(page))
        return msgspec.structs.replace(page, headers=headers)

    def kept(self, observation: HttpObservation) -> HttpObservation:
        """The part of a response that is stored: scrubbed, and of an ordinary one only ordinary
        headers."""
        headers = kept_headers(observation.headers, suspicious=_suspicious(observation))
        return self._scrubbed(msgspec.structs.replace(observation, headers=headers))

    def _scrubbed(self, observation: _Observation) -> _Observation:
        return cast("_Observation", scrub_observation(observation, self.scrubber))


def _suspicious(page: HttpObservation) -> bool:
    return not page.url.startswith("https:") or page.status == LEGAL_REASONS


def span(t0: float | None, t: float | None, since: float | None) -> tuple[float, float]:
    """Start and duration in seconds; `since` is when it can have begun, if known."""
    if t is None:
        return (t0 if t0 is not None else since or 0.0), 0.0
    start = t0 if t0 is not None else min(t if since is None else since, t)
    return start, max(0.0, t - start)


def _request_span(transaction: WireTransaction, since: float | None) -> tuple[float, float]:
    """Engines that gave only `t` meant when the whole transaction began."""
    if transaction.t0 is None:
        return max(transaction.t or 0.0, since or 0.0), 0.0
    return span(transaction.t0, transaction.t, since)


def by_system(query: WireQuery) -> bool:
    """Whether the machine's own resolver was used, and not one that OONI chose."""
    return (query.engine or "") in SYSTEM_ENGINES


def addresses_of(queries: Iterable[WireQuery]) -> tuple[str, ...]:
    """The addresses in the replies to these queries, in order."""
    found = (
        literal(answer.ipv4 or answer.ipv6 or "")
        for query in queries
        for answer in query.answers or ()
    )
    return tuple(dict.fromkeys(filter(None, found)))


def url_of(transaction: WireTransaction) -> str:
    """The URL of a request, its host as it goes over the wire."""
    url = transaction.request.url if transaction.request is not None else ""
    if url.isascii():
        return url
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return url
    return urlunsplit(parts._replace(netloc=parts.netloc.lower().replace(host, name_of(host))))


def name_of(text: str) -> str:
    """A host name as A-labels in lower case without a final dot, however it is written."""
    try:
        return parse_host(text)
    except ValueError:
        return text.lower().rstrip(".")


def host_port(url: str) -> tuple[str, int]:
    """Host (as `name_of`, no brackets) and port of a URL; empty and 0 for none."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
        return name_of(parts.hostname or ""), port
    except ValueError:
        return "", 0


@lru_cache(maxsize=4096)
def literal(text: str) -> str:
    """An IP address in its canonical form, without a scope; empty for anything else."""
    try:
        return str(ipaddress.ip_address(text.partition("%")[0]))
    except ValueError:
        return ""


def split_address(text: str) -> tuple[str, int]:
    """`203.0.113.1:443` or `[2001:db8::1]:443` → address and port; empty and 0 for none."""
    host, _, port = text.rpartition(":")
    address = literal(host.removeprefix("[").removesuffix("]"))
    return (address, int(port)) if address and port.isdecimal() else ("", 0)


def _own(wire: WireMeasurement) -> list[str]:
    address = literal(wire.probe_ip or "")
    return [address] if address else []


def _dealt_with(wire: WireMeasurement) -> list[str]:
    """Addresses that the test resolved, dialled or was redirected to."""
    keys = wire.test_keys
    found = [
        *addresses_of(keys.queries or ()),
        *(literal(connect.ip) for connect in keys.tcp_connect or ()),
        *(split_address(one.address or "")[0] for one in keys.tls_handshakes or ()),
    ]
    for transaction in keys.requests or ():
        url = url_of(transaction)
        headers = header_pairs(transaction.response) if transaction.response else ()
        locations = [value for name, value in headers if name == "location"]
        found += [literal(host_port(urljoin_or_empty(url, to))[0]) for to in (url, *locations)]
    control = keys.control
    if control is not None:
        found += [literal(text) for text in (control.dns.addrs if control.dns else None) or ()]
        found += [split_address(text)[0] for text in control.tcp_connect or ()]
    return [address for address in dict.fromkeys(found) if address]


def urljoin_or_empty(base: str, url: str) -> str:
    """`url` relative to `base`; empty when invalid."""
    try:
        return urljoin(base, url)
    except ValueError:
        return ""
