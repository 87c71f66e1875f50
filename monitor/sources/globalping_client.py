"""Asks Globalping's probes to test one name, and reads what they found.

A question costs one point for each probe that tests it: 250 an hour for everybody behind one
address, more with a token. A refused question says in `X-RateLimit-Reset` when there are points
again. Facts from the service's own source: jsdelivr/globalping, `public/v1/spec.yaml`, and
jsdelivr/globalping-probe, `src/command/handlers`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec

from monitor import __version__
from monitor.sources.bounded_body import bounded
from monitor.sources.fault import SourceFault
from monitor.sources.whole_numbers import Balance, Whole, whole
from probes.sockets.http_client import httpx
from probes.sockets.http_reason import why_no_answer

USER_AGENT = f"shutwatch/{__version__} (second opinion on blocks)"
_MEASUREMENTS, _LIMITS = "/v1/measurements", "/v1/limits"
_LONGEST = 8 * 1024 * 1024
"""Bytes of one answer, unpacked."""
_PAUSE = 0.5
"""Seconds between an answer that is not complete and the next request, as the service asks for."""
TEST_TIME = 15
"""Seconds that a probe may take for a test."""
_GIVEN_UP = TEST_TIME + 15.0
"""Seconds after which a question is given up: the service closes it five after a probe's time."""
_MOST_RESULTS = 500
_Id = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_-]{1,100}\Z")]
"""Of a question: part of the next address."""
EYEBALL = "eyeball-network"
"""Tag of probes in networks that people use at home and on phones."""


class Probe(msgspec.Struct, frozen=True):
    """Where a probe is. Its city, position and resolvers are not read."""

    country: str = ""
    asn: Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)] = 0
    network: str = ""
    tags: tuple[str, ...] = ()


class Timings(msgspec.Struct, frozen=True):
    """Milliseconds of each step; null: the step was not made."""

    total: float | None = None
    dns: float | None = None
    tcp: float | None = None
    tls: float | None = None
    firstByte: float | None = None  # noqa: N815 - the service's own name


class Certificate(msgspec.Struct, frozen=True):
    """What the probe found of the certificate, which it never enforces."""

    authorized: bool = False
    error: str | None = None
    protocol: str | None = None


class Answer(msgspec.Struct, frozen=True):
    """One record of a DNS reply."""

    type: str = ""
    value: str = ""


class Result(msgspec.Struct, frozen=True, rename="camel"):
    """What one probe found, of `dns` or `http`. Texts of pages are not read."""

    status: str
    """`finished`, `failed`, `in-progress`, or `offline` for a probe that is gone."""
    raw_output: str | None = None
    failure_source: str | None = None
    """`target`, `resolver` or `internal`; older probes do not say."""
    resolved_address: str | None = None
    status_code: int | None = None
    status_code_name: str | None = None
    timings: Timings | None = None
    tls: Certificate | None = None
    answers: tuple[Answer, ...] | None = None


class ProbeResult(msgspec.Struct, frozen=True):
    """A probe, and what it found."""

    probe: Probe
    result: Result


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """A question with its results: those of the same probes are in the same order."""

    id: str
    created_at: datetime
    """UTC, by the service's clock."""
    results: tuple[ProbeResult | None, ...]
    """None for one that cannot be read."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What to ask, and of whom."""

    type: str
    """`dns` or `http`."""
    target: str
    """A name or an address."""
    locations: str | tuple[dict[str, Any], ...]
    """Places, or the id of a question whose probes are asked again."""
    options: dict[str, Any] = {}


class _Asked(msgspec.Struct, frozen=True, rename="camel"):
    id: _Id
    probes_count: Whole


class _Wire(msgspec.Struct, frozen=True, rename="camel"):
    id: _Id
    status: str
    created_at: datetime
    results: list[msgspec.Raw]


class _Create(msgspec.Struct, frozen=True):
    remaining: Balance


class _Measurements(msgspec.Struct, frozen=True):
    create: _Create


class _RateLimit(msgspec.Struct, frozen=True):
    measurements: _Measurements


class _Limits(msgspec.Struct, frozen=True, rename="camel"):
    rate_limit: _RateLimit


class GlobalpingClient:
    """One client for one process."""

    def __init__(
        self,
        api: str,
        transport: httpx.AsyncBaseTransport | None = None,
        *,
        token: str = "",
        timeout: float = 30.0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`api` is the origin; `transport` replaces the network; `token` is that of an account,
        empty for none; `timeout` is in seconds; `sleep` waits."""
        headers = {"User-Agent": USER_AGENT, "Accept": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self._client = httpx.AsyncClient(
            base_url=api, transport=transport, headers=headers, timeout=timeout
        )
        self._sleep = sleep
        self.remaining: int | None = None
        """Points left in this hour, as the service said last."""
        self.taken = 0
        """Points that the last request took."""

    async def close(self) -> None:
        await self._client.aclose()

    async def limits(self) -> None:
        """Read how many points are left. It costs none. Raises SourceFault."""
        self.taken = 0
        response, body = await self._request("GET", _LIMITS)
        _refused(response, body)
        try:
            limits = msgspec.json.decode(body, type=_Limits)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise SourceFault("malformed", f"limits: {error}") from error
        self.remaining = limits.rate_limit.measurements.create.remaining

    async def ask(self, question: Question) -> str:
        """Have probes begin to test; the id of the question, or empty where no probe is. Raises
        SourceFault."""
        self.taken = 0
        wanted = {
            "type": question.type,
            "target": question.target,
            "locations": question.locations,
            "timeout": TEST_TIME,
            "measurementOptions": question.options,
        }
        response, body = await self._request("POST", _MEASUREMENTS, wanted)
        left = whole(response.headers.get("X-RateLimit-Remaining", ""))
        if left is not None:
            self.remaining = left
        if response.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
            return ""
        _refused(response, body, wait=_seconds(response, "X-RateLimit-Reset"))
        try:
            asked = msgspec.json.decode(body, type=_Asked)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise SourceFault("malformed", f"an accepted question: {error}") from error
        cost = whole(response.headers.get("X-Request-Cost", ""))
        self.taken = asked.probes_count if cost is None else cost
        return asked.id

    async def finished(self, question: str) -> Finished:
        """The results of a question, once all are there. Raises SourceFault."""
        waited = 0.0
        while True:
            response, body = await self._request("GET", f"{_MEASUREMENTS}/{question}")
            if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
                pause = _seconds(response, "Retry-After") or _PAUSE
            else:
                _refused(response, body)
                found = _decoded(body)
                if found.status != "in-progress":
                    return _read(found)
                pause = _PAUSE
            waited += pause
            if waited > _GIVEN_UP:
                raise SourceFault("failing", f"no results of {question} in {_GIVEN_UP:.0f} s")
            await self._sleep(pause)

    async def _request(self, method: str, path: str, body: Any = None) -> tuple[Any, bytes]:
        try:
            async with self._client.stream(method, path, json=body) as response:
                return response, await bounded(response, _LONGEST)
        except httpx.HTTPError as error:
            raise SourceFault("unreachable", why_no_answer(error)) from error


def _refused(response: Any, body: bytes, wait: float | None = None) -> None:
    """Raise SourceFault for an answer that is none."""
    status = response.status_code
    if status in (httpx.codes.OK, httpx.codes.ACCEPTED):
        return
    # A refusal may quote this machine's own address.
    problem = "refused"
    if status == httpx.codes.TOO_MANY_REQUESTS:
        problem = "limited"
    elif status >= httpx.codes.INTERNAL_SERVER_ERROR:
        problem = "failing"
    raise SourceFault(problem, f"HTTP status {status} {_type(body)}".rstrip(), wait=wait)


class _Problem(msgspec.Struct, frozen=True):
    type: str = ""


class _Refusal(msgspec.Struct, frozen=True):
    error: _Problem = _Problem()


def _type(body: bytes) -> str:
    """The service's own word for what is wrong; empty where it gives none."""
    try:
        return msgspec.json.decode(body, type=_Refusal).error.type[:100]
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


def _seconds(response: Any, header: str) -> float | None:
    text = response.headers.get(header, "").strip()
    return float(text) if text.isascii() and text.isdigit() else None


def _decoded(body: bytes) -> _Wire:
    try:
        found = msgspec.json.decode(body, type=_Wire)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SourceFault("malformed", f"results: {error}") from error
    if found.created_at.tzinfo is None or len(found.results) > _MOST_RESULTS:
        raise SourceFault("malformed", "results without a time zone, or more than there can be")
    return found


def _read(found: _Wire) -> Finished:
    return Finished(
        id=found.id, created_at=found.created_at, results=tuple(map(_result, found.results))
    )


def _result(raw: msgspec.Raw) -> ProbeResult | None:
    try:
        return msgspec.json.decode(raw, type=ProbeResult)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def places(countries: Sequence[str], each: int, *, eyeball: bool) -> tuple[dict[str, Any], ...]:
    """So many probes in each of these countries; `eyeball`: only on networks that people use."""
    tags = {"tags": [EYEBALL]} if eyeball else {}
    return tuple({"country": one, "limit": each, **tags} for one in countries)
