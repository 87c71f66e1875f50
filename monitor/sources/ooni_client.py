"""Asks OONI's public API for measurements and for what its own programs make of them, one request
at a time.

The API counts the time its servers take, in units of 10 ms, for everybody behind one address, and
says in each answer how much is left. When nothing is left it answers 429 without saying when to
come back; `monitor.following` waits then. Facts from the API's own source: ooni/backend,
`rate_limit_quotas.py`, `routers/v1/measurements.py` and `routers/data/aggregate_analysis.py`.
"""

import email.utils
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from monitor import __version__
from monitor.sources.bounded_body import bounded
from monitor.sources.fault import SourceFault
from monitor.sources.whole_numbers import whole
from probes.sockets.http_client import httpx
from probes.sockets.http_reason import why_no_answer

USER_AGENT = f"shutwatch/{__version__} (follows OONI data)"
PAGE = 1000
FIRST: Mapping[str, str] = {"offset": "0"}
"""What asks for the first part of a list."""
_LATER = (httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_EARLY)
"""Statuses below 500 that a later request may not get."""
_LISTS, _RAW = "/api/v1/measurements", "/api/v1/raw_measurement"
_CHANGEPOINTS, _ANALYSIS = "/api/v1/detector/changepoints", "/api/v1/aggregation/analysis"
_UNIT = 0.01
"""Seconds of the server's time that one unit of quota is."""
_LONGEST = 32 * 1024 * 1024
"""Bytes of one answer, unpacked."""
_LONGEST_QUERY = 86_400.0
"""Seconds that no question takes."""
_STAMP = "%Y-%m-%dT%H:%M:%S"
_LONGEST_TOKEN = 500
_GUESS = 10
"""Units of an answer that does not say what it took."""


class ListPage(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a list of measurements."""

    results: list[dict[str, Any]]
    malformed: int
    """Entries beside them that are no measurement."""
    following: dict[str, str] | None
    """What asks for the next part; None at the end."""


class _Metadata(msgspec.Struct):
    next_url: str | None = None
    query_time: Annotated[float, msgspec.Meta(ge=0, le=_LONGEST_QUERY)] | None = None


class _Results(msgspec.Struct):
    results: list[Any]


class _Wire(_Results):
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)


class OoniClient:
    """One client for one process."""

    def __init__(
        self,
        api: str,
        transport: httpx.AsyncBaseTransport | None = None,
        *,
        timeout: float = 120.0,
        agent: str = USER_AGENT,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`api` is the origin; `transport` replaces the network; `timeout` is in seconds; `agent`
        says who asks; `now` gives UTC."""
        self._api = api
        self._now = now
        self._client = httpx.AsyncClient(
            transport=transport,
            headers={"User-Agent": agent, "Accept": "application/json"},
            timeout=timeout,
            follow_redirects=True,
        )
        self.remaining: int | None = None
        """Units left of the quota, as the last answer said."""
        self.taken = 0
        """Units that the last answer took."""

    async def close(self) -> None:
        await self._client.aclose()

    async def page(self, query: Mapping[str, str], part: Mapping[str, str] = FIRST) -> ListPage:
        """A part of the list that `query` asks for. Raises SourceFault."""
        asked = {**query, "limit": str(PAGE), **part}
        body = await self._get(_LISTS, asked)
        try:
            wire = msgspec.json.decode(body, type=_Wire)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise SourceFault("malformed", f"list of measurements: {error}") from error
        if wire.metadata.query_time is not None:
            self.taken = max(1, math.ceil(wire.metadata.query_time / _UNIT))
        following = _following(wire.metadata.next_url, part) if wire.metadata.next_url else None
        results = [one for one in wire.results if isinstance(one, dict)]
        malformed = len(wire.results) - len(results)
        return ListPage(results=results, malformed=malformed, following=following)

    async def raw(self, uid: str) -> bytes:
        """One whole measurement; empty where the API does not know it, or not yet. Raises
        SourceFault."""
        try:
            body = await self._get(_RAW, {"measurement_uid": uid})
        except _NotStoredError:
            return b""
        return b"" if body.strip() in (b"{}", b"") else body

    async def changepoints(self, since: datetime, until: datetime) -> list[Any]:
        """When OONI's detector found that blocking begins or ends, everywhere, in that time (UTC):
        one question, since it takes one country or all. Raises SourceFault."""
        return await self._results(_CHANGEPOINTS, since, until, {})

    async def scores(self, domain: str, since: datetime, until: datetime) -> list[Any]:
        """How OONI's analysis scores the tests of a site in that time (UTC), by country and
        network. Raises SourceFault."""
        axes = {"axis_x": "probe_cc", "axis_y": "probe_asn", "test_name": "web_connectivity"}
        return await self._results(_ANALYSIS, since, until, {**axes, "domain": domain})

    async def _results(
        self, path: str, since: datetime, until: datetime, query: Mapping[str, str]
    ) -> list[Any]:
        span = {"since": f"{since:{_STAMP}}", "until": f"{until:{_STAMP}}"}
        body = await self._get(path, {**query, **span})
        try:
            return msgspec.json.decode(body, type=_Results).results
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise SourceFault("malformed", f"{path}: {error}") from error

    async def _get(self, path: str, query: Mapping[str, str]) -> bytes:
        before, self.taken = self.remaining, _GUESS
        try:
            async with self._client.stream("GET", self._api + path, params=query) as response:
                body = await bounded(response, _LONGEST)
        except httpx.HTTPError as error:
            raise SourceFault("unreachable", why_no_answer(error)) from error
        self.remaining = whole(response.headers.get("X-RateLimit-Remaining", ""))
        if before is not None and self.remaining is not None and self.remaining < before:
            self.taken = before - self.remaining
        status = response.status_code
        if status == httpx.codes.OK:
            return body
        if status == httpx.codes.TOO_MANY_REQUESTS:
            wait = self._asked_wait(response)
            raise SourceFault("limited", f"HTTP status {status}: quota exceeded", wait=wait)
        if status == httpx.codes.INTERNAL_SERVER_ERROR and b"Measurement not found" in body:
            raise _NotStoredError
        text = body[:200].decode("utf-8", "replace")
        if status >= httpx.codes.INTERNAL_SERVER_ERROR or status in _LATER:
            wait = self._asked_wait(response)
            raise SourceFault("failing", f"HTTP status {status}: {text}", wait=wait)
        raise SourceFault("refused", f"HTTP status {status}: {text}")

    def _asked_wait(self, response: httpx.Response) -> float | None:
        """Seconds that the server asks to wait, as a number or until a date; None where it says
        nothing."""
        text = response.headers.get("Retry-After", "").strip()
        if text.isascii() and text.isdigit():
            return float(text)
        try:
            moment = email.utils.parsedate_to_datetime(text)
        except ValueError:
            return None
        until = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, (until - self._now()).total_seconds())


class _NotStoredError(Exception):
    """The API knows the measurement, but its archive does not have it yet."""


def _following(url: str, part: Mapping[str, str]) -> dict[str, str]:
    """What asks for the next part, from its address: a token in newer releases of the API, else an
    offset. Ours is asked for, not that address."""
    found = parse_qs(urlsplit(url).query)
    token, offset = (found.get(name, [""])[0] for name in ("cont", "offset"))
    if token:
        if len(token) > _LONGEST_TOKEN or token == part.get("cont"):
            raise SourceFault("malformed", "the list points back to a part already read")
        return {"cont": token}
    number = whole(offset)
    if number is None:
        raise SourceFault("malformed", "the next part of the list has neither token nor offset")
    if number <= int(part.get("offset", "0")):
        raise SourceFault("malformed", "the list points back to a part already read")
    return {"offset": offset}
