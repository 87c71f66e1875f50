"""A small packed answer may unpack to gigabytes: every client stops reading long before."""

import tracemalloc
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

import pytest

from monitor.sources.atlas_client import AtlasClient
from monitor.sources.fault import SourceFault
from monitor.sources.globalping_client import GlobalpingClient
from monitor.sources.ioda_client import IodaClient
from monitor.sources.ooni_client import OoniClient
from probes.sockets.http_client import httpx

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MIB = 1 << 20
UNPACKED, HELD = 200, 100
"""MiB that the answer has, and that reading it may take at most."""


def _bomb() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = bytes(MIB)
    return b"".join([*(packer.compress(zeros) for _ in range(UNPACKED)), packer.flush()])


class _Stream(httpx.AsyncByteStream):
    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for begin in range(0, len(self._body), 8192):
            yield self._body[begin : begin + 8192]


class _Packed(httpx.AsyncBaseTransport):
    """Answers with few bytes that unpack to many."""

    def __init__(self) -> None:
        self._body = _bomb()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:  # noqa: ARG002
        headers = {"Content-Encoding": "gzip"}
        return httpx.Response(200, headers=headers, stream=_Stream(self._body))


API = "https://source.test"
Asking = Callable[[httpx.AsyncBaseTransport], Awaitable[object]]
CLIENTS: dict[str, Asking] = {
    "ioda": lambda transport: IodaClient(API, transport).alerts(["PK"], NOW, NOW, 0),
    "ooni": lambda transport: OoniClient(API, transport).page({}),
    "globalping": lambda transport: GlobalpingClient(API, transport).limits(),
    "atlas": lambda transport: AtlasClient(API, transport).balance(),
}


@pytest.mark.parametrize("name", CLIENTS)
async def test_an_answer_that_unpacks_to_gigabytes_is_malformed(name: str) -> None:
    """A proxy, or somebody in the source's place, sends it: the monitor keeps its memory."""
    transport = _Packed()
    tracemalloc.start()
    try:
        with pytest.raises(SourceFault, match="malformed: an answer of more than"):
            await CLIENTS[name](transport)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < HELD * MIB
