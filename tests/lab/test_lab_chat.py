"""Services without TLS or HTTP prove who they are, and a middlebox that shakes hands does not."""

import ipaddress
import itertools
import math
import os
import struct
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lab import chat, stun
from tests.lab.hosts import TELEGRAM_DATA_CENTRES
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork, Network

SHORT = 0.3
"""Seconds after which a look that must time out is given up."""
DATA_CENTRE = TELEGRAM_DATA_CENTRES[0]
NONCE = bytes(range(16))
TAGS = {"abridged": b"\xef", "intermediate": b"\xee" * 4}


@pytest.fixture(scope="module")
def running() -> Iterator[Lab]:
    """One lab for the module."""
    with Lab([LabNetwork("ptcl", 17557, "PK"), LabNetwork("jazz", 45669, "PK")]) as lab:
        yield lab


@pytest.fixture
def lab(running: Lab) -> Iterator[Lab]:
    """The same lab, as new."""
    yield running
    running.reset()


@pytest.fixture
def ptcl(lab: Lab) -> Network:
    """The censored network."""
    return lab.network("ptcl")


def framed(message: bytes, transport: str) -> bytes:
    """A message as either transport carries it."""
    if transport == "abridged":
        return bytes([len(message) // 4]) + message
    return len(message).to_bytes(4, "little") + message


def question(transport: str, constructor: int = chat.REQ_PQ_MULTI) -> bytes:
    """A client's first bytes: transport tag and unencrypted `req_pq_multi`."""
    body = struct.pack("<I", constructor) + NONCE
    head = struct.pack("<QQI", 0, 1 << 32, len(body))
    return TAGS[transport] + framed(head + body, transport)


def factor(number: int) -> int:
    """A prime factor by Pollard's rho; `number` itself when it is prime."""
    for seed in range(1, 20):
        slow = fast = seed
        divisor = 1
        while divisor == 1:
            slow = (slow * slow + 1) % number
            fast = (fast * fast + 1) % number
            fast = (fast * fast + 1) % number
            divisor = math.gcd(abs(slow - fast), number)
        if divisor != number:
            return divisor
    return number


def is_prime(number: int) -> bool:
    """By trial division; quick below 2^31."""
    return number > 1 and all(number % d for d in range(2, math.isqrt(number) + 1))


# --- Telegram -------------------------------------------------------------


@pytest.mark.lab
@pytest.mark.parametrize("transport", TAGS)
def test_data_centres_answer(lab: Lab, transport: str) -> None:
    """Every data centre answers `req_pq_multi` on every port with the nonce it was sent."""
    looks = [
        {"kind": "tcp", "address": address, "port": port, "hex": question(transport).hex()}
        for address in TELEGRAM_DATA_CENTRES
        for port in (443, 80, 5222)
    ]
    for look, seen in zip(looks, lab.look_many(looks), strict=True):
        assert NONCE.hex() in seen["hex"], look
    assert {v["stage"] for v in lab.internet.visits("telegram-dc.lab")} == {"tcp", "chat"}


@pytest.mark.parametrize("transport", TAGS)
@pytest.mark.parametrize("constructor", [chat.REQ_PQ, chat.REQ_PQ_MULTI])
def test_res_pq_is_well_formed(transport: str, constructor: int) -> None:
    """The answer is an unencrypted `resPQ`: a server's id, two nonces, two primes, one key."""
    said = chat.MtProto().feed(question(transport, constructor))
    assert said is not None
    message = said[1:] if transport == "abridged" else said[4:]
    assert framed(message, transport) == said
    key, identity, size, kind = struct.unpack_from("<QQII", message)
    assert (key, identity % 4, size, kind) == (0, 1, len(message) - 20, chat.RES_PQ)
    assert message[24:40] == NONCE
    assert message[40:56] not in (NONCE, bytes(16))
    assert message[56] == 8
    number = int.from_bytes(message[57:65], "big")
    p = factor(number)
    q = number // p
    assert p != q
    assert is_prime(p)
    assert is_prime(q)
    assert struct.unpack_from("<IIQ", message, 68)[:2] == (chat.VECTOR, 1)
    assert len(message) == 68 + 16


@given(cuts=st.lists(st.integers(0, 45), max_size=4), transport=st.sampled_from(sorted(TAGS)))
def test_question_in_pieces(cuts: list[int], transport: str) -> None:
    """A question in any pieces is answered once it is whole, and only once."""
    whole = question(transport)
    places = [0, *sorted(cuts), len(whole)]
    server = chat.MtProto()
    said = [server.feed(whole[a:b]) for a, b in itertools.pairwise(places)]
    assert sum(bool(piece) for piece in said) == 1
    assert said[-1] or whole[places[-2] :] == b""


@pytest.mark.parametrize("transport", TAGS)
def test_what_is_no_question(transport: str) -> None:
    """Another message gets the transport's error -404; another transport a hang-up."""
    said = chat.MtProto().feed(question(transport, 0x12345678))
    assert said == framed(chat.NO_SUCH_KEY, transport)
    for opening in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00", b"\xee\x00"):
        assert chat.MtProto().feed(opening) is None


# --- WhatsApp -------------------------------------------------------------


def noise_hello(*, routed: bool = False) -> bytes:
    """A client's prologue and its hello frame."""
    hello = b"\x12\x22\x0a\x20" + os.urandom(32)
    route = b"ED\x00\x01" + (4).to_bytes(3, "big") + b"edge" if routed else b""
    return route + b"WA\x06\x03" + len(hello).to_bytes(3, "big") + hello


@pytest.mark.lab
@pytest.mark.parametrize("port", [443, 5222])
def test_whatsapp_says_hello(lab: Lab, port: int) -> None:
    """A chat server answers a client hello with one whole frame that holds a server hello."""
    address = lab.internet.address("e7.whatsapp.net")
    seen = lab.look("tcp", address=address, port=port, hex=noise_hello().hex())
    frame = bytes.fromhex(seen["hex"])
    assert int.from_bytes(frame[:3], "big") == len(frame) - 3
    assert frame[3] == 3 << 3 | 2
    assert 250 < len(frame) < 500


def test_noise_in_pieces_and_otherwise() -> None:
    """A hello byte by byte is answered at its last byte; what is no Noise is hung up on."""
    for routed in (False, True):
        server = chat.Noise()
        said = [server.feed(bytes([byte])) for byte in noise_hello(routed=routed)]
        assert said[-1]
        assert set(said[:-1]) == {b""}
    assert chat.Noise().feed(b"GET / HTTP/1.1\r\n") is None
    assert chat.Noise().feed(b"WA\x06\x03\x00\x00\x04\x0a\x02hi") is None


# --- middleboxes ----------------------------------------------------------


@pytest.mark.lab
@pytest.mark.parametrize("family", [4, 6])
def test_silent_middlebox(lab: Lab, ptcl: Network, family: int) -> None:
    """Every handshake is completed, also by nobody, yet nothing answers, and no server hears."""
    address = lab.internet.address("telegram-dc.lab", family)
    source = ptcl.source6 if family == 6 else ptcl.source
    nobody = "2001:db8:f::dead" if family == 6 else "198.18.99.99"
    look: dict[str, Any] = {"port": 443, "source": source, "timeout": SHORT}
    with ptcl.middlebox(["telegram-dc.lab", nobody]) as rule:
        assert "error" not in lab.look("tcp", address=nobody, **look)
        asked = {"address": address, "hex": question("abridged").hex(), **look}
        assert lab.look("tcp", **asked)["error"] == "TimeoutError"
        assert rule.hits == 2
        elsewhere = lab.network("jazz").source6 if family == 6 else lab.network("jazz").source
        assert NONCE.hex() in lab.look("tcp", **{**asked, "source": elsewhere})["hex"]
    visits = lab.internet.visits("telegram-dc.lab")
    assert {visit["peer"] for visit in visits} == {elsewhere}
    assert NONCE.hex() in lab.look("tcp", **asked)["hex"]


@pytest.mark.lab
def test_middlebox_that_answers(lab: Lab, ptcl: Network) -> None:
    """A middlebox that takes everything for HTTP answers a chat client with a page."""
    look = {"address": DATA_CENTRE, "source": ptcl.source, "hex": question("intermediate").hex()}
    with ptcl.middlebox(["149.154.160.0/20"], answer="http", ports=[443, 5222]):
        for port in (443, 5222):
            assert lab.look("tcp", port=port, **look)["received"].startswith("HTTP/1.1 400 ")
        assert NONCE.hex() in lab.look("tcp", port=80, **look)["hex"]
        page = lab.look("http", port=443, host="t.me", path="/", address=DATA_CENTRE)
        assert (page["status"], page["headers"]["Server"]) == (400, "squid")
        shaken = lab.look("tls", port=443, sni="t.me", address=DATA_CENTRE)
        assert (shaken["stage"], shaken["error"]) == ("tls", "SSLError")


@pytest.mark.lab
def test_service_lost_its_voice(lab: Lab) -> None:
    """A data centre may accept and say nothing, to everybody, until it is itself again."""
    look = {"address": DATA_CENTRE, "port": 443, "hex": question("abridged").hex()}
    lab.internet.speaks("telegram-dc.lab", "")
    assert lab.look("tcp", timeout=SHORT, **look)["error"] == "TimeoutError"
    lab.reset()
    assert NONCE.hex() in lab.look("tcp", **look)["hex"]


# --- STUN -----------------------------------------------------------------

TRANSACTION = bytes(range(100, 112))
BINDING = struct.pack("!HHI", stun.REQUEST, 0, stun.COOKIE) + TRANSACTION


@pytest.mark.lab
@pytest.mark.parametrize("family", [4, 6])
def test_stun_tells_the_own_address(lab: Lab, ptcl: Network, family: int) -> None:
    """The calls host tells a client, over either family, the address and port it came from."""
    source = ptcl.source6 if family == 6 else ptcl.source
    address = lab.internet.address("stun.fbsbx.com", family)
    look = {"address": address, "port": 3478, "source": source, "hex": BINDING.hex()}
    seen = lab.look("udp", **look)
    reply = bytes.fromhex(seen["hex"])
    size = 8 if family == 4 else 20
    assert struct.unpack_from("!HHI", reply) == (0x0101, 4 + size, stun.COOKIE)
    assert reply[8:20] == TRANSACTION
    assert struct.unpack_from("!HHxB", reply, 20) == (0x0020, size, 1 if family == 4 else 2)
    key = reply[4:20]
    port = int.from_bytes(reply[26:28], "big") ^ int.from_bytes(key[:2], "big")
    packed = bytes(a ^ b for a, b in zip(reply[28:], key, strict=False))
    assert [str(ipaddress.ip_address(packed)), port] == seen["own"]
    assert seen["own"][0] == source
    with ptcl.block(udp=[3478], how="drop"):
        assert lab.look("udp", timeout=SHORT, **look)["error"] == "TimeoutError"
    lab.internet.down("stun.fbsbx.com")
    assert lab.look("udp", **look)["error"] == "ConnectionRefusedError"


def test_stun_answers_requests_alone() -> None:
    """What is no binding request gets no answer."""
    asker = ("198.51.100.2", 1234)
    assert stun.answer(BINDING, asker) is not None
    other = struct.pack("!HHI", 0x0111, 0, stun.COOKIE) + TRANSACTION
    old = struct.pack("!HHI", stun.REQUEST, 0, 0) + TRANSACTION
    for message in (b"", b"hello", BINDING[:-1], BINDING + b"\0", other, old):
        assert stun.answer(message, asker) is None
