"""What others measured stands beside events, in pages alone."""

from typing import Any

import msgspec

from monitor.analysis.second_witness import Opinion, OpinionKind
from storage.store import Store
from storage.values.sourced import OutsideSignal, SourcedRow, SourceState
from storage.values.steady_clock import utc_now
from tests.api.conftest import client
from tests.contract.cycles import at


async def _page(
    store: Store, path: str = "events", *, operator: bool = True, **query: str
) -> dict[str, Any]:
    async with client(store, operator=operator) as asking:
        answer = await asking.get(path, params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def _measured(store: Store, source: str, *failed: float, **changes: Any) -> None:
    rows = [
        SourcedRow(
            country="PK",
            source=source,
            uid=f"{source}-{number}",
            measured_at=at(1500 + 400 * number),
            received_at=at(5000),
            asn=(17557, 45669)[number % 2],
            platform="x",
            test="web_connectivity",
            failed=one,
            licence="CC BY-NC-SA 4.0",
            **changes,
        )
        for number, one in enumerate(failed)
    ]
    state = SourceState(asked="PK", answered_at=utc_now(), cursors={"done PK x 1": at(8000)})
    await store.add_sourced(rows, source, state)


async def test_opinions_of_a_source_s_programs_stand_beside_its_counts(store: Store) -> None:
    """With what they say in words; those of another country are not told."""
    await _measured(store, "ooni")
    noticed = Opinion(
        country="PK",
        asn=17557,
        platform="x",
        kind=OpinionKind.BEGINS,
        at=at(2000),
        sign="tls",
    )
    other = msgspec.structs.replace(noticed, country="IN")
    await store.add_sourced((), "ooni opinions", SourceState(opinions=(noticed, other)))
    found = await _page(store, country="PK", platform="x")
    (witness,) = found["witnesses"]
    assert witness["position"] == "silent"
    (opinion,) = witness["opinions"]
    assert (opinion["asn"], opinion["kind"], opinion["sign"]) == (17557, "begins", "tls")
    assert opinion["text"].startswith("OONI's detector, from the same tests: blocking begins")


async def test_without_a_source_there_is_no_witness(store: Store) -> None:
    """An empty list, and nothing on pages of other rows."""
    assert (await _page(store))["witnesses"] == []
    assert "witnesses" not in await _page(store, "verdicts")


async def test_each_source_says_how_it_stands_to_each_event(store: Store) -> None:
    """In the words of the event's page, with counts, credit and grade; for everybody."""
    await _measured(store, "ooni", 1.0, 1.0, 0.0)
    await _measured(store, "globalping", 1.0, 1.0, 1.0, 1.0, methods=("tls.reset",))
    for operator in (True, False):
        found = await _page(store, operator=operator, country="PK", platform="x")
        (event,) = found["data"]
        ooni, globalping = found["witnesses"]
        assert ooni["event_id"] == globalping["event_id"] == event["event_id"]
        assert (ooni["position"], ooni["evidence"]) == ("agrees", "none")
        assert (ooni["tests"], ooni["failed"]) == (3, 2)
        assert ooni["text"] == "OONI agrees: 2 of 3 tests failed, 2 networks"
        assert ooni["credit"] == "Data: OONI (ooni.org), CC BY-NC-SA 4.0"
        assert globalping["evidence"] == "strong"
        said = "Globalping agrees (evidence: strong): 4 of 4 tests failed, 2 networks"
        assert globalping["text"] == said
        assert ooni["networks"] == [
            {"asn": 9541, "tests": 0, "failed": 0},
            {"asn": 17557, "tests": 2, "failed": 1},
        ]


async def test_a_silent_source_acquits_nobody(store: Store) -> None:
    """It is listed as silent, and the event stays what it is."""
    before = (await _page(store))["data"]
    await _measured(store, "ooni")
    found = await _page(store)
    assert found["data"] == before
    assert {one["position"] for one in found["witnesses"]} == {"silent"}
    assert {one["text"] for one in found["witnesses"]} == {"OONI is silent: not seen"}


async def test_an_outage_of_the_country_is_a_caution(store: Store) -> None:
    """It has no counts: it looks at no platform."""
    drop = OutsideSignal(country="PK", datasource="bgp", began_at=at(1500), drop=0.6)
    await store.add_sourced((), "ioda", SourceState(asked="PK", signals=(drop,)))
    (one,) = (await _page(store, country="PK", platform="x"))["witnesses"]
    assert (one["source"], one["position"], "tests" in one) == ("ioda", "caution", False)
    assert "routes (BGP) -60%" in one["text"]


async def test_no_file_has_what_others_measured(store: Store) -> None:
    """Their licences go with pages that name them."""
    await _measured(store, "ooni", 1.0, 1.0)
    async with client(store) as asking:
        assert "OONI" not in (await asking.get("events.csv")).text
