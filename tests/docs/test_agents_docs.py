"""docs/agents-api.md against what collectors do."""

import json
import re
from pathlib import Path

import msgspec

from monitor.collector.agents_api import AgentApi
from monitor.collector.agents_openapi import document
from monitor.metrics.ingest_counts import IngestCounts
from monitor.wire.answers import (
    BATCHES,
    CONTROLS,
    ENROLMENT,
    FOR_GOOD,
    KNOWN,
    SETTINGS,
    STATUS,
    TIME,
    Reason,
)
from monitor.wire.envelope import ANSWER_KEY, SEALED, SPOOL
from monitor.wire.invitation import INVITATION, PUBLIC
from monitor.wire.signing import HEADERS
from tests.collector.world import COLLECTOR_KEY, settings
from tests.worlds.memory_store import MemoryStore

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "agents-api.md").read_text("utf-8")


def test_every_route_is_documented_and_every_documented_route_exists() -> None:
    """The table of routes and the application's own are the same."""
    app = AgentApi(MemoryStore(), COLLECTOR_KEY, settings, IngestCounts()).app()
    served = {
        f"{method} {route.path}"  # type: ignore[attr-defined] # all of them are plain routes
        for route in app.routes
        for method in route.methods - {"HEAD"}  # type: ignore[attr-defined] # as above
    }
    assert set(re.findall(r"^\| `((?:GET|POST) \S+)` \|", TEXT, re.M)) == served


def test_every_reason_is_explained_with_its_status_and_what_an_agent_does() -> None:
    """The table has each reason; those that are for good are those an agent puts aside."""
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| [^|]+ \| ([^|]+) \|$", TEXT, re.M)
    assert [(Reason(name), int(status)) for name, status, _ in rows] == list(STATUS.items())
    aside = {Reason(name) for name, _, does in rows if does == "puts the batch aside"}
    assert aside == FOR_GOOD


def test_every_header_is_documented() -> None:
    """The table of headers is the whole list."""
    found = re.findall(r"^\| `(shutwatch-[\w-]+)` \|", TEXT, re.M)
    assert found == [SEALED, *HEADERS, ANSWER_KEY, SPOOL, INVITATION, PUBLIC]


def test_the_openapi_document_is_the_one_of_this_version() -> None:
    """`python -m monitor.collector.agents_openapi` writes what is committed, and it names every
    route."""
    written = json.loads((DOCS / "agents-api.json").read_text("utf-8"))
    assert written == json.loads(msgspec.json.encode(document()))
    assert set(written["paths"]) == {BATCHES, CONTROLS, SETTINGS, KNOWN, ENROLMENT, TIME}
