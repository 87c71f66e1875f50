"""Attacks at the collector's door: whoever has no key takes nobody's place, and what was recorded
on the way cannot be played again."""

import asyncio
import socket
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import pytest

from monitor.wire.answers import BATCHES, CONTROLS, SETTINGS, TIME, ControlRequest, Reason
from tests.collector.test_orders import LISTED, FakeControls, asking
from tests.collector.world import (
    NOW,
    OTHER_KEY,
    REVOKED_KEY,
    Collector,
    collecting,
    good_request,
    is_signed_answer,
    new_id,
    refusal,
    request,
    sealed_request,
    settings,
)
from tests.worlds.http_client import httpx


def _stalled(collector: Collector, headers: dict[str, str]) -> socket.socket:
    """A connection that sends headers, a part of a body, and then nothing more."""
    url = httpx.URL(collector.url)
    stalled = socket.create_connection((url.host, url.port or 0))
    sealed, _ = sealed_request(headers, b"")
    lines = "".join(f"{name}: {value}\r\n" for name, value in sealed.items())
    head = f"POST {BATCHES} HTTP/1.1\r\nhost: c\r\ncontent-length: 4000000\r\n{lines}\r\n"
    stalled.sendall(head.encode() + b"x" * 100)
    return stalled


@pytest.mark.parametrize("connections", [4, 64])
async def test_attack_slow_connections_in_an_agents_name_silence_nobody(connections: int) -> None:
    """A stranger who knows a vantage's id and the fingerprint of its key opens connections that
    claim to be it, and sends their bodies slowly. The vantage's own batch is taken at once."""
    claimed, _ = good_request()
    forged, _ = good_request(key=OTHER_KEY)
    claimed["shutwatch-signature"] = forged["shutwatch-signature"]
    async with collecting() as collector:
        with ExitStack() as stack:
            for _ in range(connections):
                stack.enter_context(_stalled(collector, claimed))
            await asyncio.sleep(0.1)
            assert (await collector.send(*good_request())).status_code == 200
            assert collector.counts.rejected[Reason.BAD_SIGNATURE] == connections


async def test_attack_headers_that_fit_take_no_other_body() -> None:
    """Whoever records the headers of a batch cannot send them with a body of its own."""
    async with collecting() as collector:
        headers, body = good_request()
        response = await collector.send(headers, body[:-1] + bytes([body[-1] ^ 1]))
        assert refusal(response).reason is Reason.BAD_SIGNATURE
        assert (collector.counts.batches, await collector.stored()) == (0, 0)
        assert (await collector.send(headers, body)).status_code == 200


async def test_attack_a_recorded_question_for_controls_is_answered_once() -> None:
    """Played again within the five minutes in which it is fresh, it would have the controls measure
    again, and use up what its vantage may ask."""
    controls = FakeControls()
    async with collecting(controls=lambda: controls) as collector:
        sent = asking(ControlRequest(cycle=new_id(), target=LISTED))
        assert (await collector.send(*sent, path=CONTROLS)).status_code == 200
        for _ in range(3):
            again = await collector.send(*sent, path=CONTROLS)
            assert (again.status_code, refusal(again).reason) == (409, Reason.REPLAY)
        assert len(controls.asked) == 1


async def test_attack_a_recorded_question_uses_up_nothing() -> None:
    """A question that is played again does not count against what its vantage may ask."""
    controls = FakeControls()
    used = settings(controls_per_minute=2)
    async with collecting(controls=lambda: controls, used=used) as collector:
        sent = asking(ControlRequest(cycle=new_id(), target=LISTED))
        statuses = [(await collector.send(*sent, path=CONTROLS)).status_code for _ in range(5)]
        assert statuses == [200, 409, 409, 409, 409]
        fresh = asking(ControlRequest(cycle=new_id(), target=LISTED))
        assert (await collector.send(*fresh, path=CONTROLS)).status_code == 200


async def test_attack_a_recorded_question_for_settings_is_answered_once() -> None:
    """Settings tell what a vantage measures: a recorded question gets no second answer."""
    async with collecting() as collector:
        headers, _ = request(b"", path=SETTINGS, method="GET", encoding="identity")
        assert (await collector.ask(headers, SETTINGS)).status_code == 200
        again = await collector.ask(headers, SETTINGS)
        assert (again.status_code, refusal(again).reason) == (409, Reason.REPLAY)


async def test_a_revoked_agent_is_told_so_under_the_collectors_signature() -> None:
    """Only then can it fall silent for good: anybody on the way could say so without one. Whoever
    only knows the revoked key's fingerprint gets no signature."""
    async with collecting() as collector:
        headers, body = good_request(key=REVOKED_KEY, vantage="isb-nayatel")
        response = await collector.send(headers, body)
        assert (response.status_code, refusal(response).reason) == (401, Reason.REVOKED_KEY)
        assert is_signed_answer(response, headers["shutwatch-request"])
        assert refusal(response).at == NOW
        forged, _ = good_request(vantage="isb-nayatel")
        headers["shutwatch-signature"] = forged["shutwatch-signature"]
        response = await collector.send(headers, body)
        assert refusal(response).reason is Reason.BAD_SIGNATURE
        assert "shutwatch-signature" not in response.headers


async def test_what_an_agent_gives_up_on_is_said_under_the_collectors_signature() -> None:
    """A refusal of whoever signed the request is signed for it; one of a stranger is not."""
    async with collecting() as collector:
        headers, body = request(b"no batch")
        response = await collector.send(headers, body)
        assert refusal(response).reason is Reason.MALFORMED
        assert is_signed_answer(response, headers["shutwatch-request"])
        other, body = request(b"no batch", key=OTHER_KEY)
        response = await collector.send(other, body)
        assert refusal(response).reason is Reason.UNKNOWN_KEY
        assert "shutwatch-signature" not in response.headers


async def test_attack_strangers_who_ask_for_the_time_keep_no_agent_from_it() -> None:
    """An agent learns the time before it sends anything, so whoever used up all answers to that
    question kept every agent that was started anew silent. Signed questions have their own share,
    with whatever time of sending; a signature that does not fit has none."""
    async with collecting() as collector:
        for _ in range(60):
            await collector.ask({}, TIME)
        assert (await collector.ask({}, TIME)).status_code == 429
        old = datetime(1970, 1, 2, tzinfo=UTC)
        asked: dict[str, Any] = {
            "path": TIME,
            "method": "GET",
            "encoding": "identity",
            "sent_at": old,
        }
        headers, _ = request(b"", **asked)
        response = await collector.ask(headers, TIME)
        assert response.status_code == 200
        assert is_signed_answer(response, headers["shutwatch-request"])
        forged, _ = request(b"", key=OTHER_KEY, **asked)
        headers["shutwatch-signature"] = forged["shutwatch-signature"]
        assert (await collector.ask(headers, TIME)).status_code == 429
