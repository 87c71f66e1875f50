"""What several cycles make together: blocks under a running monitor, on real packets.

One monitor sees all stories at the same time, since each has a country of its own: a cycle of all
networks costs the same whether one of them is blocked or several. They begin when all is calm.
"""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.e2e.running import wait_for
from tests.e2e.watching import X_NAMES, Row, Watched, watching
from tests.lab.network import LabNetwork

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

SOME = (6, 14)
"""Connections reset in a row, and let through. Nothing is looked at less than eight times (four
looks, two families) before it is given up, so something of it always gets through."""
MOST = (180, 20)
"""The same. A cycle in which none gets through makes 56 connections to names of X, and one in which
all do makes 8: there are always two of the first kind in a row, and then one of the other."""
PARTS = {"partial.flows", "partial.addresses", "family.tls"}
ETHIOPIA = LabNetwork("ethio", 24757, "ET")
Told = dict[str, Future[None]]
"""Stories under way, by the names of their tests."""


def _intermittent_block(watched: Watched) -> None:
    begun = watched.mark()
    with watched.lab.network("safaricom").block(sni=X_NAMES, how="reset", turns=SOME) as rule:
        wait_for(lambda: watched.block("KE"), "an event", 120)
        assert rule.hits > 6
        (event,) = watched.export("events", kind="block", country="KE")
    assert (event["methods"], event["scope"]) == ("tls.reset", "some")
    assert 0.15 <= float(event["share"]) <= 0.6
    assert not {rule for rule, _ in watched.judged("safaricom", "blocked")} - {"tls.reset"}
    assert {rule for rule, _ in watched.judged("safaricom", "partial")} <= PARTS
    assert "opened" in watched.changes(begun, "KE")


def _a_block_that_often_fails(watched: Watched) -> None:
    begun, seen = watched.mark(), len(watched.monitor.cycles("ethio"))
    with watched.lab.network("ethio").block(sni=X_NAMES, how="reset", turns=MOST):
        wait_for(lambda: watched.block("ET") == "confirmed", "confirmation", 120)
        wait_for(lambda: _fitful(watched.monitor.cycles("ethio")[seen:]), "open cycles", 300)
        (event,) = watched.export("events", kind="block", country="ET", state="confirmed")
        assert "tls.reset" in event["methods"].split()
        changes = watched.changes(begun, "ET")
        assert changes.count("opened") + changes.count("reopened") == 1
    judged = watched.judged("ethio", "blocked")
    assert {("tls.reset", "strong"), ("tls.reset", "conclusive")} & judged


def _fitful(cycles: list[Row]) -> bool:
    """Blocked, then open for some connections, then blocked again."""
    blocked = "".join("X" if "blocked" in cycle else "-" for cycle in cycles)
    return re.search("X-+X", blocked) is not None


def _on_off_on(watched: Watched) -> None:
    begun, network = watched.mark(), watched.lab.network("ptcl")
    rule = network.block(sni=X_NAMES, how="reset")
    wait_for(lambda: watched.block("PK") == "confirmed", "confirmation", 60)
    watched.await_conclusive("ptcl", "tls.reset")
    rule.lift()
    wait_for(lambda: not watched.block("PK"), "the end", 60)
    (ended,) = watched.export("events", kind="block", country="PK")
    assert ended["state"] == "ended"
    with network.block(sni=X_NAMES, how="reset"):
        wait_for(lambda: watched.block("PK") == "confirmed", "the block again", 60)
        (event,) = watched.export("events", kind="block", country="PK")
    assert event["event_id"] == ended["event_id"]
    assert event["onset_latest"] == ended["onset_latest"]
    assert not event["end_latest"]
    changes = watched.changes(begun, "PK")
    assert [changes.count(change) for change in ("opened", "reopened", "ended")] == [1, 1, 1]
    first, second = watched.stretches(event["event_id"])
    assert first.onset_earliest is not None
    assert first.end_earliest is not None
    assert first.end_latest is not None
    assert first.onset_earliest < first.onset_latest <= first.end_earliest < first.end_latest
    assert second.onset_earliest is not None
    assert first.end_latest <= second.onset_earliest < second.onset_latest
    assert second.end_latest is None


def _technique_switch(watched: Watched) -> None:
    begun, network = watched.mark(), watched.lab.network("vivo")
    resets = network.block(sni=X_NAMES, how="reset")
    wait_for(lambda: watched.block("BR") == "confirmed", "confirmation", 60)
    watched.await_conclusive("vivo", "tls.reset")
    with network.block(dns=X_NAMES, how="nxdomain"):
        # The cycle under way may have its addresses already, and would get through to them.
        _await_whole_cycle(watched, "vivo")
        resets.lift()
        wait_for(lambda: "method_added" in watched.changes(begun, "BR"), "the other method", 60)
        watched.await_conclusive("vivo", "dns.nxdomain")
        (event,) = watched.export("events", kind="block", country="BR")
        changes = [change for change in watched.changes(begun, "BR") if change != "revised"]
    assert event["methods"] == "tls.reset dns.nxdomain"
    assert event["state"] == "confirmed"
    assert changes == ["opened", "confirmed", "method_added"]


def _await_whole_cycle(watched: Watched, vantage: str) -> None:
    """Of two cycles that end from now on, the second has begun since."""
    ended = len(watched.monitor.cycles(vantage))
    wait_for(lambda: len(watched.monitor.cycles(vantage)) >= ended + 2, "a whole cycle", 60)


STORIES: dict[str, Callable[[Watched], None]] = {
    "test_intermittent_block": _intermittent_block,
    "test_a_block_that_often_fails": _a_block_that_often_fails,
    "test_on_off_on": _on_off_on,
    "test_technique_switch": _technique_switch,
}


@pytest.fixture(scope="module")
def stories() -> Iterator[Told]:
    """All of them, under one monitor that looks every few seconds from every network."""
    with watching(ETHIOPIA, controls=1) as watched, ThreadPoolExecutor(len(STORIES)) as pool:
        watched.await_calm()
        yield {name: pool.submit(story, watched) for name, story in STORIES.items()}


@pytest.fixture
def told(request: pytest.FixtureRequest, stories: Told) -> Future[None]:
    """The story of the test that asks."""
    return stories[request.function.__name__]


def test_intermittent_block(told: Future[None]) -> None:
    """With three connections in ten reset every cycle gets through, some only when trying again.

    So do people. The share is counted, and is an event: some connections are blocked.
    """
    told.result()


def test_a_block_that_often_fails(told: Future[None]) -> None:
    """Nine connections in ten are reset: cycles with a block and without make one event."""
    told.result()


def test_on_off_on(told: Future[None]) -> None:
    """Blocked, unblocked, blocked again: one event, reopened, with both stretches of it."""
    told.result()


def test_technique_switch(told: Future[None]) -> None:
    """Resets, then wrong answers from DNS: one event that names both, and never pauses."""
    told.result()
