"""An agent and a collector for tests: keys, batches as agents make them, and a real server."""

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import uuid_utils
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from monitor.analysis.verdict import VantageHealth, VantageState
from monitor.collector.agents_api import AgentApi
from monitor.collector.certificate import Certificate
from monitor.collector.connection_limits import AgentConnection
from monitor.collector.serve_agents import serve_agents
from monitor.config.load import default_settings
from monitor.config.settings import CollectorSettings, Settings
from monitor.keys.keys import fingerprint, public_text
from monitor.keys.sealing import sealing_key, sealing_text
from monitor.measuring.controls import Controls
from monitor.metrics.ingest_counts import IngestCounts
from monitor.wire.answers import BATCHES, TIME, Refusal
from monitor.wire.batch import FORMAT, Batch, CycleReport, encode_batch
from monitor.wire.envelope import (
    ANSWER_KEY,
    SPOOL,
    answer_key_text,
    open_answer,
    seal_body,
    seal_headers,
)
from monitor.wire.signing import REQUEST, SIGNATURE, is_answer, signed_headers
from probes.measurement import Measurement, Purpose
from storage.store import CollectorStore
from storage.values.fleet import Enrolment
from storage.values.times import time_text
from tests.worlds.build import dns, http, look, tcp, tls
from tests.worlds.http_client import httpx
from tests.worlds.memory_store import MemoryStore

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
AGENT_KEY = Ed25519PrivateKey.from_private_bytes(b"agent".ljust(32, b"."))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(b"other".ljust(32, b"."))
REVOKED_KEY = Ed25519PrivateKey.from_private_bytes(b"revoked".ljust(32, b"."))
COLLECTOR_KEY = Ed25519PrivateKey.from_private_bytes(b"collector".ljust(32, b"."))
SEALING = sealing_key(COLLECTOR_KEY)
ANSWERS = b"answers".ljust(32, b".")
"""Seals answers; an agent makes a new one for each request."""


def new_id() -> str:
    """A UUIDv7."""
    return str(uuid_utils.uuid7())


def enrolment(
    key: Ed25519PrivateKey = AGENT_KEY, vantage: str = "khi-ptcl", role: str = "field"
) -> Enrolment:
    """A key enrolled for a vantage of PTCL in Pakistan, as `tests.worlds.build.look` looks from."""
    return Enrolment(
        vantage=vantage,
        country="PK",
        asn=17557,
        network="PTCL",
        role=role,
        key=public_text(key),
        fingerprint=fingerprint(public_text(key)),
        enrolled_at=NOW - timedelta(days=30),
    )


def measurement(cycle: str, **changed: Any) -> Measurement:
    """A healthy look, a minute ago; with any of its fields changed."""
    seen = look(dns(), tcp(), tls(), http(), reached=True, kind=Purpose.SCHEDULED, id=new_id())
    usual = {"cycle": cycle, "started_at": NOW - timedelta(seconds=60)}
    return msgspec.structs.replace(seen, **{**usual, **changed})


def health(**changed: Any) -> VantageHealth:
    """A healthy vantage."""
    fine = VantageHealth(
        vantage="khi-ptcl",
        country="PK",
        asn=17557,
        network="PTCL",
        state=VantageState.OK,
        rule_id="vantage.ok",
        references_ok=6,
        references_total=6,
        timeout_rate=0.05,
        families=("ipv4",),
        at=NOW - timedelta(seconds=50),
    )
    return msgspec.structs.replace(fine, **changed)


def report(looks: int = 3, **changed: Any) -> CycleReport:
    """A cycle of a minute ago with so many healthy looks; with any of its fields changed."""
    cycle = changed.get("cycle", new_id())
    ended = changed.get("finished_at", NOW - timedelta(seconds=20))
    usual: dict[str, Any] = {
        "cycle": cycle,
        "started_at": NOW - timedelta(seconds=70),
        "finished_at": ended,
        "health": health(),
        "measurements": tuple(
            measurement(
                cycle,
                endpoint=f"https://{number}.x.com/",
                started_at=ended - timedelta(seconds=40),
            )
            for number in range(looks)
        ),
    }
    return CycleReport(**{**usual, **changed})


def batch(*reports: CycleReport, **changed: Any) -> Batch:
    """A batch of one healthy cycle, or of those given; with any of its fields changed."""
    usual: dict[str, Any] = {"format": FORMAT, "vantage": "khi-ptcl", "version": "0.1.0"}
    return Batch(**{**usual, **changed}, reports=reports or (report(),))


def request(
    body: bytes,
    *,
    key: Ed25519PrivateKey = AGENT_KEY,
    vantage: str = "khi-ptcl",
    sent_at: datetime = NOW,
    identity: str = "",
    encoding: str = "gzip",
    path: str = BATCHES,
    method: str = "POST",
) -> tuple[dict[str, str], bytes]:
    """Headers and body of a request as an agent signs it; packed where `encoding` is gzip."""
    packed = gzip.compress(body) if encoding == "gzip" else body
    headers = signed_headers(
        key,
        method=method,
        path=path,
        vantage=vantage,
        request=identity or new_id(),
        sent_at=time_text(sent_at),
        encoding=encoding,
        body=packed,
    )
    return headers, packed


def good_request(**changed: Any) -> tuple[dict[str, str], bytes]:
    """A whole batch as it should be."""
    return request(encode_batch(batch()), **changed)


def settings(**collector: Any) -> Settings:
    """Of a collector that listens on a free port; with any of `[collector]` changed."""
    table = CollectorSettings(**{"listen": ("127.0.0.1", 0), **collector})
    return msgspec.structs.replace(default_settings(), collector=table)


class Ticks:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Collector:
    """A collector over real HTTP, and what may be asked of it."""

    def __init__(self, store: CollectorStore, client: httpx.AsyncClient) -> None:
        self.store = store
        self.client = client
        self.counts = IngestCounts()
        self.clock = Ticks()
        self.url = ""

    async def send(
        self, headers: Mapping[str, str], body: bytes, *, path: str = BATCHES
    ) -> httpx.Response:
        """POST, sealed as an agent does; gives the opened answer."""
        outside, sealed = sealed_request(headers, body)
        return opened_answer(headers, await self.client.post(path, headers=outside, content=sealed))

    async def ask(self, headers: Mapping[str, str], path: str) -> httpx.Response:
        """GET, likewise; strangers ask for the time in clear."""
        if path == TIME and SIGNATURE not in headers:
            return await self.client.get(path, headers=dict(headers))
        outside, _ = sealed_request(headers, b"")
        return opened_answer(headers, await self.client.get(path, headers=outside))

    async def stored(self) -> int:
        """Cycles that wait for judgement."""
        return len(await self.store.waiting(1000))


def sealed_request(
    headers: Mapping[str, str], body: bytes, key: str = sealing_text(SEALING)
) -> tuple[dict[str, str], bytes]:
    """Headers and body as an agent sends them, sealed to that key."""
    inside = {ANSWER_KEY: answer_key_text(ANSWERS), SPOOL: "", **headers}
    sealed = seal_body(key, body).sealed if body else b""
    return seal_headers(key, inside), sealed


def opened_answer(headers: Mapping[str, str], response: httpx.Response) -> httpx.Response:
    """The answer to a request with those headers inside; a refusal is not sealed."""
    if not response.is_success:
        return response
    assert response.headers["content-type"] == "application/octet-stream"
    body = open_answer(ANSWERS, headers[REQUEST], response.content, 2**23)
    kept = {name: response.headers[name] for name in (SIGNATURE, "cache-control")}
    return httpx.Response(response.status_code, headers=kept, content=body)


def refusal(response: httpx.Response) -> Refusal:
    """Why a request was refused."""
    assert response.headers["content-type"] == "application/json"
    return msgspec.json.decode(response.content, type=Refusal)


def is_signed_answer(response: httpx.Response, request_id: str) -> bool:
    """Whether it is the collector's own answer to that request."""
    signature = response.headers.get(SIGNATURE, "")
    return is_answer(public_text(COLLECTOR_KEY), signature, request_id, response.content)


@asynccontextmanager
async def collecting(
    *,
    store: CollectorStore | None = None,
    used: Settings | None = None,
    controls: Callable[[], Controls | None] = lambda: None,
    trust: ssl.SSLContext | bool = False,
    patience: float = 30.0,
    now: Callable[[], datetime] = lambda: NOW,
    certificate: Certificate | None = None,
    connection: type[AgentConnection] = AgentConnection,
) -> AsyncIterator[Collector]:
    """A collector on a free port, where `khi-ptcl` is enrolled and `isb-nayatel` was revoked."""
    kept = store or MemoryStore()
    await kept.open()
    await kept.enrol(enrolment())
    await kept.enrol(enrolment(REVOKED_KEY, "isb-nayatel"))
    await kept.revoke("isb-nayatel", NOW - timedelta(days=1), "the machine was taken")
    in_use = used or settings()
    scheme = "https" if certificate else "http"
    # A busy machine may take long for one answer.
    async with httpx.AsyncClient(trust_env=False, verify=trust, timeout=60) as client:
        collector = Collector(kept, client)
        app = AgentApi(
            kept,
            COLLECTOR_KEY,
            lambda: in_use,
            collector.counts,
            controls=controls,
            now=now,
            clock=collector.clock,
            patience=patience,
        ).app()
        where: asyncio.Future[tuple[str, int]] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(
            serve_agents(
                app,
                in_use.collector,
                listening=lambda host, port: where.set_result((host, port)),
                connection=connection,
                tls=certificate.context if certificate else None,
            )
        )
        watching = asyncio.create_task(certificate.watch(0.05)) if certificate else None
        task.add_done_callback(lambda _: where.cancel())
        host, port = await where
        collector.url = f"{scheme}://{host}:{port}"
        client.base_url = httpx.URL(collector.url)
        try:
            yield collector
        finally:
            await client.aclose()
            ending = {task} if watching is None else {task, watching}
            for one in ending:
                one.cancel()
            await asyncio.wait(ending)
            await kept.close()
