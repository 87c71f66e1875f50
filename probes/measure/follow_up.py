"""What to ask next when something looks wrong, in the same cycle, and the asking.

One failed look suggests; it does not tell a blocked name from a blocked address, a lying resolver
from a moved service, or a middlebox from a broken server. Each question here changes one thing:

| the same | asked of | tells |
|---|---|---|
| address | an innocuous server name | whether the name or the address is blocked |
| address | the name again, after that | whether that difference was one of time |
| server name | an innocuous address | whether the name is blocked wherever it is said |
| name | open resolvers over UDP, TCP and HTTPS | whether our resolver lies, or the path to any |
| name | an address only honest sources gave, verified | whether those answers were the true ones |
| name | QUIC | whether only TCP is blocked |

The number of questions is bounded, they go side by side, and a deadline ends them all. A vantage
with a quiet profile asks none.
"""

import asyncio
import base64
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Sequence
from urllib.parse import urlsplit

import msgspec
import uuid_utils

from probes.catalog.catalog import Endpoint, EndpointKind
from probes.catalog.host import is_literal
from probes.layers.alt_svc import offers_http3
from probes.layers.dns import ask_over_stream, failure_of_reply
from probes.layers.dns_message import Reply, decode_reply, encode_query
from probes.layers.http import exchange
from probes.layers.proxy import FarSideError
from probes.measure.connections import Opened
from probes.measure.follow_up_reasons import Reason
from probes.measure.measurement_run import MeasurementRun
from probes.measure.vantage_context import VantageContext
from probes.measurement import (
    AnyObservation,
    DnsAnswer,
    DnsObservation,
    HttpObservation,
    Measurement,
    Purpose,
    TcpObservation,
    TlsObservation,
    family_of,
)
from probes.sockets.failure_mapping import MalformedReplyError, PeerClosedError, failure_of
from probes.sockets.system_resolvers import ResolverAddress
from probes.target import Target
from probes.vantage import Profile

DEADLINE = 20.0
"""Seconds after which whatever is still open is given up."""
_PER_FAMILY = 1
"""Addresses of each family that are greeted by an innocuous name."""
_HONEST_PER_FAMILY = 2
_DNS_PORT, _HTTPS_PORT = 53, 443
_MESSAGE_LIMIT = 64 * 1024


class FollowUpPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What to ask about one failed look."""

    target: Target
    host: str
    """The name (or address) that failed: the endpoint's, or that of the last redirect."""
    port: int
    tls: bool
    """Whether the endpoint is greeted by TLS."""
    failed_addresses: tuple[str, ...] = ()
    """Addresses that connected and failed after that."""
    given: tuple[str, ...] = ()
    """Addresses the vantage's own resolver gave."""
    known_elsewhere: tuple[str, ...] = ()
    """Addresses that controls used for the name."""
    elsewhere: str = ""
    """Host name of an innocuous server, to say the endpoint's name to."""
    http3: bool = False
    """HTTP/3 is offered on this host and port."""
    only_http3: bool = False
    """Ask nothing else: the endpoint is to show that datagrams leave the vantage."""


def plan_follow_up(
    target: Target,
    failed: Measurement,
    controls: Iterable[Measurement],
    *,
    elsewhere: str,
) -> FollowUpPlan:
    """Read off a failed look, and the controls' looks after it, what is worth asking."""
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
    asked = [
        o.address
        for o in failed.observations
        if isinstance(o, HttpObservation) and urlsplit(o.url).hostname == host
    ]
    known = [address for control in controls for address in _addresses_seen(control, host)]
    tls = endpoint.kind in (EndpointKind.HTTPS, EndpointKind.TLS) or bool(refused)
    return FollowUpPlan(
        target=target,
        host=host,
        port=port,
        tls=tls,
        failed_addresses=_first_of_families(filter(None, refused or asked), _PER_FAMILY),
        given=given,
        known_elsewhere=tuple(dict.fromkeys(known)),
        elsewhere=elsewhere,
        http3=any(_offers_http3(control, host, port) for control in controls),
    )


def plan_http3(target: Target) -> FollowUpPlan:
    """Ask an endpoint that offers HTTP/3 for that alone."""
    endpoint = target.endpoint
    return FollowUpPlan(
        target=target,
        host=endpoint.host,
        port=endpoint.port,
        tls=True,
        http3=True,
        only_http3=True,
    )


async def follow_up(context: VantageContext, plan: FollowUpPlan, *, cycle: str) -> Measurement:
    """Ask everything in the plan. Never raises for what the network does; may be cancelled.

    The measurement's look is `follow_up`, each observation carries its reason, and `reached` says
    that an address only honest sources gave answered as the endpoint should.
    """
    loop = asyncio.get_running_loop()
    origin = loop.time()
    started_at = context.now()
    questions = _questions(context, plan, origin)
    try:
        async with asyncio.timeout(DEADLINE):
            await asyncio.gather(*(question.ask() for question in questions))
    except TimeoutError:
        pass  # what was seen until then is what there is
    finally:
        observations = await _collect(questions)
    vantage = context.vantage
    return Measurement(
        id=str(uuid_utils.uuid7()),
        cycle=cycle,
        vantage=vantage.id,
        country=vantage.country,
        asn=vantage.asn,
        network=vantage.network,
        vantage_role=vantage.role,
        platform=plan.target.platform,
        role=plan.target.role,
        endpoint=plan.target.endpoint.id,
        look=Purpose.FOLLOW_UP,
        started_at=started_at,
        duration=loop.time() - origin,
        observations=observations,
        reached=any(question.worked for question in questions if question.decides),
    )


class _Question(MeasurementRun, ABC):
    """One line of questioning; every observation it makes carries a reason."""

    decides = False
    """Whether success shows the endpoint itself to work."""

    def __init__(self, context: VantageContext, plan: FollowUpPlan, origin: float) -> None:
        super().__init__(context, origin)
        self.plan = plan
        self.worked = False

    @abstractmethod
    async def ask(self) -> None:
        """Ask; everything ends up in the observations."""

    async def greet(self, address: str, name: str, *, verify: bool, reason: str) -> bool:
        """Connect and, where the endpoint speaks TLS, shake hands under `name`."""
        since = len(self.record.observations)
        opened = await self.connections.connect(address, self.plan.port)
        worked = opened is not None
        if opened is not None and self.plan.tls:
            worked = await self.connections.handshake(opened, self.plan.port, name, verify)
            opened.stream.close()
        self.record.mark(reason, since)
        return worked


class _InnocuousName(_Question):
    async def ask(self) -> None:
        if self.context.vantage.egress.proxied:
            await self._ask_through_proxy()
            return
        innocuous = self.record.settings.innocuous
        for address in self.plan.failed_addresses:
            await self.greet(address, innocuous, verify=False, reason=Reason.INNOCUOUS_SNI)
            if self._answered(address):
                name = self.plan.host.rstrip(".")
                await self.greet(address, name, verify=True, reason=Reason.NAME_AGAIN)

    def _answered(self, address: str) -> bool:
        """Whether the innocuous name got any answer of TLS there: a certificate, or an alert."""
        return any(
            isinstance(o, TlsObservation)
            and o.reason == Reason.INNOCUOUS_SNI
            and o.address == address
            and (o.failure is None or o.alert)
            for o in self.record.observations
        )

    async def _ask_through_proxy(self) -> None:
        try:
            async with asyncio.timeout(self.record.settings.tcp_timeout):
                stream = await self.proxy.open(self.plan.host, self.plan.port)
        except (FarSideError, TimeoutError):
            return
        if stream is not None:
            opened = Opened(stream=stream, address="")
            await self.connections.handshake(
                opened, self.plan.port, self.record.settings.innocuous, verify=False
            )
        self.record.mark(Reason.INNOCUOUS_SNI)
        if self._answered(""):
            await self._again_through_proxy()

    async def _again_through_proxy(self) -> None:
        since = len(self.record.observations)
        try:
            async with asyncio.timeout(self.record.settings.tcp_timeout):
                stream = await self.proxy.open(self.plan.host, self.plan.port)
        except (FarSideError, TimeoutError):
            return
        if stream is not None:
            opened = Opened(stream=stream, address="")
            await self.connections.handshake(
                opened, self.plan.port, self.plan.host.rstrip("."), verify=True
            )
        self.record.mark(Reason.NAME_AGAIN, since)


class _NameElsewhere(_Question):
    async def ask(self) -> None:
        families = {family_of(address) for address in self.plan.failed_addresses}
        found = await self.names.addresses(self.plan.elsewhere)
        self.record.mark(Reason.SNI_ELSEWHERE)
        for address in _first_of_families(found, _PER_FAMILY):
            if family_of(address) in families:
                await self.greet(address, self.plan.host, verify=False, reason=Reason.SNI_ELSEWHERE)


class _HonestAddresses(_Question):
    """Try addresses that only honest sources gave."""

    decides = True

    def fresh(self, honest: Iterable[str]) -> tuple[str, ...]:
        """Those of these addresses that our own resolver did not give and that can be tried."""
        families = self.context.network.families()
        usable = [
            address
            for address in dict.fromkeys(honest)
            if address not in self.plan.given
            and address not in self.context.bogons
            and family_of(address) in families
        ]
        return _first_of_families(usable, _HONEST_PER_FAMILY)

    async def greet_honest(self, addresses: Iterable[str]) -> None:
        """A handshake at each, verified for the name."""
        for address in addresses:
            name = self.plan.host.rstrip(".")
            if await self.greet(address, name, verify=True, reason=Reason.HONEST_ADDRESS):
                self.worked = True


class _KnownElsewhere(_HonestAddresses):
    """What controls know needs nobody to be asked, so a slow line leaves time to try it."""

    async def ask(self) -> None:
        await self.greet_honest(self.fresh(self.plan.known_elsewhere))


class _HonestAnswers(_HonestAddresses):
    """Ask others about the name, then try what only they know."""

    async def ask(self) -> None:
        told = await asyncio.gather(
            *(self._udp(address) for address in self.record.settings.open_resolvers),
            *(self._tcp(address) for address in self.record.settings.open_resolvers[:1]),
            *(_Doh(self, url).addresses() for url in self.record.settings.doh_resolvers),
        )
        known = self.plan.known_elsewhere
        fresh = self.fresh([*known, *(address for answer in told for address in answer)])
        await self.greet_honest([address for address in fresh if address not in known])

    async def _udp(self, address: str) -> tuple[str, ...]:
        resolver = ResolverAddress(address=address)
        lookup = self.names.resolve(resolver, self.plan.host, Reason.OPEN_RESOLVER)
        replies = await lookup.replies()
        return tuple(found for addresses in replies.values() for found in addresses)

    async def _tcp(self, address: str) -> tuple[str, ...]:
        async def reply(rtype: str) -> Reply:
            stream = await self.context.network.connect(address, _DNS_PORT)
            self.record.keep(stream)
            return await ask_over_stream(stream, self.plan.host, rtype)

        label = ResolverAddress(address=address).label
        return await self.recorded(reply, label, "tcp", Reason.OPEN_RESOLVER_TCP)

    async def recorded(
        self,
        reply: Callable[[str], Awaitable[Reply]],
        resolver: str,
        transport: str,
        reason: str,
    ) -> tuple[str, ...]:
        """The addresses one resolver gives for the name, each query put on record."""
        found: list[str] = []
        for rtype in ("A", "AAAA"):
            start = self.record.elapsed()
            failure: str | None = None
            answers: tuple[DnsAnswer, ...] = ()
            try:
                async with asyncio.timeout(self.record.settings.dns_timeout):
                    said = await reply(rtype)
            except (OSError, ValueError, PeerClosedError, MalformedReplyError) as error:
                failure = failure_of(error)
            else:
                found += said.addresses
                answers = (
                    DnsAnswer(
                        delay=self.record.elapsed() - start,
                        rcode=said.rcode,
                        addresses=said.addresses,
                        cnames=said.cnames,
                    ),
                )
                failure = failure_of_reply(said.rcode, has_addresses=bool(found) or rtype == "AAAA")
            self.record.observations.append(
                DnsObservation(
                    start=start,
                    duration=self.record.elapsed() - start,
                    failure=failure,
                    reason=reason,
                    name=self.plan.host,
                    rtype=rtype,
                    resolver=resolver,
                    transport=transport,
                    answers=answers,
                )
            )
        return tuple(found)


class _Doh:
    """One DNS-over-HTTPS server (RFC 8484), reached as the vantage reaches any site."""

    def __init__(self, asking: _HonestAnswers, url: str) -> None:
        self._asking = asking
        self._url = url

    async def addresses(self) -> tuple[str, ...]:
        """What it says; its own failures are on record as such."""
        return await self._asking.recorded(self._reply, self._url, "doh", Reason.DOH)

    async def _reply(self, rtype: str) -> Reply:
        asking = self._asking
        # A look of its own: how the server was reached is not an answer about the name.
        side = MeasurementRun(asking.context, asking.record.origin)
        try:
            parts = urlsplit(self._url)
            opened = await side.connections.open(
                parts.hostname or "", parts.port or _HTTPS_PORT, tls=True, verify=True
            )
            if opened is None:
                raise MalformedReplyError("the DoH server cannot be reached")
            query = encode_query(0, asking.plan.host, rtype)
            text = base64.urlsafe_b64encode(query).rstrip(b"=").decode()
            answer = await exchange(
                asking.context.client,
                opened.stream,
                f"{self._url}{'&' if parts.query else '?'}dns={text}",
                user_agent=asking.record.settings.user_agent,
                timeout=asking.record.settings.http_timeout,
                body_limit=_MESSAGE_LIMIT,
                suspicious_limit=_MESSAGE_LIMIT,
                suspicious_statuses=frozenset(),
                trusted=True,
            )
            if answer.failure or answer.status != 200:
                raise MalformedReplyError("the DoH server refused the question")
            return decode_reply(answer.body)
        finally:
            await side.close()


class _Http3(_Question):
    async def ask(self) -> None:
        endpoint = Endpoint(kind=EndpointKind.HTTPS, host=self.plan.host, port=self.plan.port)
        await self.applications.ask_over_quic(endpoint, reason=Reason.HTTP3)


def _questions(context: VantageContext, plan: FollowUpPlan, origin: float) -> list[_Question]:
    """What is worth asking: never about an address what only a name can be asked, and nothing
    where the host would stand out for it."""
    if context.vantage.profile is Profile.QUIET:
        return []
    proxied = context.vantage.egress.proxied
    if plan.only_http3:
        return [] if proxied else [_Http3(context, plan, origin)]
    asked: list[_Question] = []
    if plan.tls and not is_literal(plan.host):
        if context.settings.innocuous and (plan.failed_addresses or proxied):
            asked.append(_InnocuousName(context, plan, origin))
        if plan.failed_addresses and plan.elsewhere and not proxied:
            asked.append(_NameElsewhere(context, plan, origin))
    if not proxied and not is_literal(plan.host):
        asked.append(_KnownElsewhere(context, plan, origin))
        asked.append(_HonestAnswers(context, plan, origin))
        if plan.http3:
            asked.append(_Http3(context, plan, origin))
    return asked


async def _collect(questions: Sequence[_Question]) -> tuple[AnyObservation, ...]:
    """Everything seen, in order, each look let go of."""
    try:
        seen = [observation for q in questions for observation in await q.finish()]
    finally:
        for question in questions:
            await question.close()
    # Lookups on the way to a server that was to be asked are no answers about the endpoint.
    kept = [observation for observation in seen if observation.reason in set(Reason)]
    return tuple(sorted(kept, key=lambda observation: observation.start))


def _answers(look: Measurement, host: str) -> Iterable[str]:
    for observation in look.observations:
        if isinstance(observation, DnsObservation) and observation.name == host:
            for answer in observation.answers:
                yield from answer.addresses


def _addresses_seen(control: Measurement, host: str) -> Iterable[str]:
    """Addresses a control used for `host`: those it was told, and those that worked."""
    yield from _answers(control, host)
    for observation in control.observations:
        if (
            isinstance(observation, TlsObservation)
            and observation.server_name == host
            and observation.address
            and observation.failure is None
        ):
            yield observation.address


def _first_of_families(addresses: Iterable[str], count: int) -> tuple[str, ...]:
    taken: dict[str, list[str]] = {}
    for address in dict.fromkeys(addresses):
        family = taken.setdefault(family_of(address), [])
        if len(family) < count:
            family.append(address)
    return tuple(address for family in taken.values() for address in family)


def _offers_http3(look: Measurement, host: str, port: int) -> bool:
    """Whether `host` said over verified TLS that it speaks HTTP/3 on the port asked."""
    return any(
        name == "alt-svc" and offers_http3(value, host, port)
        for observation in look.observations
        if isinstance(observation, HttpObservation)
        and observation.url.startswith("https:")
        and urlsplit(observation.url).hostname == host
        for name, value in observation.headers
    )
