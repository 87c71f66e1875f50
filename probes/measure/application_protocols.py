"""The questions of one measurement in other protocols than HTTP over TCP: those of chat servers,
STUN, NTP, HTTP/3."""

from typing import assert_never

from probes.catalog.catalog import Endpoint, certificates_for
from probes.catalog.endpoint_kinds import EndpointKind, Protocol
from probes.layers.app_answer import AppAnswer
from probes.layers.ntp import ask_time
from probes.layers.stun import ask_binding
from probes.layers.telegram import ask_res_pq
from probes.measure.concurrently import all_of
from probes.measure.connections import Connections, Opened
from probes.measure.unscrubbed_record import UnscrubbedRecord
from probes.measurement import AppObservation


class Applications:
    """Asks applications on behalf of one measurement."""

    def __init__(self, record: UnscrubbedRecord, connections: Connections) -> None:
        self._record = record
        self._context = record.context
        self._connections = connections

    async def ask(self, protocol: Protocol, opened: Opened, endpoint: Endpoint) -> bool:
        """Ask an endpoint its protocol's first question over an open stream, then close that; True
        when it answers."""
        start = self._record.elapsed()
        timeout = self._record.app_timeout
        match protocol:
            case Protocol.MTPROTO:
                answer = await ask_res_pq(opened.stream, timeout)
            case Protocol.WHATSAPP:
                # Imported here: the library costs memory that most other probing never needs.
                from probes.layers.whatsapp import ask_server_hello

                answer = await ask_server_hello(opened.stream, timeout)
            case _:
                assert_never(protocol)
        opened.stream.close()
        return self._note(start, answer, protocol, opened.address, endpoint.port)

    async def ask_over_udp(self, endpoint: Endpoint) -> bool:
        """Ask a STUN or NTP server at each of its addresses; True when one of them answers."""
        by_family = await self._connections.by_family(endpoint.host)
        if self._context.vantage.egress.proxied:
            return False
        addresses = [address for family in by_family for address in family]
        answered = await all_of([self._datagram(endpoint, address) for address in addresses])
        return any(answered)

    async def _datagram(self, endpoint: Endpoint, address: str) -> bool:
        start = self._record.elapsed()
        where = (self._context.network, address, endpoint.port)
        timeout, own = self._record.app_timeout, self._record.own.add
        if endpoint.kind is EndpointKind.NTP:
            answer = await ask_time(*where, timeout=timeout, on_local_address=own)
        elif endpoint.kind is EndpointKind.STUN:
            answer = await ask_binding(
                *where, timeout=timeout, on_local_address=own, on_exit=self._context.heard_exit
            )
        else:
            raise ValueError(f"{endpoint.kind} has no question over UDP")
        return self._note(start, answer, endpoint.kind, address, endpoint.port)

    def _note(
        self, start: float, answer: AppAnswer, protocol: str, address: str, port: int
    ) -> bool:
        """Record what an application answered; True when it is the right answer."""
        self._record.observations.append(
            AppObservation(
                start=start,
                duration=self._record.elapsed() - start,
                failure=answer.failure,
                protocol=protocol,
                address=address,
                port=port,
                first_reply=answer.first_reply,
            )
        )
        return answer.failure is None

    async def ask_over_quic(self, endpoint: Endpoint, *, reason: str = "") -> None:
        """One HTTP/3 request to the first address of each family; only for https endpoints."""
        if endpoint.kind is not EndpointKind.HTTPS:
            return
        # Imported here: the library costs memory and time that most vantages never need.
        from probes.layers.quic import measure_quic
        from probes.layers.quic_certificate import Trusted

        name = endpoint.host.rstrip(".")
        trusted = Trusted(
            files=self._record.settings.trust_anchors,
            certificates=certificates_for(name, self._context.authorities),
        )

        measured = [
            measure_quic(
                self._context.network,
                addresses[0],
                endpoint.port,
                name,
                url_path=endpoint.path,
                timeout=self._record.settings.http_timeout,
                trusted=trusted,
                start=self._record.elapsed(),
                reason=reason,
                user_agent=self._record.settings.user_agent,
                on_local_address=self._record.own.add,
            )
            for addresses in await self._connections.by_family(endpoint.host)
        ]
        self._record.observations += await all_of(measured)
