"""What is said of a source that could not be read."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from monitor.sources.fault import SourceFault
from monitor.sources.ioda_client import IodaClient
from monitor.sources.ooni_client import OoniClient
from probes.sockets.http_client import httpx

AT = datetime(2024, 2, 17, tzinfo=UTC)
OWN = "203.0.113.77"


def _ooni(transport: httpx.MockTransport) -> Awaitable[object]:
    return OoniClient("https://ooni.example", transport).page({})


def _ioda(transport: httpx.MockTransport) -> Awaitable[object]:
    return IodaClient("https://ioda.example", transport).alerts(["PK"], AT, AT, 0)


@pytest.mark.parametrize("status", [403, 503])
@pytest.mark.parametrize("ask", [_ooni, _ioda])
async def test_a_refusal_does_not_bring_our_own_address_into_the_log(
    ask: Callable[[httpx.MockTransport], Awaitable[object]], status: int
) -> None:
    """Servers in front of a service, and the service itself, quote who asks."""

    def refuse(_: httpx.Request) -> httpx.Response:
        return httpx.Response(status, json={"data": None, "error": f"{OWN} may not ask"})

    with pytest.raises(SourceFault) as caught:
        await ask(httpx.MockTransport(refuse))
    assert OWN not in str(caught.value)
    assert f"HTTP status {status}" in str(caught.value)
