"""Bytes over time on one object: what a look that stops at 16 KiB cannot see.

One round asks for the same object under up to three names, one after the other so that they do
not compete for the line, in an order the caller shuffles:

    target      the object under its own name, on an address of the platform
    innocuous   the same address and request under a name nobody minds, certificate not judged
    reference   another object elsewhere, over the same line

Certificates are verified except for the innocuous name, which a platform's server cannot have one
for. Over that connection nothing goes but this one request, whose secrets are none: it holds no
cookie, no account and no address of ours.
"""

import asyncio
from collections.abc import Mapping

import msgspec
import uuid_utils

from probes.catalog.catalog import Endpoint
from probes.catalog.host import is_literal
from probes.failure import Failure
from probes.layers.http import exchange
from probes.layers.machine_pauses import PauseMeter
from probes.layers.proxy import FarSideError
from probes.measure.connections import Opened
from probes.measure.measurement_run import MeasurementRun
from probes.measure.vantage_context import VantageContext
from probes.measurement import (
    TRANSFER_INNOCUOUS,
    TRANSFER_REFERENCE,
    TRANSFER_TARGET,
    Layer,
    Measurement,
    Purpose,
    TcpObservation,
    TransferObservation,
    family_of,
)
from probes.sockets.failure_mapping import failure_of
from probes.sockets.network import Stream, TlsFacts

MARKS = 64
IDLE_SHARE = 0.5
"""Share of the deadline without a single byte after which a transfer has stalled. Long enough for a
line of 30 kbit/s to finish a TLS record of 16 KiB, which arrives as one piece."""

_PLAIN: Mapping[str, str] = {"Accept-Encoding": "identity"}
"""Uncompressed: a start page is then large enough to measure."""


class TransferPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What one round asks for."""

    platform: str
    role: str
    object: Endpoint
    """An https endpoint."""
    variants: tuple[str, ...] = (TRANSFER_TARGET,)
    """Reasons, in the order they are to be made."""
    innocuous: str = ""
    """Server name of the innocuous variant."""
    reference: Endpoint | None = None
    """An https endpoint; needed for the reference variant."""
    bytes_wanted: int = 128 * 1024
    deadline: float = 10.0
    """Seconds from the request; what came until then gives the rate."""


async def transfer(
    context: VantageContext, plan: TransferPlan, *, cycle: str = "", attempt: int = 1
) -> Measurement:
    """One round. Never raises for what the network does; may be cancelled at any point.

    Every observation carries the reason of its variant. `reached` says that the target variant
    got all it asked for, or as much as there was, or was still getting it at the deadline.
    """
    under_way = _Round(context, asyncio.get_running_loop().time())
    started_at = context.now()
    try:
        reached = await under_way.run_round(plan)
        observations = await under_way.finish()
    finally:
        await under_way.close()
    vantage = context.vantage
    return Measurement(
        id=str(uuid_utils.uuid7()),
        cycle=cycle,
        vantage=vantage.id,
        country=vantage.country,
        asn=vantage.asn,
        network=vantage.network,
        vantage_role=vantage.role,
        platform=plan.platform,
        role=plan.role,
        endpoint=plan.object.id,
        look=Purpose.TRANSFER,
        attempt=attempt,
        started_at=started_at,
        duration=under_way.record.elapsed(),
        observations=observations,
        not_observed=_not_observed(context),
        reached=reached,
    )


def _not_observed(context: VantageContext) -> tuple[Layer, ...]:
    if not context.vantage.egress.proxied:
        return ()
    return (Layer.DNS, Layer.TCP) if context.vantage.resolver.system else (Layer.TCP,)


class _Round(MeasurementRun):
    """The state of one round."""

    async def run_round(self, plan: TransferPlan) -> bool:
        """Every variant in turn; True when the target's worked."""
        self._chosen: dict[str, str] = {}
        reached = False
        for reason in plan.variants:
            seen = len(self.record.observations)
            opened = await self._open_variant(plan, reason)
            if opened is not None:
                done = await self._read(plan, reason, opened)
                reached = reached or (reason == TRANSFER_TARGET and done.failure is None)
                self.record.observations.append(done)
            self.record.mark(reason, seen)
            self.names.mark(reason)
        return reached

    async def _open_variant(self, plan: TransferPlan, reason: str) -> Opened | None:
        endpoint = plan.reference if reason == TRANSFER_REFERENCE else plan.object
        if endpoint is None:
            return None
        self.record.given = endpoint.host
        opened = await self._reach(endpoint)
        if opened is None:
            return None
        innocuous = reason == TRANSFER_INNOCUOUS
        name = plan.innocuous if innocuous else endpoint.host.rstrip(".")
        shaken = await self.connections.handshake(opened, endpoint.port, name, not innocuous)
        return opened if shaken else None

    async def _reach(self, endpoint: Endpoint) -> Opened | None:
        """A connection to the host, to the same address each time."""
        if self.context.vantage.egress.proxied:
            return await self._reach_through_proxy(endpoint)
        host = endpoint.host
        if host in self._chosen:
            return await self.connections.connect(self._chosen[host], endpoint.port)
        families = self.context.network.families()
        found = [a for a in await self.names.addresses(host) if family_of(a) in families]
        found.sort(key=lambda address: families.index(family_of(address)))
        for address in found[: self.record.settings.max_addresses]:
            opened = await self.connections.connect(address, endpoint.port)
            if opened is not None:
                self._chosen[host] = address
                return opened
        return None

    async def _reach_through_proxy(self, endpoint: Endpoint) -> Opened | None:
        target = endpoint.host
        if not self.context.vantage.resolver.system:
            found = await self.names.addresses(endpoint.host)
            if not found:
                return None
            target = found[0]
        address = target if is_literal(target) else ""
        start = self.record.elapsed()
        try:
            async with asyncio.timeout(self.record.settings.tcp_timeout):
                stream = await self.proxy.open(target, endpoint.port)
        except (FarSideError, TimeoutError) as error:
            self.record.observations.append(
                TcpObservation(
                    start=start,
                    duration=self.record.elapsed() - start,
                    failure=error.failure if isinstance(error, FarSideError) else failure_of(error),
                    address=address,
                    port=endpoint.port,
                )
            )
            return None
        return None if stream is None else Opened(stream=stream, address=address)

    async def _read(self, plan: TransferPlan, reason: str, opened: Opened) -> TransferObservation:
        endpoint = plan.reference if reason == TRANSFER_REFERENCE else plan.object
        innocuous = reason == TRANSFER_INNOCUOUS
        assert endpoint is not None  # noqa: S101 # narrows for the type checker
        start = self.record.elapsed()
        counted = CountedStream(opened.stream, idle=plan.deadline * IDLE_SHARE)
        with PauseMeter() as machine:
            answer = await exchange(
                self.context.client,
                counted,
                endpoint.id,
                user_agent=self.record.settings.user_agent,
                timeout=plan.deadline,
                body_limit=plan.bytes_wanted,
                suspicious_limit=plan.bytes_wanted,
                suspicious_statuses=frozenset(),
                trusted=True,
                more_headers=_PLAIN,
            )
        opened.stream.close()
        failure = answer.failure
        if failure == Failure.GENERIC_TIMEOUT and counted.marks and not counted.stalled:
            failure = None  # bytes kept coming until we had seen enough
        return TransferObservation(
            start=start,
            duration=answer.duration,
            failure=failure,
            url=endpoint.id,
            address=opened.address,
            server_name=plan.innocuous if innocuous else endpoint.host.rstrip("."),
            verified=not innocuous,
            first_byte=counted.marks[0][0] if counted.marks else 0.0,
            bytes_wanted=plan.bytes_wanted,
            bytes_read=counted.total,
            marks=tuple(counted.marks),
            held_up=round(machine.held_up, 4),
        )


class CountedStream:
    """A Stream that notes when how many bytes had come, and gives up on silence."""

    def __init__(self, stream: Stream, *, idle: float) -> None:
        """`idle`: seconds without a byte after which `receive` raises TimeoutError."""
        self.total = 0
        self.marks: list[tuple[float, int]] = []
        """(seconds since this was made, bytes so far), at most MARKS, thinned out evenly."""
        self.stalled = False
        self._stream = stream
        self._idle = idle
        self._loop = asyncio.get_running_loop()
        self._origin = self._loop.time()

    @property
    def local_address(self) -> str:
        """The stream's."""
        return self._stream.local_address

    def retransmits(self) -> int:
        """The stream's."""
        return self._stream.retransmits()

    async def start_tls(self, server_name: str, *, verify: bool) -> TlsFacts:
        """The stream's."""
        return await self._stream.start_tls(server_name, verify=verify)

    def peer_chain(self) -> tuple[bytes, ...]:
        """The stream's."""
        return self._stream.peer_chain()

    async def send(self, data: bytes) -> None:
        """The stream's."""
        await self._stream.send(data)

    def close(self) -> None:
        """The stream's."""
        self._stream.close()

    async def receive(self, limit: int) -> bytes:
        """The stream's, noted. Raises TimeoutError when nothing comes for too long."""
        patience = asyncio.timeout(self._idle)
        try:
            async with patience:
                data = await self._stream.receive(limit)
        except TimeoutError:
            self.stalled = patience.expired()
            raise
        if data:
            self._note(len(data))
        return data

    def _note(self, count: int) -> None:
        self.total += count
        if len(self.marks) == MARKS:
            # Every other one goes, never the first: it holds the delay of the first byte.
            del self.marks[1::2]
        self.marks.append((self._loop.time() - self._origin, self.total))
