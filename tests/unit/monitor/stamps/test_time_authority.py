"""Replies of time authorities: asked for, stored, and checked offline, also by OpenSSL."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.stamps.requests import ask_authority
from monitor.stamps.time_authority import StampError, read_reply, request_for, roots_in
from probes.sockets.http_client import httpx
from tests.properties import examples
from tests.worlds.time_world import Authority, Clocks, clocks

DATA = b"what was measured\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A time authority with its own root."""
    return Authority(tmp_path_factory.mktemp("authority") / "one")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Another, which nobody trusts."""
    return Authority(tmp_path_factory.mktemp("authority") / "other")


@pytest.fixture(scope="module")
def reply(authority: Authority) -> bytes:
    """What it says of DATA."""
    return authority.reply(request_for(DATA)[0])


@pytest.fixture
def served(authority: Authority) -> Iterator[Clocks]:
    """It answers over HTTP."""
    with clocks(authority) as found:
        yield found


async def test_a_reply_is_asked_for_and_holds(served: Clocks, authority: Authority) -> None:
    """Over HTTP; it says now, under a root that is known; OpenSSL finds the same."""
    async with httpx.AsyncClient() as client:
        reply = await ask_authority(client, f"{served.url}/tsr", DATA, authority.roots)
    stamp = read_reply(reply, DATA, authority.roots)
    assert stamp.trusted
    assert abs(stamp.at - datetime.now(UTC)) < timedelta(minutes=1)
    assert authority.accepts(reply, DATA)
    assert not authority.accepts(reply, DATA + b"x")


def test_without_its_root_a_reply_is_a_claim(
    reply: bytes, authority: Authority, other: Authority
) -> None:
    """And so it is under the root of another authority."""
    assert read_reply(reply, DATA, authority.roots).trusted
    assert not read_reply(reply, DATA).trusted
    assert not read_reply(reply, DATA, other.roots).trusted
    assert read_reply(reply, DATA, (*other.roots, *authority.roots)).trusted


def test_a_reply_about_other_data_is_none(reply: bytes, authority: Authority) -> None:
    """Nor is one that answers another query, or that refuses."""
    with pytest.raises(StampError, match="about other data"):
        read_reply(reply, DATA + b"x", authority.roots)
    with pytest.raises(StampError, match="another query"):
        read_reply(reply, DATA, authority.roots, nonce=7)
    with pytest.raises(StampError, match="refused"):
        read_reply(authority.reply(b"not a query"), DATA, authority.roots)


@pytest.mark.parametrize("reply", [b"", b"0", b"0\x82\xff\xff", b"<html>", bytes(70_000)])
def test_what_is_no_reply_is_said_to_be_none(reply: bytes) -> None:
    """Whatever a server answers."""
    with pytest.raises(StampError):
        read_reply(reply, DATA)


@settings(max_examples=examples(300), deadline=None)
@given(st.data())
def test_no_change_of_a_reply_gives_another_time(
    reply: bytes, authority: Authority, data: st.DataObject
) -> None:
    """Bytes changed, cut out or put in: it does not hold, or says what it said."""
    place = data.draw(st.integers(0, len(reply) - 1))
    added = data.draw(st.binary(max_size=4))
    lost = data.draw(st.integers(0, 4))
    changed = reply[:place] + added + reply[place + lost :]
    try:
        stamp = read_reply(changed, DATA, authority.roots)
    except StampError:
        return
    assert not stamp.trusted or stamp == read_reply(reply, DATA, authority.roots)


@pytest.mark.parametrize("spoilt", [b"<html>", bytes(70_000)])
async def test_a_server_that_answers_anything_else_is_an_error(
    served: Clocks, spoilt: bytes
) -> None:
    """With what was wrong."""
    served.spoilt = spoilt
    async with httpx.AsyncClient() as client:
        with pytest.raises(StampError):
            await ask_authority(client, f"{served.url}/tsr", DATA)
        served.spoilt = b""
        with pytest.raises(StampError, match="HTTP status 404"):
            await ask_authority(client, f"{served.url}/nothing", DATA)
        with pytest.raises(StampError):
            await ask_authority(client, "http://127.0.0.1:1/", DATA)


async def test_a_reply_under_no_trusted_root_is_not_stored(
    served: Clocks, other: Authority
) -> None:
    """Where roots are configured, a server that stamps for somebody else is found at once."""
    async with httpx.AsyncClient() as client:
        with pytest.raises(StampError, match="leads to none of the roots"):
            await ask_authority(client, f"{served.url}/tsr", DATA, other.roots)


def test_a_file_without_certificates_is_refused(tmp_path: Path) -> None:
    """ValueError, so that a command can say which file."""
    (tmp_path / "empty.pem").write_text("nothing")
    with pytest.raises(ValueError, match=r"PEM|pem"):
        roots_in(tmp_path / "empty.pem")
