"""ScriptedIoda: IODA's alerts without IODA, for tests and trials.

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


class ScriptedIoda:
    """Answers requests. One thread at a time."""

    def __init__(self) -> None:
        self.alerts: list[dict[str, Any]] = []
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
        codes = query.get("entityCode", "").split(",")
        limit, page = int(query.get("limit", 500)), int(query.get("page", 0))
        found = [
            one
            for one in sorted(self.alerts, key=lambda one: one["time"])
            if begins <= one["time"] <= ends and one["entity"]["code"] in codes
        ]
        return self._envelope(query, 200, found[page * limit : (page + 1) * limit], None)

    def _envelope(
        self, query: dict[str, str], status: int, data: list[Any] | None, error: str | None
    ) -> httpx.Response:
        body = {
            "type": "outages.alerts",
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
