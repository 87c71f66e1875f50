"""The tests of applications become looks at the endpoints the catalogue has."""

from datetime import timedelta

import pytest

from monitor.analysis.verdict import State, VantageState
from monitor.ooni.convert import Imported
from probes.measurement import Layer, Measurement
from tests.worlds.ooni_reports import (
    BOGON,
    V4,
    Entry,
    connect,
    handshake,
    imported,
    judged,
    query,
    report,
    request,
)

DATA_CENTRE, OTHER = "149.154.167.51", "149.154.175.50"


def _looks(one: Imported) -> dict[str, Measurement]:
    return {look.endpoint: look for look in one.measurements}


def _old(entry: Entry) -> Entry:
    """An entry as engines before 2022 wrote it: no `t0`, no address."""
    return {key: value for key, value in entry.items() if key not in ("t0", "address")}


# -- telegram ----------------------------------------------------------------------------------


def _question(address: str, failure: str | None = None, port: int = 443) -> Entry:
    url = f"http://{address}/" if port == 80 else f"http://{address}:{port}/"
    return request(url, 501, failure=failure)


def test_data_centre_that_answers_is_reached() -> None:
    """Connected, and it answered what OONI asks: the endpoint of the catalogue, by address."""
    one = imported(
        report("telegram", tcp_connect=[connect(DATA_CENTRE)], requests=[_question(DATA_CENTRE)])
    )
    (look,) = one.measurements
    assert (look.endpoint, look.function, look.reached) == (
        f"tcp://{DATA_CENTRE}:443",
        "chat",
        True,
    )


@pytest.mark.parametrize("failure", ["eof_error", "connection_reset", "generic_timeout_error"])
def test_data_centre_that_only_connects_is_not_reached(failure: str) -> None:
    """A middlebox completes handshakes; Telegram answers as well."""
    one = imported(
        report(
            "telegram",
            tcp_connect=[connect(DATA_CENTRE)],
            requests=[_question(DATA_CENTRE, failure)],
        )
    )
    (look,) = one.measurements
    assert not look.reached
    assert [o.failure for o in look.of(Layer.HTTP)] == [failure]


def test_data_centre_ports_are_endpoints_of_their_own() -> None:
    """Ports 80 and 443 of one address are told apart, and each has its own question."""
    one = imported(
        report(
            "telegram",
            tcp_connect=[connect(DATA_CENTRE, 80), connect(DATA_CENTRE, failure="timed_out")],
            requests=[
                _question(DATA_CENTRE, port=80),
                _question(DATA_CENTRE, failure="timed_out"),
            ],
        )
    )
    looks = _looks(one)
    assert looks[f"tcp://{DATA_CENTRE}:80"].reached
    assert not looks[f"tcp://{DATA_CENTRE}:443"].reached
    assert not looks[f"tcp://{DATA_CENTRE}:443"].of(Layer.HTTP)


def test_website_is_looked_at_and_its_cleartext_door_is_not() -> None:
    """`http://web.telegram.org/` only leads to the other, and anybody could answer it."""
    host = "web.telegram.org"
    one = imported(
        report(
            "telegram",
            queries=[query(host, V4, t=0.1), query(host, V4, t=0.11)],
            tcp_connect=[connect(V4, 80, t=0.3), connect(V4, 443, t=0.31)],
            tls_handshakes=[handshake(host)],
            requests=[request(f"http://{host}/", 301), request(f"https://{host}/")],
        )
    )
    assert [(look.endpoint, look.reached) for look in one.measurements] == [
        (f"https://{host}/", True)
    ]


def test_data_centres_fail_and_nothing_else_was_tried() -> None:
    """Failures alone, without a control or a witness, accuse nobody."""
    failed = [connect(DATA_CENTRE, failure="connection_reset"), connect(OTHER, failure="timed_out")]
    cycle = judged(report("telegram", tcp_connect=failed))
    assert cycle.health.state is VantageState.UNKNOWN
    (platform,) = cycle.platforms
    assert (platform.state, platform.rule_id) == (State.INSUFFICIENT, "vantage.no_references")


def test_what_answers_is_the_witness_for_what_does_not() -> None:
    """Data centres that answer show the line up: then only the control is missing."""
    host = "web.telegram.org"
    cycle = judged(
        report(
            "telegram",
            queries=[query(host, failure="dns_nxdomain_error")],
            tcp_connect=[connect(DATA_CENTRE), connect(OTHER)],
            requests=[request(f"https://{host}/", failure="dns_nxdomain_error")],
        )
    )
    assert (cycle.health.state, cycle.health.references_ok) == (VantageState.OK, 2)
    (web,) = [v for v in cycle.verdicts if v.function == "web"]
    assert (web.state, web.rule_id) == (State.INSUFFICIENT, "control.missing")
    assert web.failures == {"dns": "dns_nxdomain_error"}


# -- whatsapp ----------------------------------------------------------------------------------


def test_hosts_that_share_addresses_are_told_apart_by_order() -> None:
    """One connection for each lookup, though every host has the same addresses."""
    queries = [query(f"e{n}.whatsapp.net", V4, t=0.1 + n / 100) for n in (4, 2, 4)]
    connects = [
        connect(V4, 5222, t=0.3),
        connect(V4, 5222, "connection_refused", t=0.31),
        connect(V4, 443, t=0.32),
    ]
    looks = _looks(imported(report("whatsapp", queries=queries, tcp_connect=connects)))
    assert {endpoint: look.reached for endpoint, look in looks.items()} == {
        "tcp://e4.whatsapp.net:5222": True,
        "tcp://e2.whatsapp.net:5222": False,
        "tcp://e4.whatsapp.net:443": True,
    }


def test_further_addresses_of_a_host_stay_with_its_lookup() -> None:
    """A host is tried address by address until one answers; that is one look."""
    queries = [query("e1.whatsapp.net", V4, "104.16.3.3"), query("e2.whatsapp.net", V4)]
    connects = [
        connect(V4, 443, "connection_refused"),
        connect("104.16.3.3", 443, t=0.4),
        connect(V4, 443, t=0.5),
    ]
    looks = _looks(imported(report("whatsapp", queries=queries, tcp_connect=connects)))
    assert len(looks["tcp://e1.whatsapp.net:443"].of(Layer.TCP)) == 2
    assert looks["tcp://e1.whatsapp.net:443"].reached
    assert len(looks["tcp://e2.whatsapp.net:443"].of(Layer.TCP)) == 1


def test_name_that_does_not_resolve_fails_on_both_ports() -> None:
    """Nothing was dialled, so the lookups are given the ports they must have been for."""
    failed = query("e1.whatsapp.net", failure="dns_nxdomain_error")
    looks = _looks(imported(report("whatsapp", queries=[failed, failed])))
    assert looks.keys() == {"tcp://e1.whatsapp.net:443", "tcp://e1.whatsapp.net:5222"}
    for look in looks.values():
        assert [o.failure for o in look.of(Layer.DNS)] == ["dns_nxdomain_error"]


def test_registration_and_web_are_pages() -> None:
    """Both are asked over TLS, at the paths the catalogue has."""
    urls = {"v.whatsapp.net": "/v2/register", "web.whatsapp.com": "/"}
    looks = _looks(
        imported(
            report(
                "whatsapp",
                queries=[query(host, V4) for host in urls],
                tcp_connect=[connect(V4), connect(V4)],
                tls_handshakes=[handshake(host) for host in urls],
                requests=[request(f"https://{host}{path}", 400) for host, path in urls.items()],
            )
        )
    )
    assert {(look.endpoint, look.function, look.reached) for look in looks.values()} == {
        ("https://v.whatsapp.net/v2/register", "registration", True),
        ("https://web.whatsapp.com/", "web", True),
    }


def test_connection_to_a_bogon_reaches_nothing() -> None:
    """The name led to a private address, and something there accepted the connection."""
    looks = _looks(
        imported(
            report(
                "whatsapp",
                queries=[query("e1.whatsapp.net", BOGON)],
                tcp_connect=[connect(BOGON, 5222)],
            )
        )
    )
    look = looks["tcp://e1.whatsapp.net:5222"]
    assert not look.reached
    assert [o.failure for o in look.of(Layer.DNS)] == ["dns_bogon_error"]
    assert not look.of(Layer.TCP)


# -- facebook_messenger ------------------------------------------------------------------------


def test_messenger_hosts_are_connected_to_and_no_more() -> None:
    """OONI greets none of them, so they are tcp endpoints, and STUN is only a name."""
    one = imported(
        report(
            "facebook_messenger",
            queries=[query("edge-mqtt.facebook.com", V4), query("stun.fbsbx.com", "104.16.3.3")],
            tcp_connect=[connect(V4)],
        )
    )
    assert [
        (look.platform, look.function, look.endpoint, look.reached) for look in one.measurements
    ] == [
        ("messenger", "chat", "tcp://edge-mqtt.facebook.com:443", True),
        ("messenger", "call-names", "dns:stun.fbsbx.com", True),
    ]


def test_messenger_host_that_was_not_dialled_is_not_ok() -> None:
    """A name that resolves shows a resolver: no look, no witness, and least of all ok."""
    cycle = judged(report("facebook_messenger", queries=[query("b-api.facebook.com", V4)]))
    (look,) = cycle.measurements
    assert (look.reached, look.not_observed) == (False, (Layer.TCP,))
    assert cycle.platforms[0].state is State.INSUFFICIENT


def test_old_failure_false_is_none() -> None:
    """An engine of 2020 wrote false where nothing failed."""
    worked = connect(V4) | {"status": {"failure": False, "success": True}}
    one = imported(
        report(
            "facebook_messenger",
            queries=[query("b-api.facebook.com", V4)],
            tcp_connect=[_old(worked)],
        )
    )
    assert one.measurements[0].reached


# -- signal ------------------------------------------------------------------------------------


def _signal(host: str, failure: str | None = None, status: int = 404) -> Imported:
    return imported(
        report(
            "signal",
            queries=[query(host, V4)],
            tcp_connect=[connect(V4)],
            tls_handshakes=[handshake(host, failure=failure)],
            requests=[request(f"https://{host}/", status, failure=failure)],
        )
    )


def test_signal_answers_whatever_the_status() -> None:
    """Its servers say 404 to everybody."""
    (look,) = _signal("chat.signal.org").measurements
    assert (look.function, look.endpoint, look.reached) == (
        "chat",
        "https://chat.signal.org/",
        True,
    )


def test_signal_certificate_is_recorded_and_not_judged() -> None:
    """OONI's copy of Signal's authority grows old, so what it rejects still is a handshake."""
    (look,) = _signal("chat.signal.org", "ssl_unknown_authority").measurements
    assert look.reached
    (tls,) = look.of(Layer.TLS)
    assert tls.failure is None
    assert getattr(tls, "verify_error", "") == "OONI says ssl_unknown_authority"


def test_signal_handshake_that_is_cut_is_not_reached() -> None:
    """Not judging a certificate forgives nothing else."""
    (look,) = _signal("chat.signal.org", "connection_reset").measurements
    assert not look.reached
    assert [o.failure for o in look.of(Layer.TLS)] == ["connection_reset"]


def test_signal_uptime_is_a_message_and_no_host() -> None:
    """Its address, 127.0.0.1, says that all is well; it is no bogon."""
    one = imported(report("signal", queries=[query("uptime.signal.org", "127.0.0.1")]))
    assert not one.measurements
    assert not judged(report("signal", queries=[query("uptime.signal.org", "127.0.0.1")])).platforms


# -- times -------------------------------------------------------------------------------------


def test_without_t0_a_step_begins_where_the_one_before_ended() -> None:
    """Connections one after the other each take the time since the last event."""
    host = "web.telegram.org"
    one = imported(
        report(
            "telegram",
            queries=[_old(query(host, V4, "104.16.3.3", t=4.2))],
            tcp_connect=[
                _old(connect(V4, failure="generic_timeout_error", t=19.2)),
                _old(connect("104.16.3.3", failure="generic_timeout_error", t=34.2)),
            ],
            requests=[
                _old(request(f"https://{host}/", failure="generic_timeout_error")) | {"t": 4.1}
            ],
        )
    )
    (look,) = one.measurements
    assert [(round(o.start, 1), round(o.duration, 1)) for o in look.observations] == [
        (0.0, 0.1),
        (0.1, 15.0),
        (15.1, 15.0),
    ]
    assert look.started_at == one.started_at + timedelta(seconds=4.1)
    assert not look.of(Layer.HTTP)


def test_report_without_any_times_still_keeps_the_order() -> None:
    """The oldest engines wrote none."""
    host = "web.telegram.org"

    def bare(entry: Entry) -> Entry:
        return {key: value for key, value in _old(entry).items() if key != "t"}

    one = imported(
        report(
            "telegram",
            queries=[bare(query(host, V4))],
            tcp_connect=[bare(connect(V4))],
            tls_handshakes=[bare(handshake(host))],
            requests=[bare(request(f"https://{host}/"))],
        )
    )
    (look,) = one.measurements
    assert (look.reached, look.duration) == (True, 0.0)
    assert [type(o).__name__ for o in look.observations] == [
        "DnsObservation",
        "TcpObservation",
        "TlsObservation",
        "HttpObservation",
    ]
