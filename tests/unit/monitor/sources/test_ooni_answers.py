"""Answers that no server of OONI's would give are malformed, and no surprise."""

from typing import Any

import pytest

from monitor.sources.fault import SourceFault
from monitor.sources.ooni_client import OoniClient
from probes.sockets.http_client import httpx

DIGITS = "9" * 5000
LEFT = "X-RateLimit-Remaining"


async def _answered(body: dict[str, Any], headers: dict[str, str]) -> OoniClient:
    reply = httpx.Response(200, json=body, headers=headers)
    client = OoniClient("https://api.ooni.test", httpx.MockTransport(lambda _: reply))
    try:
        await client.page({})
    finally:
        await client.close()
    return client


@pytest.mark.parametrize(
    ("metadata", "headers"),
    [
        ({"query_time": 1e307}, {}),
        ({"query_time": -1e307}, {}),
        ({"query_time": 1e30}, {}),
        ({}, {LEFT: DIGITS}),
        ({}, {LEFT: "9" * 30}),
        ({"next_url": f"https://api.ooni.test/?offset={DIGITS}"}, {}),
    ],
)
async def test_numbers_beyond_all_bounds_are_malformed(
    metadata: dict[str, Any], headers: dict[str, str]
) -> None:
    """They break no arithmetic, and no state that could not be stored is made of them."""
    with pytest.raises(SourceFault, match="malformed"):
        await _answered({"results": [], "metadata": metadata}, headers)


async def test_numbers_within_them_are_read() -> None:
    """What a request took, and what is left."""
    client = await _answered({"results": [], "metadata": {"query_time": 0.12}}, {LEFT: "3000"})
    assert (client.taken, client.remaining) == (12, 3000)


async def test_no_number_is_none() -> None:
    """A server that says nothing of its quota, or a word."""
    client = await _answered({"results": []}, {LEFT: "plenty"})
    assert client.remaining is None
