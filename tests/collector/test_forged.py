"""Whoever forges or breaks a batch gets nothing stored, and is told why."""

import pytest

from monitor.wire.answers import STATUS, Reason
from monitor.wire.batch import encode_batch
from tests.collector.forged import FORGED
from tests.collector.world import (
    batch,
    collecting,
    good_request,
    is_signed_answer,
    new_id,
    refusal,
    request,
    settings,
)

NOT_SIGNED = ("no_signature", "no_vantage", "request_id")
"""Malformed headers, for which no signature can hold."""
OTHER_BODY = ("tampered_body", "swapped_body")
"""The signature in the headers holds, and they come with a body that it is not about."""


@pytest.mark.parametrize("name", FORGED)
async def test_a_forged_batch_is_refused_for_its_reason(name: str) -> None:
    """It is answered with the status and reason of its kind and counted under it, nothing of it is
    stored, and the vantage's own batch is taken at once afterwards."""
    _, reason, make = FORGED[name]
    async with collecting() as collector:
        headers, body = make()
        response = await collector.send(headers, body)
        assert (response.status_code, refusal(response).reason) == (STATUS[reason], reason)
        # Only what was signed has a signed answer, on which an agent may give up something.
        wrong = reason in (Reason.UNKNOWN_KEY, Reason.BAD_SIGNATURE) and name not in OTHER_BODY
        holds = not wrong and name not in NOT_SIGNED
        assert is_signed_answer(response, headers.get("shutwatch-request", "")) is holds
        assert {r: n for r, n in collector.counts.rejected.items() if n} == {reason: 1}
        assert (collector.counts.batches, await collector.stored()) == (0, 0)
        assert (await collector.send(*good_request())).status_code == 200
        assert (collector.counts.batches, await collector.stored()) == (1, 1)


async def test_another_body_under_a_stored_id_is_refused() -> None:
    """An id stands for one body for ever: a second one is a replay, and changes nothing."""
    async with collecting() as collector:
        identity = new_id()
        assert (await collector.send(*good_request(identity=identity))).status_code == 200
        response = await collector.send(*good_request(identity=identity))
        assert (response.status_code, refusal(response).reason) == (409, Reason.REPLAY)
        assert (collector.counts.batches, await collector.stored()) == (1, 1)


async def test_the_same_request_played_again_is_answered_and_stored_once() -> None:
    """Who records a request and sends it again while it is fresh gets the same receipt, and
    nothing is counted twice."""
    async with collecting() as collector:
        sent = good_request()
        first, second = await collector.send(*sent), await collector.send(*sent)
        assert (first.json()["known"], second.json()["known"]) == (False, True)
        assert (collector.counts.batches, collector.counts.measurements) == (1, 3)
        assert await collector.stored() == 1


async def test_more_than_a_vantage_may_send_is_too_fast() -> None:
    """The request after the last that is allowed is told when to come back, and may then."""
    async with collecting(used=settings(batches_per_minute=2)) as collector:
        for _ in range(2):
            assert (await collector.send(*good_request())).status_code == 200
        response = await collector.send(*good_request())
        assert (response.status_code, refusal(response).reason) == (429, Reason.TOO_FAST)
        collector.clock.now += int(response.headers["retry-after"])
        assert (await collector.send(*good_request())).status_code == 200


async def test_more_bytes_than_a_vantage_may_send_are_too_fast() -> None:
    """Bytes count as they are unpacked, whatever they were packed to."""
    body = encode_batch(batch())
    async with collecting(used=settings(hourly_bytes=len(body) + 100)) as collector:
        assert (await collector.send(*request(body))).status_code == 200
        response = await collector.send(*request(body))
        assert (response.status_code, refusal(response).reason) == (429, Reason.TOO_FAST)
        assert int(response.headers["retry-after"]) > 3000
        assert await collector.stored() == 1


def test_there_are_thirty_kinds_at_least() -> None:
    """The table of forged batches covers every reason that a single batch can be refused for."""
    assert len(FORGED) >= 30
    others = {Reason.REPLAY, Reason.TOO_FAST, Reason.BUSY, Reason.STORAGE, Reason.INVITATION}
    assert {forged.reason for forged in FORGED.values()} == set(Reason) - others
