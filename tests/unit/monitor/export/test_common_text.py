"""Everybody sees the text of a page only where two vantages saw the same."""

from datetime import timedelta

from msgspec.structs import replace

from monitor.analysis.events.event import NetworkStatus
from monitor.analysis.judge.judge_case import judge
from monitor.export.common_text import common_texts, with_common_text
from monitor.export.public_view import PublicView
from monitor.server.evidence import EndpointEvidence, Evidence, NetworkEvidence, public_evidence
from probes.measurement import HttpObservation, Measurement
from tests.worlds.build import START, case, dns, http, look, tcp, tls

PAGE, MINE = "Blocked by order 17", "Blocked for customer 4711"


def page(vantage: str, title: str, location: str = "") -> Measurement:
    """A block page that a vantage saw."""
    seen = replace(http(), title=title, location=location)
    return replace(look(dns(), tcp(), tls(), seen), vantage=vantage)


def titles(measurement: Measurement | None) -> list[tuple[str, str]]:
    """What is left of the page."""
    assert measurement is not None
    return [
        (one.title, one.location)
        for one in measurement.observations
        if isinstance(one, HttpObservation)
    ]


def test_what_one_vantage_alone_saw_is_not_shown() -> None:
    """Attack: the block page names a number for each customer, or sends each to an address of its
    own, and later looks for it on the public page."""
    seen = [
        page("khi-1", MINE, "https://stop.example/?c=4711"),
        page("khi-1", MINE, "https://stop.example/?c=4711"),
        page("khi-2", PAGE, "https://stop.example/"),
        page("lhe-1", PAGE, "https://stop.example/?c=4712"),
    ]
    common = common_texts(seen)
    assert common == {PAGE}
    shown = [titles(with_common_text(one, common)) for one in seen]
    assert shown == [[("", "")], [("", "")], [(PAGE, "")], [(PAGE, "")]]


def evidence(*measurements: Measurement) -> Evidence:
    """Evidence of one network for each of these."""
    return Evidence(
        networks=tuple(
            NetworkEvidence(
                status=NetworkStatus(asn=number, network="", affected=True, blocked_now=True),
                endpoints=(
                    EndpointEvidence(
                        verdict=judge(case(one)),
                        measurement=one,
                        control=None,
                        controls=0,
                        follow_ups=(one,),
                    ),
                ),
                accusing=1,
                fine=0,
            )
            for number, one in enumerate(measurements)
        ),
        more_networks=0,
        log=(),
        reviews=(),
        annotations=(),
    )


def test_the_public_page_of_an_event_keeps_to_it() -> None:
    """Of the measurements and of the follow-up tests beside them."""
    whole = evidence(page("khi-1", PAGE), page("khi-2", PAGE), page("lhe-1", MINE))
    shown = public_evidence(PublicView(), whole, START + timedelta(days=1))
    for network, title in zip(shown.networks, (PAGE, PAGE, ""), strict=True):
        (one,) = network.endpoints
        assert titles(one.measurement) == [(title, "")]
        assert titles(one.follow_ups[0]) == [(title, "")]
        assert one.control is None
