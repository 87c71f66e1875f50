"""The DNS layer: ask one resolver for A and AAAA, and keep every reply within the window.

The first replies are used at once, and the socket stays open while the measurement goes on: a
second, honest answer reveals an injected first one. A record type without an answer delays the
measurement only briefly. Its answer, or its silence, is recorded all the same, and where nothing is
connected by then its addresses are tried.
"""

import asyncio
import secrets
from collections.abc import Callable

from probes.failure_strings import Failure
from probes.layers.dns_message import Reply, decode_reply, encode_query
from probes.measurement import LATE_ANSWER, DnsAnswer, DnsObservation
from probes.sockets.failure_mapping import MalformedReplyError, PeerClosedError, failure_of
from probes.sockets.network import Datagrams, Network, Stream, receive_exactly
from probes.sockets.system_resolvers import ResolverAddress

_TRIES = 3
"""Queries sent for each question, spread evenly over the timeout."""
RESOLUTION_DELAY = 0.5
"""Seconds the other record type gets once one has addresses, before the measurement goes on. RFC
8305 section 3 gives less time, but a measurement should see both families."""
_MOST_ANSWERS = 8
"""Replies kept for each question: enough for evidence, even in a flood."""
_USUAL_REPLY, _MANY = 220, 1500
"""Bytes of an ordinary reply, and how many more are counted apart."""

_BY_RCODE = {
    "NXDOMAIN": Failure.DNS_NXDOMAIN,
    "SERVFAIL": Failure.DNS_SERVFAIL,
    "REFUSED": Failure.DNS_REFUSED,
}


class _Question:
    """One record type of one name, and its replies."""

    def __init__(self, rtype: str, ready: "asyncio.Future[None]") -> None:
        self.rtype = rtype
        self.ready = ready
        self.late: asyncio.Future[None] | None = None
        """Awaited in place of `ready` once the measurement went on without a reply."""
        self.ids: list[int] = []
        self.sent_at: list[float] = []
        self.answers: list[DnsAnswer] = []
        self.error: str | None = None
        self.ended_at = 0.0
        """Loop time of the error."""
        self.truncated = False
        self.received = 0
        """Bytes that came."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """Addresses of the first reply that has any."""
        return next((answer.addresses for answer in self.answers if answer.addresses), ())

    @property
    def besides(self) -> int:
        """Bytes that came besides ordinary replies; 0 where these explain them."""
        besides = self.received - _USUAL_REPLY * len(self.answers)
        return besides if besides > _MANY else 0

    def settle(self, now: float, error: str | None = None) -> None:
        """Note that there is a reply, or will be none, and resume whoever waits."""
        waiting = self.ready if self.late is None else self.late
        if not waiting.done():
            self.error, self.ended_at = error, now
            waiting.set_result(None)

    def pass_over(self) -> None:
        """Let the measurement go on, and keep waiting for a reply."""
        if not self.ready.done():
            self.late = self.ready.get_loop().create_future()
            self.ready.set_result(None)

    @property
    def settled(self) -> bool:
        """Whether there is a reply, or none will come."""
        return self.ready.done() if self.late is None else self.late.done()

    def is_answered_by(self, reply: Reply, name: str) -> bool:
        """Whether `reply` is to one of the queries sent."""
        return reply.id in self.ids and reply.is_about(name, self.rtype)


class DnsLookup:
    """One lookup of one name over UDP. Call `start`, `replies`, and at the end `finish`."""

    def __init__(
        self,
        network: Network,
        resolver: ResolverAddress,
        name: str,
        *,
        rtypes: tuple[str, ...],
        timeout: float,
        window: float,
        origin: float,
        on_local_address: Callable[[str], None],
    ) -> None:
        """`timeout` and `window` are in seconds; `origin` is the loop time of the start."""
        self._network = network
        self._resolver = resolver
        self._name = name
        self._timeout = timeout
        self._window = window
        self._origin = origin
        self._on_local_address = on_local_address
        self._loop = asyncio.get_running_loop()
        self._questions = [_Question(rtype, self._loop.create_future()) for rtype in rtypes]
        self._socket: Datagrams | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._grace: asyncio.TimerHandle | None = None
        self._started = self._loop.time()
        self._first_reply_at: float | None = None
        self._resolved = False
        self._taken = False

    def start(self) -> None:
        """Send the first queries. Failures appear in the observations."""
        self._started = self._loop.time()
        try:
            self._socket = self._network.open_datagrams(
                self._resolver.address, self._resolver.port, self._received, self._failed
            )
            self._on_local_address(self._socket.local_address)
        except OSError as error:
            self._failed(error)
            return
        self._send()

    def _send(self) -> None:
        waiting = [question for question in self._questions if not question.settled]
        if not waiting or self._socket is None:
            return
        now = self._loop.time()
        for question in waiting:
            if len(question.ids) >= _TRIES:
                question.settle(now, Failure.GENERIC_TIMEOUT)
                continue
            try:
                query_id = secrets.randbelow(1 << 16)
                self._socket.send(encode_query(query_id, self._name, question.rtype))
            except OSError as error:
                # Mostly the ICMP error to an earlier query, which the socket reports only once.
                self._failed(error)
                return
            except ValueError as error:
                question.settle(now, failure_of(error))
            else:
                question.ids.append(query_id)
                question.sent_at.append(now)
        self._timer = self._loop.call_later(self._timeout / _TRIES, self._send)

    def _failed(self, error: OSError) -> None:
        for question in self._questions:
            question.settle(self._loop.time(), failure_of(error))

    def _received(self, data: bytes) -> None:
        try:
            reply = decode_reply(data)
        except MalformedReplyError:
            # Whoever can garble a reply can also drop it: keep waiting for an honest one.
            self._questions[0].received += len(data)
            return
        for question in self._questions:
            if question.is_answered_by(reply, self._name):
                question.received += len(data)
                self._record(question, reply)
                return
        self._questions[0].received += len(data)

    def _record(self, question: _Question, reply: Reply) -> None:
        now = self._loop.time()
        query = question.ids.index(reply.id)
        question.truncated |= reply.truncated
        if len(question.answers) < _MOST_ANSWERS:
            delay = now - question.sent_at[query]
            question.answers.append(answer_of(reply, delay, query + 1))
        if self._first_reply_at is None:
            self._first_reply_at = now
        question.settle(now)
        if reply.addresses and self._grace is None and not all(q.settled for q in self._questions):
            self._grace = self._loop.call_later(RESOLUTION_DELAY, self._pass_over)

    def _pass_over(self) -> None:
        for question in self._questions:
            question.pass_over()

    async def replies(self) -> dict[str, tuple[str, ...]]:
        """Wait for the first reply (or the failure) of each question: record type → addresses.

        Once one has addresses the others get RESOLUTION_DELAY seconds more.
        """
        for question in self._questions:
            await question.ready
        for question in self._questions:
            if question.truncated and not question.addresses:
                await self._ask_over_tcp(question)
        found = {question.rtype: question.addresses for question in self._questions}
        self._resolved = any(found.values())
        return found

    @property
    def passed_over(self) -> bool:
        """Whether `replies` went on without the answer to a question."""
        return any(question.late is not None for question in self._questions)

    async def late(self) -> None:
        """Wait for the answers that `replies` went on without, or for their timeout."""
        waiting = [question.late for question in self._questions if question.late is not None]
        if waiting:
            await asyncio.wait(waiting)  # never cancels them: `finish` waits for them, too

    def take_late(self) -> tuple[str, ...]:
        """The addresses in those answers, to be tried: so they count as if they came in time."""
        self._taken = True
        late = (q for q in self._questions if q.late is not None and q.error is None)
        return tuple(address for question in late for address in question.addresses)

    @property
    def answered(self) -> bool:
        """True when any reply came at all."""
        return self._first_reply_at is not None

    async def _ask_over_tcp(self, question: _Question) -> None:
        sent_at = self._loop.time()
        try:
            async with asyncio.timeout(self._timeout):
                stream = await self._network.connect(self._resolver.address, self._resolver.port)
                try:
                    self._on_local_address(stream.local_address)
                    reply = await ask_over_stream(stream, self._name, question.rtype)
                finally:
                    question.received += stream.received
                    stream.close()
        except (OSError, MalformedReplyError, PeerClosedError) as error:
            question.error, question.ended_at = failure_of(error), self._loop.time()
            return
        question.ids.append(reply.id)
        question.sent_at.append(sent_at)
        self._record(question, reply)

    async def finish(self) -> tuple[DnsObservation, ...]:
        """Listen until the window ends, close, and return the observations."""
        try:
            await self.late()
            if self._first_reply_at is not None:
                rest = self._first_reply_at + self._window - self._loop.time()
                if rest > 0:
                    await asyncio.sleep(rest)
        finally:
            self.close()
        return tuple(self._observation(question) for question in self._questions)

    def close(self) -> None:
        """Release socket and timers; safe to call again."""
        if self._timer is not None:
            self._timer.cancel()
        if self._grace is not None:
            self._grace.cancel()
        if self._socket is not None:
            self._socket.close()

    def _not_tried(self, question: _Question) -> bool:
        return question.late is not None and bool(question.answers) and not self._taken

    def _observation(self, question: _Question) -> DnsObservation:
        first = question.answers[0] if question.answers else None
        if question.error is not None:
            # No reply came in time, or only a truncated one that TCP did not complete. The
            # measurement went on without it, whatever arrived afterwards.
            failure: str | None = question.error
            ended = question.ended_at
        elif first is None:
            failure, ended = Failure.GENERIC_TIMEOUT, self._loop.time()
        else:
            # A question without a reply might have brought addresses.
            open_still = any(q.error is not None or not q.answers for q in self._questions)
            failure = failure_of_reply(first.rcode, has_addresses=self._resolved or open_still)
            ended = question.sent_at[first.query - 1] + first.delay
        return DnsObservation(
            start=self._started - self._origin,
            duration=ended - self._started,
            failure=failure,
            reason=LATE_ANSWER if self._not_tried(question) else "",
            name=self._name,
            rtype=question.rtype,
            resolver=self._resolver.label,
            stub=self._resolver.stub,
            tries=max(1, first.query if first else len(question.ids)),
            answers=tuple(question.answers),
            bytes_besides=question.besides,
        )


def answer_of(reply: Reply, delay: float, query: int = 1) -> DnsAnswer:
    """A reply as it is recorded; `delay` and `query` as in DnsAnswer."""
    return DnsAnswer(
        delay=delay, rcode=reply.rcode, addresses=reply.addresses, cnames=reply.cnames, query=query
    )


def failure_of_reply(rcode: str, *, has_addresses: bool) -> str | None:
    """The failure of a reply code; an empty NOERROR fails only if no type has addresses.

    Pass `has_addresses` as true also where a reply that may have held some never came.
    """
    if rcode == "NOERROR":
        return None if has_addresses else Failure.DNS_NO_ANSWER
    return _BY_RCODE.get(rcode, Failure.DNS_SERVER_MISBEHAVING)


async def ask_over_stream(stream: Stream, name: str, rtype: str) -> Reply:
    """One query over an open TCP stream (RFC 1035 section 4.2.2). Raises as the stream does."""
    query_id = secrets.randbelow(1 << 16)
    query = encode_query(query_id, name, rtype)
    await stream.send(len(query).to_bytes(2, "big") + query)
    length = int.from_bytes(await receive_exactly(stream, 2), "big")
    reply = decode_reply(await receive_exactly(stream, length))
    if reply.id != query_id or not reply.is_about(name, rtype):
        raise MalformedReplyError("reply to another query")
    return reply
