"""Asks RIPE Atlas to have probes on other people's lines test a name, and reads what they found.

Every result costs credits of the account whose key is used. A result names its host's public
address, the addresses of the line and of its resolvers, and the number of the probe, which leads to
where it is: none of them is read here but that number, which never leaves the memory of a poll.
Facts from RIPE-NCC/ripe-atlas-cousteau, and from the probe's own source,
RIPE-NCC/ripe-atlas-software-probe.
"""

from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

import msgspec

from monitor import __version__
from monitor.sources.bounded_body import bounded
from monitor.sources.fault import SourceFault
from monitor.sources.whole_numbers import Balance, Whole
from probes.sockets.http_client import httpx
from probes.sockets.http_reason import why_no_answer

USER_AGENT = f"shutwatch/{__version__} (second opinion on blocks)"
_API = "/api/v2"
_LONGEST = 8 * 1024 * 1024
"""Bytes of one answer, unpacked."""
_MOST_CHAIN = 10
OLDEST_FIRMWARE = 4610
"""Older probes write other shapes."""
_LATEST = 2**33

_T = TypeVar("_T")


class Reply(msgspec.Struct, frozen=True):
    """What a resolver answered: the whole message in base64."""

    abuf: str = ""
    rt: float = 0.0
    """Milliseconds."""


class Lookup(msgspec.Struct, frozen=True):
    """What one resolver of a probe did. Which it is is not read."""

    result: Reply | None = None
    error: dict[str, Any] | None = None


class Alert(msgspec.Struct, frozen=True):
    """What the far side refused a handshake with."""

    level: int = 0


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What one probe found, of `dns` or `sslcert`. Neither its host's address nor that of its line
    and of its resolvers is read."""

    prb_id: Whole
    fw: int
    timestamp: Annotated[int, msgspec.Meta(ge=0, le=_LATEST)]
    """Seconds since 1970, by the probe's clock."""
    type: str
    lts: int = 0
    """Seconds since its clock was set; -1: never."""
    # dns
    resultset: tuple[Lookup, ...] = ()
    result: Reply | None = None
    error: dict[str, Any] | str | None = None
    # sslcert
    dst_addr: str = ""
    """Where the test went; of `dns` a resolver of the host's, which is dropped."""
    ttr: float | None = None
    """Milliseconds that the name took."""
    ttc: float | None = None
    """Milliseconds that the connection took."""
    rt: float | None = None
    ver: str = ""
    cert: tuple[str, ...] = ()
    """The chain, PEM."""
    alert: Alert | None = None
    dnserr: str = ""
    err: str = ""

    def __post_init__(self) -> None:
        if len(self.cert) > _MOST_CHAIN:
            raise ValueError("more certificates than a chain has")


class Place(msgspec.Struct, frozen=True):
    """Where a probe is, as far as it is told: position and addresses are not read."""

    country_code: str | None = None
    asn_v4: Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)] | None = None


class _Created(msgspec.Struct, frozen=True):
    measurements: tuple[Whole, ...]


class _Credits(msgspec.Struct, frozen=True):
    current_balance: Balance


class AtlasClient:
    """One client for one process."""

    def __init__(
        self,
        api: str,
        transport: httpx.AsyncBaseTransport | None = None,
        *,
        key: str = "",
        timeout: float = 60.0,
    ) -> None:
        """`api` is the origin; `transport` replaces the network; `key` is that of an account;
        `timeout` is in seconds."""
        self._client = httpx.AsyncClient(
            base_url=api,
            transport=transport,
            headers={
                "User-Agent": USER_AGENT,
                "Accept": "application/json",
                "Authorization": f"Key {key}",
            },
            timeout=timeout,
        )
        self.requests = 0

    async def close(self) -> None:
        await self._client.aclose()

    async def balance(self) -> int:
        """Credits of the account. Raises SourceFault."""
        return (await self._asked("GET", f"{_API}/credits/", _Credits)).current_balance

    async def create(
        self, definitions: Sequence[dict[str, Any]], probes: dict[str, Any]
    ) -> tuple[int, ...]:
        """Have probes make each of these tests once; the numbers of the measurements, in their
        order. Raises SourceFault."""
        body = {"definitions": list(definitions), "probes": [probes], "is_oneoff": True}
        made = await self._asked("POST", f"{_API}/measurements/", _Created, body)
        if len(made.measurements) != len(definitions):
            raise SourceFault("malformed", "another number of measurements than was asked for")
        return made.measurements

    async def results(self, number: int) -> tuple[list[Result], int]:
        """What has come of a measurement, and how much could not be read. Raises SourceFault."""
        raw = await self._asked("GET", f"{_API}/measurements/{number}/results/", list[msgspec.Raw])
        found = []
        for one in raw:
            try:
                found.append(msgspec.json.decode(one, type=Result))
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
        return found, len(raw) - len(found)

    async def place(self, probe: int) -> Place:
        """Where a probe is. Raises SourceFault."""
        return await self._asked("GET", f"{_API}/probes/{probe}/", Place)

    async def _asked(self, method: str, path: str, kind: type[_T], body: Any = None) -> _T:
        self.requests += 1
        try:
            async with self._client.stream(method, path, json=body) as response:
                content = await bounded(response, _LONGEST)
        except httpx.HTTPError as error:
            raise SourceFault("unreachable", why_no_answer(error)) from error
        status = response.status_code
        if status == httpx.codes.TOO_MANY_REQUESTS:
            raise SourceFault("limited", f"HTTP status {status}")
        if status >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise SourceFault("failing", f"HTTP status {status}")
        if status not in (httpx.codes.OK, httpx.codes.CREATED):
            # A refusal may quote what was asked, or who asked.
            raise SourceFault("refused", f"HTTP status {status}")
        try:
            return msgspec.json.decode(content, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            # The text of the error may hold what could not be read.
            raise SourceFault("malformed", f"{path.split('/')[3]}: not as documented") from error


def definition(kind: str, host: str) -> dict[str, Any]:
    """A test of a name by the probe's own resolvers: `dns`, or `sslcert` of its server. Nobody but
    the account sees the results."""
    common = {"type": kind, "af": 4, "description": "shutwatch", "is_public": False}
    if kind == "dns":
        question = {"query_class": "IN", "query_type": "A", "query_argument": host}
        return {**common, **question, "use_probe_resolver": True}
    return {**common, "target": host, "hostname": host, "port": 443, "resolve_on_probe": True}


def homes(country: str, number: int) -> dict[str, Any]:
    """So many probes of a country, those in data centres left out."""
    tags = {"include": ["system-ipv4-works"], "exclude": ["datacentre"]}
    return {"type": "country", "value": country, "requested": number, "tags": tags}


def same_as(measurement: int, number: int) -> dict[str, Any]:
    """The probes that made a measurement."""
    return {"type": "msm", "value": measurement, "requested": number}
