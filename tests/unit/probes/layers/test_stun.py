"""STUN binding requests to real servers on loopback, and arbitrary datagrams as answers."""

import asyncio
import contextlib
import ipaddress
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.failure_strings import Failure
from probes.layers.app_answer import AppAnswer
from probes.layers.stun import (
    NOT_STUN,
    REFUSED,
    Reply,
    ask_binding,
    classify,
    encode_request,
    mapped_address,
)
from tests.lab import stun as lab_stun
from tests.worlds.loopback import network, unused_port

TRANSACTION = bytes(range(12))
SEEN = "203.0.113.77"
"""The address that the servers report."""
Answer = Callable[[bytes, int], list[bytes]]
"""Datagrams for a request and its number, counting from 1."""


def success(request: bytes, address: str = SEEN) -> bytes:
    """A server's answer, by another implementation."""
    answer = lab_stun.answer(request, (address, 40000))
    assert answer is not None
    return answer


def message(kind: int, transaction: bytes, *attributes: tuple[int, bytes]) -> bytes:
    """Any STUN message."""
    body = b"".join(
        struct.pack("!HH", name, len(value)) + value + bytes(-len(value) % 4)
        for name, value in attributes
    )
    return struct.pack("!HHI", kind, len(body), 0x2112A442) + transaction + body


def error(request: bytes) -> bytes:
    """A server's refusal."""
    return message(0x0111, request[8:20], (0x0009, b"\x00\x00\x04\x00Bad Request"))


def of_another(request: bytes) -> bytes:
    """The answer to somebody else's request."""
    return success(request[:8] + bytes(12))


@contextlib.asynccontextmanager
async def answering(answer: Answer, address: str = "127.0.0.1") -> AsyncIterator[int]:
    """A server of datagrams; gives its port."""
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((address, 0))
        sock.setblocking(False)
        number = 0

        def readable() -> None:
            nonlocal number
            request, client = sock.recvfrom(2048)
            number += 1
            for reply in answer(request, number):
                sock.sendto(reply, client)

        loop.add_reader(sock.fileno(), readable)
        try:
            yield sock.getsockname()[1]
        finally:
            loop.remove_reader(sock.fileno())


async def ask(answer: Answer, deadline: float = 0.3, address: str = "127.0.0.1") -> AppAnswer:
    """Ask a server with these answers."""
    async with answering(answer, address) as port:
        return await ask_at(port, deadline, address)


async def ask_at(port: int, deadline: float = 0.3, address: str = "127.0.0.1") -> AppAnswer:
    """Ask the server at this port."""
    own: list[str] = []
    binding = await ask_binding(
        network(), address, port, timeout=deadline, on_local_address=own.append
    )
    assert own == [address]
    return binding


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("seen", [SEEN, "2001:db8::77"])
async def test_a_server_is_known_by_its_answer(address: str, seen: str) -> None:
    """A mapped address of either family is accepted."""
    started = time.monotonic()
    binding = await ask(lambda request, _: [success(request, seen)], 30, address)
    assert binding.failure is None
    assert 0 < binding.first_reply < 5
    assert time.monotonic() - started < 5


async def test_our_own_address_is_not_kept() -> None:
    """The mapped address is not in the result."""
    binding = await ask(lambda request, _: [success(request)])
    assert binding.failure is None
    known = msgspec.json.encode(binding).decode()
    assert SEEN not in known
    assert set(msgspec.json.decode(known)) == {"failure", "first_reply"}


@pytest.mark.parametrize("lost", [1, 2])
async def test_a_lost_request_is_sent_again(lost: int) -> None:
    """Two of three requests may be lost, and a late answer to any of them counts."""
    requests: list[bytes] = []

    def answer(request: bytes, number: int) -> list[bytes]:
        requests.append(request)
        return [success(request)] if number > lost else []

    binding = await ask(answer)
    assert binding.failure is None
    assert binding.first_reply > lost * 0.09
    assert requests == [requests[0]] * (lost + 1)


async def test_three_requests_without_an_answer_are_a_timeout() -> None:
    """After three requests nothing is sent, and the deadline holds."""
    numbers: list[int] = []

    def silent(_: bytes, number: int) -> list[bytes]:
        numbers.append(number)
        return []

    started = time.monotonic()
    assert await ask(silent) == AppAnswer(failure=Failure.GENERIC_TIMEOUT, first_reply=0.0)
    assert numbers == [1, 2, 3]
    assert 0.28 < time.monotonic() - started < 2


FOREIGN: dict[str, Callable[[bytes], bytes]] = {
    "http": lambda _: b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "empty": lambda _: b"",
    "echo": lambda request: request,
    "another transaction": of_another,
    "cut": lambda request: success(request)[:-1],
    "longer": lambda request: success(request) + bytes(4),
    "without an address": lambda request: message(0x0101, request[8:20]),
    "with a broken address": lambda request: message(
        0x0101, request[8:20], (0x0020, b"\x00\x02" + bytes(6))
    ),
    "of 2003": lambda request: message(0x0101, request[8:20], (0x0001, b"\x00\x01" + bytes(6))),
}


@pytest.mark.parametrize("make", FOREIGN.values(), ids=FOREIGN)
async def test_other_datagrams_are_not_taken_for_an_answer(make: Callable[[bytes], bytes]) -> None:
    """Foreign datagrams do not end the wait: the real answer may follow."""
    assert (await ask(lambda request, _: [make(request)])).failure == NOT_STUN
    both = await ask(lambda request, _: [make(request), success(request)], 30)
    assert both.failure is None


async def test_a_refusal_is_an_answer_and_none() -> None:
    """An error response is a failure with its own name."""
    binding = await ask(lambda request, _: [error(request)], 30)
    assert binding.failure == REFUSED == "unknown_failure: STUN error response"
    assert binding.first_reply > 0


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_nobody_listening_is_a_refusal_at_once(address: str) -> None:
    """An ICMP error ends the wait."""
    started = time.monotonic()
    binding = await ask_at(unused_port(address), 30, address)
    assert binding == AppAnswer(failure=Failure.CONNECTION_REFUSED, first_reply=0.0)
    assert time.monotonic() - started < 5


async def test_a_socket_that_cannot_be_opened_is_a_failure_and_no_exception() -> None:
    """The system refuses a broadcast address; that of loopback needs no route."""
    own: list[str] = []
    binding = await ask_binding(
        network(), "127.255.255.255", 3478, timeout=0.1, on_local_address=own.append
    )
    assert binding.failure == Failure.PERMISSION_DENIED


@given(st.binary(max_size=100), st.integers(0, 40))
def test_any_datagram_can_be_classified(noise: bytes, cut: int) -> None:
    """No datagram raises, and only a complete answer counts."""
    assert classify(noise, TRANSACTION) is Reply.FOREIGN or TRANSACTION in noise
    true = success(encode_request(TRANSACTION))
    for data in (true[:cut] + noise, message(0x0101, TRANSACTION) + noise):
        if classify(data, TRANSACTION) is Reply.SUCCESS:
            assert data[20:].find(b"\x00\x20") >= 0


@given(st.ip_addresses(), st.lists(st.tuples(st.integers(0x8000, 0xFFFF), st.binary(max_size=9))))
def test_other_attributes_do_not_matter(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, others: list[tuple[int, bytes]]
) -> None:
    """The address attribute is found after others, with their padding."""
    value = b"\x00" + bytes([1 if address.version == 4 else 2]) + b"pp" + address.packed
    data = message(0x0101, TRANSACTION, *others, (0x0020, value))
    assert classify(data, TRANSACTION) is Reply.SUCCESS


@pytest.mark.parametrize("address", ["203.0.113.77", "2001:db8:113::77"])
def test_the_mapped_address_is_read_back(address: str) -> None:
    """The mapped address of another implementation's answer is read, in both families."""
    answer = success(encode_request(TRANSACTION), address)
    assert mapped_address(answer) == address
