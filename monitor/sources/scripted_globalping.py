"""ScriptedGlobalping: Globalping without Globalping, for tests and trials.

It has probes that a script gives it, and answers in the shapes, within the limits and with the
errors of the real one: questions that take a while, the same probes by the id of a question before,
a probe that is gone by then, results kept for seven days, 250 points an hour, five requests for
results in two seconds. It makes tests of `dns` and `http`, and no others. What a probe finds
depends on how its country treats the name. Written from the source of jsdelivr/globalping and
jsdelivr/globalping-probe; it was never compared with the live service.

    globalping = ScriptedGlobalping(now)
    globalping.probes += [home("PK", 17557), home("PK", 9541), home("DE", 3320)]
    globalping.blocks["PK", "x.com"] = "reset"
    client = GlobalpingClient("https://globalping.test", httpx.MockTransport(globalping.handle))
"""

import ipaddress
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec

from monitor.sources.scripted_ooni import Reply
from probes.sockets.http_client import httpx

FREE, WITH_TOKEN = 250, 500
"""Points an hour."""
_HOUR, _KEPT = timedelta(hours=1), timedelta(days=7)
_MOST_PROBES = {FREE: 50, WITH_TOKEN: 500}
_RESULTS_AT_ONCE, _RESULTS_SPAN, _RESULTS_PAUSE = 5, timedelta(seconds=2), timedelta(seconds=5)
_ADDRESS, _FORGED = "151.101.1.229", "10.10.34.35"
_DOCUMENTATION = "https://globalping.io/docs/api.globalping.io"
_TYPES = ("dns", "http", "ping", "mtr", "traceroute")

_FAILED: dict[str, tuple[str, str]] = {
    "reset": ("target", "read ECONNRESET"),
    "silent": ("target", "Request timeout."),
    "refused": ("target", f"connect ECONNREFUSED {_ADDRESS}:443"),
    "closed": (
        "target",
        "Client network socket disconnected before secure TLS connection was established",
    ),
    "internal": ("internal", "Test failed. Please try again."),
}
"""How a name is treated → what the probe says of an `http` test, whichever address it goes to."""
_NAMELESS: dict[str, tuple[str, str, str, int]] = {
    "nxdomain": ("target", "queryA ENOTFOUND {}", "NXDOMAIN", 3),
    "servfail": ("resolver", "queryA ESERVFAIL {}", "SERVFAIL", 2),
    "bogon": ("target", "Private IP ranges are not allowed.", "NOERROR", 0),
}
"""The same of names that the resolver lies about; the code of the reply beside it."""


class Home(msgspec.Struct, frozen=True, kw_only=True):
    """One probe."""

    country: str
    asn: int
    network: str
    tags: tuple[str, ...]
    online: bool = True

    @property
    def shown(self) -> dict[str, Any]:
        """As answers name it."""
        return {
            "continent": "AS",
            "region": "Southern Asia",
            "country": self.country,
            "state": None,
            "city": "Exampletown",
            "asn": self.asn,
            "longitude": 66.99,
            "latitude": 24.86,
            "network": self.network,
            "tags": list(self.tags),
            "resolvers": ["private"],
        }


def home(country: str, asn: int, *, tag: str = "eyeball-network") -> Home:
    """A probe on somebody's line."""
    return Home(country=country, asn=asn, network=f"Network {asn}", tags=(tag,))


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    type: str
    target: str
    options: dict[str, Any]
    probes: tuple[Home, ...]
    created: datetime


class ScriptedGlobalping:
    """Answers requests. One thread at a time."""

    def __init__(self, now: Callable[[], datetime], *, takes: timedelta = timedelta(0)) -> None:
        """`now` gives UTC; a test takes that long."""
        self._now = now
        self._takes = takes
        self.probes: list[Home] = []
        self.blocks: dict[tuple[str, str], str] = {}
        """Country and name → how it is treated there: a key of `_FAILED` or `_NAMELESS`,
        `certificate` or `page`. An empty country: everywhere."""
        self.tokens: set[str] = set()
        """Tokens of accounts."""
        self.failing: deque[Reply | Exception] = deque()
        """What happens to the next requests."""
        self.asked: list[str] = []
        """Method and path of every request."""
        self.tested: list[tuple[str, str, str]] = []
        """Type, name and countries of every question that was accepted."""
        self.spent: deque[tuple[datetime, int]] = deque()
        """When so many points were used."""
        self._questions: dict[str, _Kept] = {}
        self._read_at: dict[str, deque[datetime]] = {}
        self._shut_until: dict[str, datetime] = {}

    def handle(self, request: httpx.Request) -> httpx.Response:
        """The answer to a request."""
        path = request.url.path
        self.asked.append(f"{request.method} {path}")
        if self.failing:
            reply = self.failing.popleft()
            if isinstance(reply, Exception):
                raise reply
            return httpx.Response(reply.status, content=reply.body, headers=reply.headers)
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if given and given not in self.tokens:
            return httpx.Response(401, content=b"Unauthorized")
        limit = WITH_TOKEN if given else FREE
        if path == "/v1/limits":
            return _json(200, {"rateLimit": {"measurements": {"create": self._limits(limit)}}})
        if (request.method, path) == ("POST", "/v1/measurements"):
            return self._create(request, limit)
        if request.method == "GET" and path.startswith("/v1/measurements/"):
            return self._results(path.rpartition("/")[2])
        return _error(404, "not_found", "Couldn't find the requested item.")

    def _remaining(self, limit: int) -> int:
        now = self._now()
        while self.spent and now - self.spent[0][0] >= _HOUR:
            self.spent.popleft()
        return max(0, limit - sum(points for _, points in self.spent))

    def _limits(self, limit: int) -> dict[str, Any]:
        left = self._remaining(limit)
        kind = "ip" if limit == FREE else "user"
        return {"type": kind, "limit": limit, "remaining": left, "reset": self._reset()}

    def _reset(self) -> int:
        if not self.spent:
            return 0
        return max(1, int((self.spent[0][0] + _HOUR - self._now()).total_seconds()))

    def _create(self, request: httpx.Request, limit: int) -> httpx.Response:
        wanted = msgspec.json.decode(request.content)
        wrong = _wrong(wanted, _MOST_PROBES[limit])
        if wrong:
            return _error(400, "validation_error", "Parameter validation failed.", params=wrong)
        probes = self._chosen(wanted["locations"])
        if not probes:
            return _error(422, "no_probes_found", "No matching IPv4 probes available.")
        left = self._remaining(limit)
        headers = {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Consumed": str(limit - left),
            "X-RateLimit-Remaining": str(left),
            "X-RateLimit-Reset": str(self._reset()),
            "X-Request-Cost": str(len(probes)),
        }
        if len(probes) > left:
            if limit == WITH_TOKEN:
                message = "Not enough credits to run this measurement."
                return _error(429, "insufficient_credits", message, headers)
            message = "This measurement exceeds the remaining hourly rate limit"
            return _error(429, "rate_limit_exceeded", f"{message} for your IP address.", headers)
        self.spent.append((self._now(), len(probes)))
        made = _Kept(
            id=f"Scripted{len(self._questions):08d}",
            type=wanted["type"],
            target=wanted["target"],
            options=wanted.get("measurementOptions", {}),
            probes=probes,
            created=self._now(),
        )
        self._questions[made.id] = made
        countries = ",".join(sorted({one.country for one in probes}))
        self.tested.append((made.type, _name(made), countries))
        headers |= {
            "X-RateLimit-Consumed": str(limit - left + len(probes)),
            "X-RateLimit-Remaining": str(left - len(probes)),
            "X-RateLimit-Reset": str(self._reset()),
            "Location": f"{request.url}/{made.id}",
        }
        return _json(202, {"id": made.id, "probesCount": len(probes)}, headers)

    def _chosen(self, locations: Any) -> tuple[Home, ...]:
        if isinstance(locations, str):
            before = self._questions.get(locations)
            late = before is None or self._now() - before.created > _KEPT
            return () if before is None or late else before.probes
        found: list[Home] = []
        for place in locations:
            here = [
                one
                for one in self.probes
                if one.online
                and one.country == place.get("country", one.country)
                and set(place.get("tags", ())) <= set(one.tags)
            ]
            found += here[: place.get("limit", 1)]
        return tuple(found)

    def _results(self, question: str) -> httpx.Response:
        now = self._now()
        made = self._questions.get(question)
        if made is None or now - made.created > _KEPT:
            return _error(404, "not_found", "Couldn't find the requested item.")
        if now < self._shut_until.get(question, now):
            pause = int((self._shut_until[question] - now).total_seconds()) + 1
            message = f"Too many requests. Please retry in {pause} seconds."
            return _error(429, "too_many_requests", message, {"Retry-After": str(pause)})
        times = self._read_at.setdefault(question, deque())
        times.append(now)
        while now - times[0] > _RESULTS_SPAN:
            times.popleft()
        if len(times) >= _RESULTS_AT_ONCE:
            self._shut_until[question] = now + _RESULTS_PAUSE
        done = now - made.created >= self._takes
        return _json(
            200,
            {
                "id": made.id,
                "type": made.type,
                "status": "finished" if done else "in-progress",
                "createdAt": f"{made.created:%Y-%m-%dT%H:%M:%S}.{0:03d}Z",
                "updatedAt": f"{now:%Y-%m-%dT%H:%M:%S}.{0:03d}Z",
                "target": made.target,
                "probesCount": len(made.probes),
                "measurementOptions": made.options,
                "results": [
                    {
                        "probe": one.shown,
                        "result": self._result(made, one)
                        if done
                        else {"status": "in-progress", "rawOutput": ""},
                    }
                    for one in made.probes
                ],
            },
        )

    def _result(self, made: _Kept, probe: Home) -> dict[str, Any]:
        if not any(one.asn == probe.asn and one.online for one in self.probes):
            return {"status": "offline", "rawOutput": "This probe is currently offline."}
        name = _name(made)
        treated = self.blocks.get((probe.country, name)) or self.blocks.get(("", name), "")
        by_name = name == made.target
        if made.type == "dns":
            return _dns(name, treated)
        if treated in _FAILED:
            return _http_failed(*_FAILED[treated])
        if treated in _NAMELESS and by_name:
            source, text, _, _ = _NAMELESS[treated]
            return _http_failed(source, text.format(name))
        return _http(name, treated, by_name=by_name)


def _name(made: _Kept) -> str:
    """The name that a test sends: that of `request.host`, else the target."""
    return str(made.options.get("request", {}).get("host") or made.target)


def _wrong(wanted: dict[str, Any], most: int) -> dict[str, str]:
    """Parameter → what is wrong with it."""
    found = {}
    if wanted.get("type") not in _TYPES:
        found["type"] = '"type" must be one of the known types'
    if not wanted.get("target"):
        found["target"] = '"target" is required'
    if not 5 <= wanted.get("timeout", 10) <= 30:
        found["timeout"] = '"timeout" must be between 5 and 30'
    options = wanted.get("measurementOptions", {})
    if options.get("request", {}).get("method", "HEAD") not in ("HEAD", "GET", "OPTIONS"):
        found["method"] = '"method" must be one of HEAD, GET, OPTIONS'
    locations = wanted.get("locations", [])
    if not isinstance(locations, str):
        limits = [one["limit"] for one in locations if "limit" in one]
        if limits and "limit" in wanted:
            found["limit"] = "limit per location is not allowed when a global limit is set"
        if sum(limits) > most:
            found["limit"] = f"the sum of limits must be {most} or less"
    elif "limit" in wanted:
        found["limit"] = "limit is not allowed with the id of a measurement"
    return found


def _dns(name: str, treated: str) -> dict[str, Any]:
    code, number, value = "NOERROR", 0, _ADDRESS
    if treated == "bogon":
        value = _FORGED
    elif treated in _NAMELESS:
        _, _, code, number = _NAMELESS[treated]
        value = ""
    record = {"name": f"{name}.", "type": "A", "ttl": 60, "class": "IN", "value": value}
    return {
        "status": "finished",
        "statusCodeName": code,
        "statusCode": number,
        "rawOutput": "",
        "answers": [record] if value else [],
        "timings": {"total": 12},
        "resolver": "private",
    }


_NO_TIMINGS = dict.fromkeys(("total", "dns", "tcp", "tls", "firstByte", "download"))


def _http_failed(source: str, text: str) -> dict[str, Any]:
    return {
        "status": "failed",
        "failureSource": source,
        "resolvedAddress": None,
        "headers": {},
        "rawHeaders": None,
        "rawBody": None,
        "rawOutput": text,
        "truncated": False,
        "statusCode": None,
        "statusCodeName": None,
        "timings": _NO_TIMINGS,
        "tls": None,
    }


def _http(name: str, treated: str, *, by_name: bool) -> dict[str, Any]:
    forged = treated == "certificate"
    tls = {
        "authorized": not forged,
        "protocol": "TLSv1.3",
        "cipherName": "TLS_AES_256_GCM_SHA384",
        "createdAt": "2025-12-01T00:00:00.000Z",
        "expiresAt": "2026-12-01T00:00:00.000Z",
        "issuer": {"O": "Example", "CN": "Example CA"},
        "subject": {"CN": name, "alt": f"DNS:{name}"},
        "keyType": "RSA",
        "keyBits": 2048,
        "serialNumber": "0A:0B",
        "fingerprint256": ":".join(["AB"] * 32),
        "publicKey": None,
    }
    if forged:
        tls["error"] = "SELF_SIGNED_CERT_IN_CHAIN"
    status = 451 if treated == "page" else 200
    dns = 20 if by_name and not _is_address(name) else None
    return {
        "status": "finished",
        "resolvedAddress": _ADDRESS,
        "headers": {"content-type": "text/html", "set-cookie": ["a=192.0.2.1", "b=2"]},
        "rawHeaders": "content-type: text/html",
        "rawBody": "ok",
        "rawOutput": f"HTTP/1.1 {status}\ncontent-type: text/html\n\nok",
        "truncated": False,
        "statusCode": status,
        "statusCodeName": "OK",
        "timings": {
            "total": 210,
            "dns": dns,
            "tcp": 60,
            "tls": 60,
            "firstByte": 60,
            "download": 10,
        },
        "tls": tls,
    }


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _error(
    status: int,
    kind: str,
    message: str,
    headers: dict[str, str] | None = None,
    params: dict[str, str] | None = None,
) -> httpx.Response:
    error: dict[str, Any] = {"type": kind, "message": message}
    if params:
        error["params"] = params
    return _json(status, {"error": error, "links": {"documentation": _DOCUMENTATION}}, headers)


def _json(status: int, body: Any, headers: dict[str, str] | None = None) -> httpx.Response:
    return httpx.Response(
        status,
        content=msgspec.json.encode(body),
        headers={"Content-Type": "application/json", **(headers or {})},
    )
