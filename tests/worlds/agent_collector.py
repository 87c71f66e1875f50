"""A collector for tests: the agents' interface over real TLS, with all it took in memory.

In a test, `async with collecting() as collector`; as a program, `python -m
tests.worlds.agent_collector
PORT FOLDER`, which takes from the folder the certificate, whom it knows, and if they are there its
orders and the addresses it claims that controls reached, and writes to it the counts of what came.
While there is a file `revoked` the agent's key is.
"""

import asyncio
import gzip
import ssl
import sys
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import trustme
import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from monitor.keys.keys import public_text
from monitor.keys.sealing import sealing_key
from monitor.wire.answers import (
    AGE_LIMIT,
    BATCHES,
    CONTROLS,
    KNOWN,
    SETTINGS,
    STATUS,
    TIME,
    AgentSettings,
    ControlAnswer,
    ControlRequest,
    KnownControls,
    Moment,
    Reason,
    Receipt,
    Refusal,
)
from monitor.wire.batch import Batch
from monitor.wire.envelope import (
    ANSWER_KEY,
    SEALED,
    SPOOL,
    answer_key_in,
    open_body,
    open_headers,
    seal_answer,
)
from monitor.wire.signing import (
    REQUEST,
    SIGNATURE,
    body_digest,
    claim_of,
    is_signed,
    sign_answer,
)
from probes.measurement import Measurement, Purpose
from tests.worlds.build import dns, http, look, tcp, tls

KEY = Ed25519PrivateKey.from_private_bytes(b"c" * 32)
SEALING = sealing_key(KEY)
AGENT_KEY = Ed25519PrivateKey.from_private_bytes(b"a" * 32)
NAME = "localhost"


class Collector:
    """What came, and what is answered."""

    def __init__(self) -> None:
        self.name = NAME
        """In its address and its certificate."""
        self.port = 0
        self.ahead = timedelta(0)
        """Of this machine's clock."""
        self.known = public_text(AGENT_KEY)
        """Of the one agent there is."""
        self.bodies: dict[str, bytes] = {}
        """Batch → opened body."""
        self.batches: list[Batch] = []
        """Each once, in the order they came."""
        self.sent: list[tuple[str, bytes]] = []
        """Batch and opened body of every attempt."""
        self.spools: list[str] = []
        """What waited and what was dropped, by each attempt."""
        self.headers: list[dict[str, str]] = []
        """Of every request."""
        self.paths: Counter[str] = Counter()
        self.refusals: deque[Reason] = deque()
        """Given to the next batches in turn, before anything is stored."""
        self.largest = sys.maxsize
        """Bytes that the proxy in front lets through."""
        self.too_large = 0
        """Batches that it did not."""
        self.retry_after = ""
        self.lose_receipts = 0
        """So many batches more are stored, and not acknowledged."""
        self.forge = False
        """Sign answers with another key."""
        self.orders: AgentSettings | None = None
        self.controls: ControlAnswer | None = None
        self.claimed: tuple[str, ...] = ()
        """Addresses at which controls reached everything, as this collector says."""
        self.asked: list[ControlRequest] = []
        self.looks: tuple[Measurement, ...] = ()
        """What controls measured last."""
        self.revoked = False
        """Whether the agent's key was revoked."""
        self.signs_refusals = True
        """Whether that, and other refusals, are signed."""
        self.stall = 0.0
        """Seconds before anything is answered."""

    @property
    def url(self) -> str:
        """As an agent is told it."""
        return f"https://{self.name}:{self.port}"

    def now(self) -> datetime:
        """UTC, by the collector's clock."""
        return datetime.now(UTC) + self.ahead

    def measurements(self) -> Counter[str]:
        """How often each measurement is in what was stored."""
        return Counter(
            look.id
            for batch in self.batches
            for report in batch.reports
            for look in report.measurements
        )

    def app(self) -> Starlette:
        """The five routes."""
        return Starlette(
            routes=[
                Route(BATCHES, self._take, methods=["POST"]),
                Route(CONTROLS, self._control, methods=["POST"]),
                Route(SETTINGS, self._settings, methods=["GET"]),
                Route(KNOWN, self._known, methods=["GET"]),
                Route(TIME, self._time, methods=["GET"]),
            ]
        )

    async def _take(self, request: Request) -> Response:
        if len(await request.body()) > self.largest:
            self.too_large += 1
            return Response("<h1>413 Request Entity Too Large</h1>", status_code=413)
        body = await self._signed_body(request)
        if isinstance(body, Response):
            return body
        batch = self._inside(request)[REQUEST]
        self.sent.append((batch, body))
        self.spools.append(self._inside(request)[SPOOL])
        if self.refusals:
            return self._refuse(request, self.refusals.popleft())
        known = batch in self.bodies
        if known and self.bodies[batch] != body:
            return self._refuse(request, Reason.REPLAY)
        if not known:
            self.bodies[batch] = body
            self.batches.append(msgspec.json.decode(gzip.decompress(body), type=Batch))
        if self.lose_receipts > 0:
            self.lose_receipts -= 1
            return Response(status_code=500)
        settings = "" if self.orders is None else self.orders.version
        return self._signed(
            request, Receipt(batch=batch, known=known, at=self.now(), settings=settings)
        )

    async def _control(self, request: Request) -> Response:
        body = await self._signed_body(request)
        if isinstance(body, Response):
            return body
        asked = msgspec.json.decode(body, type=ControlRequest)
        self.asked.append(asked)
        answer = self.controls or ControlAnswer(at=self.now(), looks=self._claimed(asked))
        return self._signed(request, answer)

    def _claimed(self, asked: ControlRequest) -> tuple[Measurement, ...]:
        """A control's measurement that reached what was asked for, at the addresses claimed."""
        if asked.target is None or not self.claimed:
            return ()
        name, address = asked.target.endpoint.host, self.claimed[0]
        made = look(
            dns(name=name, addresses=tuple(self.claimed)),
            tcp(address=address),
            tls(address=address, server_name=name),
            http(),
            reached=True,
        )
        return (
            msgspec.structs.replace(
                made,
                vantage="ctl-ams",
                vantage_role="control",
                look=Purpose.CONTROL,
                platform=asked.target.platform,
                function=asked.target.function,
                endpoint=asked.target.endpoint.id,
                started_at=self.now(),
            ),
        )

    async def _settings(self, request: Request) -> Response:
        body = await self._signed_body(request)
        if isinstance(body, Response):
            return body
        if self.orders is None:
            return Response(status_code=404)
        return self._signed(request, self.orders)

    async def _known(self, request: Request) -> Response:
        body = await self._signed_body(request)
        if isinstance(body, Response):
            return body
        return self._signed(request, KnownControls(looks=self.looks))

    async def _time(self, request: Request) -> Response:
        self._note(request)
        await asyncio.sleep(self.stall)
        return self._signed(request, Moment(at=self.now()))

    async def _signed_body(self, request: Request) -> bytes | Response:
        self._note(request)
        inside = self._inside(request)
        body = open_body(SEALING, await request.body())
        claim = claim_of(request.method, request.url.path, inside)
        if not is_signed(claim, self.known) or claim.body != body_digest(body):
            return self._refuse(request, Reason.BAD_SIGNATURE)
        if self.revoked:
            return self._refuse(request, Reason.REVOKED_KEY)
        age = (self.now() - datetime.fromisoformat(claim.sent_at)).total_seconds()
        if abs(age) > AGE_LIMIT:
            return self._refuse(request, Reason.STALE if age > 0 else Reason.FUTURE)
        await asyncio.sleep(self.stall)
        return body

    def _note(self, request: Request) -> None:
        self.paths[request.url.path] += 1
        self.headers.append(dict(request.headers))

    @staticmethod
    def _inside(request: Request) -> dict[str, str]:
        """The sealed headers; those in clear of the one request that has none."""
        sealed = request.headers.get(SEALED)
        return dict(request.headers) if sealed is None else open_headers(SEALING, sealed)

    def _signed(self, request: Request, answer: msgspec.Struct) -> Response:
        inside = self._inside(request)
        body = msgspec.json.encode(answer)
        signature = sign_answer(AGENT_KEY if self.forge else KEY, inside[REQUEST], body)
        if ANSWER_KEY in inside:
            body = seal_answer(answer_key_in(inside), inside[REQUEST], body)
        return Response(body, headers={SIGNATURE: signature})

    def _refuse(self, request: Request, reason: Reason) -> Response:
        body = msgspec.json.encode(Refusal(reason=reason, detail="as the test says", at=self.now()))
        headers = {"retry-after": self.retry_after} if self.retry_after else {}
        if self.signs_refusals:
            headers[SIGNATURE] = sign_answer(KEY, self._inside(request)[REQUEST], body)
        return Response(body, status_code=STATUS[reason], headers=headers)


class Server:
    """Serves a collector, which may be taken away and come back with another certificate."""

    def __init__(
        self,
        collector: Collector,
        authority: trustme.CA,
        certificate: trustme.LeafCert | None = None,
    ) -> None:
        """A new certificate of the authority at each start, unless one is given."""
        self.collector = collector
        self.authority = authority
        self.certificate = certificate
        self._server: uvicorn.Server | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin, at the port it had before."""
        config = uvicorn.Config(
            self.collector.app(),
            host="127.0.0.1",
            port=self.collector.port,
            log_config=None,
            lifespan="off",
        )
        config.load()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        own = self.certificate or self.authority.issue_cert(self.collector.name)
        own.configure_cert(context)
        config.ssl = context
        self._server = uvicorn.Server(config)
        self._task = asyncio.create_task(self._server._serve())
        while not self._server.started:
            assert not self._task.done()
            await asyncio.sleep(0.01)
        self.collector.port = self._server.servers[0].sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """End."""
        if self._server is not None and self._task is not None:
            self._server.should_exit = self._server.force_exit = True
            await self._task
            self._server = None


@asynccontextmanager
async def collecting(
    authority: trustme.CA, certificate: trustme.LeafCert | None = None
) -> AsyncIterator[tuple[Collector, Server]]:
    """A collector on loopback for as long as the context lasts."""
    collector = Collector()
    server = Server(collector, authority, certificate)
    await server.start()
    try:
        yield collector, server
    finally:
        await server.stop()


def main() -> None:
    """Serve until ended; `counts.json` in the folder tells batches, reports and measurements."""
    port, folder = int(sys.argv[1]), Path(sys.argv[2])
    collector = Collector()
    collector.known = (folder / "agent.pub").read_text().strip()
    orders, claimed = folder / "orders.json", folder / "addresses.json"
    if orders.exists():
        collector.orders = msgspec.json.decode(orders.read_bytes(), type=AgentSettings)
    if claimed.exists():
        collector.claimed = msgspec.json.decode(claimed.read_bytes(), type=tuple[str, ...])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "collector.pem")

    async def write() -> None:
        while True:
            await asyncio.sleep(0.2)
            collector.revoked = (folder / "revoked").exists()
            reports = sum(len(batch.reports) for batch in collector.batches)
            told = {
                "batches": len(collector.batches),
                "reports": reports,
                "paths": dict(collector.paths),
                "measurements": collector.measurements(),
                "headers": collector.headers[-1:],
            }
            partial = folder / "counts.partial"
            partial.write_bytes(msgspec.json.encode(told))
            partial.replace(folder / "counts.json")

    async def serve() -> None:
        config = uvicorn.Config(
            collector.app(), host="127.0.0.1", port=port, log_config=None, lifespan="off"
        )
        config.load()
        config.ssl = context
        writing = asyncio.create_task(write())
        await uvicorn.Server(config).serve()
        writing.cancel()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
