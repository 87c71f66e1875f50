"""Asks IODA for alerts and signals of countries: one question for all of them.

An answer says in `error` what is wrong with a question. No alert means that nothing was seen, and
never that all is well; a signal without values says nothing, since a part of the service that fails
answers so. Facts from the service's own source, InetIntel/ioda-api.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Generic, TypeVar

import msgspec

from monitor import __version__
from monitor.sources.bounded_body import bounded
from monitor.sources.fault import SourceFault
from probes.sockets.http_client import httpx
from probes.sockets.http_reason import why_no_answer

USER_AGENT = f"shutwatch/{__version__} (follows outages)"
PAGE = 500
_ALERTS, _SIGNALS = "/v2/outages/alerts", "/v2/signals/raw/country"
_LAST_SECOND = 2**33
"""A time beyond it is none."""
_LONGEST = 8 * 1024 * 1024
"""Bytes of one answer, unpacked."""


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


class Signal(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One datasource's values of one country."""

    entity_type: str
    entity_code: str
    datasource: str
    begins: Annotated[int, msgspec.Meta(ge=0, le=_LAST_SECOND)] = msgspec.field(name="from")
    """Seconds since 1970 of the first value."""
    step: Annotated[int, msgspec.Meta(ge=1, le=86_400)]
    """Seconds between two values."""
    values: Annotated[list[float | None], msgspec.Meta(max_length=100_000)]
    """None where it did not look."""

    def known(self) -> Iterator[tuple[datetime, float]]:
        """Moment (UTC) and value, where there is one."""
        for number, value in enumerate(self.values):
            if value is not None:
                yield datetime.fromtimestamp(self.begins + number * self.step, UTC), value


_T = TypeVar("_T")


class _Envelope(msgspec.Struct, Generic[_T], frozen=True):
    data: _T | None = None
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
    ) -> tuple[list[Alert], int]:
        """A part of the alerts about these countries, and how many could not be read: `PAGE`
        together, or fewer at the end. Raises SourceFault."""
        query = {
            "from": str(int(since.timestamp())),
            "until": str(int(until.timestamp())),
            "entityType": "country",
            "entityCode": ",".join(countries),
            "limit": str(PAGE),
            "page": str(page),
        }
        raw = await self._data(_ALERTS, query, list[msgspec.Raw])
        found = []
        for one in raw:
            try:
                found.append(msgspec.json.decode(one, type=Alert))
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
        return found, len(raw) - len(found)

    async def signals(
        self, countries: Sequence[str], datasource: str, since: datetime, until: datetime
    ) -> list[Signal]:
        """One datasource's values of these countries in that time (UTC). Raises SourceFault."""
        query = {
            "from": str(int(since.timestamp())),
            "until": str(int(until.timestamp())),
            "datasource": datasource,
        }
        path = f"{_SIGNALS}/{','.join(countries)}"
        several = await self._data(path, query, list[list[Signal]])
        return [one for entity in several for one in entity]

    async def _data(self, path: str, query: Mapping[str, str], kind: type[_T]) -> _T:
        answered: type[_Envelope[_T]] = _Envelope[kind]  # type: ignore[valid-type]
        try:
            async with self._client.stream("GET", path, params=query) as response:
                content = await bounded(response, _LONGEST)
        except httpx.HTTPError as error:
            raise SourceFault("unreachable", why_no_answer(error)) from error
        status = response.status_code
        if status >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise SourceFault("failing", f"HTTP status {status}")
        if status == httpx.codes.TOO_MANY_REQUESTS:
            raise SourceFault("limited", f"HTTP status {status}")
        try:
            answer = msgspec.json.decode(content, type=answered)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise SourceFault("malformed", f"{path}: {error}") from error
        if status != httpx.codes.OK or answer.error:
            raise SourceFault("refused", f"HTTP status {status}: {answer.error}")
        if answer.data is None:
            raise SourceFault("malformed", "an answer without data")
        return answer.data
