"""Proofs of OpenTimestamps: asked for, completed, and followed to a block's header, offline."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.stamps.opentimestamps import (
    MAGIC,
    Proof,
    block_of,
    completed,
    headers_in,
    read_proof,
)
from monitor.stamps.requests import ask_calendar, complete
from monitor.stamps.time_authority import StampError
from probes.sockets.http_client import httpx
from tests.properties import examples
from tests.worlds.time_world import Authority, Clocks, clocks, in_block, promise

DATA = b"what was measured\n"
# The only transaction of the first block of Bitcoin, and that block's header: the root of its tree
# is the double SHA-256 of the transaction, so a proof for it can be written by hand.
FIRST = bytes.fromhex(
    "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff4d04ffff00"
    "1d0104455468652054696d65732030332f4a616e2f32303039204368616e63656c6c6f72206f6e206272696e6b20"
    "6f66207365636f6e64206261696c6f757420666f722062616e6b73ffffffff0100f2052a01000000434104678afd"
    "b0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f35504e51ec112de5c"
    "384df7ba0b8d578a4c702b6bf11d5fac00000000"
)
HEADER = bytes.fromhex(
    "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac7"
    "2c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c"
)
# Written by the reference implementation, for FIRST and for DATA.
OF_FIRST = bytes.fromhex(
    "004f70656e54696d657374616d7073000050726f6f6600bf89e2e884e89294010827362e66e032c731c1c8519f43"
    "063fe0e5d070db1c0c3552bb04afa18a31c6bf08000588960d73d719010100"
)
OF_DATA = bytes.fromhex(
    "004f70656e54696d657374616d7073000050726f6f6600bf89e2e884e89294010847506984cdaae2c6c1b9f2d908"
    "d55fcec969f817cb936a5e52fdb02e767f8de3ff02003132333435363738077061796c6f6164ff03f0027879ff00"
    "0588960d73d7190101070006869a0d73d71b450105f0100101010101010101010101010101010108ff0083dfe30d"
    "2ef90c8e191868747470733a2f2f63616c656e6461722e6578616d706c65f10566697273740808000588960d73d7"
    "190103c0a233"
)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Clocks]:
    """A calendar that answers over HTTP."""
    with clocks(Authority(tmp_path / "authority")) as found:
        yield found


def test_a_proof_leads_to_the_block_it_names() -> None:
    """Of the first block: its time, and its hash as everybody knows it."""
    block = block_of(read_proof(OF_FIRST, FIRST), {0: HEADER})
    assert block is not None
    assert block.height == 0
    assert block.at == datetime(2009, 1, 3, 18, 15, 5, tzinfo=UTC)
    assert block.hash == "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"
    assert block_of(read_proof(OF_FIRST, FIRST), {}) is None


def test_all_that_the_reference_implementation_writes_is_read() -> None:
    """A promise and a block behind a fork; what stands behind operations that are not computed
    here, and of kinds that are not known, proves nothing."""
    proof = read_proof(OF_DATA, DATA)
    (promised,) = proof.pending
    commitment = hashlib.sha256(hashlib.sha256(DATA).digest() + b"\1" * 16).digest()
    assert (promised.calendar, promised.commitment) == ("https://calendar.example", commitment)
    root = hashlib.sha256(hashlib.sha256(b"first" + commitment).digest()).digest()
    assert proof.blocks == ((840_000, root),)


def test_a_header_must_fit_and_have_taken_work() -> None:
    """Another root, a shorter one, and one that anybody can make in a moment."""
    proof = read_proof(OF_FIRST, FIRST)
    with pytest.raises(StampError, match="another Merkle root"):
        block_of(proof, {0: HEADER[:40] + b"\0" + HEADER[41:]})
    with pytest.raises(StampError, match="another Merkle root"):
        block_of(proof, {0: HEADER[:-1]})
    for easy in (HEADER[:-1] + b"\0", HEADER[:72] + b"\xff\xff\xff\x7f" + HEADER[76:-1] + b"\0"):
        with pytest.raises(StampError, match="took no work"):
            block_of(proof, {0: easy})


def test_a_proof_about_other_data_is_none() -> None:
    """Nor is one with something behind its end, or another version's."""
    with pytest.raises(StampError, match="about other data"):
        read_proof(OF_FIRST, DATA)
    with pytest.raises(StampError, match="follows its end"):
        read_proof(OF_FIRST + b"\0", FIRST)
    for odd in (b"", MAGIC, MAGIC + b"\2\x08", b"\x30" * 100, MAGIC + b"\1\x02", bytes(70_000)):
        with pytest.raises(StampError):
            read_proof(odd, FIRST)


@pytest.mark.parametrize(
    ("rest", "why"),
    [
        (b"\xff" * 6000, "more steps"),
        (b"\x08" * 6000, "more steps"),
        ((b"\xf0\xa0\x1f" + b"x" * 4000) * 3, "too long"),
        (b"\xf0\xff\xff\xff\xff\x0f", "too long"),
        (b"\xf0" + b"\xff" * 12, "too large"),
        (b"\x99", "is not known"),
        (b"\x08", "cut off"),
        (b"\x00" + b"x" * 8 + b"\x05x", "cut off"),
    ],
)
def test_a_hostile_proof_is_an_error_at_once(rest: bytes, why: str) -> None:
    """Endless forks, endless hashing, values that grow, numbers that do not end."""
    begin = MAGIC + b"\1\x08" + hashlib.sha256(DATA).digest()
    with pytest.raises(StampError, match=why):
        read_proof(begin + rest, DATA)


@settings(max_examples=examples(300), deadline=None)
@given(st.data())
def test_no_change_of_a_proof_leads_to_another_time(data: st.DataObject) -> None:
    """Bytes changed, cut out or put in: it does not hold, or leads to no block that is known, or to
    the one it led to."""
    place = data.draw(st.integers(0, len(OF_FIRST) - 1))
    added = data.draw(st.binary(max_size=4))
    lost = data.draw(st.integers(0, 4))
    changed = OF_FIRST[:place] + added + OF_FIRST[place + lost :]
    try:
        block = block_of(read_proof(changed, FIRST), {0: HEADER})
    except StampError:
        return
    assert (
        block is None
        or block.hash == hashlib.sha256(hashlib.sha256(HEADER).digest()).digest()[::-1].hex()
    )


async def test_a_calendar_promises_and_later_completes(served: Clocks) -> None:
    """It gets a digest that tells nothing of the data; the completed proof leads to a block, and
    keeps the promise."""
    async with httpx.AsyncClient() as client:
        proof = await ask_calendar(client, served.url, DATA)
        assert served.digests[0] != hashlib.sha256(DATA).digest()
        (promised,) = read_proof(proof, DATA).pending
        assert promised.calendar == served.url
        assert await complete(client, proof, DATA, served.url) is None
        assert await complete(client, proof, DATA, "http://127.0.0.1:1") is None
        served.complete = True
        whole = await complete(client, proof, DATA, served.url)
        assert whole is not None
        found = read_proof(whole, DATA)
        assert [height for height, _ in found.blocks] == [840_000]
        assert len(found.pending) == 1
        assert await complete(client, whole, DATA, served.url) is None


async def test_a_calendar_that_answers_nonsense_is_an_error(served: Clocks) -> None:
    """Nothing of it is stored."""
    served.spoilt = b"<html>"
    async with httpx.AsyncClient() as client:
        with pytest.raises(StampError):
            await ask_calendar(client, served.url, DATA)


def test_a_promise_is_completed_in_place() -> None:
    """Also between others."""
    begin = MAGIC + b"\1\x08" + hashlib.sha256(DATA).digest()
    proof = begin + b"\xff" + promise("http://a.example") + b"\x08" + promise("http://b.example")
    first, second = read_proof(proof, DATA).pending
    for number, one in enumerate((first, second)):
        whole = read_proof(completed(proof, one, in_block(5 + number)), DATA)
        assert whole.blocks == ((5 + number, one.commitment),)
        assert [each.calendar for each in whole.pending] == ["http://a.example", "http://b.example"]
    assert read_proof(proof, DATA) == Proof(pending=(first, second), blocks=())


def test_headers_are_read_from_lines() -> None:
    """A height and a header each; a bad line is named."""
    assert headers_in(f"# from two explorers\n\n0 {HEADER.hex()}\n") == {0: HEADER}
    for bad in ("0", "x " + HEADER.hex(), "0 zz", f"0 {HEADER.hex()[2:]}"):
        with pytest.raises(ValueError, match="line 2"):
            headers_in(f"\n{bad}")
