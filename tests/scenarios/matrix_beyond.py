"""The rows that the field does not test itself with."""

from collections.abc import Callable
from typing import Literal

from tests.lab.hosts import Page, web_page
from tests.lab.lab import Lab
from tests.lab.network import Network
from tests.scenarios.matrix import (
    NOT_COVERED,
    Answer,
    Scenario,
    State,
    blocked,
    insufficient,
    ok,
    site,
)
from tests.scenarios.matrix_functions import FUNCTIONS, SPEED
from tests.scenarios.matrix_lines import LISTS
from tests.scenarios.matrix_parts import DENIED, INJECTED_DENIAL, PARTIAL

_INNOCENT = "test_ailing_vantages.py::test_an_ailing_vantage_accuses_nobody"


def _ailing(
    name: str, story: str, rule_id: str, ooni: str = NOT_COVERED, differs: str = ""
) -> Scenario:
    answer = ok() if rule_id == "endpoint.reached" else insufficient(rule_id)
    return Scenario(
        name=name,
        group="beyond",
        story=story,
        ooni=ooni,
        differs=differs,
        answer=answer,
        proved_in=_INNOCENT,
    )


def _lasting(name: str, story: str, answer: Answer) -> Scenario:
    """A fault that lasts and hits one platform alone."""
    return Scenario(
        name=name,
        group="beyond",
        story=story,
        ooni=NOT_COVERED,
        answer=answer,
        proved_in="test_lasting_faults.py::test_a_lasting_fault_accuses_nobody",
    )


def _drop(name: str, story: str, rule: str, evidence: str, differs: str = "") -> Scenario:
    """A plain drop of all addresses of one platform, or what looks like one."""
    return Scenario(
        name=name,
        group="beyond",
        story=story,
        ooni="blocked (tcp_ip)",
        differs=differs,
        answer=blocked(rule, evidence),
        proved_in="test_plain_drops.py::test_a_drop_is_told_from_a_dead_route",
    )


def _greeting(name: str, how: str, story: str, answer: Answer) -> Scenario:
    return Scenario(
        name=name,
        group="beyond",
        story=story,
        ooni=NOT_COVERED,
        network="greetings",
        build=lambda _, network: network.block(sni=[f"{name}.example"], how=how),
        answer=answer,
    )


def _residual(name: str, how: str, answer: Answer) -> Scenario:
    return Scenario(
        name=name,
        group="beyond",
        story="After a reset for the name, everything to that address suffers for 30 s:"
        f" {'refused' if how == 'reset' else 'dropped'}.",
        ooni=NOT_COVERED,
        network="greetings",
        build=lambda _, network: network.block(
            sni=[f"{name}.example"], how="reset", residual=30.0, residual_how=how
        ),
        answer=answer,
    )


def _in_time(name: str, story: str, answer: Answer, proved_in: str) -> Scenario:
    """What only several cycles tell: the answer is that of one of them."""
    return Scenario(
        name=name, group="beyond", story=story, ooni=NOT_COVERED, answer=answer, proved_in=proved_in
    )


def _calls(
    name: str,
    story: str,
    evidence: str,
    proof: str,
    *,
    state: Literal["blocked", "partial"] = "blocked",
    rule_id: str = "app.stun",
) -> Scenario:
    """The server for calls is silent; its platform is degraded."""
    return Scenario(
        name=name,
        group="beyond",
        story=story,
        ooni="accessible",
        differs="OONI only resolves the name of Messenger's server for calls.",
        answer=Answer(
            state=state, rule_id=rule_id, method="udp", sub_method="stun", evidence=evidence
        ),
        proved_in=f"test_chat_and_calls.py::{proof}",
    )


def _everything_expired(lab: Lab, _: Network) -> None:
    more = ("wrong-clock.example", "clock-and-reset.example", "connectivitycheck.gstatic.com")
    for host in lab.internet.addresses:
        if host.startswith("www.") or host in more:
            lab.internet.certificate(host, "expired")


def _one_control_blocked(lab: Lab, _: Network) -> None:
    lab.controls[0].troubles({"one-control-blocked.example": "refused"})


def _block_and_one_control_blocked(lab: Lab, network: Network) -> None:
    host = "blocked-one-control.example"
    lab.controls[1].troubles({host: "refused"})
    network.block(sni=[host], how="reset")


def _doh_and_name_blocked(_: Lab, network: Network) -> None:
    network.block(sni=["dns.google", "cloudflare-dns.com", "dns.quad9.net"], how="reset")
    network.block(dns=["doh-and-name-blocked.example"], how="nxdomain")


def _more(
    name: str,
    story: str,
    answer: Answer,
    build: Callable[[Lab, Network], object],
    *,
    network: str = "forms",
    run: str = "forms",
    elsewhere: State | None = None,
    platform: State | None = None,
) -> Scenario:
    """A way of blocking that is easily misread, beside a control without a proxy."""
    return Scenario(
        name=name,
        group="beyond",
        story=story,
        ooni=NOT_COVERED,
        network=network,
        run=run,
        build=build,
        answer=answer,
        elsewhere=elsewhere,
        platform=platform,
    )


def _clock_and_reset(lab: Lab, network: Network) -> None:
    """By the vantage's clock every certificate has expired, and one name is cut off."""
    _everything_expired(lab, network)
    for host in ("captive.apple.com", "detectportal.firefox.com", "connectivitycheck.gstatic.com"):
        lab.internet.clock(host, -2 * 365 * 86400.0)
    network.block(sni=["clock-and-reset.example"], how="reset")


def _truncated_and_reset(_: Lab, network: Network) -> None:
    names = ["truncated-and-reset.example"]
    network.block(dns=names, how="truncate")
    network.block(dns=names, how="reset", transports=["tcp"])


def _injected_while_down(lab: Lab, network: Network) -> None:
    network.block(dns=["injected-while-down.example"], how="inject", after=0.03)
    lab.internet.down("injected-while-down.example")


def _injected_while_controls_fail(lab: Lab, network: Network) -> None:
    host = "injected-controls-fail.example"
    network.block(dns=[host], how="inject", after=0.03)
    for control in lab.controls:
        control.troubles({host: "unreachable"})


def _controls_censored(lab: Lab, network: Network) -> None:
    host = "controls-censored.example"
    network.block(sni=[host], how="reset")
    for control in lab.controls:
        control.troubles({host: "hello"})


def _errs(name: str, status: int, to: str | tuple[()] = ()) -> Callable[[Lab, Network], object]:
    """The site answers with an error over TLS: to everybody, or to one network."""
    page = Page(status=status, body=web_page("Sorry"))
    return lambda lab, _: lab.internet.page(f"{name}.example", page, to=to)


BEYOND: tuple[Scenario, ...] = (
    *FUNCTIONS,
    *LISTS,
    *PARTIAL,
    DENIED,
    INJECTED_DENIAL,
    *SPEED,
    _ailing("vantage-offline", "The vantage's line is dead.", "vantage.offline"),
    _ailing("vantage-unplugged", "The vantage has no link at all.", "vantage.offline"),
    _ailing(
        "captive-portal",
        "A login page stands between the vantage and everything.",
        "vantage.captive_portal",
    ),
    _ailing(
        "international-cut",
        "Nothing abroad is reached; the country's own sites are.",
        "vantage.international_cut",
    ),
    Scenario(
        name="ipv4-cut",
        group="beyond",
        story="Nothing abroad is reached over IPv4, and everything over IPv6: the vantage's health"
        " says so (`vantage.ipv4_cut`).",
        ooni=NOT_COVERED,
        answer=ok(),
        proved_in="test_allowlists.py"
        "::test_what_a_line_lets_pass_is_told_and_nobody_is_accused[ipv4-cut]",
    ),
    _ailing("resolver-dead", "The resolver answers for no name at all.", "vantage.resolver_down"),
    _ailing("loss", "Thirty packets in a hundred are lost each way, no censor.", "vantage.lossy"),
    _ailing("slow-line", "Round trips take 800 ms, no censor.", "endpoint.reached"),
    _lasting(
        "office-proxy",
        "An office's proxy decrypts X and two references, and exempts the rest.",
        insufficient("tls.local_authority"),
    ),
    _lasting(
        "antivirus",
        "Antivirus software decrypts X and Facebook, and exempts every reference.",
        insufficient("tls.local_authority"),
    ),
    _lasting(
        "dead-cache",
        "The resolver leads to a cache of X at the provider, which has died; X works elsewhere.",
        insufficient("dns.dead_address"),
    ),
    _lasting(
        "private-cache",
        "The resolver leads to a cache of X at a private address, which proves itself by TLS.",
        ok("dns.private_address"),
    ),
    _lasting(
        "office-proxy-and-dead-cache",
        "The resolver leads to a cache of X that has died, and an office's proxy decrypts whatever"
        " would show that X works elsewhere.",
        insufficient("dns.decrypted"),
    ),
    _lasting(
        "office-proxy-and-private-cache",
        "The resolver leads to a cache of X at a private address, and an office's proxy decrypts"
        " what would prove it.",
        insufficient("dns.decrypted"),
    ),
    _lasting(
        "antivirus-and-dead-cache",
        "The resolver leads to a cache of X that has died, and antivirus software decrypts X and"
        " Facebook.",
        insufficient("dns.decrypted"),
    ),
    _lasting(
        "path-mtu-and-dead-cache",
        "The resolver leads to a cache of X that has died, and of X's other servers packets of more"
        " than 1400 bytes are lost.",
        insufficient("dns.dead_address"),
    ),
    _lasting(
        "ipv6-dead-and-dead-cache",
        "All IPv6 connections to X are lost, and for IPv4 the resolver leads to a cache of X that"
        " has died.",
        insufficient("dns.dead_address"),
    ),
    _lasting(
        "ipv6-unreachable-and-lossy-path",
        "X cannot be reached over IPv6, and every second packet to and from it is lost.",
        insufficient("path.lossy"),
    ),
    _lasting(
        "path-mtu",
        "Packets of X's servers of more than 1400 bytes are lost, and nobody is told.",
        insufficient("tls.large_packets"),
    ),
    _lasting(
        "lossy-path",
        "Every second packet to and from X is lost, both ways; the rest of the line is clean.",
        insufficient("path.lossy"),
    ),
    _lasting(
        "ipv6-dead",
        "All IPv6 connections to X are lost; IPv4 works.",
        ok("family.ipv6_dead"),
    ),
    _drop(
        "address-drop",
        "All addresses of X are dropped; the control gets answers there, and a host beside them"
        " answers here.",
        "tcp.timeout",
        "conclusive",
    ),
    Scenario(
        name="br-ip-drop",
        group="beyond",
        story="All addresses of X are dropped, X moves to new ones, and those are dropped as well:"
        " one event, which recovers in between.",
        ooni="blocked (tcp_ip)",
        answer=blocked("tcp.timeout", "conclusive"),
        proved_in="../e2e/test_moving_addresses.py::test_addresses_dropped_twice_are_one_block",
    ),
    _drop(
        "address-unreachable",
        "The same, by forged reports that they are unreachable.",
        "tcp.unreachable",
        "conclusive",
    ),
    _drop(
        "prefix-drop",
        "The whole network that X is in is dropped behind the provider's second router, from where"
        " all other ways go on together.",
        "tcp.timeout",
        "conclusive",
    ),
    _drop(
        "dead-link",
        "The same, where packets get lost after the way to X has parted from the others: a broken"
        " link, or a censor at the border. One vantage alone never confirms it.",
        "tcp.timeout",
        "strong",
    ),
    _drop(
        "home-filter",
        "The same, at the vantage's own router. One vantage alone never confirms it.",
        "tcp.timeout",
        "strong",
    ),
    _drop(
        "dead-route",
        "The whole network that X is in is silent: a censor's list, or a broken route. Nobody can"
        " tell from outside, so one vantage alone never confirms it.",
        "tcp.timeout",
        "strong",
    ),
    Scenario(
        name="state-ca-trusted",
        group="beyond",
        story="A state opens X's TLS with an authority of its own, which the vantage's machine"
        " trusts.",
        ooni=NOT_COVERED,
        answer=Answer(
            state="blocked",
            rule_id="tls.known_certificate",
            method="tls",
            sub_method="certificate",
            evidence="conclusive",
        ),
        proved_in="test_trusted_interception.py::test_a_trusted_forgery_is_still_one",
    ),
    Scenario(
        name="state-ca-trusted-all",
        group="beyond",
        story="The network opens all TLS with an authority that the vantage's machine trusts.",
        ooni=NOT_COVERED,
        answer=insufficient("vantage.no_tls"),
        proved_in="test_trusted_interception.py"
        "::test_a_network_that_reads_everything_singles_nobody_out",
    ),
    Scenario(
        name="full-shutdown",
        group="beyond",
        story="Every network of the country falls silent at once: an event of its own kind.",
        ooni=NOT_COVERED,
        answer=insufficient("vantage.offline"),
        proved_in="../e2e/test_circumstances.py::test_shutdown",
    ),
    Scenario(
        name="control-offline",
        group="beyond",
        story="A name fails to resolve, and no control is alive.",
        ooni="accessible",
        differs="Without a control a failure means nothing yet.",
        answer=insufficient("control.dead"),
        proved_in="test_innocent.py::test_dead_control_and_failing_dns",
    ),
    Scenario(
        name="control-led-astray",
        group="beyond",
        story="A name is denied here, and by the resolver of the only control as well; the platform"
        " proves itself here at an address that others give.",
        ooni=NOT_COVERED,
        answer=insufficient("control.dead"),
        proved_in="test_vantage_truth.py"
        "::test_a_control_that_is_led_astray_itself_calls_nothing_down",
    ),
    Scenario(
        name="down-worldwide",
        group="beyond",
        story="The platform fails everywhere.",
        ooni="down",
        answer=Answer(state="down", rule_id="control.also_fails"),
        proved_in="test_innocent.py::test_down_worldwide",
    ),
    Scenario(
        name="wrong-clock",
        group="beyond",
        story="By the vantage's clock every certificate has expired.",
        ooni=NOT_COVERED,
        run="wrong-clock",
        network="field",
        build=_everything_expired,
        answer=insufficient("vantage.no_tls"),
        elsewhere="insufficient",
    ),
    Scenario(
        name="ipv6-only",
        group="beyond",
        story="The vantage has IPv6 alone; the site has both.",
        ooni=NOT_COVERED,
        run="families",
        network="v6",
        build=lambda _, network: network.unroute(4),
        answer=ok(),
    ),
    Scenario(
        name="ipv6-only-old-site",
        group="beyond",
        story="The vantage has IPv6 alone; the site has IPv4 alone.",
        ooni=NOT_COVERED,
        run="families",
        network="v6",
        hosts=(site("ipv6-only-old-site.example", families=(4,)),),
        answer=insufficient("vantage.family_missing"),
    ),
    Scenario(
        name="ipv6-broken",
        group="beyond",
        story="The vantage has an IPv6 address, and all it sends by it is lost.",
        ooni=NOT_COVERED,
        run="families",
        network="half",
        build=lambda _, network: network.block(how="drop", family=6),
        answer=ok(),
    ),
    _greeting(
        "hello-dropped",
        "drop",
        "After the greeting with the name nothing comes back.",
        blocked("tls.timeout", "conclusive"),
    ),
    _greeting(
        "hello-alert",
        "alert",
        "The greeting with the name is answered by a forged alert.",
        blocked("tls.alert", "conclusive"),
    ),
    _greeting(
        "hello-fin",
        "fin",
        "After the greeting with the name the connection is closed.",
        blocked("tls.eof", "conclusive"),
    ),
    Scenario(
        name="wa-chat-dns",
        group="beyond",
        story="DNS leads the names of WhatsApp's chat servers to a web server, whose answer is not"
        " WhatsApp's.",
        ooni="accessible",
        differs="OONI makes TCP connections to WhatsApp's chat servers and says nothing there; to"
        " one of two ports there is one.",
        answer=Answer(
            state="blocked",
            rule_id="dns.hijack",
            method="dns",
            sub_method="hijack",
            evidence="strong",
        ),
        proved_in="test_chat_and_calls.py"
        "::test_chat_servers_that_dns_leads_away_from_are_told_as_that",
    ),
    Scenario(
        name="wa-noise-dpi",
        group="beyond",
        story="What begins like WhatsApp's own greeting is dropped; TCP handshakes pass.",
        ooni="accessible",
        differs="OONI makes TCP connections to WhatsApp's chat servers and says nothing there.",
        answer=Answer(
            state="blocked",
            rule_id="app.middlebox",
            method="tcp",
            sub_method="middlebox",
            evidence="strong",
        ),
        proved_in="test_chat_and_calls.py"
        "::test_whatsapp_without_an_answer_to_its_greeting_is_blocked",
    ),
    _calls(
        "stun-ban",
        "Datagrams that hold STUN's mark are dropped, whoever they are for. The platform's calls"
        " are blocked and so are all others; its messages work.",
        "weak",
        "test_calls_are_told_from_udp_without_http_3",
    ),
    _calls(
        "stun-ban-quic",
        "The same, tested over HTTP/3 as well, which passes.",
        "weak",
        "test_calls_are_told_from_udp_with_http_3",
    ),
    _calls(
        "own-calls",
        "Datagrams to one platform's server for calls are dropped; other calls work.",
        "strong",
        "test_calls_are_told_from_udp_without_http_3",
    ),
    _calls(
        "own-calls-v4",
        "The same over IPv4 alone; over IPv6 the server answers.",
        "strong",
        "test_calls_are_told_from_udp_without_http_3",
        state="partial",
        rule_id="family.stun",
    ),
    Scenario(
        name="no-udp",
        group="beyond",
        story="No datagram leaves the network but DNS, so no call of any platform is possible.",
        ooni=NOT_COVERED,
        answer=insufficient("vantage.no_udp"),
        proved_in="test_chat_and_calls.py::test_calls_are_told_from_udp_without_http_3",
    ),
    Scenario(
        name="stall-16k",
        group="beyond",
        story="The stream goes silent after 16 KiB.",
        ooni=NOT_COVERED,
        answer=Answer(
            state="throttled",
            rule_id="throttling.stall",
            method="throttling",
            sub_method="stall",
            evidence="strong",
        ),
        proved_in="test_throttling.py::test_slowed_down_platforms_are_throttled",
    ),
    Scenario(
        name="quic-only",
        group="beyond",
        story="QUIC is dropped; TLS over TCP works.",
        ooni=NOT_COVERED,
        answer=Answer(
            state="blocked",
            rule_id="quic.blocked",
            method="quic",
            sub_method="timeout",
            evidence="strong",
        ),
        proved_in="test_http3.py::test_quic_only",
    ),
    Scenario(
        name="quic-only-proxies",
        group="beyond",
        story="QUIC is dropped, and every control is behind a proxy, which passes no datagrams.",
        ooni=NOT_COVERED,
        answer=ok(),
        proved_in="test_http3.py::test_quic_only_and_no_control_that_could_ask",
    ),
    Scenario(
        name="quic-everywhere",
        group="beyond",
        story="QUIC is dropped for all addresses; calls pass.",
        ooni=NOT_COVERED,
        answer=ok("quic.everywhere"),
        proved_in="test_http3.py::test_quic_blocked_as_a_protocol_singles_no_platform_out",
    ),
    Scenario(
        name="udp-closed",
        group="beyond",
        story="No datagram leaves the network but DNS.",
        ooni=NOT_COVERED,
        answer=ok(),
        proved_in="test_http3.py::test_no_udp_at_all",
    ),
    Scenario(
        name="tcp-only",
        group="beyond",
        story="TLS over TCP is reset for the name; HTTP/3 works.",
        ooni=NOT_COVERED,
        answer=blocked("tls.reset", "conclusive"),
        proved_in="test_http3.py::test_tcp_only",
    ),
    Scenario(
        name="doh-blocked",
        group="beyond",
        story="Public DNS over HTTPS is reset; sites work. Nobody but the platform public-dns is"
        " blocked.",
        ooni=NOT_COVERED,
        answer=blocked("tls.reset", "conclusive"),
        proved_in="test_encrypted_dns.py::test_blocked_doh_is_a_finding_of_its_own",
    ),
    Scenario(
        name="doh-and-name-blocked",
        group="beyond",
        story="Public DNS over HTTPS is reset, and the resolver denies the name.",
        ooni="blocked (dns)",
        network="doh",
        build=_doh_and_name_blocked,
        answer=blocked("dns.nxdomain", "conclusive"),
    ),
    _more(
        "short-hello-dropped",
        "Greetings with the name that come in one packet are dropped, longer ones pass: a box that"
        " does not put packets together. Browsers get through, many apps do not.",
        blocked("tls.short_hello", "strong"),
        lambda _, network: network.block(
            sni=["short-hello-dropped.example"], how="drop", segments="one"
        ),
        platform="degraded",
    ),
    _more(
        "short-hello-reset",
        "Greetings with the name that come in one packet are reset, longer ones pass.",
        blocked("tls.short_hello", "strong"),
        lambda _, network: network.block(
            sni=["short-hello-reset.example"], how="reset", segments="one"
        ),
        platform="degraded",
    ),
    _more(
        "large-hello-reset",
        "Greetings with the name that come in several packets are reset; short ones pass.",
        blocked("tls.large_hello", "conclusive"),
        lambda _, network: network.block(
            sni=["large-hello-reset.example"], how="reset", segments="several"
        ),
    ),
    _more(
        "large-hello-dropped",
        "Greetings with the name that come in several packets are dropped, as browsers send them;"
        " short ones pass.",
        blocked("tls.large_hello", "conclusive"),
        lambda _, network: network.block(
            sni=["large-hello-dropped.example"], how="drop", segments="several"
        ),
    ),
    _more(
        "cleartext-400",
        "The greeting with the name is answered by HTTP's error 400 in cleartext.",
        blocked("tls.handshake", "conclusive"),
        lambda _, network: network.block(sni=["cleartext-400.example"], how="page"),
    ),
    _more(
        "residual-silence",
        "The greeting with the name is dropped, and then all to that address for 30 s.",
        blocked("tls.timeout", "conclusive"),
        lambda _, network: network.block(
            sni=["residual-silence.example"], how="drop", residual=30.0, residual_how="drop"
        ),
    ),
    _more(
        "truncated-and-reset",
        "The resolver's answer over UDP is cut short, and asking over TCP is reset for this name.",
        blocked("dns.reset", "conclusive"),
        _truncated_and_reset,
    ),
    _more(
        "injected-while-down",
        "The site refuses connections from everywhere, and its DNS answers are forged here.",
        Answer(state="down", rule_id="control.down_and_injected"),
        _injected_while_down,
        elsewhere="down",
    ),
    _more(
        "injected-at-times",
        "DNS answers are forged for the first two questions, and the next ones are let be.",
        blocked("dns.injection", "strong"),
        lambda _, network: network.block(
            dns=["injected-at-times.example"], how="inject", after=0.03, turns=(2, 998)
        ),
    ),
    _more(
        "injected-controls-fail",
        "DNS answers are forged here; two of three controls cannot reach the site.",
        blocked("dns.injection", "conclusive"),
        _injected_while_controls_fail,
    ),
    _more(
        "controls-censored",
        "The name is cut off here and at both controls; another network reaches it.",
        insufficient("control.censored"),
        _controls_censored,
        run="censored-controls",
    ),
    _more(
        "errors-everywhere",
        "The site answers everybody with error 503, over verified TLS.",
        Answer(state="down", rule_id="control.also_errs"),
        _errs("errors-everywhere", 503),
        elsewhere="down",
    ),
    _more(
        "errors-here",
        "The site answers this network alone with error 503, over verified TLS.",
        insufficient("http.withheld_here"),
        _errs("errors-here", 503, to="forms"),
    ),
    _more(
        "refused-here",
        "The site answers this network alone with error 403, over verified TLS, and nothing shows"
        " that it takes the visitor for a robot.",
        insufficient("http.withheld_here"),
        _errs("refused-here", 403, to="forms"),
    ),
    _more(
        "clock-and-reset",
        "The name is cut off, and the vantage's clock is two years off.",
        blocked("tls.reset", "conclusive"),
        _clock_and_reset,
        run="clock-and-reset",
        elsewhere="insufficient",
    ),
    _residual("residual-drop", "drop", blocked("tls.reset", "strong")),
    _residual("residual-reset", "reset", blocked("tls.reset", "conclusive")),
    Scenario(
        name="cdn-rotation",
        group="beyond",
        story="Each DNS answer holds three other edges out of twelve; all work.",
        ooni="accessible",
        hosts=(site("cdn-rotation.example", addresses=12, rotate=3),),
        answer=ok(),
    ),
    Scenario(
        name="one-control-blocked",
        group="beyond",
        story="One of two controls is refused by the site; the field reaches it.",
        ooni=NOT_COVERED,
        build=_one_control_blocked,
        answer=ok(),
        run="two-controls",
    ),
    Scenario(
        name="blocked-one-control",
        group="beyond",
        story="The name is reset here, and one of two controls is refused by the site, but answered"
        " at the address that fails here.",
        ooni=NOT_COVERED,
        network="field",
        build=_block_and_one_control_blocked,
        answer=blocked("tls.reset", "conclusive"),
        run="two-controls",
    ),
    _in_time(
        "intermittent-block",
        "Three connections in ten are reset, cycle after cycle. Who tries again gets through, and"
        " the share is counted: an event of some connections.",
        Answer(
            state="partial",
            rule_id="partial.flows",
            method="tls",
            sub_method="reset",
            evidence="strong",
        ),
        "../e2e/test_events.py::test_intermittent_block",
    ),
    _in_time(
        "mostly-blocked",
        "Eight connections in ten are reset, so that some cycles get through and others do not:"
        " one event.",
        blocked("tls.reset", "strong"),
        "../e2e/test_events.py::test_a_block_that_often_fails",
    ),
    _in_time(
        "on-off-on",
        "Blocked, unblocked for a while, blocked again: one event, reopened.",
        blocked("tls.reset", "conclusive"),
        "../e2e/test_events.py::test_on_off_on",
    ),
    _in_time(
        "technique-switch",
        "In mid-block the censor goes from resets to DNS: one event with both methods.",
        blocked("dns.nxdomain", "conclusive"),
        "../e2e/test_events.py::test_technique_switch",
    ),
    _in_time(
        "duty-cycle",
        "Blocked only at certain hours of weekdays: one event with its timetable. Shown with"
        " weeks of verdicts, not packets, and with Kenya's exams of 2023 as OONI measured them"
        " (`tests/replay/test_replay_real.py`).",
        blocked("tls.reset", "conclusive"),
        "../unit/monitor/analysis/events/test_events.py::test_exam_hours_are_one_event_with_a_timetable",
    ),
    _in_time(
        "forged-agent-results",
        "Somebody sends results in a vantage's name. `shutwatch run` accepts results from its own"
        " process only; a collector accepts only batches signed by an enrolled key.",
        ok(),
        "../unit/monitor/server/test_server.py::test_results_sent_by_anybody_are_taken_by_nobody",
    ),
)
