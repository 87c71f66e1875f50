"""ScriptedOoni: OONI's public API without OONI, for tests and trials.

It holds measurements that a script gives it, and answers in the shapes, within the limits and with
the errors of the real one: lists that take commas and end without a count, an upload that arrives
late, whole measurements that are not in the archive yet, a quota that runs out without a word about
when it is full again. Written from the source of ooni/backend; it was never compared with the live
service.

    ooni = ScriptedOoni(now)
    ooni.add(volunteer(at, "https://x.com/", asn=17557, blocked=True))
    client = OoniClient("https://ooni.test", httpx.MockTransport(ooni.handle))
    ooni.failing.append(Reply(502, b"<html>"))
"""

import hashlib
from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

import msgspec

from probes.sockets.http_client import httpx

QUOTA = {timedelta(hours=1): 4000, timedelta(days=1): 400_000, timedelta(days=7): 200_000}
"""Interval → units of 10 ms of server time in it, for one address."""
LIST_COST, RAW_COST, OPINION_COST = 9, 15, 12
_LONGEST_RANGE = timedelta(days=180)
_DEFAULT_LIMIT, _MOST = 100, 1_000_000
_LISTED = timedelta(minutes=2)
"""After which an upload is in the lists."""
_SURE = 0.5
"""Of a score; below, the analysis names no failure and says 0."""
_ADDRESS = "151.101.1.229"


class Reply(msgspec.Struct, frozen=True):
    """An answer to give instead of the right one."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = {}


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement: its line in the lists, and the whole of it."""

    listed: dict[str, Any]
    raw: dict[str, Any]
    listed_at: datetime
    """UTC; when the lists have it."""
    stored_at: datetime
    """UTC; when the archive has the whole of it."""


class ScriptedOoni:
    """Answers requests. One thread at a time."""

    def __init__(
        self, now: Callable[[], datetime], *, most: int = _MOST, tokens: bool = False
    ) -> None:
        """`now` gives UTC; `most` is the largest part of a list that it gives; with `tokens` the
        next part is asked for by a token, as newer releases have it, not by an offset."""
        self._now = now
        self._most = most
        self._tokens = tokens
        self.uploads: list[Upload] = []
        self.changepoints: list[dict[str, Any]] = []
        """What its detector found."""
        self.scores: list[dict[str, Any]] = []
        """What its analysis made of the tests of a site on a network; `measured` is the hour."""
        self.failing: deque[Reply | Exception] = deque()
        """What happens to the next requests."""
        self.asked: list[str] = []
        """Path and query of every request."""
        self._used: deque[tuple[datetime, int]] = deque()

    def add(self, *uploads: Upload) -> None:
        """Somebody uploads these."""
        self.uploads += uploads

    def use_up(self, units: int) -> None:
        """Somebody else behind the same address uses so much of the quota now."""
        self._used.append((self._now(), units))

    def handle(self, request: httpx.Request) -> httpx.Response:
        """The answer to a request."""
        self.asked.append(f"{request.url.path}?{request.url.query.decode()}")
        if self.failing:
            reply = self.failing.popleft()
            if isinstance(reply, Exception):
                raise reply
            return httpx.Response(reply.status, content=reply.body, headers=reply.headers)
        if self._remaining() <= 0:
            # Its headers repeat the request's own; there is no Retry-After.
            return _json(429, {"error": "quota exceeded"}, {"User-Agent": "echoed"})
        query = dict(request.url.params)
        if request.url.path == "/api/v1/measurements":
            cost, (status, body) = LIST_COST, self._list(query, request)
        elif request.url.path == "/api/v1/raw_measurement":
            cost, (status, body) = RAW_COST, self._raw(query.get("measurement_uid", ""))
        elif request.url.path == "/api/v1/detector/changepoints":
            cost, (status, body) = OPINION_COST, self._changepoints(query)
        elif request.url.path == "/api/v1/aggregation/analysis":
            cost, (status, body) = OPINION_COST, self._analysis(query)
        else:
            cost, (status, body) = 1, (404, {"detail": "Not Found"})
        self._used.append((self._now(), cost))
        return _json(status, body, {"X-RateLimit-Remaining": str(max(0, self._remaining()))})

    def _remaining(self) -> int:
        now = self._now()
        while self._used and now - self._used[0][0] > max(QUOTA):
            self._used.popleft()
        ages = [(now - at, units) for at, units in self._used]
        return min(
            most - sum(units for age, units in ages if age < span) for span, most in QUOTA.items()
        )

    def _list(self, query: dict[str, str], request: httpx.Request) -> tuple[int, Any]:
        now = self._now()
        since = _moment(query.get("since"), now - timedelta(days=30))
        until = _moment(query.get("until"), now + timedelta(days=1))
        days = (until - since).days
        if until - since > _LONGEST_RANGE:
            limit = _LONGEST_RANGE.days
            detail = f"Time range must not exceed 6 months. Requested: {days} days"
            return 400, {"detail": f"{detail} (limit: {limit} days)."}
        offset = int(query.get("offset", 0))
        limit = min(int(query.get("limit", _DEFAULT_LIMIT)), self._most)
        found = [
            one.listed
            for one in self.uploads
            if one.listed_at <= now
            and since < _moment(one.listed["measurement_start_time"], now) <= until
            and _matches(one, query)
        ]
        descending = query.get("order", "desc").lower() == "desc"
        found.sort(key=_token, reverse=descending)
        if query.get("cont") and not offset:
            last = query["cont"]
            found = [
                one for one in found if (_token(one) < last if descending else _token(one) > last)
            ]
        part, more = found[offset : offset + limit], offset + limit < len(found)
        following = {**query, "limit": limit}
        if more and self._tokens and not offset:
            following = {**following, "cont": _token(part[-1])}
            following.pop("offset", None)
        else:
            following["offset"] = offset + limit
        return 200, {
            "metadata": {
                "count": -1 if more else offset + len(part),
                "current_page": offset // limit + 1,
                "limit": limit,
                "next_url": f"https://api.ooni.io{request.url.path}?{urlencode(following)}"
                if more
                else None,
                "offset": offset,
                "pages": -1 if more else offset // limit + 1,
                "query_time": 0.085,
            },
            "results": part,
        }

    def _changepoints(self, query: dict[str, str]) -> tuple[int, Any]:
        """Both bounds belong to the time; no parameter takes commas."""
        asked = {name: query[name] for name in ("probe_cc", "domain") if query.get(name)}
        if query.get("probe_asn"):
            asked["probe_asn"] = query["probe_asn"].removeprefix("AS")
        now = self._now()
        since = _moment(query.get("since"), now - timedelta(days=30))
        until = _moment(query.get("until"), now)
        return 200, {
            "results": [
                one
                for one in self.changepoints
                if since <= _moment(one["start_time"], now) <= until
                and all(str(one[name]) == value for name, value in asked.items())
            ]
        }

    def _analysis(self, query: dict[str, str]) -> tuple[int, Any]:
        """Rows of its two axes, and of every filter; no parameter takes commas."""
        filters = ("probe_cc", "probe_asn", "domain", "test_name")
        axes = [query.get("axis_x", "measurement_start_day"), query.get("axis_y", "")]
        now = self._now()
        since = _moment(query.get("since"), now - timedelta(days=30))
        until = _moment(query.get("until"), now.replace(hour=0, minute=0, second=0))
        found = [
            {name: value for name, value in one.items() if name in ("count", "loni", *axes)}
            | {name: query[name] for name in filters if query.get(name)}
            for one in self.scores
            if since <= one["measured"] <= until
            and all(str(one[name]) == query[name] for name in filters if query.get(name))
        ]
        elapsed = {"bytes": -1, "elapsed_seconds": 0.12}
        return 200, {
            "db_stats": {**elapsed, "row_count": len(found), "total_row_count": len(found)},
            "dimension_count": 1 + bool(axes[1]),
            "results": found,
        }

    def _raw(self, uid: str) -> tuple[int, Any]:
        for one in self.uploads:
            if one.listed["measurement_uid"] == uid and one.listed_at <= self._now():
                if one.stored_at > self._now():
                    return 500, {"detail": "Measurement not found"}
                return 200, one.raw
        return 200, {}


def volunteer(
    at: datetime,
    url: str,
    *,
    country: str = "PK",
    asn: int = 17557,
    blocked: bool = False,
    anomaly: bool | None = None,
    late: timedelta = _LISTED,
    network_type: str = "mobile",
    number: int = 0,
    version: str = "5.0.0",
    **listed: Any,
) -> Upload:
    """A volunteer's test of a web address: reset at the ClientHello where `blocked`, else reached.

    `anomaly` is OONI's own opinion where it differs; `late` is how long the upload takes; `number`
    tells measurements of one moment apart; `version` is that of the app; `listed` replaces fields
    of the line in the lists.
    """
    failed = blocked if anomaly is None else anomaly
    name = f"{at.isoformat()}{url}{country}{asn}{number}"
    digest = hashlib.sha256(name.encode()).hexdigest()[:16]
    received = at + max(late, timedelta(0))
    uid = f"{received:%Y%m%d%H%M%S.%f}_{country}_webconnectivity_{digest}"
    report = f"{at:%Y%m%dT%H%M%SZ}_webconnectivity_{country}_{asn}_n1_{digest}"
    line = {
        "anomaly": failed,
        "confirmed": False,
        "failure": False,
        "input": url,
        "measurement_start_time": f"{at:%Y-%m-%dT%H:%M:%S.%fZ}",
        "measurement_uid": uid,
        "measurement_url": f"https://api.ooni.io/api/v1/raw_measurement?measurement_uid={uid}",
        "probe_asn": f"AS{asn}",
        "probe_cc": country,
        "report_id": report,
        "scores": {"blocking_general": 1.0 if failed else 0.0},
        "test_name": "web_connectivity",
        "verification_status": "unverified",
        **listed,
    }
    raw = {
        "annotations": {"network_type": network_type, "platform": "android"},
        "data_format_version": "0.2.0",
        "input": url,
        "measurement_start_time": f"{at:%Y-%m-%d %H:%M:%S}",
        "probe_asn": f"AS{asn}",
        "probe_cc": country,
        "probe_ip": "127.0.0.1",
        "report_id": report,
        "resolver_asn": f"AS{asn}",
        "software_name": "ooniprobe-android-unattended",
        "software_version": version,
        "test_keys": _test_keys(url, blocked=blocked),
        "test_name": "web_connectivity",
        "test_runtime": 3.0,
        "test_version": "0.5.28",
    }
    return Upload(
        listed=line, raw=raw, listed_at=received, stored_at=received + timedelta(minutes=5)
    )


def changepoint(
    at: datetime,
    domain: str,
    *,
    country: str = "PK",
    asn: int = 17557,
    begins: bool = True,
    layer: str = "tls",
) -> dict[str, Any]:
    """The hour in which the detector found that blocking begins, or ends, on a network."""
    return {
        "probe_asn": asn,
        "probe_cc": country,
        "domain": domain,
        "start_time": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "count_isp_resolver": 6,
        "count_other_resolver": 2,
        "count": 8,
        "dns_isp_blocked": 0.0,
        "dns_other_blocked": None,
        "tcp_blocked": 0.0,
        "tls_blocked": 0.75 if begins else 0.0,
        "change_dir": "up" if begins else "down",
        "current_state": "ok" if begins else "blocked",
        "s_pos": 3.7 if begins else 0.0,
        "s_neg": 0.0 if begins else 3.7,
        "h": 3.5,
        "block_type": f"{layer}_blocked",
    }


def score(
    at: datetime,
    domain: str,
    *,
    country: str = "PK",
    asn: int = 17557,
    blocked: float = 0.75,
    count: int = 40,
) -> dict[str, Any]:
    """How the analysis scores the tests of a site on a network, taken at a moment."""
    surely = blocked > _SURE
    return {
        "measured": at,
        "count": float(count),
        "domain": domain,
        "probe_cc": country,
        "probe_asn": asn,
        "test_name": "web_connectivity",
        "loni": {
            **{
                f"{layer}_{state}": 0.0 for layer in ("dns", "tcp") for state in ("blocked", "down")
            },
            "dns_ok": 1.0,
            "tcp_ok": 1.0,
            "tls_blocked": blocked,
            "tls_down": 0.0,
            "tls_ok": 1 - blocked,
            "likely_blocked_protocols": [["tls.connection_reset", blocked]] if surely else [],
            "blocked_max_outcome": "tls.connection_reset" if surely else "none",
            "blocked_max": blocked if surely else 0.0,
            "dns_blocked_outcome": "got_answer",
            "tcp_blocked_outcome": None,
            "tls_blocked_outcome": "connection_reset" if surely else None,
        },
    }


def _test_keys(url: str, *, blocked: bool) -> dict[str, Any]:
    host = url.split("/")[2]
    failure = "connection_reset" if blocked else None
    title = f"The page of {host}"
    page = [] if blocked else [_transaction(url, title)]
    return {
        "queries": [
            {
                "answers": [{"answer_type": "A", "ipv4": _ADDRESS}],
                "engine": "getaddrinfo",
                "failure": None,
                "hostname": host,
                "query_type": "A",
                "resolver_address": "",
                "t0": 0.05,
                "t": 0.1,
            }
        ],
        "tcp_connect": [
            {
                "ip": _ADDRESS,
                "port": 443,
                "status": {"failure": None, "success": True},
                "t0": 0.2,
                "t": 0.3,
            }
        ],
        "tls_handshakes": [
            {
                "address": f"{_ADDRESS}:443",
                "cipher_suite": "" if blocked else "TLS_AES_128_GCM_SHA256",
                "failure": failure,
                "negotiated_protocol": "",
                "peer_certificates": [],
                "server_name": host,
                "t0": 0.35,
                "t": 0.5,
                "tls_version": "" if blocked else "TLSv1.3",
            }
        ],
        "requests": page,
        "control_failure": None,
        "control": {
            "dns": {"addrs": [_ADDRESS], "failure": None},
            "http_request": {
                "body_length": 100,
                "failure": None,
                "headers": {"Content-Type": "text/html"},
                "status_code": 200,
                "title": title,
            },
            "tcp_connect": {f"{_ADDRESS}:443": {"failure": None, "status": True}},
            "tls_handshake": {
                f"{_ADDRESS}:443": {"failure": None, "server_name": host, "status": True}
            },
        },
    }


def _transaction(url: str, title: str) -> dict[str, Any]:
    headers = [["Content-Type", "text/html"]]
    return {
        "address": f"{_ADDRESS}:443",
        "failure": None,
        "request": {"method": "GET", "url": url},
        "response": {
            "body": f"<title>{title}</title>",
            "body_is_truncated": False,
            "code": 200,
            "headers": dict(headers),
            "headers_list": headers,
        },
        "t0": 0.6,
        "t": 0.9,
    }


def hourly(first: datetime, last: datetime, step: timedelta) -> Iterable[datetime]:
    """Moments from `first` to before `last`."""
    at = first
    while at < last:
        yield at
        at += step


def _token(line: dict[str, Any]) -> str:
    """Where a line stands in the order of a list."""
    return f"{_stamp(line['measurement_start_time'])}-{line['measurement_uid']}"


@lru_cache(4096)
def _stamp(text: str) -> str:
    return f"{datetime.fromisoformat(text):%Y%m%d%H%M%S}"


def _matches(upload: Upload, query: dict[str, str]) -> bool:
    """Whether an upload has one of the values that each filter lists."""
    line = upload.listed
    url = line["input"] or ""
    values = {
        "probe_cc": line["probe_cc"],
        "probe_asn": line["probe_asn"],
        "test_name": line["test_name"],
        "domain": url.split("/")[2] if "://" in url else url,
        "ooni_run_link_id": line.get("ooni_run_link_id", ""),
        "software_version": upload.raw.get("software_version", ""),
    }
    return all(value in query[name].split(",") for name, value in values.items() if query.get(name))


def _moment(text: str | None, otherwise: datetime) -> datetime:
    return _parsed(text) if text else otherwise


@lru_cache(4096)
def _parsed(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def _json(status: int, body: Any, headers: dict[str, str]) -> httpx.Response:
    return httpx.Response(
        status,
        content=msgspec.json.encode(body),
        headers={"Content-Type": "application/json", **headers},
    )
