"""web_connectivity: one URL with its redirects, and the test helper's measurement as control.

From version 0.5 the test also asks resolvers of its own choice and dials the addresses that those
and the helper gave. These observations become follow-ups, each with its reason.
"""

from collections.abc import Sequence

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
    name_of,
    split_address,
    url_of,
    urljoin_or_empty,
)
from monitor.ooni.ooni_format import (
    WireControl,
    WireControlHttp,
    WireHandshake,
    WireKeys,
    WireTransaction,
    header_pairs,
)
from probes.catalog.catalog import Endpoint
from probes.catalog.endpoint_kinds import EndpointKind
from probes.failure_strings import CERTIFICATE_FAILURES, Failure
from probes.measure.follow_up_reasons import Reason
from probes.measurement import (
    LEGAL_REASONS,
    REDIRECTS,
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


def read_web(endpoint: Endpoint, function: str, keys: WireKeys, reader: Reader) -> WebMeasurement:
    test = _FieldTest(endpoint, keys, reader)
    every = test.observations()
    own = tuple(o for o in every if o.reason not in _FOLLOW_UP_REASONS)
    extra = tuple(o for o in every if o.reason in _FOLLOW_UP_REASONS)
    field = TestedEndpoint(
        function=function,
        endpoint=endpoint,
        observations=own,
        reached=test.reached,
        not_observed=test.not_observed,
    )
    follow_up = TestedEndpoint(
        function=function, endpoint=endpoint, observations=extra, reached=False
    )
    return WebMeasurement(
        field=field,
        follow_up=follow_up if extra else None,
        control=_control(endpoint, function, keys, test, reader),
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


def _onward(transaction: WireTransaction) -> str:
    """The URL that a response led to; empty for none."""
    response = transaction.response
    if response is None or transaction.failure or response.code not in REDIRECTS:
        return ""
    locations = (value for name, value in header_pairs(response) if name == "location")
    return urljoin_or_empty(url_of(transaction), next(locations, ""))


def _system_addresses(keys: WireKeys, hosts: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Host → the addresses from the machine's own resolver; a host without a query is absent."""
    found: dict[str, tuple[str, ...]] = {
        host: (address,) for host in hosts if (address := literal(host))
    }
    for host in hosts:
        queries = [
            query
            for query in keys.queries or ()
            if by_system(query) and name_of(query.hostname) == host
        ]
        if queries:
            found.setdefault(host, addresses_of(queries))
    return found


class _FieldTest:
    """The vantage's own part of a test."""

    def __init__(self, endpoint: Endpoint, keys: WireKeys, reader: Reader) -> None:
        self._endpoint = endpoint
        self._keys = keys
        self._reader = reader
        chain = redirect_chain(keys.requests or ())
        urls = [url_of(one) for one in chain]
        hosts = [endpoint.host, *(host_port(url)[0] for url in (*urls, *map(_onward, chain)))]
        hosts = [host for host in dict.fromkeys(hosts) if host]
        self._addresses = _system_addresses(keys, hosts)
        self._below = self._below_http(hosts)
        self._instead: list[AnyObservation] = []
        """The failures before a request could be made."""
        self.pages: list[HttpObservation] = []
        """The requests made."""
        self.led_to = (_onward(chain[-1]) or url_of(chain[-1])) if chain else ""
        """The last URL of the chain, whether a request could be made there or not."""
        self._read(chain)

    def observations(self) -> tuple[AnyObservation, ...]:
        kept = (marked(self._reader.kept(page), self._page_reason(page)) for page in self.pages)
        return (*self._below, *self._instead, *kept)

    @property
    def reached(self) -> bool:
        """Whether the last response of the chain came over a verified connection, and is neither
        451 nor another redirect."""
        if not self.pages or self._instead or self._page_reason(self.pages[-1]):
            return False
        last = self.pages[-1]
        if last.status in REDIRECTS:
            return False  # It led on, to where nothing answered.
        secure = last.url.startswith("https:")
        return secure and last.failure is None and last.status not in (0, LEGAL_REASONS)

    @property
    def not_observed(self) -> tuple[Layer, ...]:
        """Engines before 0.5 list no handshakes of hosts after a redirect."""
        if not self.pages or not self.pages[-1].url.startswith("https:"):
            return ()
        host, _ = host_port(self.pages[-1].url)
        shakes = (o.server_name for o in self._below if isinstance(o, TlsObservation))
        return () if host in shakes else (Layer.TLS,)

    def _below_http(self, hosts: Sequence[str]) -> list[AnyObservation]:
        found: list[AnyObservation] = []
        for queries in lookups(self._keys.queries or ()):
            first = queries[0]
            if name_of(first.hostname) in hosts and not literal(first.hostname):
                other = Reason.DOH if first.engine == "doh" else Reason.OPEN_RESOLVER
                extra = "" if by_system(first) else other
                found += [marked(o, extra) for o in self._reader.dns(queries, None)]
        resolved = ended([o for o in found if not o.reason])
        connected = [self._reader.tcp(one, resolved) for one in self._keys.tcp_connect or ()]
        found += [marked(o, self._address_reason(o.address)) for o in connected]
        for handshake in self._keys.tls_handshakes or ():
            over = self._connection_of(handshake, connected)
            since, address, port = resolved, "", self._endpoint.port
            if over is not None:
                since, address, port = over.start + over.duration, over.address, over.port
            tls = self._reader.tls(handshake, since, address=address, port=port, verify=True)
            found.append(marked(tls, self._address_reason(tls.address)))
        return found

    def _connection_of(
        self, handshake: WireHandshake, connected: Sequence[TcpObservation]
    ) -> TcpObservation | None:
        address, port = split_address(handshake.address or "")
        of_host = self._addresses.get(name_of(handshake.server_name or ""), ())
        for tcp in connected:
            if tcp.failure is None and (
                (tcp.address, tcp.port) == (address, port) if address else tcp.address in of_host
            ):
                return tcp
        return None

    def _address_reason(self, address: str) -> str:
        """Reason of an observation at this address; empty when the user's connection would use
        it."""
        if self._reader.bogon(address):
            return BOGON_DIALLED
        given = {one for found in self._addresses.values() for one in found}
        foreign = bool(address) and bool(self._addresses) and address not in given
        return Reason.HONEST_ADDRESS if foreign else ""

    def _read(self, chain: Sequence[WireTransaction]) -> None:
        since = _TICK
        for hop, transaction in enumerate(chain):
            host, port = host_port(url_of(transaction))
            under = [o for o in self._below if self._under(o, host, port)]
            asked = read_request(
                self._reader,
                transaction,
                under,
                since=max(since, ended(under) or 0.0),
                address=literal(host) or self._foreign_address(host),
                hop=hop,
            )
            if isinstance(asked, HttpObservation):
                self.pages.append(asked)
                since = asked.start + _TICK
            elif asked is not None:
                self._instead.append(asked)

    def _foreign_address(self, host: str) -> str:
        """The address of a page whose name the machine's own resolver did not resolve."""
        if self._addresses.get(host) != ():
            return ""
        foreign = [o for o in self._below if o.reason == Reason.HONEST_ADDRESS and not o.failure]
        return next((o.address for o in foreign if isinstance(o, TcpObservation)), "")

    def _under(self, observation: AnyObservation, host: str, port: int) -> bool:
        """Whether a request to this host and port depends on the observation."""
        match observation:
            case DnsObservation(name=name):
                return name == host
            case TcpObservation(address=address):
                return observation.port == port and address in self._addresses.get(host, ())
            case TlsObservation(server_name=name):
                return observation.port == port and name == host
            case _:
                return False

    def _page_reason(self, page: HttpObservation) -> str:
        host, _ = host_port(page.url)
        if not page.address and host in self._addresses:
            known = self._addresses[host]
            return BOGON_DIALLED if known and all(map(self._reader.bogon, known)) else ""
        return "" if page.address == literal(host) else self._address_reason(page.address)


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
    endpoint: Endpoint,
    function: str,
    keys: WireKeys,
    test: _FieldTest,
    reader: Reader,
) -> TestedEndpoint | None:
    control = keys.control
    if control is None or not helper_answered(keys):
        return None
    below = _control_below(endpoint, control, reader)
    if same := _same_faults(test.observations(), below):
        # Whatever page it was shown, it found what the vantage found.
        return TestedEndpoint(
            function=function, endpoint=endpoint, observations=same, reached=False
        )
    asked = _control_asked(endpoint, control.http_request, test, below, reader)
    last = asked[-1] if asked else None
    reached = (
        isinstance(last, HttpObservation)
        and last.failure is None
        and endpoint.kind is EndpointKind.HTTPS
        and last.status not in (0, LEGAL_REASONS)
    )
    return TestedEndpoint(
        function=function, endpoint=endpoint, observations=(*below, *asked), reached=reached
    )


def _same_faults(
    field: Sequence[AnyObservation], helper: Sequence[AnyObservation]
) -> tuple[AnyObservation, ...]:
    """What the helper saw of the certificates that failed at the vantage, if it rejected each at
    the same address, which it resolved itself; else none."""
    shakes = [o for o in field if isinstance(o, TlsObservation) and not o.reason]
    failed = {o.address for o in shakes if o.failure in CERTIFICATE_FAILURES}
    if not failed or any(o.failure not in CERTIFICATE_FAILURES for o in shakes):
        return ()
    seen = {
        o.address
        for o in helper
        if isinstance(o, TlsObservation) and not o.reason and o.failure in CERTIFICATE_FAILURES
    }
    if not failed <= seen:
        return ()
    return tuple(
        o
        for o in helper
        if not isinstance(o, TcpObservation | TlsObservation) or o.address in failed
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
    test: _FieldTest,
    below: Sequence[AnyObservation],
    reader: Reader,
) -> list[AnyObservation]:
    """The helper's request, with the redirects it must have followed.

    It does not say where it was led. When its last response is like the vantage's last one, it
    followed the same redirects, and those over verified connections where the vantage got no last
    response; otherwise its response counts as one to the URL as given.
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
    last = test.pages[-1] if test.pages else None
    if last is None:
        return [reader.kept(page)]
    way, end = test.pages[:-1], last.url
    if last.failure is not None or compare(last, page) is not Likeness.SAME:
        way, end = [one for one in test.pages if one.status in REDIRECTS], test.led_to
        stopped = last.failure is not None or last.status in REDIRECTS
        if not (stopped and way and all(one.url.startswith("https:") for one in way)):
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
        for hop, one in enumerate(way)
    ]
    last_hop = len(led)
    here = msgspec.structs.replace(page, url=end, hop=last_hop, start=(3 + last_hop) * _TICK)
    return [*led, reader.kept(here)]


def _control_failed(
    page: HttpObservation, failure: str, below: Sequence[AnyObservation], reader: Reader
) -> list[AnyObservation]:
    """A request that failed before it was made shows on the layer that failed."""
    layer = implied_layer(failure)
    here = [o for o in below if layer_of(o) is layer and not o.reason]
    if layer is Layer.HTTP:
        # Where its own handshakes or lookups failed, they say why.
        return [] if _all_failed(below, Layer.TLS) or _all_failed(below, Layer.DNS) else [page]
    if here and all(o.failure is not None for o in here):
        return []
    return [failed_on(layer, failure, page.url, reader, start=page.start)]


def _all_failed(below: Sequence[AnyObservation], layer: Layer) -> bool:
    here = [o for o in below if layer_of(o) is layer and not o.reason]
    return bool(here) and all(o.failure is not None for o in here)
