"""The HTTP layer: one request through httpx over a stream that is already staged.

httpx prepares the request and holds the response; the connection under it was opened, and its
certificate verified, layer by layer, so that every failure here is HTTP's own. httpx's client is
left out on purpose: it keeps cookies, which would tie the looks of a process together whatever
vantage they come from, logs every URL, and refuses the broken redirects that are to be recorded.
"""

import asyncio
import re
import zlib
from collections.abc import Mapping

import httptools
import httpx
import msgspec

from probes.errors import MalformedReplyError, PeerClosedError, failure_of
from probes.network import Stream

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
"""What is sent: ordinary enough not to single out the person who hosts a vantage."""

_CHUNK = 16 * 1024
_HEAD_LIMIT = 64 * 1024
"""Bytes of status line and headers after which a peer is talking nonsense."""
_STREAM = "shutwatch_stream"
_TITLE_START = re.compile(rb"<title(?:\s[^<>]{0,200})?>", re.IGNORECASE)
_TITLE_END = re.compile(rb"</title", re.IGNORECASE)
_TITLE_LIMIT = 4096
"""Bytes of a title element that are looked at."""
_GZIP = 16 + zlib.MAX_WBITS
REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """One request and what came of it, unscrubbed: it must not leave the probes as it is."""

    duration: float
    """Seconds."""
    failure: str | None
    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    """Decoded, as far as it was read."""
    truncated: bool = False
    """More was to come."""

    def header(self, name: str) -> str:
        """The first value of a header, or empty."""
        return next((value for key, value in self.headers if key == name), "")

    @property
    def title(self) -> str:
        """The text of the first title element, white space folded."""
        start = _TITLE_START.search(self.body)
        if start is None:
            return ""
        inside = self.body[start.end() : start.end() + _TITLE_LIMIT]
        end = _TITLE_END.search(inside)
        words = (inside if end is None else inside[: end.start()]).decode("utf-8", "replace")
        return " ".join(words.split())


class StagedTransport(httpx.AsyncBaseTransport):
    """httpx transport over the stream that the request carries in its extensions.

    The response carries its unread body there.
    """

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request, read up to the end of the headers. Raises as the stream does."""
        stream: Stream = request.extensions[_STREAM]
        await stream.send(_serialized(request))
        parser = _Parser()
        seen = 0
        while not parser.headers_complete:
            data = await stream.receive(_CHUNK)
            if not data:
                raise PeerClosedError
            seen += len(data)
            if seen > _HEAD_LIMIT and not parser.headers_complete:
                raise MalformedReplyError("response head too long")
            parser.feed(data)
        body = _Body(stream, parser)
        return httpx.Response(
            parser.status,
            headers=parser.headers,
            stream=body,
            request=request,
            extensions={_STREAM: body},
        )


def _serialized(request: httpx.Request) -> bytes:
    lines = [b"%s %s HTTP/1.1" % (request.method.encode("ascii"), request.url.raw_path)]
    lines += [b"%s: %s" % (name, value) for name, value in request.headers.raw]
    return b"\r\n".join(lines) + b"\r\n\r\n"


class _Parser:
    """Collects what httptools' parser calls out."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self.headers: list[tuple[bytes, bytes]] = []
        self.chunks: list[bytes] = []
        self.headers_complete = False
        self.complete = False
        self.status = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        if self.status < 200:
            # An interim response (100, 103): the real one follows.
            self.headers.clear()
        else:
            self.headers_complete = True

    def on_body(self, data: bytes) -> None:
        self.chunks.append(data)

    def on_message_complete(self) -> None:
        self.complete = self.headers_complete

    def feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as error:
            raise MalformedReplyError("another protocol, which nobody asked for") from error
        except httptools.HttpParserError as error:
            if self.complete:
                return  # bytes behind a complete response are none of ours
            raise MalformedReplyError("response is not HTTP") from error

    def take(self) -> bytes:
        data = b"".join(self.chunks)
        self.chunks.clear()
        return data


class _Body(httpx.AsyncByteStream):
    """The rest of the response, read as it is asked for.

    An iterator of its own and no generator: one that is left before its end would live on as a
    task of the event loop.
    """

    def __init__(self, stream: Stream, parser: _Parser) -> None:
        self._stream = stream
        self._parser = parser
        self._sized = any(
            name.lower() in (b"content-length", b"transfer-encoding") for name, _ in parser.headers
        )

    @property
    def complete(self) -> bool:
        """True once the whole body was handed out, as far as the peer says how long it is."""
        return self._parser.complete and not self._parser.chunks

    def __aiter__(self) -> "_Body":
        return self

    async def __anext__(self) -> bytes:
        parser = self._parser
        while not parser.chunks:
            if parser.complete:
                raise StopAsyncIteration
            received = await self._stream.receive(_CHUNK)
            if not received:
                if self._sized:
                    raise PeerClosedError
                # HTTP/1.0 style: the end of the stream is the end of the body.
                parser.complete = True
            else:
                parser.feed(received)
        return parser.take()


class _Decoder:
    """Takes gzip off a body, never further than asked, so that no bomb goes off here."""

    def __init__(self, encoding: str) -> None:
        gzip = encoding.strip().lower() in ("gzip", "x-gzip")
        self._inflate = zlib.decompressobj(_GZIP) if gzip else None
        self.left_over = False
        """More came than was handed out."""

    def feed(self, data: bytes, room: int) -> bytes:
        """At most `room` bytes of what `data` holds. Raises MalformedReplyError."""
        if self._inflate is None:
            self.left_over = len(data) > room
            return data[:room]
        try:
            plain = self._inflate.decompress(data, room)
        except zlib.error as error:
            raise MalformedReplyError("body is not the gzip it claims to be") from error
        self.left_over = bool(self._inflate.unconsumed_tail) or not (
            self._inflate.eof or len(plain) < room
        )
        return plain


def make_client() -> StagedTransport:
    """What carries the requests of a process. It owns no connection: closing it is a formality."""
    return StagedTransport()


async def exchange(
    client: httpx.AsyncBaseTransport,
    stream: Stream,
    url: str,
    *,
    user_agent: str,
    timeout: float,  # noqa: ASYNC109 # a failure by our deadline is data here, not an exception
    body_limit: int,
    suspicious_limit: int,
    suspicious_statuses: frozenset[int],
    trusted: bool,
    more_headers: Mapping[str, str] | None = None,
) -> Exchange:
    """GET `url` over `stream`; `timeout` seconds for all of it.

    Reads `body_limit` bytes of an ordinary answer, and `suspicious_limit` when the answer came in
    cleartext (`trusted` false) or with one of `suspicious_statuses`. `more_headers` replace those
    of a browser.
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
    try:
        async with asyncio.timeout(timeout):
            request = httpx.Request("GET", url, headers=headers, extensions={_STREAM: stream})
            response = await client.handle_async_request(request)
            status = response.status_code
            received = tuple(
                (name.decode("latin-1").lower(), value.decode("latin-1"))
                for name, value in response.headers.raw
            )
            suspicious = not trusted or status in suspicious_statuses
            limit = suspicious_limit if suspicious else body_limit
            truncated = await _read(response, body, limit)
    except (OSError, PeerClosedError, MalformedReplyError, httpx.InvalidURL) as error:
        failure = failure_of(error)
    return Exchange(
        duration=loop.time() - started,
        failure=failure,
        status=status,
        headers=received,
        body=bytes(body),
        truncated=truncated,
    )


async def _read(response: httpx.Response, body: bytearray, limit: int) -> bool:
    """Read up to `limit` bytes into `body`, which keeps them when this raises; True: more came."""
    source: _Body = response.extensions[_STREAM]
    decoder = _Decoder(response.headers.get("content-encoding", ""))
    async for data in source:
        body += decoder.feed(data, limit - len(body))
        if len(body) >= limit:
            return decoder.left_over or not source.complete
    return False
