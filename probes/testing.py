"""ScriptedNetwork: the Network protocol without a socket, for tests of measurements.

A script says what each resolver and each peer does. The network plays it the same way every time
and remembers what it was sent:

    network = ScriptedNetwork()
    network.resolver("192.0.2.53").answers("x.com", "A", DnsReply(addresses=("203.0.113.10",)))
    network.peer("203.0.113.10", 443, Peer(tls=reset_by_peer()))

    network.datagram_peer("203.0.113.10", 3478, lambda request: [answer_to(request)])

A resolver or peer without a script stays silent, and a name without an answer does not exist.
Failures are the exceptions that real sockets raise, so that tests go through the same mapping as
measurements in the field.

Time is the event loop's. On a `VirtualClockLoop` a deadline of ten seconds passes at once, and
every duration is exactly what the script says:

    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        measurement = runner.run(prober.measure(target))
"""

import asyncio
import errno
import os
import selectors
import ssl
import struct
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from ipaddress import ip_address
from typing import Any, TypeVar, TypeVarTuple

import msgspec

from probes.layers.dns_message import TYPES, encode_name
from probes.measurement import Hello, family_of
from probes.sockets.network import OnDatagram, OnError, TlsFacts

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_RCODES = {"NOERROR": 0, "FORMERR": 1, "SERVFAIL": 2, "NXDOMAIN": 3, "NOTIMP": 4, "REFUSED": 5}
_TYPE_NAMES = {number: name for name, number in TYPES.items()}
_RESPONSE, _TRUNCATED, _RECURSION = 0x8000, 0x0200, 0x0180


class Hang(msgspec.Struct, frozen=True):
    """The peer keeps the connection open and sends nothing more."""


HANG = Hang()
TLS_1_3 = TlsFacts(version="TLSv1.3", cipher="TLS_AES_256_GCM_SHA384", alpn="http/1.1")


class DnsReply(msgspec.Struct, frozen=True, kw_only=True):
    """One datagram a resolver sends back."""

    rcode: str = "NOERROR"
    addresses: tuple[str, ...] = ()
    cnames: tuple[str, ...] = ()
    """A chain from the name asked; the addresses belong to the last name."""
    delay: float = 0.0
    """Seconds after the query."""
    truncated: bool = False
    question: bool = True
    """False omits the question, as some servers do in errors."""
    wrong_id: bool = False
    raw: bytes | None = None
    """Sent as it is in place of a reply."""
    to_query: int = 0
    """Sent only to the nth query for this name and type, counting from 1; 0: to each."""


Answers = Callable[[bytes], Sequence[bytes]]
"""The datagrams that answer one datagram."""
PeerReply = bytes | Callable[[bytes], bytes] | OSError | Hang


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """A TCP server's behaviour, stage by stage."""

    connect: OSError | Hang | None = None
    """The exception of connect, or HANG for a dropped SYN; None accepts."""
    connect_delay: float = 0.0
    """Seconds."""
    retransmits: int = 0
    tls: TlsFacts | OSError | Hang = TLS_1_3
    """The result or exception of the handshake; HANG stays silent after the client's hello."""
    tls_delay: float = 0.0
    """Seconds."""
    short: Mapping[str, TlsFacts | OSError | Hang] = {}
    """Of greetings that are not the usual ones, by server name; by default as `tls`."""
    named: Mapping[str, OSError | Hang] = {}
    """Of every greeting with one of these server names; by default as the others."""
    chain: tuple[bytes, ...] = (b"certificate of the peer",)
    """DER certificates it presents; () when a reset or hang comes before them."""
    replies: tuple[PeerReply, ...] = ()
    """What `receive` gets in turn: bytes, a function that makes them from the bytes sent so far, an
    exception, or HANG; then the end of the stream."""
    reply_delay: float = 0.0
    """Seconds before each of these."""


class ScriptedResolver:
    """A resolver's answers. Every method returns the resolver, for chaining."""

    def __init__(self, *, silent: bool = False) -> None:
        """`silent`: answer nothing at all."""
        self.queries: list[tuple[str, str]] = []
        """Name and record type of every query over UDP, in order."""
        self.tcp_queries: list[tuple[str, str]] = []
        self._udp: dict[tuple[str, str], tuple[DnsReply, ...]] = {}
        self._tcp: dict[tuple[str, str], DnsReply] = {}
        self._error: tuple[OSError, float] | None = None
        self._silent = silent
        self._ignored: set[str] = set()
        self._asked: Counter[tuple[str, str]] = Counter()
        """How often each question came over UDP."""

    def answers(self, name: str, rtype: str, *replies: DnsReply) -> "ScriptedResolver":
        """Reply to each query for that name and type; the other type has no addresses."""
        self._udp[name, rtype] = replies
        return self

    def answers_over_tcp(self, name: str, rtype: str, reply: DnsReply) -> "ScriptedResolver":
        """Reply to a query over TCP; without a reply the connection ends."""
        self._tcp[name, rtype] = reply
        return self

    def stays_silent(self, name: str) -> "ScriptedResolver":
        """Answer no query for `name`."""
        self._ignored.add(name)
        return self

    def fails(self, error: OSError, *, delay: float = 0.0) -> "ScriptedResolver":
        """Answer every query with an ICMP error after `delay` seconds."""
        self._error = (error, delay)
        return self

    def _replies(self, name: str, rtype: str) -> tuple[DnsReply, ...]:
        if self._silent or name in self._ignored:
            return ()
        known = any(asked == name for asked, _ in self._udp)
        replies = self._udp.get(
            (name, rtype), (DnsReply(rcode="NOERROR" if known else "NXDOMAIN"),)
        )
        count = self._asked[name, rtype]
        return tuple(reply for reply in replies if reply.to_query in (0, count))


class ScriptedNetwork:
    """Implements `probes.sockets.network.Network`."""

    def __init__(
        self, *, own: Mapping[str, str] | None = None, families: tuple[str, ...] = ("ipv4", "ipv6")
    ) -> None:
        """`own` are the vantage's addresses by family, as its sockets report them."""
        self.own = dict(own or {"ipv4": "198.51.100.7", "ipv6": "2001:db8:7::7"})
        self.connects: list[tuple[str, int]] = []
        """Every connection attempt, in order."""
        self.segments: dict[tuple[str, int], list[int]] = {}
        """The largest segment that each connection asked for; 0: none in particular."""
        self.ways: dict[str, tuple[str, ...]] = {}
        """Address → the routers on the way there, nearest first; empty for one that says nothing.
        """
        self.streams: list[ScriptedStream] = []
        """Every connection that was made, in order."""
        self._families = families
        self._resolvers: dict[tuple[str, int], ScriptedResolver] = {}
        self._peers: dict[tuple[str, int], list[Peer]] = {}
        self._datagram_peers: dict[tuple[str, int], Answers] = {}
        self._open: set[object] = set()

    @property
    def left_open(self) -> int:
        """Number of sockets not closed yet."""
        return len(self._open)

    def resolver(self, address: str, port: int = 53) -> ScriptedResolver:
        """The resolver at this address, for scripting."""
        return self._resolvers.setdefault((address, port), ScriptedResolver())

    def peer(self, address: str, port: int, *peers: Peer) -> None:
        """Script the server at this address: one Peer per connection, the last for the rest."""
        self._peers[address, port] = list(peers)

    def datagram_peer(self, address: str, port: int, answers: Answers) -> None:
        """Script a server at this address that answers datagrams and is no resolver."""
        self._datagram_peers[address, port] = answers

    def families(self) -> tuple[str, ...]:
        return self._families

    async def connect(self, address: str, port: int, segment: int = 0) -> "ScriptedStream":
        self.segments.setdefault((address, port), []).append(segment)
        self.connects.append((address, port))
        peer = self._next_peer(address, port)
        await asyncio.sleep(peer.connect_delay)
        await _play(peer.connect)
        resolver = self._resolvers.get((address, port))
        stream = ScriptedStream(self.own.get(family_of(address), ""), peer, resolver, self._open)
        self.streams.append(stream)
        return stream

    async def connect_within(self, address: str, port: int, routers: int) -> str:
        """The router of `ways` at which the request ends, or what the server does."""
        way = self.ways.get(address, ())
        if routers <= len(way):
            if not way[routers - 1]:
                await _play(HANG)
            return way[routers - 1]
        peer = self._next_peer(address, port)
        await _play(peer.connect)
        return address

    def open_datagrams(
        self, address: str, port: int, on_datagram: OnDatagram, on_error: OnError
    ) -> "ScriptedDatagrams":
        """A socket to a resolver or a scripted peer; all other addresses stay silent."""
        own = self.own.get(family_of(address), "")
        resolver = self._resolvers.get((address, port))
        answers = self._datagram_peers.get((address, port), lambda _: ())
        return ScriptedDatagrams(own, resolver or answers, on_datagram, on_error, self._open)

    def _next_peer(self, address: str, port: int) -> Peer:
        if (address, port) in self._resolvers and (address, port) not in self._peers:
            return Peer()
        peers = self._peers.get((address, port), [Peer(connect=HANG)])
        return peers.pop(0) if len(peers) > 1 else peers[0]


class ScriptedDatagrams:
    """Implements `probes.sockets.network.Datagrams`."""

    def __init__(
        self,
        own: str,
        far_side: ScriptedResolver | Answers,
        on_datagram: OnDatagram,
        on_error: OnError,
        opened: set[object],
    ) -> None:
        self._own = own
        self._far_side = far_side
        self._on_datagram = on_datagram
        self._on_error = on_error
        self._loop = asyncio.get_running_loop()
        self._timers: list[asyncio.TimerHandle] = []
        self._opened = opened
        opened.add(self)

    @property
    def local_address(self) -> str:
        return self._own

    def send(self, data: bytes) -> None:
        """Take a query and schedule its replies."""
        resolver = self._far_side
        if not isinstance(resolver, ScriptedResolver):
            for answer in resolver(data):
                self._later(0, self._on_datagram, answer)
            return
        name, rtype = question_of(data)
        resolver.queries.append((name, rtype))
        resolver._asked[name, rtype] += 1
        if resolver._error is not None:
            error, delay = resolver._error
            self._later(delay, self._on_error, error)
            return
        for reply in resolver._replies(name, rtype):
            self._later(reply.delay, self._on_datagram, encode_reply(data, reply))

    def _later(self, delay: float, call: Callable[[T], None], value: T) -> None:
        self._timers.append(self._loop.call_later(delay, call, value))

    def close(self) -> None:
        """Cancel the replies still to come."""
        for timer in self._timers:
            timer.cancel()
        self._opened.discard(self)


class ScriptedStream:
    """Implements `probes.sockets.network.Stream`."""

    def __init__(
        self, own: str, peer: Peer, resolver: ScriptedResolver | None, opened: set[object]
    ) -> None:
        self.sent = b""
        """Everything sent, in cleartext."""
        self.server_names: list[str] = []
        """Names asked for in handshakes."""
        self.closed = False
        self.received = 0
        self.on_received: Callable[[], None] | None = None
        self._own = own
        self._peer = peer
        self._resolver = resolver
        self._replies_left: list[PeerReply] = list(peer.replies)
        self._handshake_tried = False
        self._opened = opened
        opened.add(self)

    @property
    def local_address(self) -> str:
        return self._own

    def retransmits(self) -> int:
        return self._peer.retransmits

    @property
    def hello_bytes(self) -> int:
        """As of a usual greeting: more than a packet holds."""
        return 1540 if self._handshake_tried else 0

    async def start_tls(
        self, server_name: str, *, verify: bool, hello: Hello = Hello.USUAL
    ) -> TlsFacts:
        """Make the scripted handshake; without `verify` a bad certificate is no failure."""
        self.server_names.append(server_name)
        await asyncio.sleep(self._peer.tls_delay)
        self._handshake_tried = True
        outcome = self._peer.tls
        if hello is not Hello.USUAL and server_name in self._peer.short:
            outcome = self._peer.short[server_name]
        outcome = self._peer.named.get(server_name, outcome)
        if isinstance(outcome, ssl.SSLCertVerificationError) and not verify:
            return TLS_1_3
        await _play(outcome)
        assert isinstance(outcome, TlsFacts)  # noqa: S101 # narrows for the type checker
        return outcome

    def peer_chain(self) -> tuple[bytes, ...]:
        """The scripted chain, once a handshake was tried."""
        return self._peer.chain if self._handshake_tried else ()

    def inside(self) -> "ScriptedStream":
        """What a scripted proxy carries on is said by the same peer."""
        return self

    async def send(self, data: bytes) -> None:
        """Take `data`; a resolver answers the query in it."""
        self.sent += data
        if self._resolver is not None and not self._peer.replies:
            self._replies_left += _over_tcp(self._resolver, data)

    async def receive(self, limit: int) -> bytes:
        if not self._replies_left:
            return b""
        await asyncio.sleep(self._peer.reply_delay)
        reply = self._replies_left.pop(0)
        await _play(reply)
        if callable(reply):
            reply = reply(self.sent)
        assert isinstance(reply, bytes)  # noqa: S101 # narrows for the type checker
        if len(reply) > limit:
            self._replies_left.insert(0, reply[limit:])
        self.received += len(reply[:limit])
        if self.on_received is not None:
            self.on_received()
        return reply[:limit]

    def close(self) -> None:
        self.closed = True
        self._opened.discard(self)


async def _play(outcome: object) -> None:
    """Wait without end for HANG, raise an exception; anything else is for the caller."""
    if isinstance(outcome, Hang):
        await asyncio.get_running_loop().create_future()
    if isinstance(outcome, OSError):
        raise outcome.with_traceback(None)


class VirtualClockLoop(asyncio.SelectorEventLoop):
    """An event loop that never waits: when nothing is left to do, its clock jumps ahead.

    The clock stands still while a thread works for the loop. Do not use it for sockets, which take
    real time.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._in_threads = 0
        super().__init__(_NeverWaiting(self))

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """As every loop does; the clock waits for the result."""
        result: asyncio.Future[T] = super().run_in_executor(executor, func, *args)
        self._in_threads += 1
        result.add_done_callback(self._thread_done)
        return result

    def _thread_done(self, result: asyncio.Future[Any]) -> None:
        del result
        self._in_threads -= 1

    async def shutdown_default_executor(
        self,
        timeout: float | None = None,  # noqa: ASYNC109 # asyncio's own signature since Python 3.12
    ) -> None:
        """As every loop does, but without the limit: the clock would pass it at once."""
        del timeout
        await super().shutdown_default_executor()

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._now


class _NeverWaiting(selectors.DefaultSelector):
    def __init__(self, loop: VirtualClockLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """The ready events; when there are none, skip the time until the next timer."""
        waits = timeout is None or (timeout and self._loop._in_threads)
        ready = super().select(None if waits else 0)
        if timeout and not ready:
            self._loop._now += timeout
        return ready


# -- exceptions of real sockets ----------------------------------------------------------------


def os_error(number: int) -> OSError:
    """The OSError of the right subclass for an errno."""
    return OSError(number, os.strerror(number))


def refused() -> OSError:
    """A SYN answered by an RST."""
    return os_error(errno.ECONNREFUSED)


def reset_by_peer() -> OSError:
    """An RST on an open connection."""
    return os_error(errno.ECONNRESET)


def closed_by_peer() -> ssl.SSLError:
    """A FIN during the handshake."""
    error = ssl.SSLEOFError(ssl.SSL_ERROR_EOF, "EOF occurred in violation of protocol")
    error.library, error.reason = "SSL", "UNEXPECTED_EOF_WHILE_READING"
    return error


def tls_alert(words: str = "HANDSHAKE_FAILURE") -> ssl.SSLError:
    """A fatal alert, named as OpenSSL does."""
    reason = f"SSLV3_ALERT_{words}"
    error = ssl.SSLError(ssl.SSL_ERROR_SSL, f"[SSL: {reason}] {words.lower()}")
    error.library, error.reason = "SSL", reason
    return error


def bad_certificate(code: int, words: str) -> ssl.SSLCertVerificationError:
    """A verification failure: 10 expired, 18 self-signed, 20 unknown issuer, 62 another name."""
    error = ssl.SSLCertVerificationError(ssl.SSL_ERROR_SSL, f"certificate verify failed: {words}")
    error.library, error.reason = "SSL", "CERTIFICATE_VERIFY_FAILED"
    error.verify_code, error.verify_message = code, words
    return error


# -- DNS on the wire ---------------------------------------------------------------------------


def question_of(query: bytes) -> tuple[str, str]:
    """The name and record type in a query."""
    labels = []
    offset = 12
    while length := query[offset]:
        labels.append(query[offset + 1 : offset + 1 + length].decode("ascii"))
        offset += length + 1
    number = int.from_bytes(query[offset + 1 : offset + 3], "big")
    return ".".join(labels), _TYPE_NAMES[number]


def encode_reply(query: bytes, reply: DnsReply) -> bytes:
    """The reply to `query` on the wire."""
    if reply.raw is not None:
        return reply.raw
    name, rtype = question_of(query)
    records = []
    owner = name
    for cname in reply.cnames:
        records.append(_record(owner, 5, encode_name(cname)))
        owner = cname
    records += [_record(owner, TYPES[rtype], ip_address(a).packed) for a in reply.addresses]
    flags = _RESPONSE | _RECURSION | _RCODES[reply.rcode] | _TRUNCATED * reply.truncated
    query_id = int.from_bytes(query[:2], "big") ^ (0x5555 if reply.wrong_id else 0)
    header = struct.pack("!6H", query_id, flags, reply.question, len(records), 0, 0)
    return header + (query[12:] if reply.question else b"") + b"".join(records)


def _record(owner: str, rtype: int, data: bytes) -> bytes:
    return encode_name(owner) + struct.pack("!HHIH", rtype, 1, 60, len(data)) + data


def over_tcp(query: bytes, reply: DnsReply) -> bytes:
    """The reply to a query over TCP; each starts with its length."""
    answer = encode_reply(query[2:], reply)
    return len(answer).to_bytes(2, "big") + answer


def _over_tcp(resolver: ScriptedResolver, query: bytes) -> list[PeerReply]:
    asked = question_of(query[2:])
    resolver.tcp_queries.append(asked)
    reply = resolver._tcp.get(asked)
    return [] if reply is None else [over_tcp(query, reply)]
