"""Everybody sees the text of a page only where two vantages saw the same."""

from datetime import timedelta

from msgspec.structs import replace

from monitor.analysis.events.event import NetworkStatus
from monitor.analysis.judge.judge_case import judge
from monitor.export.common_text import common_texts, with_common_text
from monitor.export.public_view import PublicView
from monitor.server.evidence import EndpointEvidence, Evidence, NetworkEvidence, public_evidence
from monitor.server.measurement_view import follow_up_lines, side_by_side
from monitor.wording.words import words_in
from probes.measure.follow_up_reasons import Reason
from probes.measurement import HttpObservation, Measurement, TransferObservation
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
    assert common == {PAGE, "x.com"}
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
    shown = public_evidence(PublicView(), whole, START + timedelta(days=1), frozenset())
    for network, title in zip(shown.networks, (PAGE, PAGE, ""), strict=True):
        (one,) = network.endpoints
        assert titles(one.measurement) == [(title, "")]
        assert titles(one.follow_ups[0]) == [(title, "")]
        assert one.control is None


def shown_lines(measurement: Measurement) -> list[str]:
    """What a page shows of it."""
    words = words_in()
    layers = side_by_side(words, measurement, None)
    follow_ups = follow_up_lines(words, (measurement,))
    return [one.text for layer in layers for one in layer.here] + [
        one.text for _, one in follow_ups
    ]


def redirected(vantage: str, host: str) -> Measurement:
    """A vantage that is sent to a host and tests that, too."""
    mismatch = f"Hostname mismatch, certificate is not valid for '{host}'."
    handshake = replace(tls("ssl_invalid_hostname", server_name=host), verify_error=mismatch)
    object_ = TransferObservation(
        start=1.0, duration=1.0, url=f"https://{host}/", address="", server_name=host
    )
    return replace(
        look(
            dns(),
            tcp(),
            tls(),
            http(status=302, location=f"https://{host}/n?case=77"),
            dns(name=host),
            handshake,
            object_,
            replace(dns(name=host), reason=Reason.OPEN_RESOLVER),
            replace(handshake, reason=Reason.NAME_AGAIN),
        ),
        vantage=vantage,
    )


def test_a_name_made_for_one_vantage_is_shown_in_no_layer() -> None:
    """Attack: each customer is redirected to a name of their own, which is then resolved, greeted
    and quoted in errors. Names of the catalogue, and of two vantages, stay."""
    mine, ours, listed = "s-khan-4711.stop.example", "stop.example", "www.x.com"
    seen = [
        redirected("khi-1", mine),
        redirected("khi-1", ours),
        redirected("khi-2", ours),
        redirected("khi-2", listed),
    ]
    common = common_texts(seen) | {listed}
    shown = [shown_lines(with_common_text(one, common)) for one in seen]
    assert not any("khan" in line for line in shown[0])
    assert not any(line != line.strip(" ·") for line in shown[0])
    assert "203.0.113.10 · x.com A" in shown[0]
    for lines, name in zip(shown[1:], (ours, ours, listed), strict=True):
        assert f"203.0.113.10 · {name} A" in lines
        assert sum(f"not valid for '{name}'" in line for line in lines) == 2
