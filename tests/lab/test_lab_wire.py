"""The censor's eyes: frames, ClientHellos, requests and questions are read as they are.

These need no namespaces: they are about bytes.
"""

import contextlib
import ipaddress
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lab import dns_wire, packets
from tests.lab.rules import Rule
from tests.lab.sniff import MORE, OTHER, sniff

ETHERNET = bytes(12)
FAMILIES = [("198.51.100.2", "198.18.0.1"), ("2001:db8:c::2", "2001:db8:f::1")]


def ones_complement(data: bytes) -> int:
    """The Internet checksum's sum, the slow and obvious way (RFC 1071)."""
    data += b"\0" * (len(data) % 2)
    total = sum(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def hello(name: str) -> bytes:
    """What OpenSSL sends first for a server name."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname=name)
    with contextlib.suppress(ssl.SSLWantReadError):
        session.do_handshake()
    return outgoing.read()


@pytest.mark.parametrize(("source", "destination"), FAMILIES)
@given(
    payload=st.binary(max_size=60), ports=st.tuples(st.integers(1, 65535), st.integers(1, 65535))
)
def test_segment_round_trip(
    source: str, destination: str, payload: bytes, ports: tuple[int, int]
) -> None:
    """A forged segment reads back as it was made, and its checksums add up."""
    here = (ipaddress.ip_address(source).packed, ports[0])
    there = (ipaddress.ip_address(destination).packed, ports[1])
    frame = packets.tcp(
        ETHERNET,
        here,
        there,
        flags=packets.PSH | packets.ACK,
        sequence=-1,
        acknowledged=7,
        payload=payload,
        options=b"\x02\x04\x05\xb4",
    )
    packet = packets.parse(frame + b"padding")
    assert packet is not None
    assert (packet.source, packet.source_port, packet.destination, packet.destination_port) == (
        *here,
        *there,
    )
    assert (packet.payload, packet.tcp_options) == (payload, b"\x02\x04\x05\xb4")
    assert (packet.sequence, packet.acknowledged) == (packets.SEQUENCES - 1, 7)
    assert packet.next_sequence == (packets.SEQUENCES - 1 + len(payload)) % packets.SEQUENCES
    segment = frame[packet.transport_at : packet.end]
    pseudo = here[0] + there[0] + len(segment).to_bytes(4, "big") + (6).to_bytes(4, "big")
    assert ones_complement(pseudo + segment) == 0xFFFF
    if len(here[0]) == 4:
        assert ones_complement(frame[14:34]) == 0xFFFF


def test_other_frames_are_left_alone() -> None:
    """What carries no IP is not taken apart."""
    assert packets.parse(ETHERNET + b"\x08\x06" + bytes(28)) is None


@given(cut=st.integers(0, 2000))
def test_client_hello_at_any_length(cut: int) -> None:
    """A ClientHello names its server once it is whole, and never before."""
    whole = hello("www.youtube.com")
    expected = ("tls", "www.youtube.com") if cut >= len(whole) else (MORE, "")
    assert sniff(whole[:cut], 443) == expected


@given(size=st.integers(1, 300))
def test_client_hello_in_many_records(size: int) -> None:
    """A ClientHello cut into many records still names its server."""
    body = hello("x.com")[5:]
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    records = b"".join(b"\x16\x03\x01" + len(p).to_bytes(2, "big") + p for p in pieces)
    assert sniff(records, 443) == ("tls", "x.com")


@given(data=st.binary(min_size=5, max_size=80), port=st.sampled_from([53, 80, 443]))
def test_rubbish_is_no_name(data: bytes, port: int) -> None:
    """Whatever arrives, the censor reads on or gives up; it never fails."""
    protocol, _ = sniff(data, port)
    assert protocol in (MORE, OTHER, "tls", "http", "dns")


def test_request_host() -> None:
    """The Host of a request is read without its port, whatever its letter case."""
    request = b"GET / HTTP/1.1\r\nuser-agent: x\r\nHOST: X.com:80\r\n\r\n"
    assert sniff(request, 80) == ("http", "x.com")
    assert sniff(request[:-1], 80) == (MORE, "")


def test_question_keeps_its_letter_case() -> None:
    """An answer repeats the question as asked, while names compare in lower case."""
    question = dns_wire.question(9, "X.cOm", dns_wire.A)
    query = dns_wire.parse_query(question)
    assert query.name == "x.com"
    answer = dns_wire.answer(query, addresses=("198.18.0.1", "2001:db8::1"))
    assert answer[12 : 12 + len(query.question)] == query.question
    assert answer.endswith(ipaddress.ip_address("198.18.0.1").packed)


@pytest.mark.parametrize(
    ("names", "meant", "spared"),
    [
        (("x.com",), ["x.com"], ["a.x.com", "xx.com", "com"]),
        ((".x.com",), ["x.com", "a.x.com"], ["xx.com", "x.com.org"]),
        ((), ["x.com", ""], []),
    ],
)
def test_rule_names(names: tuple[str, ...], meant: list[str], spared: list[str]) -> None:
    """A plain name means itself, one with a leading dot all below it too, none means all."""
    rule = Rule(id=1, kind="hello", names=names)
    assert [name for name in (*meant, *spared) if rule.names_it(name)] == meant
