"""DNS messages on the wire, compared with dnspython."""

import contextlib
import struct
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.layers.dns_message import decode_reply, encode_name, encode_query
from probes.sockets.failure_mapping import MalformedReplyError
from probes.testing import DnsReply, encode_reply, question_of

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
labels = st.one_of(
    st.sampled_from(f"{LETTERS}_"),
    st.builds(
        "{}{}{}".format,
        st.sampled_from(f"{LETTERS}_"),
        st.text(f"{LETTERS}-", max_size=20),
        st.sampled_from(LETTERS),
    ),
)
names = st.lists(labels, min_size=1, max_size=6).map(".".join)
ids = st.integers(0, 0xFFFF)
rtypes = st.sampled_from(["A", "AAAA"])
v4 = st.ip_addresses(v=4).map(str)
v6 = st.ip_addresses(v=6).map(str)


def addresses_for(rtype: str) -> st.SearchStrategy[list[str]]:
    """Distinct addresses of one record type."""
    return st.lists(v4 if rtype == "A" else v6, max_size=5, unique=True)


def parsed(addresses: Iterable[str]) -> list[IPv4Address | IPv6Address]:
    """Addresses sorted by value, whatever their spelling."""
    return sorted(map(ip_address, addresses), key=int)


def built(
    query_id: int, name: str, rtype: str, addresses: list[str], cnames: list[str], rcode: str
) -> dns.message.Message:
    """A reply as dnspython makes it, with compressed names."""
    reply = dns.message.make_response(dns.message.make_query(name, rtype, id=query_id))
    reply.set_rcode(dns.rcode.from_text(rcode))
    owner = name
    for cname in cnames:
        reply.answer.append(dns.rrset.from_text(f"{owner}.", 60, "IN", "CNAME", f"{cname}."))
        owner = cname
    if addresses:
        reply.answer.append(dns.rrset.from_text(f"{owner}.", 60, "IN", rtype, *addresses))
    return reply


@given(ids, names, rtypes)
def test_dnspython_reads_our_queries(query_id: int, name: str, rtype: str) -> None:
    """A query equals that of dnspython: one question, recursion desired."""
    message = dns.message.from_wire(encode_query(query_id, name, rtype))
    assert message.id == query_id
    assert message.flags == dns.flags.RD
    (question,) = message.question
    assert question.name == dns.name.from_text(name)
    assert dns.rdatatype.to_text(question.rdtype) == rtype
    assert question.rdclass == dns.rdataclass.IN


@given(names)
def test_an_absolute_name_is_the_same_query(name: str) -> None:
    """The final dot of an absolute name changes nothing."""
    assert encode_query(1, f"{name}.", "A") == encode_query(1, name, "A")


@pytest.mark.parametrize(
    "name", ["", "a..b", ".", ".a", "a" * 64 + ".com", "a." * 127 + "com", "é.fr"]
)
def test_names_dns_cannot_carry_are_refused(name: str) -> None:
    """An impossible name raises ValueError and makes no broken packet."""
    with pytest.raises(ValueError, match=r"label|longer|codec"):
        encode_query(1, name, "A")


@given(names)
def test_a_name_of_the_longest_kind_fits(name: str) -> None:
    """We encode every name that dnspython encodes, octet for octet."""
    assert encode_name(name) == dns.name.from_text(name).to_wire()


@given(st.data())
def test_replies_of_dnspython_are_read(data: st.DataObject) -> None:
    """Compression, CNAME chains and every common code are decoded as dnspython encoded them."""
    query_id, name, rtype = data.draw(ids), data.draw(names), data.draw(rtypes)
    addresses = data.draw(addresses_for(rtype))
    # A CNAME shares its zone with the question more often than not, which is what compresses.
    cnames = data.draw(st.lists(st.builds("{}.{}".format, labels, st.just(name)), max_size=3))
    rcode = data.draw(st.sampled_from(["NOERROR", "NXDOMAIN", "SERVFAIL", "REFUSED", "NOTIMP"]))
    reply = built(query_id, name, rtype, addresses, list(dict.fromkeys(cnames)), rcode)
    seen = decode_reply(reply.to_wire(max_size=65535))
    assert seen.id == query_id
    assert seen.name == name
    assert dns.rdatatype.to_text(dns.rdatatype.RdataType.make(seen.qtype)) == rtype
    assert seen.rcode == rcode
    assert not seen.truncated
    assert parsed(seen.addresses) == parsed(addresses)
    assert seen.cnames == tuple(dict.fromkeys(cnames))


@given(st.data())
def test_records_of_other_types_are_passed_over(data: st.DataObject) -> None:
    """Other records in an answer are neither addresses nor errors."""
    addresses = data.draw(st.lists(v4, min_size=1, max_size=3, unique=True))
    reply = built(7, "x.com", "A", addresses, [], "NOERROR")
    others = {"TXT": '"203.0.113.9"', "AAAA": "2001:db8::9", "MX": "10 mail.x.com."}
    rtype, value = data.draw(st.sampled_from(sorted(others.items())))
    reply.answer.insert(0, dns.rrset.from_text("x.com.", 60, "IN", rtype, value))
    reply.additional.append(dns.rrset.from_text("ns.x.com.", 60, "IN", "A", "203.0.113.8"))
    assert sorted(decode_reply(reply.to_wire()).addresses) == sorted(addresses)


@given(st.data())
def test_a_truncated_reply_gives_what_came_through(data: st.DataObject) -> None:
    """A truncated reply is read up to the cut and marked as truncated."""
    addresses = data.draw(st.lists(v4, min_size=1, max_size=20, unique=True))
    reply = built(7, "x.com", "A", addresses, ["edge.x.com"], "NOERROR")
    reply.flags |= dns.flags.TC
    wire = reply.to_wire(max_size=65535)
    cut = data.draw(st.integers(len(encode_query(7, "x.com", "A")), len(wire)))
    seen = decode_reply(wire[:cut])
    assert seen.truncated
    assert set(seen.addresses) <= set(addresses)
    if cut == len(wire):
        assert set(seen.addresses) == set(addresses)


@given(st.data())
def test_a_reply_cut_short_without_saying_so_is_malformed(data: st.DataObject) -> None:
    """A cut reply that is not marked as truncated is refused."""
    wire = built(7, "x.com", "A", ["203.0.113.1", "203.0.113.2"], [], "NOERROR").to_wire()
    with pytest.raises(MalformedReplyError):
        decode_reply(wire[: data.draw(st.integers(0, len(wire) - 1))])


@given(st.binary(max_size=80))
def test_arbitrary_bytes_raise_nothing_but_malformed(data: bytes) -> None:
    """Random bytes raise MalformedReplyError at most."""
    with contextlib.suppress(MalformedReplyError):
        decode_reply(data)


@given(st.data())
def test_a_damaged_reply_raises_nothing_but_malformed(data: st.DataObject) -> None:
    """A real reply with some octets changed raises MalformedReplyError at most."""
    cnames = ["a.x.com", "b.x.com"]
    wire = bytearray(built(7, "www.x.com", "A", ["203.0.113.1"], cnames, "NOERROR").to_wire())
    for _ in range(data.draw(st.integers(1, 4))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(MalformedReplyError):
        decode_reply(bytes(wire))


def header(answers: int = 1, questions: int = 1, flags: int = 0x8180) -> bytes:
    """The fixed part of a reply with id 7."""
    return struct.pack("!6H", 7, flags, questions, answers, 0, 0)


QUESTION = encode_name("x.com") + b"\x00\x01\x00\x01"


def record(owner: bytes, data: bytes = b"\xcb\x00\x71\x01", rtype: int = 1) -> bytes:
    """One record with a hand-made owner name."""
    return owner + struct.pack("!HHIH", rtype, 1, 60, len(data)) + data


@pytest.mark.parametrize(
    "owner",
    [
        pytest.param(b"\xc0\x17", id="to itself"),
        pytest.param(b"\xc0\x40", id="ahead"),
        pytest.param(b"\x01a\xc0\x17", id="round and round"),
        pytest.param(b"\xff\xff", id="beyond the end"),
        pytest.param(b"\x80", id="reserved label type"),
        pytest.param(b"\x3f" + b"a" * 20, id="label cut short"),
    ],
)
def test_names_that_lead_nowhere_are_malformed(owner: bytes) -> None:
    """A compression pointer must point back, so no reply makes an endless loop."""
    with pytest.raises(MalformedReplyError):
        decode_reply(header() + QUESTION + record(owner))


def test_a_chain_of_pointers_is_no_way_to_a_longer_name() -> None:
    """A name stays within the 255 octets of RFC 1035, whatever the pointers."""
    offset = 12 + len(QUESTION)
    owner = b"".join(b"\x3f" + b"a" * 63 for _ in range(5)) + b"\x00"
    wire = header(answers=2) + QUESTION + record(owner)
    with pytest.raises(MalformedReplyError):
        decode_reply(wire + record(struct.pack("!H", 0xC000 | offset)))


def test_a_reply_is_read_only_as_far_as_honest_ones_go() -> None:
    """Small records that point at one long name would be megabytes of text in every measurement."""
    name = b"".join(bytes([size]) + b"\xff" * size for size in (63, 63, 63, 61)) + b"\0"
    wire = QUESTION + record(b"\0", name, rtype=5)
    at = 12 + len(wire) - len(name)
    pointing = record(b"\0", struct.pack("!H", 0xC000 | at), rtype=5)
    count = (65_000 - len(wire)) // len(pointing)
    reply = decode_reply(header(answers=1 + count) + wire + pointing * count)
    assert sum(map(len, reply.cnames)) < 20_000
    many = decode_reply(header(answers=3000) + QUESTION + record(b"\0") * 3000)
    assert 30 < len(many.addresses) < 100


def test_case_does_not_matter() -> None:
    """A reply in another case answers the same question."""
    wire = header(answers=0, flags=0x8183) + encode_name("X.CoM") + b"\x00\x01\x00\x01"
    assert decode_reply(wire).name == "x.com"


def test_an_odd_name_in_an_answer_does_not_spoil_it() -> None:
    """An alias that is not ASCII is escaped; the addresses still count."""
    alias = record(b"\xc0\x0c", b"\x03\xff\xfea\x00", rtype=5)
    reply = decode_reply(header(answers=2) + QUESTION + alias + record(b"\xc0\x0c"))
    assert reply.cnames == ("\\xff\\xfea",)
    assert reply.addresses == ("203.0.113.1",)


def test_an_error_may_leave_the_question_out() -> None:
    """A bare header with REFUSED counts as REFUSED and not as silence."""
    reply = decode_reply(header(answers=0, questions=0, flags=0x8185))
    assert (reply.id, reply.rcode, reply.name) == (7, "REFUSED", "")


@pytest.mark.parametrize(
    "wire",
    [
        pytest.param(header(questions=0, answers=0), id="success without a question"),
        pytest.param(header(questions=2, answers=0) + QUESTION * 2, id="two questions"),
        pytest.param(header(flags=0x0100, answers=0) + QUESTION, id="a query"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_what_is_no_reply_to_one_question_is_malformed(wire: bytes) -> None:
    """A reply must have exactly one question."""
    with pytest.raises(MalformedReplyError):
        decode_reply(wire)


def test_unknown_codes_keep_their_number() -> None:
    """An uncommon reply code is recorded by its number."""
    assert decode_reply(header(answers=0, flags=0x818B) + QUESTION).rcode == "RCODE11"


@pytest.mark.parametrize("length", [0, 3, 5, 16])
def test_an_address_of_the_wrong_length_is_none(length: int) -> None:
    """An A record without exactly four octets gives no address."""
    assert decode_reply(header() + QUESTION + record(b"\xc0\x0c", b"\1" * length)).addresses == ()


@given(ids, names, rtypes, st.data())
def test_the_shipped_fake_speaks_dns(
    query_id: int, name: str, rtype: str, data: st.DataObject
) -> None:
    """dnspython reads ScriptedNetwork's replies as scripted."""
    query = encode_query(query_id, name, rtype)
    addresses = data.draw(addresses_for(rtype))
    reply = DnsReply(addresses=tuple(addresses), cnames=("edge.example",), truncated=True)
    message = dns.message.from_wire(encode_reply(query, reply), ignore_trailing=True)
    assert question_of(query) == (name, rtype)
    assert message.id == query_id
    assert message.flags & dns.flags.TC
    chain = [rrset for rrset in message.answer if rrset.rdtype == dns.rdatatype.CNAME]
    assert [str(rrset[0].target) for rrset in chain] == ["edge.example."]
    found = [r.address for s in message.answer if s.rdtype != dns.rdatatype.CNAME for r in s]
    assert parsed(found) == parsed(addresses)
