"""One request over an open stream: how responses and their ends are reported."""

import asyncio
import gzip
import random
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.layers.http import BROWSER, HttpClient, exchange, repeat
from probes.layers.http_exchange import Exchange
from probes.testing import (
    HANG,
    Peer,
    PeerReply,
    ScriptedNetwork,
    VirtualClockLoop,
    reset_by_peer,
)
from tests.worlds.loopback import Conversation, honest_context, network, serving

LIMIT, SUSPICIOUS = 100, 1000
URL = "https://x.com/path?q=1"


async def asked(
    *replies: PeerReply,
    url: str = URL,
    trusted: bool = True,
    user_agent: str = "",
    limit: int = LIMIT,
) -> tuple[Exchange, bytes]:
    """An exchange with a peer that sends this, and the bytes the peer got."""
    scripted = ScriptedNetwork()
    scripted.peer("203.0.113.10", 443, Peer(replies=replies))
    stream = await scripted.connect("203.0.113.10", 443)
    answer = await exchange(
        HttpClient(),
        stream,
        url,
        user_agent=user_agent,
        timeout=0.1 if HANG in replies else 30.0,
        body_limit=limit,
        suspicious_limit=SUSPICIOUS,
        trusted=trusted,
    )
    # A generator left half way would live on as a task.
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == 1
    return answer, stream.sent


async def answer_to(*replies: PeerReply, trusted: bool = True, limit: int = LIMIT) -> Exchange:
    """The answer alone."""
    return (await asked(*replies, trusted=trusted, limit=limit))[0]


ZIPPED = "Content-Encoding: gzip\r\n"


def sized(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """A response with a length."""
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def chunked(*chunks: bytes, headers: str = "") -> bytes:
    """A response in chunks."""
    head = f"HTTP/1.1 200 OK\r\n{headers}Transfer-Encoding: chunked\r\n\r\n".encode()
    return head + b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in (*chunks, b""))


async def test_the_request_is_a_browsers() -> None:
    """One GET for path and query, with ordinary headers and no cookie."""
    _, sent = await asked(sized(b"ok"))
    head, _, rest = sent.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    assert first == "GET /path?q=1 HTTP/1.1"
    assert rest == b""
    headers = dict(line.split(": ", 1) for line in lines)
    assert headers == {"Host": "x.com"} | BROWSER
    assert lines[0] == "Host: x.com"


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://x.com:8443/", "x.com:8443"),
        ("https://[2001:db8::1]/", "[2001:db8::1]"),
        ("https://[2001:db8::1]:8443/", "[2001:db8::1]:8443"),
        ("https://203.0.113.10/", "203.0.113.10"),
    ],
)
async def test_the_host_header_names_host_and_port(url: str, host: str) -> None:
    """The Host header follows RFC 9110, with ports and brackets."""
    _, sent = await asked(sized(b"ok"), url=url)
    assert f"\r\nHost: {host}\r\n".encode() in sent


async def test_the_operators_user_agent_is_sent() -> None:
    """A configured user agent replaces the browser's."""
    _, sent = await asked(sized(b"ok"), user_agent="monitor/1")
    assert b"\r\nUser-Agent: monitor/1\r\n" in sent
    assert b"Mozilla" not in sent


async def test_cookies_do_not_come_back() -> None:
    """No request carries a cookie from an earlier answer, so measurements cannot be linked."""
    client = HttpClient()
    for expected in (b"", b""):
        scripted = ScriptedNetwork()
        scripted.peer("203.0.113.10", 443, Peer(replies=(sized(b"", "Set-Cookie: id=7; Path=/"),)))
        stream = await scripted.connect("203.0.113.10", 443)
        answer = await exchange(
            client,
            stream,
            URL,
            user_agent="",
            timeout=1.0,
            body_limit=LIMIT,
            suspicious_limit=SUSPICIOUS,
            trusted=True,
        )
        assert answer.header("set-cookie") == "id=7; Path=/"
        assert b"cookie" not in stream.sent.lower()
        assert answer.body == expected


async def test_status_headers_and_body_are_told() -> None:
    """A plain response is read whole: status, headers in order, body."""
    answer = await answer_to(sized(b"hello", "Server: s", "X-A: 1", "X-A: 2", status="404 No"))
    assert (answer.status, answer.body, answer.failure) == (404, b"hello", None)
    assert answer.headers == (
        ("server", "s"),
        ("x-a", "1"),
        ("x-a", "2"),
        ("content-length", "5"),
    )
    assert answer.header("x-a") == "1"
    assert answer.header("missing") == ""
    assert not answer.truncated


@pytest.mark.parametrize(
    "response",
    [
        sized(b"hello"),
        chunked(b"hel", b"lo"),
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello",
        b"HTTP/1.0 200 OK\r\n\r\nhello",
        b"HTTP/1.1 200\r\n\r\nhello",
        b"HTTP/1.1 100 Continue\r\n\r\n" + sized(b"hello"),
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + sized(b"hello"),
        b"HTTP/1.1 103 Early Hints\r\n\r\n" * 3 + chunked(b"hello"),
        sized(gzip.compress(b"hello"), "Content-Encoding: gzip"),
        sized(gzip.compress(b"hello"), "Content-Encoding: GZip "),
        chunked(gzip.compress(b"hello"), headers="Content-Encoding: x-gzip\r\n"),
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"hello"),
        sized(gzip.compress(b"hel") + gzip.compress(b"lo"), "Content-Encoding: gzip"),
        chunked(*[gzip.compress(one) for one in (b"", b"hello", b"")], headers=ZIPPED),
        sized(gzip.compress(b"hello") + b"\0" * 9, "Content-Encoding: gzip"),
        sized(b"hello") + b"and bytes behind it",
    ],
    ids=lambda response: repr(response[:40]),
)
@pytest.mark.parametrize("size", [1, 7, 4096])
async def test_framing_is_undone(response: bytes, size: int) -> None:
    """Sized, chunked, endless, interim or compressed, in pieces of any size: the same page."""
    pieces = [response[at : at + size] for at in range(0, len(response), size)]
    answer = await answer_to(*pieces)
    assert (answer.status, answer.body, answer.failure) == (200, b"hello", None)
    assert ("link", "</a>") not in answer.headers
    assert not answer.truncated


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
async def test_a_status_without_a_body_is_not_waited_for(status: str) -> None:
    """204 and 304 end with their headers, whatever the connection does."""
    answer = await answer_to(f"HTTP/1.1 {status}\r\n\r\n".encode(), HANG)
    assert (answer.failure, answer.body) == (None, b"")


@given(
    st.binary(max_size=300), st.integers(0, 2**32), st.sampled_from(["length", "chunks", "gzip"])
)
def test_any_body_in_any_pieces_comes_out_as_it_went_in(body: bytes, seed: int, how: str) -> None:
    """The body does not depend on how the response is cut into packets."""
    rng = random.Random(seed)
    halves = (body[: len(body) // 2] or b"-", body[len(body) // 2 :] or b"-")
    response = {
        "length": lambda: sized(body),
        "chunks": lambda: chunked(*halves),
        "gzip": lambda: sized(gzip.compress(body), "Content-Encoding: gzip"),
    }[how]()
    pieces = []
    while response:
        size = rng.randint(1, 60)
        pieces.append(response[:size])
        response = response[size:]
    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        answer = runner.run(answer_to(*pieces, limit=1000))
    assert answer.failure is None
    assert answer.body == (b"".join(halves) if how == "chunks" else body)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"


@pytest.mark.parametrize(
    ("replies", "status", "failure"),
    [
        ((), 0, "eof_error"),
        ((b"HTTP/1.1 200 OK\r\nServ",), 0, "eof_error"),
        ((HEAD,), 200, "eof_error"),
        ((HEAD, b"12345"), 200, "eof_error"),
        ((b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",), 200, "eof_error"),
        ((reset_by_peer(),), 0, "connection_reset"),
        ((HEAD, b"12345", reset_by_peer()), 200, "connection_reset"),
        ((b"HTTP/1.1 200 OK\r\n\r\n123", reset_by_peer()), 200, "connection_reset"),
        ((HANG,), 0, "generic_timeout_error"),
        ((HEAD, b"12345", HANG), 200, "generic_timeout_error"),
        ((b"HTTP/1.1 103 Early Hints\r\n\r\n", HANG), 0, "generic_timeout_error"),
    ],
)
async def test_an_answer_cut_short_is_told_by_how(
    replies: tuple[PeerReply, ...], status: int, failure: str
) -> None:
    """FIN, RST and silence have their own failures, before the headers and inside the body."""
    answer = await answer_to(*replies)
    assert (answer.status, answer.failure) == (status, failure)


async def test_what_came_of_a_body_is_kept_when_it_breaks_off() -> None:
    """A body that stalls or is cut after N bytes keeps these N bytes."""
    answer = await answer_to(HEAD, b"12345", reset_by_peer())
    assert answer.body == b"12345"


@pytest.mark.parametrize(
    "replies",
    [
        b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x28",
        b"HTTP/1.1 two hundred\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot a size\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nx",
        sized(b"this is not gzip", "Content-Encoding: gzip"),
    ],
)
async def test_what_is_not_http_is_malformed(replies: bytes) -> None:
    """Another protocol, or a broken one, is neither a reset nor an end."""
    answer = await answer_to(replies)
    assert answer.failure is not None
    assert answer.failure.startswith("unknown_failure: MalformedReplyError")


@pytest.mark.parametrize(
    "replies",
    [
        b"HTTP/1.1 403 Forbidden\nContent-Type: text/html\nContent-Length: 7\n\nblocked",
        b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\nContent-Length: 7\r\n\nblocked",
        b"HTTP/1.1 403 Forbidden\r\nServer: a\r\n box\r\nContent-Length: 7\r\n\r\nblocked",
        b"HTTP/1.1 403 Forbidden\r\nServer: \x01\r\nContent-Length: 7\r\n\r\nblocked",
        (
            b"HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"7  \r\nblocked\r\n0\r\n\r\n"
        ),
    ],
)
async def test_what_browsers_read_in_spite_of_its_faults_is_read(replies: bytes) -> None:
    """Boxes that write block pages and portals get line ends, folded lines, odd characters or two
    lengths wrong, and people see their pages all the same."""
    answer = await answer_to(replies, trusted=False)
    assert (answer.failure, answer.status, answer.body) == (None, 403, b"blocked")
    scripted = ScriptedNetwork()
    scripted.peer("203.0.113.10", 443, Peer(replies=(replies + replies,)))
    stream = await scripted.connect("203.0.113.10", 443)
    again = repeat(HttpClient(), stream, URL, 2, most=9999, headers=BROWSER, timeout=1.0)
    assert await again == (None, True)


@pytest.mark.parametrize(
    "behind",
    [
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\nbad",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"not HTTP\r\n\r\n",
    ],
)
async def test_only_the_first_response_counts(behind: bytes) -> None:
    """Who answers in the place of a server may be followed by that, in one segment: people are
    redirected all the same."""
    first = sized(b"moved", "Location: http://block.example/", status="302 Found")
    answer = await answer_to(first + behind, trusted=False)
    assert (answer.status, answer.body, answer.failure) == (302, b"moved", None)
    assert answer.header("location") == "http://block.example/"
    assert not answer.truncated


async def test_a_head_that_never_ends_is_left() -> None:
    """A peer that sends endless headers is stopped at the limit."""
    answer = await answer_to(b"HTTP/1.1 200 OK\r\n", *[b"X-Long: " + b"a" * 8000 + b"\r\n"] * 20)
    assert answer.failure is not None
    assert answer.failure.startswith("unknown_failure: MalformedReplyError")
    assert answer.status == 0


@pytest.mark.parametrize("body", [b"x" * 99, b"x" * 100, b"x" * 101, b"x" * 5000])
@pytest.mark.parametrize("framed", [sized, chunked, lambda body: b"HTTP/1.0 200 OK\r\n\r\n" + body])
async def test_a_healthy_body_is_read_up_to_the_limit(
    body: bytes, framed: Callable[[bytes], bytes]
) -> None:
    """The body is kept up to the limit, and only a longer one is marked as truncated."""
    answer = await answer_to(framed(body), b"")
    assert answer.failure is None
    assert answer.body == body[:LIMIT]
    if len(body) != LIMIT:
        assert answer.truncated is (len(body) > LIMIT)


async def test_a_sized_body_of_exactly_the_limit_is_whole() -> None:
    """A body of exactly the limit is not truncated."""
    assert not (await answer_to(sized(b"x" * LIMIT))).truncated


@pytest.mark.parametrize("size", [LIMIT - 1, LIMIT, LIMIT + 1, 10_000_000])
async def test_a_compressed_body_is_inflated_up_to_the_limit(size: int) -> None:
    """A gzip bomb is decompressed only up to the limit."""
    packed = gzip.compress(b"\0" * size)
    answer = await answer_to(sized(packed, "Content-Encoding: gzip"))
    assert answer.failure is None
    assert answer.body == b"\0" * min(size, LIMIT)
    assert answer.truncated is (size > LIMIT)


async def test_a_body_in_several_members_of_gzip_is_read_up_to_the_limit() -> None:
    """Behind a short first member, a long page counted as a body of almost nothing: a failure."""
    first, page = b"x" * (LIMIT - 10), random.Random(1).randbytes(300_000)
    packed = gzip.compress(first) + gzip.compress(page)
    answer = await answer_to(sized(packed, "Content-Encoding: gzip"))
    assert (answer.failure, answer.truncated) == (None, True)
    assert answer.body == first + page[:10]


@pytest.mark.parametrize("size", [LIMIT - 1, LIMIT])
async def test_nothing_is_missing_of_a_last_member_that_ends_at_the_limit(size: int) -> None:
    """It is truncated only if another one follows."""
    packed = gzip.compress(b"x" * size)
    assert not (await answer_to(sized(packed, ZIPPED.strip()))).truncated
    more = sized(packed + gzip.compress(b"yy"), ZIPPED.strip())
    assert (await answer_to(more)).truncated


@pytest.mark.parametrize(
    ("begins", "goes_on"),
    [
        pytest.param(
            b"HTTP/1.0 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"short"),
            b"\0" * 16_000,
            id="behind the end of gzip",
        ),
        pytest.param(
            b"HTTP/1.0 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"")[:10],
            b"\0\0\0\xff\xff" * 3000,
            id="empty blocks",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;",
            b"a" * 16_000,
            id="the extension of a chunk",
        ),
    ],
)
async def test_a_body_that_holds_nothing_and_never_ends_is_left(
    begins: bytes, goes_on: bytes
) -> None:
    """What adds nothing to the body is not read until the deadline either."""
    asked_for: list[int] = []

    def more(_: bytes) -> bytes:
        asked_for.append(len(goes_on))
        return goes_on

    answer = await answer_to(begins, *[more] * 400)
    assert sum(asked_for) < 200_000
    assert answer.failure is not None
    assert answer.failure.startswith("unknown_failure: MalformedReplyError")
    assert answer.body in (b"short", b"")


async def test_a_healthy_body_is_not_read_on() -> None:
    """Bytes beyond the limit are not downloaded."""
    scripted = ScriptedNetwork()
    replies = (HEAD.replace(b"10", b"9000"), b"x" * 60, b"x" * 60, b"never read", HANG)
    scripted.peer("203.0.113.10", 443, Peer(replies=replies))
    stream = await scripted.connect("203.0.113.10", 443)
    await exchange(
        HttpClient(),
        stream,
        URL,
        user_agent="",
        timeout=1.0,
        body_limit=LIMIT,
        suspicious_limit=SUSPICIOUS,
        trusted=True,
    )
    assert await stream.receive(100) == b"never read"


@pytest.mark.parametrize(
    ("trusted", "status", "kept"), [(True, 200, 100), (False, 200, 1000), (True, 451, 1000)]
)
async def test_a_suspicious_body_is_read_further(trusted: bool, status: int, kept: int) -> None:
    """More is read of answers in cleartext and of status 451, which are evidence."""
    answer = await answer_to(sized(b"x" * 5000, status=f"{status} S"), trusted=trusted)
    assert len(answer.body) == kept
    assert answer.truncated


@pytest.mark.parametrize(
    ("body", "title"),
    [
        ("<title>X</title>", "X"),
        ("<TITLE lang='en'>\n  Two\n  words </TITLE >", "Two words"),
        ("<html><head><title>A</title><title>B</title>", "A"),
        ("<svg><titles>no</titles></svg>", ""),
        ("<title>never closed", "never closed"),
        ("<title></title>", ""),
        ("no title", ""),
        ("<title>بند</title>", "بند"),
        ("<title", ""),
    ],
)
def test_the_title_is_the_first_one_folded(body: str, title: str) -> None:
    """The title is what a browser tab shows, with white space folded."""
    assert Exchange(duration=0.0, failure=None, body=body.encode()).title == title


def test_a_title_in_another_encoding_is_readable_as_far_as_it_goes() -> None:
    """A title that is not UTF-8 raises nothing."""
    answer = Exchange(duration=0.0, failure=None, body=b"<title>caf\xe9</title>")
    assert answer.title == "caf\ufffd"


@pytest.mark.parametrize("body", [b"<title" * 80_000, b"<title>" * 70_000, b"<title " * 70_000])
def test_a_page_full_of_titles_takes_no_time(body: bytes) -> None:
    """A page made to slow down the title search is searched as fast as any."""
    started = time.process_time()
    _ = Exchange(duration=0.0, failure=None, body=body).title
    assert time.process_time() - started < 1.0


# -- on real sockets -----------------------------------------------------------------------------


async def over_tls(handler: Callable[[Conversation], object]) -> Exchange:
    """An exchange with a real server over real TLS."""

    async def handle(peer: Conversation) -> None:
        await peer.request()
        await handler(peer)  # type: ignore[misc]

    async with serving(handle, tls=honest_context()) as port:
        stream = await network().connect("127.0.0.1", port)
        try:
            facts = await stream.start_tls("x.com", verify=True)
            assert (facts.version, facts.alpn) == ("TLSv1.3", "http/1.1")
            return await exchange(
                HttpClient(),
                stream,
                URL,
                user_agent="",
                timeout=1.0,
                body_limit=100_000,
                suspicious_limit=200_000,
                trusted=True,
            )
        finally:
            stream.close()


async def test_a_large_page_comes_over_real_tls() -> None:
    """A page of many TLS records arrives whole."""

    async def page(peer: Conversation) -> None:
        await peer.send(sized(b"0123456789" * 9000))

    answer = await over_tls(page)
    assert (answer.failure, answer.body) == (None, b"0123456789" * 9000)


@pytest.mark.parametrize(
    ("ending", "failure"),
    [(Conversation.reset, "connection_reset"), (Conversation.end, "eof_error")],
)
@pytest.mark.parametrize("said", [b"", HEAD[:20], HEAD, HEAD + b"12345"])
async def test_over_real_tls_a_reset_is_no_end(
    ending: Callable[[Conversation], None], failure: str, said: bytes
) -> None:
    """RST and FIN after the request have their own failures on real sockets, at any point."""

    async def cut(peer: Conversation) -> None:
        if said:
            await peer.send(said)
            await asyncio.sleep(0.02)
        ending(peer)

    assert (await over_tls(cut)).failure == failure
