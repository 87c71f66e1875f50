"""Asks IODA for alerts about countries: one question for all of them.

An answer says in `error` what is wrong with a question. No alert means that nothing was seen, and
never that all is well. Facts from the service's own source, InetIntel/ioda-api.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import msgspec

from monitor import __version__
from monitor.sources.fault import SourceFault
from probes.sockets.http_client import httpx

USER_AGENT = f"shutwatch/{__version__} (follows outages)"
PAGE = 500
_ALERTS = "/v2/outages/alerts"
_LAST_SECOND = 2**33
"""A time beyond it is none."""
_LONGEST = 8 * 1024 * 1024


class _Entity(msgspec.Struct, frozen=True):
    code: str
    type: str


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One change of a country's level in one datasource."""

    datasource: str
    entity: _Entity
    time: Annotated[int, msgspec.Meta(ge=0, le=_LAST_SECOND)]
    """Seconds since 1970."""
    level: str
    """`normal` ends; `critical`, `warning` and any other begin or go on."""
    value: float | None = None
    history_value: float | None = msgspec.field(default=None, name="historyValue")

    @property
    def at(self) -> datetime:
        """When, UTC."""
        return datetime.fromtimestamp(self.time, UTC)

    @property
    def drop(self) -> float:
        """Share (0–1) that is missing of what is usual; 0 where that is not known."""
        if self.value is None or not self.history_value or self.history_value <= 0:
            return 0.0
        return min(1.0, max(0.0, 1 - self.value / self.history_value))


class _Envelope(msgspec.Struct, frozen=True):
    data: list[Alert] | None = None
    error: str | None = None


class IodaClient:
    """One client for one process."""

    def __init__(
        self,
        api: str,
        transport: httpx.AsyncBaseTransport | None = None,
        *,
        timeout: float = 60.0,
    ) -> None:
        """`api` is the origin; `transport` replaces the network; `timeout` is in seconds."""
        self._client = httpx.AsyncClient(
            base_url=api,
            transport=transport,
            headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
            timeout=timeout,
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def alerts(
        self, countries: Sequence[str], since: datetime, until: datetime, page: int
    ) -> list[Alert]:
        """A part of the alerts about these countries, `PAGE` or fewer at the end. Raises
        SourceFault."""
        query = {
            "from": str(int(since.timestamp())),
            "until": str(int(until.timestamp())),
            "entityType": "country",
            "entityCode": ",".join(countries),
            "limit": str(PAGE),
            "page": str(page),
        }
        try:
            response = await self._client.get(_ALERTS, params=query)
        except httpx.HTTPError as error:
            raise SourceFault("unreachable", f"{type(error).__name__}: {error}") from error
        status = response.status_code
        if status >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise SourceFault("failing", f"HTTP status {status}")
        if status == httpx.codes.TOO_MANY_REQUESTS:
            raise SourceFault("limited", f"HTTP status {status}")
        if len(response.content) > _LONGEST:
            raise SourceFault("malformed", f"an answer of more than {_LONGEST} bytes")
        try:
            answer = msgspec.json.decode(response.content, type=_Envelope)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise SourceFault("malformed", f"alerts: {error}") from error
        if status != httpx.codes.OK or answer.error:
            raise SourceFault("refused", f"HTTP status {status}: {answer.error}")
        if answer.data is None:
            raise SourceFault("malformed", "an answer without data")
        return answer.data
