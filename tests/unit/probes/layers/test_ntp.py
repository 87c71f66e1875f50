"""The question for the time to real sockets on loopback, and arbitrary datagrams as answers."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.failure_strings import Failure
from probes.layers.app_answer import AppAnswer
from probes.layers.ntp import NOT_NTP, ask_time, encode_request, is_reply
from tests.lab import ntp as lab_ntp
from tests.unit.probes.layers.test_stun import Answer, answering
from tests.worlds.loopback import network

MOMENT = bytes(range(8))
NOW = 1_700_000_000.25


def reply(request: bytes) -> bytes:
    """A time server's."""
    found = lab_ntp.answer(request, NOW)
    assert found is not None
    return found


def without_time(request: bytes) -> bytes:
    """The reply of a server that asks for patience (kiss of death): stratum 0."""
    return reply(request)[:1] + b"\0" + reply(request)[2:]


async def ask(answer: Answer, deadline: float = 0.3) -> AppAnswer:
    """Ask a server with these answers."""
    own: list[str] = []
    async with answering(answer) as port:
        found = await ask_time(
            network(), "127.0.0.1", port, timeout=deadline, on_local_address=own.append
        )
    assert own == ["127.0.0.1"]
    return found


@pytest.mark.parametrize("make", [reply, without_time])
async def test_a_time_server_is_known_by_the_moment_it_repeats(make: object) -> None:
    """Whatever it says of the time, it answered us."""
    assert callable(make)
    answer = await ask(lambda request, _: [make(request)], 30)
    assert answer.failure is None
    assert 0 < answer.first_reply < 5


async def test_nothing_in_the_question_is_ours() -> None:
    """A client of version 4 that names no clock, and another random moment each time."""
    asked: list[bytes] = []

    def remember(request: bytes, _: int) -> list[bytes]:
        asked.append(request)
        return [reply(request)]

    for _ in range(3):
        await ask(remember, 30)
    assert {one[:40] for one in asked} == {b"\x23" + bytes(39)}
    assert len({one[40:] for one in asked}) == 3


FOREIGN = {
    "another moment": lambda _: reply(encode_request(MOMENT)),
    "an echo": lambda request: request,
    "half an answer": lambda request: reply(request)[:40],
    "noise": lambda _: b"no such service",
}


@pytest.mark.parametrize("make", FOREIGN.values(), ids=FOREIGN)
async def test_what_answers_nothing_is_waited_through(make: object) -> None:
    """It is named where nothing else comes, and forgotten where the answer does."""
    assert callable(make)
    assert (await ask(lambda request, _: [make(request)])).failure == NOT_NTP
    assert (await ask(lambda request, _: [make(request), reply(request)], 30)).failure is None


async def test_silence_is_a_timeout() -> None:
    """Three questions, no answer."""
    asked: list[bytes] = []

    def nothing(request: bytes, _: int) -> list[bytes]:
        asked.append(request)
        return []

    answer = await ask(nothing)
    assert (answer.failure, answer.first_reply) == (Failure.GENERIC_TIMEOUT, 0.0)
    assert len(asked) == 3


@given(st.binary(max_size=100))
def test_any_datagram_can_be_read(noise: bytes) -> None:
    """No datagram raises, and none counts that does not repeat our moment."""
    assert not is_reply(noise, MOMENT) or noise[24:32] == MOMENT
    true = reply(encode_request(MOMENT))
    assert is_reply(true + noise, MOMENT)


def test_the_lab_answers_clients_alone() -> None:
    """What is no client's request gets no answer."""
    request = encode_request(MOMENT)
    assert struct.unpack_from("!I", reply(request), 40)[0] == int(NOW) + lab_ntp.SINCE_1900
    for message in (b"", request[:-1], b"\x24" + request[1:]):
        assert lab_ntp.answer(message, NOW) is None
