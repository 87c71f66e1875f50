"""Real OONI measurements, judged by our rules, beside OONI's own flag on each.

Our state agrees with the flag when ok stands beside no anomaly, or blocked, degraded or throttled
beside an anomaly. Where it does not, the rule that decided and the reason why it is right stand
here. Measurement data © OONI and its contributors, CC BY-NC-SA 4.0.
"""

import os
from functools import cache
from pathlib import Path

import msgspec
import pytest

from monitor.analysis.verdict import Evidence, State
from monitor.config.catalog import shipped_catalog
from monitor.judging.from_ooni import judge_imported
from monitor.ooni.convert import Imported, convert
from monitor.ooni.ooni_files import measurements_in
from monitor.ooni.ooni_format import decode
from probes.measurement import DnsObservation, HttpObservation, Measurement, TcpObservation
from storage.values.cycle import Cycle

DATA = Path(os.environ.get("SHUTWATCH_OONI_DATA", "")) / "ooni_raw"

pytestmark = [
    pytest.mark.ooni,
    pytest.mark.skipif(
        not os.environ.get("SHUTWATCH_OONI_DATA") or not DATA.is_dir(),
        reason="SHUTWATCH_OONI_DATA names no folder with ooni_raw/",
    ),
]

AGREES = {
    "facebook_messenger_IT_ok_01202004070b44": (State.OK, "endpoint.reached"),
    "signal_BR_ok_20210414233242": (State.OK, "endpoint.reached"),
    "telegram_US_ok_20221110102858": (State.OK, "endpoint.reached"),
    "web_connectivity_IE_anomaly_0120200303c6ba": (State.BLOCKED, "http.blockpage"),
    "web_connectivity_RU_anomaly_01202003039e13": (State.BLOCKED, "http.blockpage"),
    "web_connectivity_US_ok_20230307142542": (State.OK, "endpoint.reached"),
    "whatsapp_US_ok_20221110103854": (State.OK, "endpoint.reached"),
}
"""File → our state and the rule that decided."""

DIFFERS = {
    "facebook_messenger_RU_anomaly_01202003044cad": (
        State.INSUFFICIENT,
        "vantage.no_references",
        (
            "Every name resolves to Facebook's own addresses; OONI calls them inconsistent"
            " because its lookup of their AS failed, and then dialled none. Nothing failed,"
            " nothing was seen to work."
        ),
    ),
    "signal_IR_anomaly_20210415084230": (
        State.INSUFFICIENT,
        "control.missing",
        (
            "All names under signal.org are NXDOMAIN at a vantage that is otherwise well,"
            " which looks like a block; but nobody looked from outside, and a name that lapsed"
            " looks the same."
        ),
    ),
    "telegram_RU_anomaly_20221109225810": (
        State.OK,
        "endpoint.reached",
        (
            "All twelve ports of the data centres answer, and the website answers over"
            " verified TLS; OONI flags a second visit, begun 60 ms after the first was"
            " connected, that timed out, with no control to tell loss from blocking."
        ),
    ),
    "web_connectivity_AE_ok_012019111898e8": (
        State.INSUFFICIENT,
        "vantage.no_references",
        (
            "The connection was reset and the helper's answer could not be read: OONI decided"
            " nothing either (blocking and accessible are null), its flag only says no anomaly"
            " was proved, and no data is never ok."
        ),
    ),
    "web_connectivity_RU_ok_20201029043459": (
        State.INSUFFICIENT,
        "control.dead",
        (
            "It fails here and the helper fails too, by an `unknown_error`. OONI takes the"
            " site for down; a failure without a name may be the helper's own, so nothing is"
            " claimed. Neither accuses anybody."
        ),
    ),
    "whatsapp_JP_anomaly_20221105223930": (
        State.INSUFFICIENT,
        "vantage.other_network",
        (
            "A filter on the phone (network type vpn) leads every WhatsApp name to the phone"
            " itself, whose own server answers with a certificate for `localhost`. Nothing in"
            " the report shows that anything outside the phone was reached, so no network is"
            " accused."
        ),
    ),
}
"""File → our state, the rule that decided, and why it is right where OONI's flag says otherwise."""


@cache
def _imported(name: str) -> Imported:
    ((_, text),) = measurements_in(DATA / f"{name}.json")
    wire, flag = decode(text)
    return convert(wire, flag, shipped_catalog())


def _cycle(name: str) -> Cycle:
    return judge_imported(_imported(name))


def _looks(name: str, endpoint: str) -> list[Measurement]:
    return [look for look in _imported(name).measurements if look.endpoint == endpoint]


def test_every_file_has_its_expectation() -> None:
    """No measurement in the folder goes unjudged, and none is judged twice."""
    files = {path.stem for path in DATA.glob("*.json")}
    assert files == AGREES.keys() | DIFFERS.keys()
    assert not AGREES.keys() & DIFFERS.keys()


@pytest.mark.parametrize("name", AGREES)
def test_state_agrees_with_oonis_flag(name: str) -> None:
    """Ok where OONI sees no anomaly, blocked where it sees one, each by the rule expected."""
    (platform,) = _cycle(name).platforms
    flag = _imported(name).flag
    assert flag is not None
    assert (platform.state, platform.rule_id) == AGREES[name]
    assert flag.anomaly == (platform.state is not State.OK)


@pytest.mark.parametrize("name", DIFFERS)
def test_state_differs_for_the_reason_given(name: str) -> None:
    """Where the flag says otherwise the rule that decided is the one argued for."""
    (platform,) = _cycle(name).platforms
    flag = _imported(name).flag
    assert flag is not None
    state, rule, why = DIFFERS[name]
    assert (platform.state, platform.rule_id) == (state, rule), why
    assert flag.anomaly == (state is State.OK) or state is State.INSUFFICIENT


def test_one_unverified_page_is_never_more_than_weak() -> None:
    """Ireland's other page is the parking company's own refusal, so weak is all it may be."""
    (platform,) = _cycle("web_connectivity_IE_anomaly_0120200303c6ba").platforms
    assert platform.evidence is Evidence.WEAK


def test_russian_block_page_is_seen_where_it_was_served() -> None:
    """The redirect to a foreign address is kept as evidence, addresses of nobody else's with it."""
    (look,) = _imported("web_connectivity_RU_anomaly_01202003039e13").measurements
    hops = [o for o in look.observations if isinstance(o, HttpObservation)]
    assert [(o.hop, o.status, o.url) for o in hops] == [
        (0, 302, "http://rutor.org/"),
        (1, 200, "http://89.223.47.135/index.html"),
    ]
    assert hops[0].location == "http://89.223.47.135/index.html"


def test_telegram_second_visit_is_an_attempt_of_its_own() -> None:
    """The website was visited twice: once answered, once not connected at all."""
    first, second = _looks("telegram_RU_anomaly_20221109225810", "https://web.telegram.org/")
    assert (first.attempt, first.reached, second.attempt, second.reached) == (1, True, 2, False)
    assert {o.failure for o in second.observations if isinstance(o, TcpObservation)} == {
        "generic_timeout_error"
    }
    # Each of the two connections had fifteen seconds, one after the other.
    assert [round(o.duration) for o in second.observations if isinstance(o, TcpObservation)] == [
        15,
        15,
    ]
    assert first.started_at < second.started_at


def test_telegram_data_centres_are_those_of_the_catalogue() -> None:
    """Every data centre OONI dials is an endpoint that live looks have too."""
    watched = {
        endpoint.id
        for platform in shipped_catalog().platforms
        if platform.name == "telegram"
        for function in platform.functions
        for endpoint in function.endpoints
    }
    seen = {look.endpoint for look in _imported("telegram_US_ok_20221110102858").measurements}
    assert len(seen) == 13
    assert seen <= watched


def test_whatsapp_endpoints_are_those_of_the_catalogue() -> None:
    """Sixteen hosts on two ports, registration and web, each looked at once."""
    looks = _imported("whatsapp_US_ok_20221110103854").measurements
    expected = {f"tcp://e{n}.whatsapp.net:{port}" for n in range(1, 17) for port in (443, 5222)}
    expected |= {"https://v.whatsapp.net/v2/register", "https://web.whatsapp.com/"}
    assert {look.endpoint for look in looks} == expected
    assert len(looks) == len(expected)
    for look in looks:
        assert len([o for o in look.observations if isinstance(o, TcpObservation)]) == 1


def test_own_phone_answering_is_no_answer() -> None:
    """A connection to 0.0.0.0 worked, and proves nothing about WhatsApp."""
    for look in _imported("whatsapp_JP_anomaly_20221105223930").measurements:
        assert not look.reached
        dns = [o for o in look.observations if isinstance(o, DnsObservation)]
        assert {o.failure for o in dns} == {"dns_bogon_error"}
        others = [o for o in look.observations if not isinstance(o, DnsObservation)]
        assert {o.reason for o in others} <= {"bogon_dialled"}


def test_signal_names_fail_while_an_older_one_works() -> None:
    """The witness that the vantage is well is the host under another name."""
    cycle = _cycle("signal_IR_anomaly_20210415084230")
    assert cycle.health.references_ok == 1
    states = {verdict.endpoint: verdict.state for verdict in cycle.verdicts}
    assert states.pop("https://textsecure-service.whispersystems.org/") is State.OK
    assert set(states.values()) == {State.INSUFFICIENT}
    assert all("uptime.signal.org" not in endpoint for endpoint in states)


def test_one_family_that_fails_here_spoils_nothing() -> None:
    """Instagram answers over IPv4 though IPv6 times out on the probe's line."""
    cycle = _cycle("web_connectivity_US_ok_20230307142542")
    (verdict,) = cycle.verdicts
    assert (verdict.platform, verdict.function, verdict.state) == ("instagram", "web", State.OK)


@pytest.mark.parametrize("name", [*AGREES, *DIFFERS])
def test_nothing_of_the_person_is_kept(name: str) -> None:
    """Neither the probe's address nor its resolver's is in what would be stored."""
    raw = msgspec.json.decode((DATA / f"{name}.json").read_bytes())["measurement"]
    stored = msgspec.json.encode(_cycle(name)).decode()
    resolvers = {raw.get("resolver_ip"), raw["test_keys"].get("client_resolver")} - {None}
    assert all(resolver not in stored for resolver in resolvers)
    assert raw["report_id"] not in stored


@pytest.mark.parametrize("name", [*AGREES, *DIFFERS])
def test_importing_again_gives_the_same(name: str) -> None:
    """Same file, same ids, same verdicts, and a cycle that survives being written down."""
    ((_, text),) = measurements_in(DATA / f"{name}.json")
    wire, flag = decode(text)
    again = judge_imported(convert(wire, flag, shipped_catalog()))
    cycle = _cycle(name)
    assert again == cycle
    assert msgspec.json.decode(msgspec.json.encode(cycle), type=Cycle) == cycle
    ids = [measurement.id for measurement in cycle.measurements]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("name", [*AGREES, *DIFFERS])
def test_times_lie_within_the_measurement(name: str) -> None:
    """No look began before the measurement, or took a negative time; controls came after."""
    imported = _imported(name)
    for look in imported.measurements:
        assert look.started_at >= imported.started_at
        assert all(o.start >= 0 and o.duration >= 0 for o in look.observations)
    for control in imported.controls:
        assert all(
            control.started_at.timestamp() >= look.ended_at for look in imported.measurements
        )
