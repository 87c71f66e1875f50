"""Any request gets a documented response, and never an internal error."""

import base64
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.server.api.parameters import PAGING
from monitor.server.api.resources import RESOURCES, Resource
from tests.properties import examples
from tests.worlds.http_client import httpx

NAMES = sorted({one.name for each in RESOURCES for one in (*each.filters, *PAGING)})
AWFUL = [
    *("", " ", "\x00", "%", "%00", "\u202e", "'", '"; DROP TABLE event; --', "../../etc/passwd"),
    *("9" * 400, "-1", "1e999", "NaN", "0x10", "٣", "²", "2024-W01-1", "9999-12-31T23:59:59-14:00"),
    *("0001-01-01T00:00:00+14:00", "2024-02-17T12:00:00+99:99", "{{7*7}}", "<script>", "x" * 5000),
    *("AS" * 50, "𝟙", "2024-02-17T12:00:00.1234567890123Z", "null", "[]", "=1+1"),
]
CURSORS = [
    base64.urlsafe_b64encode(raw).decode().rstrip("=")
    for raw in (
        b"",
        b"[]",
        b"{}",
        b"null",
        b'["events"]',
        b'["events","2024-02-17T12:00:00.000000Z",1,2]',
        b'["events","2024-02-17T12:00:00.000000Z","\\ud800","z"]',
        b'["events","2024-02-17T12:00:00.000000Z","y"]',
        b'["events","2024-02-17T12:00:00.000000Z","y","z","more"]',
        b'["verdicts","2024-02-17T12:00:00.000000Z","y","z"]',
        b"[" * 3000,
    )
]
values = st.sampled_from([*AWFUL, *CURSORS]) | st.text(max_size=40)
queries = st.lists(st.tuples(st.sampled_from(NAMES) | st.text(max_size=8), values), max_size=4)


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.name)
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    max_examples=examples(40),
    deadline=None,
)
@given(query=queries, end=st.sampled_from(["", ".csv"]), seen=st.booleans())
async def test_no_query_breaks_anything(
    operator: httpx.AsyncClient,
    anybody: httpx.AsyncClient,
    resource: Resource,
    query: list[tuple[str, str]],
    end: str,
    *,
    seen: bool,
) -> None:
    """200, or a problem; never an internal error."""
    client = operator if seen else anybody
    answer = await client.get(f"{resource.name}{end}", params=httpx.QueryParams(tuple(query)))
    assert answer.status_code in (200, 400, 403, 404)
    if answer.status_code != 200:
        assert answer.headers["content-type"] == "application/problem+json"
        assert set(answer.json()) <= {
            *("type", "title", "status", "detail", "parameter", "suggestion")
        }
        assert "Traceback" not in answer.text


@given(raw=st.binary(max_size=60))
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    max_examples=examples(60),
    deadline=None,
)
async def test_no_bytes_break_anything(operator: httpx.AsyncClient, raw: bytes) -> None:
    """A query string may hold any bytes."""
    answer = await operator.get(f"events?platform={quote_from_bytes(raw)}")
    assert answer.status_code in (200, 400)


@pytest.mark.parametrize("cursor", CURSORS)
async def test_a_cursor_made_by_hand_is_refused(operator: httpx.AsyncClient, cursor: str) -> None:
    """All of these are nearly valid."""
    answer = await operator.get("events", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["parameter"]) == (400, "cursor")
