"""The HTTP layer: one request over a stream that is already open.

httpx writes the request and httptools reads the response. The layers below opened the connection
and verified its certificate, so every failure here is HTTP's own. httpx's client is not used: it
keeps cookies, which would link the measurements of a process whatever vantage they come from, it
logs every URL, and it refuses the broken redirects that measurements record.
"""

import asyncio
import zlib
from collections.abc import Mapping
from functools import lru_cache

import httptools

from probes.layers.http_exchange import Exchange
from probes.measurement import LEGAL_REASONS
from probes.sockets.failure_mapping import MalformedReplyError, PeerClosedError, failure_of
from probes.sockets.http_client import httpx
from probes.sockets.network import ByteStream

BROWSER = {
    "User-Agent": (
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/148.0.0.0 Safari/537.36"
    ),
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "en-US,en;q=0.9",
    "Accept-Encoding": "gzip",
    "Connection": "close",
}
"""Headers of an ordinary browser, so that they do not single out who hosts a vantage."""

_CHUNK = 16 * 1024
_HEAD_LIMIT = 64 * 1024
"""Bytes of status line and headers after which the response counts as malformed."""
_FRAMING = 8
"""Times as many bytes as are wanted of a body, and a head's, may come for it. A peer may send
without end what adds nothing to a body: extensions of chunks, empty blocks of gzip, or bytes behind
its end, which zlib keeps and copies each time."""
_GZIP = 16 + zlib.MAX_WBITS
_MEMBER = b"\x1f\x8b"
"""With this a member of a gzip file begins."""
_REQUESTS_KEPT = 1024
_LONGEST_KEPT = 512
"""Characters of the longest URL whose request is kept."""


class HttpClient:
    """Writes the requests of a process. It holds no connection, no cookie and no answer.

    The catalogue's URLs are requested in every cycle with the same headers, so these requests are
    kept.
    """

    def __init__(self) -> None:
        self._written = lru_cache(maxsize=_REQUESTS_KEPT)(_written)

    def request(self, url: str, headers: Mapping[str, str]) -> bytes:
        """A GET of `url` in the bytes to send. Raises httpx.InvalidURL."""
        words = tuple(headers.items())
        # A peer may redirect to a long URL, and to another each time.
        return (self._written if len(url) <= _LONGEST_KEPT else _written)(url, words)


def _written(url: str, headers: tuple[tuple[str, str], ...]) -> bytes:
    request = httpx.Request("GET", url, headers=headers)
    lines = [b"%s %s HTTP/1.1" % (request.method.encode("ascii"), request.url.raw_path)]
    lines += [b"%s: %s" % (name, value) for name, value in request.headers.raw]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _parser(reader: object) -> httptools.HttpResponseParser:
    """A parser that takes what browsers take, such as lines that end without a carriage return:
    boxes that write block pages get such things wrong."""
    parser = httptools.HttpResponseParser(reader)
    parser.set_dangerous_leniencies(
        lenient_headers=True,
        lenient_chunked_length=True,
        lenient_optional_cr_before_lf=True,
        lenient_spaces_after_chunk_size=True,
    )
    return parser


class _Response:
    """Reads one response; httptools' parser calls the `on_` methods."""

    def __init__(self) -> None:
        # Parser and response hold each other until Python searches for garbage: a stream kept here
        # would stay in memory with its TLS buffers.
        self._parser = _parser(self)
        self._chunks: list[bytes] = []
        self._headers_complete = False
        self._complete = False
        self._left = 0
        """Bytes of the body, with its framing, that are still read."""
        self.received = 0
        """Bytes that came."""
        self.headers: list[tuple[str, str]] = []
        self.status = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._headers_complete:  # else it is a trailer, or of another response
            self.headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        if self._complete:
            return  # a second response, which nobody asked for
        self.status = self._parser.get_status_code()
        if self.status < 200:
            # An interim response (100, 103): the real one follows.
            self.headers.clear()
        else:
            self._headers_complete = True

    def on_body(self, data: bytes) -> None:
        if not self._complete:
            self._chunks.append(data)

    def on_message_complete(self) -> None:
        self._complete = self._headers_complete

    def _feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if self._complete:
                return  # bytes after a complete response are not part of it
            if isinstance(error, httptools.HttpParserUpgrade):
                raise MalformedReplyError("another protocol, which nobody asked for") from error
            raise MalformedReplyError("response is not HTTP") from error

    def header(self, wanted: str) -> str:
        """All values of a header, joined as in RFC 9110 section 5.3."""
        return ", ".join(value for name, value in self.headers if name == wanted)

    @property
    def complete(self) -> bool:
        """True once `more` returned the whole body, where the peer states its length."""
        return self._complete and not self._chunks

    async def head(self, stream: ByteStream) -> None:
        """Read up to the end of the headers. Raises as the stream does."""
        while not self._headers_complete:
            data = await stream.receive(_CHUNK)
            if not data:
                raise PeerClosedError
            self.received += len(data)
            if self.received > _HEAD_LIMIT:
                raise MalformedReplyError("response head too long")
            self._feed(data)

    def want(self, limit: int) -> None:
        """Say how many bytes of the body are wanted."""
        self._left = _HEAD_LIMIT + _FRAMING * limit

    async def more(self, stream: ByteStream) -> bytes:
        """The next part of the body; b"" at its end. Raises as the stream does."""
        while not self._chunks:
            if self._complete:
                return b""
            received = await stream.receive(_CHUNK)
            self.received += len(received)
            self._left -= len(received)
            if self._left < 0:
                raise MalformedReplyError("a body of almost nothing that does not end")
            if received:
                self._feed(received)
            elif any(name in ("content-length", "transfer-encoding") for name, _ in self.headers):
                raise PeerClosedError
            else:
                # HTTP/1.0 style: the end of the stream is the end of the body.
                self._complete = True
        data = b"".join(self._chunks)
        self._chunks.clear()
        return data


class _Decoder:
    """Decompresses a gzip body, never beyond the limit, so that a gzip bomb does no harm."""

    def __init__(self, encoding: str) -> None:
        gzip = encoding.strip().lower() in ("gzip", "x-gzip")
        self._inflate = zlib.decompressobj(_GZIP) if gzip else None
        self._ended = False
        """Nothing of what follows belongs to the body."""
        self.left_over = False
        """There is more than was returned."""

    def feed(self, data: bytes, room: int) -> bytes:
        """At most `room` decoded bytes of `data`. Raises MalformedReplyError."""
        if self._inflate is None:
            self.left_over = len(data) > room
            return data[:room]
        plain = b""
        while not self._ended:
            plain += self._inflated(self._inflate, data, room - len(plain))
            data = self._inflate.unused_data
            self.left_over = bool(self._inflate.unconsumed_tail) or (
                not self._inflate.eof and len(plain) >= room
            )
            if not self._inflate.eof or len(data) < len(_MEMBER):
                break
            # A gzip file consists of members, one behind the other (RFC 1952).
            self._ended = not data.startswith(_MEMBER)
            self.left_over = not self._ended
            if self._ended or len(plain) >= room:
                break
            self._inflate = zlib.decompressobj(_GZIP)
        return plain

    @staticmethod
    def _inflated(inflate: "zlib._Decompress", data: bytes, room: int) -> bytes:
        try:
            return inflate.decompress(data, room)
        except zlib.error as error:
            raise MalformedReplyError("body is not the gzip it claims to be") from error


class _Answers:
    """Counts the responses of one connection; httptools' parser calls the `on_` methods."""

    def __init__(self) -> None:
        self._parser = _parser(self)
        self.whole = 0

    def on_message_complete(self) -> None:
        self.whole += self._parser.get_status_code() >= 200  # 100 and 103 come before the answer

    def feed(self, data: bytes) -> None:
        """Raises MalformedReplyError."""
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            raise MalformedReplyError("response is not HTTP") from error


async def repeat(
    client: HttpClient,
    stream: ByteStream,
    url: str,
    count: int,
    *,
    most: int,
    headers: Mapping[str, str],
    timeout: float,  # noqa: ASYNC109 # a failure by our deadline is data here, not an exception
) -> tuple[str | None, bool]:
    """GET `url` again `count` times at once (RFC 9112 section 9.3.2) over a connection whose last
    answer lasts. Answers are read and forgotten, and left once `most` bytes of them came.

    The failure, and whether the connection may carry more: servers close one after so many
    requests, which is none. Never raises for network failures.
    """
    answers = _Answers()
    left = most
    try:
        async with asyncio.timeout(timeout):
            await stream.send(client.request(url, headers) * count)
            while answers.whole < count:
                data = await stream.receive(_CHUNK)
                if not data:
                    return None, False
                answers.feed(data)
                left -= len(data)
                if left <= 0:
                    return None, False
    except (OSError, MalformedReplyError) as error:
        return failure_of(error), False
    return None, True


async def exchange(
    client: HttpClient,
    stream: ByteStream,
    url: str,
    *,
    user_agent: str,
    timeout: float,  # noqa: ASYNC109 # a failure by our deadline is data here, not an exception
    body_limit: int,
    suspicious_limit: int | None = None,
    trusted: bool = True,
    more_headers: Mapping[str, str] | None = None,
) -> Exchange:
    """GET `url` over `stream` within `timeout` seconds.

    Reads `body_limit` bytes of an answer, or `suspicious_limit`, if given, when the answer came in
    cleartext (`trusted` false) or with status 451. `more_headers` replace those of a
    browser. Never raises for network failures.
    """
    loop = asyncio.get_running_loop()
    started = loop.time()
    headers = (
        BROWSER | ({"User-Agent": user_agent} if user_agent else {}) | dict(more_headers or {})
    )
    status = 0
    received: tuple[tuple[str, str], ...] = ()
    body = bytearray()
    truncated = False
    failure = None
    response = _Response()
    try:
        async with asyncio.timeout(timeout):
            await stream.send(client.request(url, headers))
            await response.head(stream)
            status, received = response.status, tuple(response.headers)
            suspicious = not trusted or status == LEGAL_REASONS
            limit = body_limit if suspicious_limit is None or not suspicious else suspicious_limit
            truncated = await _read(response, stream, body, limit)
    except (OSError, PeerClosedError, MalformedReplyError, httpx.InvalidURL) as error:
        failure = failure_of(error)
    return Exchange(
        duration=loop.time() - started,
        failure=failure,
        status=status,
        headers=received,
        body=bytes(body),
        truncated=truncated,
        received=response.received,
    )


async def _read(response: _Response, stream: ByteStream, body: bytearray, limit: int) -> bool:
    """Read up to `limit` bytes into `body`, which keeps them if this raises; True if more came."""
    decoder = _Decoder(response.header("content-encoding"))
    response.want(limit)
    while data := await response.more(stream):
        body += decoder.feed(data, limit - len(body))
        if len(body) >= limit:
            return decoder.left_over or not response.complete
    return False
