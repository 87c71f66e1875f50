"""ScriptedIoda: IODA's alerts and signals without IODA, for tests and trials.

Written from the source of InetIntel/ioda-api; it was never compared with the live service.

    ioda = ScriptedIoda()
    ioda.outage("PK", "bgp", began, ended, value=400, usual=1000)
    client = IodaClient("https://ioda.test", httpx.MockTransport(ioda.handle))
"""

from collections import deque
from datetime import datetime
from typing import Any

import msgspec

from monitor.sources.scripted_ooni import Reply
from probes.sockets.http_client import httpx

_COPYRIGHT = (
    "This data is Copyright (c) 2021-2025 Georgia Tech Research Corporation. All Rights Reserved."
)
_STEPS = {"bgp": 300, "ping-slash24": 600, "merit-nt": 300, "gtr": 1800}
"""Datasource → seconds between two values."""
_MOST_DAYS = 100


class ScriptedIoda:
    """Answers requests. One thread at a time."""

    def __init__(self) -> None:
        self.alerts: list[dict[str, Any]] = []
        self.levels: dict[tuple[str, str], list[tuple[datetime, float | None]]] = {}
        """Country and datasource → since when it has which value; without any, 1000."""
        self.failing: deque[Reply | Exception] = deque()
        """What happens to the next requests."""
        self.asked: list[str] = []

    def outage(
        self,
        country: str,
        datasource: str,
        began: datetime,
        ended: datetime | None,
        *,
        value: float,
        usual: float,
    ) -> None:
        """A country falls from its usual value to another one; without an end it stays there."""
        self._alert(country, datasource, began, "critical", value, usual)
        if ended is not None:
            self._alert(country, datasource, ended, "normal", usual, usual)

    def _alert(
        self, country: str, datasource: str, at: datetime, level: str, value: float, usual: float
    ) -> None:
        self.alerts.append(
            {
                "datasource": datasource,
                "entity": {
                    "code": country,
                    "name": country,
                    "type": "country",
                    "subnames": [],
                    "attrs": {},
                },
                "time": int(at.timestamp()),
                "level": level,
                "condition": "normal" if level == "normal" else "< 0.99",
                "value": value,
                "historyValue": usual,
                "method": "median",
            }
        )

    def handle(self, request: httpx.Request) -> httpx.Response:
        """The answer to a request."""
        self.asked.append(str(request.url))
        if self.failing:
            reply = self.failing.popleft()
            if isinstance(reply, Exception):
                raise reply
            return httpx.Response(reply.status, content=reply.body, headers=reply.headers)
        query = dict(request.url.params)
        for name in ("from", "until"):
            if not query.get(name, "").isdigit():
                return self._envelope(query, 400, None, f"'{name}' timestamp must be set")
        begins, ends = int(query["from"]), int(query["until"])
        if request.url.path.startswith("/v2/signals/raw/country/"):
            return self._signals(query, request.url.path.rpartition("/")[2].split(","))
        codes = query.get("entityCode", "").split(",")
        limit, page = int(query.get("limit", 500)), int(query.get("page", 0))
        found = [
            one
            for one in sorted(self.alerts, key=lambda one: one["time"])
            if begins <= one["time"] <= ends and one["entity"]["code"] in codes
        ]
        return self._envelope(query, 200, found[page * limit : (page + 1) * limit], None)

    def _signals(self, query: dict[str, str], codes: list[str]) -> httpx.Response:
        begins, ends = int(query["from"]), int(query["until"])
        datasource = query.get("datasource", "")
        if ends - begins > _MOST_DAYS * 86_400:
            error = f"Time range for a single query must be less than {_MOST_DAYS} days"
            return self._envelope(query, 400, None, error, "signals")
        if datasource not in _STEPS:
            names = ", ".join(_STEPS)
            error = f"invalid datasource {datasource} (must be one of the following [{names}])"
            return self._envelope(query, 400, None, error, "signals")
        step = _STEPS[datasource]
        first = begins - begins % step
        data = [
            [
                {
                    "entityType": "country",
                    "entityCode": code,
                    "entityName": code,
                    "entityFqid": f"geo.provider.AS.{code}",
                    "datasource": datasource,
                    "subtype": "",
                    "from": first,
                    "until": ends,
                    "step": step,
                    "nativeStep": step,
                    "values": [
                        self._level(code, datasource, at) for at in range(first, ends, step)
                    ],
                }
            ]
            for code in codes
        ]
        return self._envelope(query, 200, data, None, "signals")

    def _level(self, code: str, datasource: str, at: int) -> float | None:
        found: float | None = 1000.0
        for since, value in self.levels.get((code, datasource), ()):
            if since.timestamp() <= at:
                found = value
        return found

    def _envelope(
        self,
        query: dict[str, str],
        status: int,
        data: list[Any] | None,
        error: str | None,
        kind: str = "outages.alerts",
    ) -> httpx.Response:
        body = {
            "type": kind,
            "metadata": {"requestTime": "", "responseTime": ""},
            "requestParameters": query,
            "error": error,
            "perf": None,
            "data": data,
            "copyright": _COPYRIGHT,
        }
        return httpx.Response(
            status,
            content=msgspec.json.encode(body),
            headers={"Content-Type": "application/json"},
        )
