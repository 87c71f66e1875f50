"""One look at one endpoint from one vantage: compose the layers into a Measurement.

    resolve A and AAAA → connect to each address → shake hands once per family → ask once

The two families go side by side. One that hangs neither hides the other nor holds it up: a server
hangs up on a connection that stays idle meanwhile, which would look like interference. Nothing
here judges; what went wrong is recorded and the look goes on where it can.
"""

import asyncio
import ipaddress
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec
import uuid_utils

from probes.alt_svc import offers_http3
from probes.answer import SUSPICIOUS_STATUSES, as_stated, trustworthy, with_content
from probes.bogon import NO_NAT64, BogonList
from probes.catalog import DEFAULT_PORTS, Endpoint, EndpointKind, Protocol
from probes.dns import DnsLookup, ask_over_stream, failure_of_reply
from probes.dns_message import Reply
from probes.errors import MalformedReplyError, PeerClosedError, failure_of, is_tls_alert
from probes.failure import Failure
from probes.host import is_literal
from probes.http import Exchange, HttpClient, exchange
from probes.measurement import (
    DOH,
    AnyObservation,
    AppObservation,
    DnsAnswer,
    DnsObservation,
    EgressObservation,
    HttpObservation,
    Layer,
    Look,
    Measurement,
    TcpObservation,
    TlsObservation,
    family_of,
)
from probes.nat64 import WELL_KNOWN_NAME, Nat64, learn
from probes.network import Network, Stream, chain_digest
from probes.proxy import FarSideError, ProxyError, open_through
from probes.redirect import redirect
from probes.scrub import Scrubber, scrub_observation
from probes.settings import ProbeSettings
from probes.stun import ask_binding
from probes.system_resolvers import ResolverAddress
from probes.target import Glance, Target
from probes.telegram import ask_res_pq
from probes.vantage import Resolver, VantagePoint

T = TypeVar("T")

MAX_REDIRECTS = 10
RESOLVER_FALLBACK = "resolver_fallback"
"""Reason of observations at a resolver that stayed silent, so that the next one was asked."""
_GRACE = 0.5
"""Seconds the other family gets, once one has a connection, before the look goes on without it."""
_WEB = (EndpointKind.HTTP, EndpointKind.HTTPS)


class Opened(msgspec.Struct, kw_only=True):
    """A stream that got as far as was asked."""

    stream: Stream
    address: str


class Looker:
    """Looks from one vantage."""

    def __init__(
        self,
        vantage: VantagePoint,
        network: Network,
        settings: ProbeSettings,
        client: HttpClient,
        *,
        resolvers: Callable[[], Sequence[ResolverAddress]],
        now: Callable[[], datetime],
    ) -> None:
        """`resolvers` is asked anew for each look, since a laptop or a modem changes networks."""
        self.vantage = vantage
        self.network = network
        self.settings = settings
        self.client = client
        self.resolvers = resolvers
        self.bogons = BogonList(settings.bogon_allow)
        self.nat64 = NO_NAT64
        self.now = now
        self._bootstrap: Looker | None = None
        self.on_exit: Callable[[str], None] | None = None
        """Told the vantage's public address where a server happens to say it; it must not be kept,
        logged or shown."""

    async def learn_nat64(self, *, alone: bool) -> tuple[str, ...]:
        """Ask how the network's NAT64 makes up addresses, and look accordingly from now on.

        `alone`: no IPv4 works. The prefixes learnt, in CIDR notation, none where there is no NAT64
        or none can be seen, as through a proxy; `withheld` for one beside our own address.
        """
        own: set[str] = set()
        found: tuple[str, ...] = ()
        resolvers = self.resolvers()[:1] if not self.vantage.egress.proxied else ()
        for resolver in resolvers:
            lookup = DnsLookup(
                self.network,
                resolver,
                WELL_KNOWN_NAME,
                rtypes=("AAAA",),
                timeout=self.settings.dns_timeout,
                window=0.0,
                origin=asyncio.get_running_loop().time(),
                on_local_address=own.add,
            )
            try:
                lookup.start()
                found = (await lookup.replies())["AAAA"]
            finally:
                lookup.close()
        self.translate(Nat64(learn(found), alone))
        return tuple(
            "withheld" if any(_neighbours(address, prefix) for address in own) else str(prefix)
            for prefix in self.nat64.prefixes
        )

    def translate(self, nat64: Nat64) -> None:
        """Take addresses for what they are on a network with this NAT64."""
        if nat64 != self.nat64:
            self.nat64 = nat64
            self.bogons = BogonList(self.settings.bogon_allow, nat64)

    @property
    def bootstrap(self) -> "Looker":
        """The same vantage, but names go to the machine's resolvers, or to its proxy: the way to a
        resolver that is itself known by a name."""
        if self._bootstrap is None:
            self._bootstrap = Looker(
                msgspec.structs.replace(self.vantage, resolver=Resolver()),
                self.network,
                self.settings,
                self.client,
                resolvers=self.resolvers,
                now=self.now,
            )
        return self._bootstrap

    async def look(
        self,
        target: Target,
        *,
        cycle: str = "",
        look: Look = Look.SCHEDULED,
        attempt: int = 1,
        quic: bool = False,
        unadvertised: bool = True,
        glance: Glance | None = None,
    ) -> Measurement:
        """Look once. Never raises for what the network does; may be cancelled at any point.

        `quic` asks an https endpoint over HTTP/3 too, which decides nothing about `reached`;
        without `unadvertised` only where its answer over TCP offers that.
        `glance` says what to leave out.
        """
        under_way = LookUnderWay(self, asyncio.get_running_loop().time(), glance)
        started_at = self.now()
        try:
            reached = await under_way.run(target.endpoint)
            asks = quic and (unadvertised or under_way.offered_http3(target.endpoint))
            if asks and not self.vantage.egress.proxied:
                await under_way.ask_over_quic(target.endpoint)
            observations = await under_way.finish()
        finally:
            await under_way.close()
        vantage = self.vantage
        return Measurement(
            id=str(uuid_utils.uuid7()),
            cycle=cycle,
            vantage=vantage.id,
            country=vantage.country,
            asn=vantage.asn,
            network=vantage.network,
            vantage_role=vantage.role,
            platform=target.platform,
            role=target.role,
            endpoint=target.endpoint.id,
            look=look,
            attempt=attempt,
            started_at=started_at,
            duration=under_way.elapsed(),
            observations=observations,
            not_observed=self._not_observed(target.endpoint, quic=quic, glance=glance),
            reached=reached,
        )

    def _not_observed(
        self, endpoint: Endpoint, *, quic: bool, glance: Glance | None
    ) -> tuple[Layer, ...]:
        left_out = [Layer.HTTP] if glance is not None and glance.only_greets(endpoint) else []
        if not self.vantage.egress.proxied:
            return tuple(left_out)
        # Through a proxy that resolves, neither the answer nor the handshake is ours to see, and
        # no datagram passes through any.
        hidden = [Layer.DNS] if self.vantage.resolver.system else []
        if endpoint.kind is EndpointKind.STUN:
            hidden.append(Layer.APP)
        elif endpoint.kind is not EndpointKind.DNS:
            hidden.append(Layer.TCP)
        if quic and endpoint.kind is EndpointKind.HTTPS:
            hidden.append(Layer.QUIC)
        return (*hidden, *left_out)


class LookUnderWay:
    """The state of one look: what is open, what was seen."""

    def __init__(self, looker: Looker, origin: float, glance: Glance | None = None) -> None:
        self._looker = looker
        self._glance = glance
        self._settings = looker.settings
        self._loop = asyncio.get_running_loop()
        self._origin = origin
        self._lookups: list[tuple[DnsLookup, str]] = []
        self._streams: list[Stream] = []
        self._families: set[asyncio.Task[Opened | None]] = set()
        self._observations: list[AnyObservation] = []
        self._exchanges: list[tuple[HttpObservation, Exchange, bool]] = []
        self._resolved: dict[str, tuple[str, ...]] = {}
        self._own: set[str] = set()
        self._looked_at: set[str] = set()
        self._given = ""
        """The endpoint's own host, as opposed to those that redirects name."""
        self._endpoint = ""

    def elapsed(self) -> float:
        """Seconds since the look began."""
        return self._loop.time() - self._origin

    # -- the whole look ------------------------------------------------------------------

    async def run(self, endpoint: Endpoint) -> bool:
        """Do what this kind of endpoint asks for; True when it answered as it should."""
        self._given, self._endpoint = endpoint.host, endpoint.id
        if endpoint.kind is EndpointKind.DNS:
            return bool(await self._addresses(endpoint.host))
        if endpoint.kind is EndpointKind.STUN:
            return await self._ask_binding(endpoint)
        # Without a certificate to trust nothing is sent: there is only the handshake to see.
        asked = endpoint.verify or endpoint.kind is EndpointKind.HTTP
        if self._glance is not None and self._glance.only_greets(endpoint):
            asked = False
        if endpoint.kind in _WEB and asked:
            return await self._follow(endpoint)
        opened = await self._open(
            endpoint.host,
            endpoint.port,
            tls=endpoint.kind in (EndpointKind.TLS, EndpointKind.HTTPS),
            verify=endpoint.verify,
        )
        if opened is None or endpoint.protocol is None:
            return opened is not None
        return await self._ask_res_pq(opened, endpoint)

    async def finish(self) -> tuple[AnyObservation, ...]:
        """Wait for the slower family and late DNS answers; everything seen, scrubbed, in order."""
        await asyncio.gather(*self._families)
        self._close_streams()
        observations = list(self._observations)
        for lookup, reason in self._lookups:
            seen = await lookup.finish()
            observations += [self._marked_bogon(observation, reason) for observation in seen]
        scrubber = Scrubber(self._own, self._looked_at, (self._given, self._endpoint))
        observations += [
            with_content(observation, answer, scrubber, self._own, suspicious=suspicious)
            for observation, answer, suspicious in self._exchanges
        ]
        observations.sort(key=lambda observation: observation.start)
        return tuple(scrub_observation(observation, scrubber) for observation in observations)

    async def close(self) -> None:
        """Let go of everything; safe to call again."""
        try:
            for task in self._families:
                task.cancel()
            if self._families:
                await asyncio.wait(self._families)
        finally:
            self._close_streams()
            for lookup, _ in self._lookups:
                lookup.close()

    def _close_streams(self) -> None:
        for stream in self._streams:
            stream.close()
        self._streams.clear()

    # -- names ---------------------------------------------------------------------------

    async def _addresses(self, host: str) -> tuple[str, ...]:
        """Addresses to dial for `host`: literal, or resolved once per look.

        Bogons only when the catalogue names them: whoever answers a name, or redirects, must not
        send us round the vantage's own network.
        """
        if is_literal(host):
            if host != self._given and host in self._looker.bogons:
                return ()
            dialled = self._looker.nat64.dialled((host,))
            self._looked_at.update((host, *dialled))
            return dialled
        if host not in self._resolved:
            if self._looker.vantage.resolver.url:
                found = await self._resolve_over_https(host)
            elif self._looker.vantage.egress.proxied:
                found = await self._resolve_through_proxy(host)
            else:
                found = await self._resolve(host)
            self._looked_at.update(found)
            self._resolved[host] = found
        honest = tuple(a for a in self._resolved[host] if a not in self._looker.bogons)
        return self._looker.nat64.dialled(honest)

    async def _resolve(self, host: str) -> tuple[str, ...]:
        resolvers = self._looker.resolvers()
        if not resolvers:
            self._observations.append(_no_resolver(host, self.elapsed()))
            return ()
        found: tuple[str, ...] = ()
        for resolver, following in zip(resolvers, [*resolvers[1:2], None], strict=False):
            lookup = DnsLookup(
                self._looker.network,
                resolver,
                host,
                rtypes=("A", "AAAA"),
                timeout=self._settings.dns_timeout,
                window=self._settings.dns_window,
                origin=self._origin,
                on_local_address=self._own.add,
            )
            self._lookups.append((lookup, ""))
            lookup.start()
            replies = await lookup.replies()
            found = tuple(address for addresses in replies.values() for address in addresses)
            if lookup.answered or following is None:
                break
            # Silent: an application would ask the next one too. The silence stays on record.
            self._lookups[-1] = (lookup, RESOLVER_FALLBACK)
        return found

    async def _resolve_through_proxy(self, host: str) -> tuple[str, ...]:
        """DNS over TCP at the configured resolver, through the proxy; nothing when it resolves."""
        resolver = self._looker.vantage.resolver
        if resolver.system:
            return ()
        label = ResolverAddress(address=resolver.address, port=resolver.port).label
        seen: list[DnsObservation] = []
        for rtype in ("A", "AAAA"):
            start = self.elapsed()
            failure: str | None = None
            answers: tuple[DnsAnswer, ...] = ()
            try:
                async with asyncio.timeout(self._settings.dns_timeout):
                    stream = await self._through_proxy(resolver.address, resolver.port)
                    if stream is None:
                        break
                    reply = await ask_over_stream(stream, host, rtype)
            except (OSError, ValueError, PeerClosedError, MalformedReplyError, FarSideError) as e:
                failure = e.failure if isinstance(e, FarSideError) else failure_of(e)
            else:
                answer = DnsAnswer(
                    delay=self.elapsed() - start,
                    rcode=reply.rcode,
                    addresses=reply.addresses,
                    cnames=reply.cnames,
                )
                answers = (answer,)
            seen.append(
                DnsObservation(
                    start=start,
                    duration=self.elapsed() - start,
                    failure=failure,
                    name=host,
                    rtype=rtype,
                    resolver=f"{label} through proxy",
                    transport="tcp",
                    answers=answers,
                )
            )
        return self._answered(seen)

    async def _resolve_over_https(self, host: str) -> tuple[str, ...]:
        """The name at the DNS-over-HTTPS server that is this vantage's resolver."""
        return self._answered(
            await _all([self._ask_over_https(host, rtype) for rtype in ("A", "AAAA")])
        )

    async def _ask_over_https(self, host: str, rtype: str) -> DnsObservation:
        from probes.doh import ask_doh  # builds on this module, and few vantages need it

        start = self.elapsed()
        url = self._looker.vantage.resolver.url
        answers: tuple[DnsAnswer, ...] = ()
        said: Reply | str
        try:
            async with asyncio.timeout(self._settings.dns_timeout):
                said = await ask_doh(self._looker.bootstrap, url, host, rtype)
        except (TimeoutError, ValueError) as error:
            said = failure_of(error)
        if not isinstance(said, str):
            answer = DnsAnswer(
                delay=self.elapsed() - start,
                rcode=said.rcode,
                addresses=said.addresses,
                cnames=said.cnames,
            )
            answers = (answer,)
        through = " through proxy" if self._looker.vantage.egress.proxied else ""
        return DnsObservation(
            start=start,
            duration=self.elapsed() - start,
            failure=said if isinstance(said, str) else None,
            name=host,
            rtype=rtype,
            resolver=f"{url}{through}",
            transport=DOH,
            answers=answers,
        )

    def _answered(self, seen: Sequence[DnsObservation]) -> tuple[str, ...]:
        """Put the answers of a resolver reached over a stream on record; the addresses in them."""
        found = tuple(address for observation in seen for address in observation.addresses)
        # What a question that stayed open would have brought is not known.
        resolved = bool(found) or not all(observation.answers for observation in seen)
        self._observations += [
            self._marked_bogon(_with_rcode(observation, resolved=resolved), "")
            for observation in seen
        ]
        return found

    def _marked_bogon(self, observation: DnsObservation, reason: str) -> DnsObservation:
        addresses = observation.addresses
        if addresses and all(address in self._looker.bogons for address in addresses):
            return msgspec.structs.replace(observation, failure=Failure.DNS_BOGON, reason=reason)
        return msgspec.structs.replace(observation, reason=reason) if reason else observation

    # -- connections ---------------------------------------------------------------------

    async def open_verified(self, host: str, port: int) -> Opened | None:
        """A stream to `host` whose certificate was verified, if one can be had."""
        return await self._open(host, port, tls=True, verify=True)

    async def _open(self, host: str, port: int, *, tls: bool, verify: bool) -> Opened | None:
        """A stream to `host`, as far as TLS if asked; every address tried is on record."""
        if self._looker.vantage.egress.proxied:
            return await self._open_through_proxy(host, port, tls=tls, verify=verify)
        chosen = await self._by_family(host)
        # The final dot of an absolute name is DNS's alone: certificates do not have it.
        name = host.rstrip(".") if tls else ""
        if len(chosen) == 1:
            return await self._open_family(chosen[0], port, name, verify)
        return await self._side_by_side(
            [self._open_family(addresses, port, name, verify) for addresses in chosen]
        )

    async def _by_family(self, host: str) -> list[list[str]]:
        """The addresses to dial for `host`, of one family after the other."""
        by_family: dict[str, list[str]] = {}
        for address in await self._addresses(host):
            by_family.setdefault(family_of(address), []).append(address)
        most = self._settings.max_addresses
        families = [one for one in self._looker.network.families() if one in by_family]
        if self._glance is not None:
            most = min(most, self._glance.addresses)
            if self._glance.family in families:
                families = [self._glance.family]
        return [by_family[family][:most] for family in families]

    async def _side_by_side(
        self, families: Sequence[Coroutine[Any, Any, Opened | None]]
    ) -> Opened | None:
        """The connection of the first of `families` that made one, in their order.

        Once there is one the others get a moment more; after that they go on behind the look's
        back, which waits for them in `finish`.
        """
        tasks = [asyncio.create_task(family) for family in families]
        self._families.update(tasks)
        waiting: set[asyncio.Task[Opened | None]] = set(tasks)
        deadline: float | None = None
        while waiting:
            rest = None if deadline is None else max(0.0, deadline - self._loop.time())
            done, waiting = await asyncio.wait(
                waiting, timeout=rest, return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                break
            if deadline is None and any(task.result() is not None for task in done):
                deadline = self._loop.time() + _GRACE
        finished = (task.result() for task in tasks if task.done())
        return next((opened for opened in finished if opened is not None), None)

    async def _open_family(
        self, addresses: list[str], port: int, server_name: str, verify: bool
    ) -> Opened | None:
        connected = await _all([self._connect(address, port) for address in addresses])
        opened = [one for one in connected if one is not None]
        if not opened or not server_name:
            return opened[0] if opened else None
        if await self._handshake(opened[0], port, server_name, verify):
            return opened[0]
        # One after the other, the last would have been idle for so long that its server hung up.
        others = opened[1:]
        worked = await _all([self._handshake(one, port, server_name, verify) for one in others])
        return next((one for one, well in zip(others, worked, strict=True) if well), None)

    async def _connect(self, address: str, port: int) -> Opened | None:
        start = self.elapsed()
        self._looked_at.add(address)
        failure: str | None = None
        stream: Stream | None = None
        try:
            async with asyncio.timeout(self._settings.tcp_timeout):
                stream = await self._looker.network.connect(address, port)
        except OSError as error:
            failure = failure_of(error)
        retransmits = 0
        if stream is not None:
            self._keep(stream)
            retransmits = stream.retransmits()
        self._observations.append(
            TcpObservation(
                start=start,
                duration=self.elapsed() - start,
                failure=failure,
                address=address,
                port=port,
                retransmits=retransmits,
            )
        )
        return None if stream is None else Opened(stream=stream, address=address)

    def _keep(self, stream: Stream) -> None:
        self._streams.append(stream)
        self._own.add(stream.local_address)

    async def _open_through_proxy(
        self, host: str, port: int, *, tls: bool, verify: bool
    ) -> Opened | None:
        targets: Sequence[str] = (host,)
        if not self._looker.vantage.resolver.system:
            targets = (await self._addresses(host))[: self._settings.max_addresses]
        for target in targets:
            start = self.elapsed()
            address = target if is_literal(target) else ""
            if address:
                self._looked_at.add(address)
            try:
                async with asyncio.timeout(self._settings.tcp_timeout):
                    stream = await self._through_proxy(target, port)
            except (FarSideError, TimeoutError) as error:
                failure = error.failure if isinstance(error, FarSideError) else failure_of(error)
                self._observations.append(
                    TcpObservation(
                        start=start,
                        duration=self.elapsed() - start,
                        failure=failure,
                        address=address,
                        port=port,
                    )
                )
                continue
            if stream is None:
                return None
            opened = Opened(stream=stream, address=address)
            if not tls or await self._handshake(opened, port, host.rstrip("."), verify):
                return opened
        return None

    async def _through_proxy(self, host: str, port: int) -> Stream | None:
        """A stream through the vantage's proxy, or None when the proxy itself failed.

        Raises FarSideError when the proxy says it could not reach `host`, TimeoutError when the
        caller's deadline passes while the proxy works on it.
        """
        egress = self._looker.vantage.egress
        start = self.elapsed()
        failure, words = None, ""
        stream = None
        try:
            async with asyncio.timeout(self._settings.tcp_timeout / 2):
                stream = await self._dial_proxy()
        except OSError as error:
            failure = failure_of(error)
        if stream is not None:
            self._keep(stream)
            try:
                await open_through(stream, egress, host, port)
            except ProxyError as error:
                failure, words = Failure.CONNECTION_ABORTED, str(error)
            except OSError as error:
                failure = failure_of(error)
        if failure is None:
            return stream
        self._observations.append(
            EgressObservation(
                start=start, duration=self.elapsed() - start, failure=failure, reply=words
            )
        )
        return None

    async def _dial_proxy(self) -> Stream:
        egress = self._looker.vantage.egress
        if is_literal(egress.proxy_host):
            return await self._looker.network.connect(egress.proxy_host, egress.proxy_port)
        # The proxy's own name goes through the machine's resolver: it is no one's evidence.
        found = await self._loop.getaddrinfo(egress.proxy_host, egress.proxy_port, type=1)
        return await self._looker.network.connect(str(found[0][4][0]), egress.proxy_port)

    async def _handshake(self, opened: Opened, port: int, server_name: str, verify: bool) -> bool:
        start = self.elapsed()
        stream = opened.stream
        failure: str | None = None
        alert, verify_error = False, ""
        version = cipher = alpn = ""
        try:
            async with asyncio.timeout(self._settings.tls_timeout):
                facts = await stream.start_tls(server_name, verify=verify)
            version, cipher, alpn = facts.version, facts.cipher, facts.alpn
        except OSError as error:  # ssl.SSLError is one
            failure = failure_of(error)
            alert = is_tls_alert(error)
            verify_error = getattr(error, "verify_message", "")
        chain = stream.peer_chain()
        if failure is not None:
            stream.close()
        self._observations.append(
            TlsObservation(
                start=start,
                duration=self.elapsed() - start,
                failure=failure,
                address=opened.address,
                port=port,
                server_name=server_name,
                version=version,
                cipher=cipher,
                alpn=alpn,
                alert=alert,
                verify_error=verify_error,
                chain_sha256=chain_digest(chain),
                chain_bytes=sum(map(len, chain)),
                chain=chain if failure is not None else (),
            )
        )
        return failure is None

    # -- requests ------------------------------------------------------------------------

    async def _follow(self, endpoint: Endpoint) -> bool:
        """Ask, follow redirects hop by hop; the last hop decides."""
        url = endpoint.id
        for hop in range(MAX_REDIRECTS + 1):
            parts = urlsplit(url)
            secure = parts.scheme == EndpointKind.HTTPS
            opened = await self._open(
                parts.hostname or "",
                parts.port or DEFAULT_PORTS[EndpointKind(parts.scheme)],
                tls=secure,
                verify=True,
            )
            if opened is None:
                return False
            start = self.elapsed()
            answer = await exchange(
                self._looker.client,
                opened.stream,
                url,
                user_agent=self._settings.user_agent,
                timeout=self._settings.http_timeout,
                body_limit=self._settings.body_limit,
                suspicious_limit=self._settings.suspicious_body_limit,
                suspicious_statuses=SUSPICIOUS_STATUSES,
                trusted=secure,
            )
            opened.stream.close()
            onward, failure = redirect(url, answer)
            named = urlsplit(onward).hostname or ""
            if is_literal(named):
                # Where a block page is served from is evidence, dialled or not.
                self._looked_at.add(named)
            last = not onward or hop == MAX_REDIRECTS
            expected = not last or as_stated(endpoint, answer)
            observation = HttpObservation(
                start=start,
                duration=answer.duration,
                failure=answer.failure or failure,
                url=url,
                address=opened.address,
                hop=hop,
                status=answer.status,
                expected=expected,
            )
            suspicious = not secure or not expected or answer.status in SUSPICIOUS_STATUSES
            self._exchanges.append((observation, answer, suspicious))
            if last or observation.failure is not None:
                break
            url = onward
        return observation.failure is None and expected and trustworthy(endpoint, url, answer)

    # -- applications --------------------------------------------------------------------

    async def _ask_res_pq(self, opened: Opened, endpoint: Endpoint) -> bool:
        start = self.elapsed()
        answer = await ask_res_pq(opened.stream, self._settings.http_timeout)
        opened.stream.close()
        self._observations.append(
            AppObservation(
                start=start,
                duration=self.elapsed() - start,
                failure=answer.failure,
                protocol=Protocol.MTPROTO,
                address=opened.address,
                port=endpoint.port,
                first_reply=answer.first_reply,
            )
        )
        return answer.failure is None

    async def _ask_binding(self, endpoint: Endpoint) -> bool:
        addresses = [
            address for family in await self._by_family(endpoint.host) for address in family
        ]
        if self._looker.vantage.egress.proxied:
            return False
        answered = await _all([self._binding(address, endpoint.port) for address in addresses])
        return any(answered)

    async def _binding(self, address: str, port: int) -> bool:
        start = self.elapsed()
        binding = await ask_binding(
            self._looker.network,
            address,
            port,
            timeout=self._settings.http_timeout,
            on_local_address=self._own.add,
            on_exit=self._looker.on_exit,
        )
        self._observations.append(
            AppObservation(
                start=start,
                duration=self.elapsed() - start,
                failure=binding.failure,
                protocol="stun",
                address=address,
                port=port,
                first_reply=binding.first_reply,
            )
        )
        return binding.failure is None

    def offered_http3(self, endpoint: Endpoint) -> bool:
        """Whether the endpoint's own answer, over verified TLS, offered HTTP/3."""
        return endpoint.kind is EndpointKind.HTTPS and any(
            observation.hop == 0
            and offers_http3(answer.header("alt-svc"), endpoint.host, endpoint.port)
            for observation, answer, _ in self._exchanges
        )

    async def ask_over_quic(self, endpoint: Endpoint, *, reason: str = "") -> None:
        """One HTTP/3 request to the first address of each family; only of https endpoints."""
        if endpoint.kind is not EndpointKind.HTTPS:
            return
        from probes.quic import quic_look  # costs memory and time that most vantages never need

        looks = [
            quic_look(
                self._looker.network,
                addresses[0],
                endpoint.port,
                endpoint.host.rstrip("."),
                url_path=endpoint.path,
                timeout=self._settings.http_timeout,
                cafiles=self._settings.trust_anchors,
                start=self.elapsed(),
                reason=reason,
                user_agent=self._settings.user_agent,
                on_local_address=self._own.add,
            )
            for addresses in await self._by_family(endpoint.host)
        ]
        self._observations += await _all(looks)


def _neighbours(address: str, prefix: ipaddress.IPv6Network) -> bool:
    """Whether a prefix would show which network an IPv6 address of ours is in."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    return parsed.version == 6 and parsed in prefix.supernet(new_prefix=min(48, prefix.prefixlen))


async def _all(several: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Run all side by side; when one fails or the caller is cancelled, none runs on."""
    if len(several) == 1:
        return [await several[0]]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one) for one in several]
    return [task.result() for task in tasks]


def _with_rcode(observation: DnsObservation, *, resolved: bool) -> DnsObservation:
    """The observation with the failure its reply code stands for, if it got a reply."""
    if not observation.answers:
        return observation
    failure = failure_of_reply(observation.answers[0].rcode, has_addresses=resolved)
    return msgspec.structs.replace(observation, failure=failure)


def _no_resolver(host: str, start: float) -> DnsObservation:
    return DnsObservation(
        start=start,
        duration=0.0,
        failure=Failure.DNS_NON_RECOVERABLE,
        name=host,
        rtype="A",
        resolver="none configured",
        stub=True,
    )
