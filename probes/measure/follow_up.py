"""Follow-ups: tests in the same cycle that tell the causes of a failed measurement apart.

One failed measurement does not tell a blocked name from a blocked address, a lying resolver from a
moved service, or a middlebox from a broken server. Each question here changes one thing:

| the same | tested with | tells |
|---|---|---|
| address | an innocuous server name | whether the name or the address is blocked |
| address | the name again, after that | whether the failure was already over |
| address | small segments | whether only large packets get lost |
| address | the name in another form of greeting | whether only one form is cut off |
| address | patience | whether the answer only comes late |
| server name | an innocuous address | whether the name is blocked at every address |
| resolver, over TCP | an innocuous name | whether it serves TCP at all |
| name | open resolvers over UDP, TCP and HTTPS | whether our resolver lies, or the path to any |
| name | an address only honest sources gave, verified | whether those answers were true |
| name | the private address our resolver gave, verified | whether a server of its own is there |
| network | another host beside a silent address, verified | whether the route there works |
| address | the endpoint again, after that | whether the silence was already over |
| address | packets that pass few routers | how far they come |
| name | QUIC | whether only TCP is blocked |
| address | both names, many times in turn | what share of connections is cut off |

The number of questions is bounded, they run in parallel, and one deadline ends them all. A vantage
with a quiet profile asks none.
"""

import asyncio
import ipaddress
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial

from probes.catalog.catalog import Endpoint
from probes.catalog.endpoint_kinds import EndpointKind, Protocol
from probes.catalog.host import is_literal
from probes.failure_strings import TIMEOUTS, Failure
from probes.layers.bogon import NOWHERE
from probes.layers.dns import ask_over_stream
from probes.layers.dns_message import Reply
from probes.layers.scrub import PLACEHOLDER
from probes.layers.socks5_and_http_connect import FarSideError, ProxyError
from probes.measure.concurrently import all_of
from probes.measure.connections import Opened
from probes.measure.doh import asking_doh
from probes.measure.flow_counts import FIRST_FLOWS, FLOWS, MOST_FLOWS, seems_named, undecided
from probes.measure.follow_up_plan import (
    PER_FAMILY,
    FollowUpPlan,
    first_of_families,
)
from probes.measure.follow_up_reasons import Reason
from probes.measure.measurement_run import MeasurementRun
from probes.measure.small_segments import SMALL_SEGMENT
from probes.measure.stream_query import stream_query, with_rcode
from probes.measure.traceroute import COMPARED, shared, way_to
from probes.measure.vantage_context import RESOLVERS_ASKED, VantageContext
from probes.measurement import (
    DOH,
    AnyObservation,
    DnsAnswer,
    DnsObservation,
    Hello,
    Measurement,
    Purpose,
    TcpObservation,
    TlsObservation,
    family_of,
    id_at,
)
from probes.settings import FOLLOW_UP_DEADLINE
from probes.sockets.system_resolvers import ResolverAddress
from probes.vantage import Profile

FLOWS_DEADLINE = 50.0
"""In place of `FOLLOW_UP_DEADLINE`: silence takes its time three times."""
FLOW_PAUSE = 0.05
"""Seconds from the start of one to the next."""
_HONEST_PER_FAMILY = 2
_NEIGHBOURS_PER_FAMILY = 2
_DNS_PORT, _HTTPS_PORT = 53, 443
PATIENCE = 10.0
"""Seconds for a handshake that is given time. The queue of a line that is held to 128 kbit/s, which
the other tests filled, runs empty in four."""
ADVERTISERS = "googleads.g.doubleclick.net"
"""What any phone or browser asks for, and any filter against advertising leads nowhere."""
_MEMORY = "memory"
_PRIVATE = tuple(
    map(
        ipaddress.ip_network,
        ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"),
    )
)
"""RFC 1918, RFC 6598 and RFC 4193."""


async def follow_up(context: VantageContext, plan: FollowUpPlan, *, cycle: str) -> Measurement:
    """Ask everything in the plan. Never raises for network failures; may be cancelled.

    The measurement's purpose is `follow_up` and each observation carries its reason. `reached` says
    that an address which only honest sources gave answered as the endpoint should.
    """
    loop = asyncio.get_running_loop()
    origin = loop.time()
    started_at = context.now()
    questions = _questions(context, plan, origin)
    try:
        async with asyncio.timeout(FLOWS_DEADLINE if plan.flows_at else FOLLOW_UP_DEADLINE):
            await asyncio.gather(*(question.ask() for question in questions))
    except TimeoutError:
        pass  # the observations made until then are kept
    finally:
        observations = await _collect(questions)
    return Measurement(
        id=id_at(started_at),
        cycle=cycle,
        **context.vantage.origin,
        platform=plan.target.platform,
        function=plan.target.function,
        endpoint=plan.target.endpoint.id,
        look=Purpose.FOLLOW_UP,
        started_at=started_at,
        duration=loop.time() - origin,
        observations=observations,
        reached=any(question.worked for question in questions if question.decides),
    )


class _Question(MeasurementRun, ABC):
    """One line of questions; every observation it makes carries a reason."""

    decides = False
    """Whether success shows that the endpoint itself works."""

    def __init__(self, context: VantageContext, plan: FollowUpPlan, origin: float) -> None:
        super().__init__(context, origin, brisk=True)
        self.plan = plan
        self.worked = False

    @abstractmethod
    async def ask(self) -> None:
        """Ask; the answers are in the observations."""

    async def test_address(
        self,
        address: str,
        name: str,
        *,
        verify: bool,
        reason: str,
        segment: int = 0,
        hello: Hello = Hello.USUAL,
        patience: float = 0.0,
    ) -> bool:
        """Connect and, where the endpoint speaks TLS, make a handshake for `name`; `segment` as for
        `Network.connect`, `patience` as for `Connections.handshake`."""
        since = len(self.record.observations)
        opened = await self.connections.connect(address, self.plan.port, segment)
        worked = opened is not None
        if opened is not None and self.plan.tls:
            worked = await self.connections.handshake(
                opened, self.plan.port, name, verify, hello, patience=patience
            )
            opened.stream.close()
        self.record.mark(reason, since)
        return worked


class _InnocuousName(_Question):
    async def ask(self) -> None:
        innocuous, name = self.record.settings.innocuous, self.plan.host.rstrip(".")
        proxied = self.context.vantage.egress.proxied
        for address in ("",) if proxied else self.plan.failed_addresses:
            test = self._handshake_through_proxy if proxied else partial(self.test_address, address)
            await test(innocuous, verify=False, reason=Reason.INNOCUOUS_SNI)
            if self._answered(address):
                await test(name, verify=True, reason=Reason.NAME_AGAIN)

    def _answered(self, address: str) -> bool:
        """Whether the innocuous name got any TLS answer there: a certificate or an alert."""
        return any(
            isinstance(o, TlsObservation)
            and o.reason == Reason.INNOCUOUS_SNI
            and o.address == address
            and (o.failure is None or o.alert)
            for o in self.record.observations
        )

    async def _handshake_through_proxy(self, name: str, *, verify: bool, reason: str) -> None:
        endpoint = self.plan.target.endpoint
        self.record.given, self.record.endpoint = endpoint.host, endpoint.id
        targets = await self.connections.targets_of_proxy(self.plan.host)
        since = len(self.record.observations)
        try:
            for target in targets[:1]:
                async with asyncio.timeout(self.record.settings.tcp_timeout):
                    stream = await self.proxy.open(target, self.plan.port)
                opened = Opened(stream=stream, address="")
                await self.connections.handshake(opened, self.plan.port, name, verify)
        except (FarSideError, TimeoutError):
            return
        except ProxyError:
            pass  # on record as the proxy's own failure
        self.record.mark(reason, since)


class _SmallSegments(_Question):
    async def ask(self) -> None:
        for address in self.plan.silent:
            await self.test_address(
                address,
                self.plan.host.rstrip("."),
                verify=True,
                reason=Reason.SMALL_SEGMENTS,
                segment=SMALL_SEGMENT,
            )


class _OtherHellos(_Question):
    async def ask(self) -> None:
        name = self.plan.host.rstrip(".")
        for address in self.plan.cut:
            test = partial(self.test_address, address, name, verify=True)
            other = partial(test, reason=Reason.OTHER_HELLO)
            if await other(hello=self.plan.other_hello):
                await test(reason=Reason.USUAL_HELLO)
                if self.plan.other_hello is Hello.SHORT:
                    # Whether it is the number of packets or what is in them.
                    await other(hello=Hello.PARTS)


class _Patience(_Question):
    """Give the handshake time, over one family: two would slow each other down."""

    async def ask(self) -> None:
        for address in self.plan.silent[:1]:
            await self.test_address(
                address,
                self.plan.host.rstrip("."),
                verify=True,
                reason=Reason.PATIENCE,
                patience=PATIENCE,
            )


class _PrivateAddresses(_Question):
    """Test private addresses that the vantage's own resolver gave, by a handshake alone."""

    async def ask(self) -> None:
        families = self.context.network.families()
        private = [
            address
            for address in self.plan.given
            if _is_private(address)
            and self.context.may_reach(self.plan.target.endpoint.id, address)
            and family_of(address) in families
        ]
        for address in first_of_families(private, PER_FAMILY):
            await self.test_address(
                address, self.plan.host.rstrip("."), verify=True, reason=Reason.PRIVATE_ADDRESS
            )


class _OwnFilter(_Question):
    """Ask for what every filter against advertising answers in its own way; the next resolver, too,
    where one is silent, for that answered for the endpoint. `_HonestAnswers` asks whether there is
    such a name."""

    async def ask(self) -> None:
        for resolver in self.context.resolvers()[:RESOLVERS_ASKED]:
            lookup = self.resolution.resolve(resolver, ADVERTISERS, Reason.OWN_FILTER)
            await lookup.replies()
            if lookup.answered:
                break


class _VerifiedBefore(_Question):
    """Put on record which addresses are known from earlier."""

    async def ask(self) -> None:
        name = self.plan.host.rstrip(".")
        known = self.context.verified_addresses.among(name, self.plan.given)
        if not known:
            return
        self.record.tested.update(known)
        self.record.observations.append(
            DnsObservation(
                start=self.record.elapsed(),
                duration=0.0,
                name=self.plan.host,
                rtype="A" if family_of(known[0]) == "ipv4" else "AAAA",
                resolver=_MEMORY,
                transport=_MEMORY,
                reason=Reason.VERIFIED_BEFORE,
                answers=(DnsAnswer(delay=0.0, rcode="NOERROR", addresses=known),),
            )
        )


class _Neighbours(_Question):
    """Test hosts beside the addresses that made no connection; where none answers, the way to one
    of these. Hosts verified earlier, so none is asked that this vantage does not ask anyhow."""

    async def ask(self) -> None:
        silent = {*self.plan.unreached, *self.plan.silent}
        beside = {
            address: name
            for name, address in reversed(self.context.verified_addresses.beside(silent))
            if self.context.may_reach(self.plan.target.endpoint.id, address)
        }
        asked = first_of_families(reversed(beside), _NEIGHBOURS_PER_FAMILY)
        answered = await asyncio.gather(*(self._greet(one, beside[one]) for one in asked))
        self.record.mark(Reason.NEIGHBOUR)
        if any(answered):
            name = self.plan.host.rstrip(".")
            for one in first_of_families((*self.plan.unreached, *self.plan.silent), PER_FAMILY):
                await self.test_address(one, name, verify=True, reason=Reason.ADDRESS_AGAIN)
        elif self.plan.way and self.plan.unreached:
            await self._follow(min(self.plan.unreached, key=family_of))

    async def _greet(self, address: str, name: str) -> bool:
        opened = await self.connections.connect(address, _HTTPS_PORT)
        if opened is None:
            return False
        worked = await self.connections.handshake(opened, _HTTPS_PORT, name, verify=True)
        opened.stream.close()
        return worked

    async def _follow(self, address: str) -> None:
        network, patience = self.context.network, self.record.settings.tcp_timeout / 2
        start = self.record.elapsed()
        way, *others = await asyncio.gather(
            way_to(network, address, self.plan.port, patience),
            *(
                way_to(network, other, _HTTPS_PORT, patience)
                for other in self.context.verified_addresses.apart(address, COMPARED)
            ),
        )
        routers, ways = shared(way, others)
        self.record.observations.append(
            TcpObservation(
                start=start,
                duration=self.record.elapsed() - start,
                failure=None if address in way else Failure.GENERIC_TIMEOUT,
                address=address,
                port=self.plan.port,
                routers=routers,
                ways=ways,
                reason=Reason.WAY,
            )
        )


class _NameElsewhere(_Question):
    async def ask(self) -> None:
        families = {family_of(address) for address in self.plan.failed_addresses}
        found = await self.resolution.addresses(self.plan.elsewhere)
        self.record.mark(Reason.SNI_ELSEWHERE)
        for address in first_of_families(found, PER_FAMILY):
            if family_of(address) in families:
                await self.test_address(
                    address, self.plan.host, verify=False, reason=Reason.SNI_ELSEWHERE
                )


class _HonestAddresses(_Question):
    """Test addresses that only honest sources give."""

    decides = True

    def fresh(self, honest: Iterable[str]) -> tuple[str, ...]:
        """The addresses that our own resolver did not give and that can be tested."""
        families = self.context.network.families()
        usable = [
            address
            for address in dict.fromkeys(honest)
            if address not in self.plan.given
            and address not in self.context.bogons
            and self.context.may_reach(self.plan.target.endpoint.id, address)
            and family_of(address) in families
        ]
        return first_of_families(usable, _HONEST_PER_FAMILY)

    async def test_honest(self, addresses: Iterable[str]) -> None:
        """A handshake at each address, verified for the name, or a greeting in the app's own
        protocol."""
        protocol = self.plan.target.endpoint.protocol
        silent = ""
        for address in addresses:
            if protocol is not None:
                self.worked |= await self._greet_app(address, protocol)
                continue
            self.worked |= await self._greet(address)
            last = self.record.observations[-1]
            if isinstance(last, TlsObservation) and last.failure in TIMEOUTS:
                silent = silent or address
        if silent and not self.worked:
            # The way there may lose large packets.
            self.worked = await self._greet(silent, SMALL_SEGMENT)

    async def _greet(self, address: str, segment: int = 0) -> bool:
        name = self.plan.host.rstrip(".")
        return await self.test_address(
            address, name, verify=True, reason=Reason.HONEST_ADDRESS, segment=segment
        )

    async def _greet_app(self, address: str, protocol: Protocol) -> bool:
        since = len(self.record.observations)
        opened = await self.connections.connect(address, self.plan.port)
        worked = opened is not None and await self.applications.ask(
            protocol, opened, self.plan.target.endpoint
        )
        self.record.mark(Reason.HONEST_ADDRESS, since)
        return worked


class _KnownElsewhere(_HonestAddresses):
    """Test what controls know first: that needs no lookup, which a slow line may not finish."""

    async def ask(self) -> None:
        await self.test_honest(self.fresh(self.plan.known_elsewhere))


class _HonestAnswers(_HonestAddresses):
    """Ask other resolvers for the name, then test the addresses that only they give."""

    async def ask(self) -> None:
        settings, families = self.record.settings, self.context.network.families()
        resolvers = [one for one in settings.open_resolvers if family_of(one) in families]
        answers = await asyncio.gather(
            *(self._udp(address) for address in resolvers),
            *(self._tcp(address) for address in resolvers[:1]),
            *(self._doh(url) for url in settings.doh_resolvers),
            self._advertisers(resolvers[:1]),
        )
        known = self.plan.known_elsewhere
        fresh = self.fresh([*known, *(address for answer in answers for address in answer)])
        await self.test_honest([address for address in fresh if address not in known])

    async def _udp(self, address: str) -> tuple[str, ...]:
        resolver = ResolverAddress(address=address)
        lookup = self.resolution.resolve(resolver, self.plan.host, Reason.OPEN_RESOLVER)
        replies = await lookup.replies()
        return tuple(found for addresses in replies.values() for found in addresses)

    async def _advertisers(self, resolvers: Sequence[str]) -> tuple[str, ...]:
        """Put on record whether the name of advertisers has an address: none of the endpoint's."""
        if self.plan.denied:
            asked = {"name": ADVERTISERS, "reason": Reason.ADVERTISERS}
            await asyncio.gather(
                *(self._tcp(address, **asked) for address in resolvers),
                *(self._doh(url, **asked) for url in self.record.settings.doh_resolvers[:1]),
            )
        return ()

    async def _tcp(
        self, address: str, name: str = "", reason: str = Reason.OPEN_RESOLVER_TCP
    ) -> tuple[str, ...]:
        async def ask(name: str, rtype: str) -> Reply:
            stream = await self.context.network.connect(address, _DNS_PORT)
            self.record.keep(stream)
            return await ask_over_stream(stream, name, rtype)

        label = ResolverAddress(address=address).label
        return await self._recorded(ask, name or self.plan.host, label, "tcp", reason)

    async def _doh(self, url: str, name: str = "", reason: str = Reason.DOH) -> tuple[str, ...]:
        async with asking_doh(self.context, url) as ask:
            return await self._recorded(ask, name or self.plan.host, url, DOH, reason)

    async def _recorded(
        self,
        ask: Callable[[str, str], Awaitable[Reply]],
        name: str,
        resolver: str,
        transport: str,
        reason: str,
    ) -> tuple[str, ...]:
        """The addresses one resolver gives for the name, each query on record."""
        found: list[str] = []
        for rtype in ("A", "AAAA"):
            observation = await stream_query(
                self.record,
                partial(ask, name),
                rtype,
                name=name,
                resolver=resolver,
                transport=transport,
                reason=reason,
            )
            found += observation.addresses
            resolved = bool(found) or rtype == "AAAA"
            self.record.observations.append(with_rcode(observation, resolved=resolved))
        return tuple(found)


class _ResolverOverTcp(_Question):
    async def ask(self) -> None:
        innocuous = self.record.settings.innocuous
        for resolver in self.context.resolvers()[:1]:

            async def ask(rtype: str, resolver: ResolverAddress = resolver) -> Reply:
                stream = await self.context.network.connect(resolver.address, resolver.port)
                self.record.keep(stream)
                return await ask_over_stream(stream, innocuous, rtype)

            observation = await stream_query(
                self.record,
                ask,
                "A",
                name=innocuous,
                resolver=resolver.label,
                transport="tcp",
                reason=Reason.RESOLVER_TCP,
            )
            self.record.observations.append(observation)


class _Flows(_Question):
    """Many handshakes with both names, in turn: how many of each are cut off.

    Neither is verified: whose chain is not known as yet would take two connections, and be cut off
    more often than the other.
    """

    async def ask(self) -> None:
        await self._round(FIRST_FLOWS)
        if undecided(self.record.observations):
            await self._round(FLOWS - FIRST_FLOWS)
            if seems_named(self.record.observations):
                await self._round(MOST_FLOWS - FLOWS)

    async def _round(self, count: int) -> None:
        kinds = (
            (self.plan.host.rstrip("."), Reason.FLOW_NAME),
            (self.record.settings.innocuous, Reason.FLOW_INNOCUOUS),
        )
        await all_of(
            [
                self._one(number, *kind)
                for number, kind in enumerate(kind for _ in range(count) for kind in kinds)
            ]
        )

    async def _one(self, number: int, name: str, reason: str) -> None:
        await asyncio.sleep(number * FLOW_PAUSE)
        opened = await self.connections.connect(self.plan.flows_at, self.plan.port)
        # Others are under way, but the last observation is the one just made.
        self.record.mark(reason, len(self.record.observations) - 1)
        if opened is not None:
            await self.connections.handshake(opened, self.plan.port, name, verify=False)
            self.record.mark(reason, len(self.record.observations) - 1)
            opened.stream.close()


class _Http3(_Question):
    async def ask(self) -> None:
        self.record.endpoint = self.plan.target.endpoint.id  # what an order alone names is limited
        endpoint = Endpoint(kind=EndpointKind.HTTPS, host=self.plan.host, port=self.plan.port)
        await self.applications.ask_over_quic(endpoint, reason=Reason.HTTP3)


def _questions(context: VantageContext, plan: FollowUpPlan, origin: float) -> list[_Question]:
    """The questions that apply: an address has no name to ask about, a proxy hides some layers,
    and a quiet vantage asks nothing, nor anybody about a name with an address scrubbed out of it.
    """
    if context.vantage.profile is Profile.QUIET or PLACEHOLDER in plan.host:
        return []
    proxied = context.vantage.egress.proxied
    if plan.only_http3:
        return [] if proxied else [_Http3(context, plan, origin)]
    if plan.flows_at:
        asks = context.settings.innocuous and not proxied and plan.flows_at not in NOWHERE
        return [_Flows(context, plan, origin)] if asks else []
    asked: list[_Question] = []
    if plan.tls and not is_literal(plan.host):
        if context.settings.innocuous and (plan.failed_addresses or proxied):
            asked.append(_InnocuousName(context, plan, origin))
        if plan.only_innocuous:
            return asked
        if plan.failed_addresses and plan.elsewhere and not proxied:
            asked.append(_NameElsewhere(context, plan, origin))
        if not proxied:
            asked.append(_SmallSegments(context, plan, origin))
            asked.append(_OtherHellos(context, plan, origin))
            asked.append(_Patience(context, plan, origin))
            asked.append(_PrivateAddresses(context, plan, origin))
    if not proxied:
        asked.append(_Neighbours(context, plan, origin))
    if not proxied and not is_literal(plan.host):
        asked.append(_VerifiedBefore(context, plan, origin))
        if plan.denied or (plan.given and NOWHERE.issuperset(plan.given)):
            asked.append(_OwnFilter(context, plan, origin))
        asked.append(_KnownElsewhere(context, plan, origin))
        asked.append(_HonestAnswers(context, plan, origin))
        if plan.resolver_cut and context.settings.innocuous:
            asked.append(_ResolverOverTcp(context, plan, origin))
        if plan.http3:
            asked.append(_Http3(context, plan, origin))
    return asked


async def _collect(questions: Sequence[_Question]) -> tuple[AnyObservation, ...]:
    """All observations, in order; closes each question."""
    try:
        seen = [observation for q in questions for observation in await q.finish()]
    finally:
        for question in questions:
            await question.close()
    # A lookup of the server that was asked is no answer about the endpoint.
    kept = [observation for observation in seen if observation.reason in set(Reason)]
    return tuple(sorted(kept, key=lambda observation: observation.start))


def _is_private(address: str) -> bool:
    """Whether it is an address of a private network, and neither this machine's nor its link's."""
    parsed = ipaddress.ip_address(address)
    return any(parsed.version == network.version and parsed in network for network in _PRIVATE)
