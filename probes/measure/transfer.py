"""Transfers: bytes over time on one object, which a measurement of 16 KiB cannot show.

One round requests the same object under up to three names, one after the other so that they do
not compete for the line, in an order the caller shuffles:

    target      the object under its own name, on an address of the platform
    innocuous   the same address and request under an innocuous name, certificate not judged
    reference   another object elsewhere, over the same line

Certificates are verified except for the innocuous name, for which a platform's server cannot have
one. That connection carries only this request, which holds no secret: no cookie, no account and no
address of ours.

*Bytes* are those that TCP carries, since a censor counts these, and since of a TLS record nothing
can be read before all 16 KiB of it are here. *Short objects*, as the error page of a server of
pictures, are requested again on the same connection, more of them at once each time, until enough
bytes came. *Patience*: a handshake may take longer than usual, for a throttled one takes seconds.
"""

import asyncio
import math
from collections.abc import Mapping

import msgspec

from probes.catalog.catalog import Endpoint
from probes.failure_strings import Failure
from probes.layers.http import BROWSER, exchange, repeat
from probes.layers.machine_pauses import PauseMeter
from probes.layers.socks5_and_http_connect import ProxyError
from probes.measure.connections import Opened
from probes.measure.measurement_run import MeasurementRun
from probes.measure.vantage_context import VantageContext
from probes.measurement import (
    TRANSFER_INNOCUOUS,
    TRANSFER_REFERENCE,
    TRANSFER_TARGET,
    Measurement,
    Purpose,
    TransferObservation,
    family_of,
    id_at,
)
from probes.sockets.network import Stream

MARKS = 64
IDLE_SHARE = 0.5
"""Share of the deadline without a byte after which a transfer has stalled."""
IDLE_HELLOS = 3.0
"""Times as long as the handshake took, which suffice as well where that is longer."""
MOST_REQUESTS = 256
"""Requests on one connection at most. Answers of 200 bytes then get past 32 KiB."""
LEAST_ANSWER = 200
"""Bytes that an answer is taken to have at least."""
AT_ONCE = 4
"""Requests at once, and how many times as many the next time, while answers take less than SOON."""
SOON = 0.5
"""Seconds."""

_PLAIN: Mapping[str, str] = {"Accept-Encoding": "identity", "Connection": "keep-alive"}
"""Uncompressed: a start page is then large enough to measure."""


class TransferPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What one round requests."""

    platform: str
    function: str
    object: Endpoint
    """An https endpoint."""
    permit: str = ""
    """Id of the catalogue's endpoint by which the object may be reached; empty: its own."""
    variants: tuple[str, ...] = (TRANSFER_TARGET,)
    """Reasons, in the order in which to make them."""
    innocuous: str = ""
    """Server name of the innocuous variant."""
    reference: Endpoint | None = None
    """An https endpoint; needed for the reference variant."""
    bytes_wanted: int = 128 * 1024
    deadline: float = 10.0
    """Seconds from the request; the bytes read until then give the rate."""
    patience: float = 0.0
    """Seconds for a handshake, where that is longer than usual."""


async def transfer(
    context: VantageContext, plan: TransferPlan, *, cycle: str = "", attempt: int = 1
) -> Measurement:
    """One round. Never raises for network failures; may be cancelled at any point.

    Every observation carries the reason of its variant. `reached` says that the target variant
    got all the bytes it wanted, or the whole object, or still received bytes at the deadline.
    """
    run = _Round(context, asyncio.get_running_loop().time())
    started_at = context.now()
    try:
        reached = await run.run_round(plan)
        observations = await run.finish()
    finally:
        await run.close()
    return Measurement(
        id=id_at(started_at),
        cycle=cycle,
        **context.vantage.origin,
        platform=plan.platform,
        function=plan.function,
        endpoint=plan.object.id,
        look=Purpose.TRANSFER,
        attempt=attempt,
        started_at=started_at,
        duration=run.record.elapsed(),
        observations=observations,
        not_observed=context.hidden(plan.object),
        reached=reached,
    )


class _Round(MeasurementRun):
    async def run_round(self, plan: TransferPlan) -> bool:
        """Every variant in turn; True when the target variant works."""
        self._chosen: dict[str, str] = {}
        reached = False
        for reason in plan.variants:
            since = len(self.record.observations)
            endpoint = plan.reference if reason == TRANSFER_REFERENCE else plan.object
            if endpoint is not None:
                done = await self._fetch(plan, reason, endpoint)
                reached = reached or (reason == TRANSFER_TARGET and done)
            self.record.mark(reason, since)
            self.resolution.mark(reason)
        return reached

    async def _fetch(self, plan: TransferPlan, reason: str, endpoint: Endpoint) -> bool:
        """One variant; True when its bytes came as wanted."""
        own = reason != TRANSFER_REFERENCE
        self.record.given = endpoint.host
        self.record.endpoint = plan.permit if own and plan.permit else endpoint.id
        opened = await self._reach(endpoint)
        if opened is None:
            return False
        verified = reason != TRANSFER_INNOCUOUS
        name = endpoint.host.rstrip(".") if verified else plan.innocuous
        patience = max(plan.patience, self.record.settings.tls_timeout)
        if not await self.connections.handshake(
            opened, endpoint.port, name, verified, patience=patience
        ):
            return False
        start = self.record.elapsed()
        # Where the handshake came late, so will the answer.
        hello = self.record.observations[-1].duration
        idle = max(plan.deadline * IDLE_SHARE, IDLE_HELLOS * hello)
        counted = CountedStream(opened.stream, idle=idle)
        with PauseMeter() as machine:
            failure = await self._download(plan, endpoint, counted)
        opened.stream.close()
        if failure == Failure.GENERIC_TIMEOUT and not counted.stalled:
            failure = None  # bytes kept coming until the deadline, or were not due yet
        self.record.observations.append(
            TransferObservation(
                start=start,
                duration=self.record.elapsed() - start,
                failure=failure,
                url=endpoint.id,
                address=opened.address,
                server_name=name,
                verified=verified,
                first_byte=counted.marks[0][0] if counted.marks else 0.0,
                bytes_before=counted.before,
                bytes_wanted=plan.bytes_wanted,
                bytes_read=counted.total,
                marks=tuple(counted.marks),
                held_up=round(machine.held_up, 4),
            )
        )
        return failure is None

    async def _download(
        self, plan: TransferPlan, endpoint: Endpoint, counted: "CountedStream"
    ) -> str | None:
        """Read the object, a short one several times; the failure."""
        client, agent = self.context.client, self.record.settings.user_agent
        loop = asyncio.get_running_loop()
        until = loop.time() + plan.deadline
        answer = await exchange(
            client,
            counted,
            endpoint.id,
            user_agent=agent,
            timeout=plan.deadline,
            body_limit=plan.bytes_wanted,
            more_headers=_PLAIN,
        )
        if not answer.lasts or self.record.endpoint in self.context.ordered:
            return answer.failure
        # Short ones: what is sent takes its share of a line that is held to a rate.
        headers = {"User-Agent": agent or BROWSER["User-Agent"], "Accept": "*/*"}
        each, made, several = max(LEAST_ANSWER, counted.total), 1, AT_ONCE
        more, failure = True, None
        while more and failure is None and counted.total < plan.bytes_wanted:
            left = plan.bytes_wanted - counted.total
            count = min(several, math.ceil(left / each), MOST_REQUESTS - made)
            if not count:
                break
            began = loop.time()
            failure, more = await repeat(
                client,
                counted,
                endpoint.id,
                count,
                most=left,
                headers=headers,
                timeout=until - began,
            )
            made += count
            if loop.time() - began < SOON:
                several *= AT_ONCE
        return failure

    async def _reach(self, endpoint: Endpoint) -> Opened | None:
        """A connection to the host, each time at the same address."""
        if self.context.vantage.egress.proxied:
            return await self._reach_through_proxy(endpoint)
        host = endpoint.host
        if host in self._chosen:
            return await self.connections.connect(self._chosen[host], endpoint.port)
        families = self.context.network.families()
        found = [a for a in await self.resolution.addresses(host) if family_of(a) in families]
        found.sort(key=lambda address: families.index(family_of(address)))
        for address in found[: self.record.settings.max_addresses]:
            opened = await self.connections.connect(address, endpoint.port)
            if opened is not None:
                self._chosen[host] = address
                return opened
        return None

    async def _reach_through_proxy(self, endpoint: Endpoint) -> Opened | None:
        try:
            for target in (await self.connections.targets_of_proxy(endpoint.host))[:1]:
                return await self.connections.connect_through_proxy(target, endpoint.port)
        except ProxyError:
            pass  # on record as the proxy's own failure
        return None


class CountedStream:
    """A ByteStream that notes how many bytes came by when, and gives up on silence."""

    def __init__(self, stream: Stream, *, idle: float) -> None:
        """`idle`: seconds without a byte after which `receive` raises TimeoutError."""
        self.before = stream.received
        """Bytes that came earlier on this connection."""
        self.marks: list[tuple[float, int]] = []
        """(seconds since this was made, bytes so far), at most MARKS, thinned evenly."""
        self.stalled = False
        self._stream = stream
        self._idle = idle
        self._patience: asyncio.Timeout | None = None
        self._loop = asyncio.get_running_loop()
        self._origin = self._loop.time()
        stream.on_received = self._note

    @property
    def total(self) -> int:
        """Bytes that came since this was made."""
        return self._stream.received - self.before

    async def send(self, data: bytes) -> None:
        await self._stream.send(data)

    async def receive(self, limit: int) -> bytes:
        """As the stream. Raises TimeoutError after `idle` seconds without a byte, even a part of
        what cannot be read yet."""
        self._patience = asyncio.timeout(self._idle)
        try:
            async with self._patience:
                return await self._stream.receive(limit)
        except TimeoutError:
            self.stalled = self._patience.expired()
            raise
        finally:
            self._patience = None

    def _note(self) -> None:
        now = self._loop.time()
        if self._patience is not None:
            self._patience.reschedule(now + self._idle)
        if len(self.marks) == MARKS:
            # Drop every other one, never the first: it holds the delay of the first byte.
            del self.marks[1::2]
        self.marks.append((now - self._origin, self.total))
