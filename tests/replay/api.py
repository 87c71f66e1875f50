"""A server on loopback that answers as OONI's API does, and fails when told to."""

import contextlib
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

Reply = tuple[int, dict[str, str], bytes]


def result(
    at: datetime, *, anomaly: bool, test: str = "web_connectivity", asn: int = 17557, **more: Any
) -> dict[str, Any]:
    """One measurement of the list, as the API gives it."""
    stamp = f"{at:%Y%m%d%H%M%S}.{at.microsecond:06d}"
    return {
        "measurement_uid": f"{stamp}_PK_{test.replace('_', '')}_{asn:016x}",
        "measurement_start_time": f"{at:%Y-%m-%dT%H:%M:%S.%fZ}",
        "measurement_url": "https://api.ooni.io/api/v1/raw_measurement",
        "report_id": "20240201T000000Z_webconnectivity_PK_17557_n1_AAAAAAAAAAAAAAAA",
        "probe_asn": f"AS{asn}",
        "probe_cc": "PK",
        "test_name": test,
        "input": "https://twitter.com/" if test == "web_connectivity" else None,
        "anomaly": anomaly,
        "confirmed": False,
        "failure": False,
        "scores": '{"blocking_general": 1.0}',
        **more,
    }


class FakeApi:
    """Holds measurements; counts what it was asked; fails as often as `failures` says."""

    def __init__(self, measurements: list[dict[str, Any]]) -> None:
        self.measurements = sorted(measurements, key=lambda one: one["measurement_start_time"])
        self.asked: list[str] = []
        self.agents: set[str] = set()
        self.failures: list[Reply] = []
        """What to answer instead, next answer first."""
        self.next_origin = "https://api.ooni.io"
        """Where `next_url` points: whatever the server believes it is called."""
        self.url = ""

    def answer(self, target: str) -> Reply:
        """What the API says to a request."""
        self.asked.append(target)
        if self.failures:
            return self.failures.pop(0)
        parts = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path != "/api/v1/measurements":
            return 404, {}, b"{}"
        offset, limit = int(query.get("offset", 0)), min(int(query["limit"]), 100)
        found = [one for one in self.measurements if self._selected(one, query)]
        page = found[offset : offset + limit]
        following = {**query, "offset": str(offset + limit), "limit": str(limit)}
        more = offset + limit < len(found)
        next_url = f"{self.next_origin}{parts.path}?{urlencode(following)}" if more else None
        body = {
            "metadata": {
                "count": -1,
                "current_page": offset // limit + 1,
                "limit": limit,
                "next_url": next_url,
                "offset": offset,
                "pages": -1,
                "query_time": 0.01,
            },
            "results": page,
        }
        return 200, {"Content-Type": "application/json"}, json.dumps(body).encode()

    @staticmethod
    def _selected(one: dict[str, Any], query: dict[str, str]) -> bool:
        at = one["measurement_start_time"]
        domains = query["domain"].split(",") if "domain" in query else None
        return (
            one["probe_cc"] in query["probe_cc"].split(",")
            and one["test_name"] in query["test_name"].split(",")
            and query["since"] <= at < query["until"]
            and (domains is None or any(f"//{host}/" in str(one["input"]) for host in domains))
        )


@contextlib.contextmanager
def served(api: FakeApi) -> Iterator[FakeApi]:
    """Serve it on loopback; `api.url` says where."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the library's own name
            api.agents.add(self.headers["User-Agent"])
            status, headers, body = api.answer(self.path)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if "Content-Length" not in headers:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        api.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield api
        finally:
            server.shutdown()
            thread.join()


def blocked_since(
    begun: datetime, *, days: int = 20, asns: tuple[int, ...] = (17557, 9541)
) -> list[dict[str, Any]]:
    """A measurement every two hours on each network, from ten days before a block until after."""
    first = begun - timedelta(days=10)
    return [
        result(first + timedelta(hours=2 * step, minutes=asn % 50), anomaly=at >= begun, asn=asn)
        for step in range(12 * days)
        for asn in asns
        for at in [first + timedelta(hours=2 * step, minutes=asn % 50)]
    ]


BEGUN = datetime(2024, 2, 17, tzinfo=UTC)
