"""Chat and calls in their own protocols, on real packets: each way to cut them off.

One network per technique, all measured in one run, with a control behind a proxy and one that is
not.
"""

from collections.abc import Callable, Collection, Iterator
from typing import Any

import pytest

from tests.lab.hosts import BLOCK_PAGE
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork, Network
from tests.scenarios.story import UNHURRIED, Line, Seen, in_full, once, seen, write_config

pytestmark = pytest.mark.lab

CHAT = tuple(f"{name}.whatsapp.net" for name in (*(f"e{n}" for n in range(1, 17)), "g"))
GREETINGS = ("5741", "4544")
"""How a client of WhatsApp begins, without and with routing data."""
NOT_NOISE = "unknown_failure: not WhatsApp's Noise"

NETWORKS: dict[str, Callable[[Network], object]] = {
    "open": lambda _: None,
    "wa-noise-dpi": lambda network: network.block(payload=GREETINGS, ports=[443, 5222], how="drop"),
    "wa-noise-reset": lambda network: network.block(
        payload=GREETINGS, ports=[443, 5222], how="reset"
    ),
    "wa-noise-fin": lambda network: network.block(payload=GREETINGS, ports=[443, 5222], how="fin"),
    "wa-handshakes": lambda network: network.middlebox(CHAT),
    "wa-squid": lambda network: network.middlebox(CHAT, answer="http"),
    "wa-chat-dns": lambda network: network.block(dns=CHAT, how="address", answer=BLOCK_PAGE),
    "wa-5222": lambda network: network.block(address=CHAT, ports=[5222], how="drop"),
}
FAILURES = {
    "wa-noise-dpi": "generic_timeout_error",
    "wa-noise-reset": "connection_reset",
    "wa-noise-fin": "eof_error",
    "wa-handshakes": "generic_timeout_error",
    "wa-squid": NOT_NOISE,
}


@pytest.fixture(scope="module")
def told() -> Iterator[tuple[Seen, dict[str, int], list[dict[str, Any]]]]:
    """One cycle from all networks, how often each rule acted, and whom a chat server saw."""
    networks = [LabNetwork(name, asn=64500 + i) for i, name in enumerate(NETWORKS)]
    with Lab(networks, controls=1, direct=1) as lab:
        rules = {name: apply(lab.network(name)) for name, apply in NETWORKS.items()}
        cycle = once(lab, platforms=["whatsapp"], probe=UNHURRIED, timeout=240)
        hits = {name: getattr(rule, "hits", 0) for name, rule in rules.items()}
        yield cycle, hits, [visit for host in CHAT for visit in lab.internet.visits(host)]


def _chat(cycle: Seen, network: str) -> list[Line]:
    return [
        line
        for line in cycle.lines
        if (line["kind"], line["vantage"], line.get("function")) == ("endpoint", network, "chat")
    ]


@pytest.mark.parametrize("network", FAILURES)
def test_whatsapp_without_an_answer_to_its_greeting_is_blocked(
    told: tuple[Seen, dict[str, int], list[dict[str, Any]]], network: str
) -> None:
    """TCP handshakes pass, messages do not: an expert calls WhatsApp blocked, whether the greeting
    is dropped, cut off, or answered by a box in between, and reads which it was."""
    cycle, hits, _ = told
    assert hits[network] > 0
    chat = _chat(cycle, network)
    assert len(chat) > 2  # one failed, so the whole pool was tried
    whatsapp = cycle.platform(network, "whatsapp")
    for line in (*in_full(chat), whatsapp):
        said = [line[key] for key in ("state", "rule_id", "method", "sub_method", "evidence")]
        assert said == ["blocked", "app.middlebox", "tcp", "middlebox", "strong"], line
    assert {line["failures"]["app"] for line in chat} == {FAILURES[network]}
    assert whatsapp["functions"]["chat"] == "blocked"
    assert whatsapp["functions"]["registration"] == whatsapp["functions"]["web"] == "ok"


def test_chat_servers_that_dns_leads_away_from_are_told_as_that(
    told: tuple[Seen, dict[str, int], list[dict[str, Any]]],
) -> None:
    """A web server answers in place of the chat server. The verdict said that something on the path
    answered."""
    cycle, hits, _ = told
    assert hits["wa-chat-dns"] > 0
    whatsapp = cycle.platform("wa-chat-dns", "whatsapp")
    on_443 = [
        one for one in in_full(_chat(cycle, "wa-chat-dns")) if one["endpoint"].endswith(":443")
    ]
    assert {one["rule_id"] for one in on_443} == {"dns.hijack"}
    said = [whatsapp[key] for key in ("state", "rule_id", "method", "sub_method", "evidence")]
    assert said == ["blocked", "dns.hijack", "dns", "hijack", "strong"]


@pytest.mark.parametrize("network", ["open", "wa-5222"])
def test_whatsapp_is_reached_where_its_greeting_is_answered(
    told: tuple[Seen, dict[str, int], list[dict[str, Any]]], network: str
) -> None:
    """A real exchange, on one of its two ports at least."""
    cycle, _, visits = told
    assert cycle.platform(network, "whatsapp")["state"] == "ok"
    assert "ok" in {line["state"] for line in _chat(cycle, network)}
    assert "chat" in {visit["stage"] for visit in visits}


# -- calls ---------------------------------------------------------------------------------------

COOKIE = "2112a442"
STUN = "stun:stun.fbsbx.com:3478"
FACEBOOK = ("stun.fbsbx.com",)
CALLS = """
[platform.messenger.function.calls]
endpoints = ["stun:stun.fbsbx.com:3478"]
"""

OVER_UDP: dict[str, Callable[[Network], object]] = {
    "open": lambda _: None,
    "stun-ban": lambda network: network.block(
        payload=[COOKIE], at=4, transports=["udp"], how="drop"
    ),
    "own-calls": lambda network: network.block(address=FACEBOOK, transports=["udp"], how="drop"),
    "own-calls-v4": lambda network: network.block(
        address=FACEBOOK, family=4, transports=["udp"], how="drop"
    ),
    "own-calls-rejected": lambda network: network.block(
        address=FACEBOOK, transports=["udp"], how="icmp-port"
    ),
    "own-calls-prohibited": lambda network: network.block(
        address=FACEBOOK, transports=["udp"], how="icmp-admin"
    ),
    "calls-rejected": lambda network: network.block(
        address=["0.0.0.0/0", "::/0"], ports=[3478], transports=["udp"], how="icmp-port"
    ),
    "one-reference-down": lambda network: network.block(
        address=["stun.cloudflare.com"], how="drop"
    ),
    "no-udp": lambda network: network.block(udp=[123, 443, 3478, 19302], how="drop"),
}
OK = ("ok", "endpoint.reached", "", "", "none")
TOLD: dict[str, tuple[tuple[str, ...], str]] = {
    "open": (OK, "ok"),
    "stun-ban": (("blocked", "app.stun", "udp", "stun", "weak"), "degraded"),
    "own-calls": (("blocked", "app.stun", "udp", "stun", "strong"), "degraded"),
    "own-calls-v4": (("partial", "family.stun", "udp", "stun", "strong"), "degraded"),
    "own-calls-rejected": (("blocked", "app.stun", "udp", "stun", "strong"), "degraded"),
    "own-calls-prohibited": (("blocked", "app.stun", "udp", "stun", "strong"), "degraded"),
    "calls-rejected": (("blocked", "app.stun", "udp", "stun", "weak"), "degraded"),
    "one-reference-down": (OK, "ok"),
    "no-udp": (("insufficient", "vantage.no_udp", "", "", "none"), "ok"),
}
"""Network → the verdict on the server for calls, and Messenger's state. Messages are Messenger's
core; who knows nothing of its calls knows that it works."""


def _calls(
    names: Collection[str], *options: str, quic: bool = False
) -> tuple[Seen, dict[str, list[dict[str, Any]]]]:
    """One cycle from networks that treat UDP in different ways, and who came to the references."""
    networks = [LabNetwork(name, asn=64500 + i) for i, name in enumerate(names)]
    with Lab(networks, controls=1, direct=1, quic=quic) as lab:
        for name in names:
            OVER_UDP[name](lab.network(name))
        (lab.directory / "calls.toml").write_text(CALLS, encoding="utf-8")
        listed = '"messenger", "x"' if quic else '"messenger"'
        extra = f'[catalog]\nfile = "calls.toml"\nplatforms = [{listed}]'
        path = write_config(lab, probe=UNHURRIED, extra=extra)
        argv = ["shutwatch", "once", *options, "--config", str(path), "--json"]
        cycle = seen(lab.run(argv, timeout=300))
        hosts = ("stun.cloudflare.com", "stun.l.google.com", "time.cloudflare.com")
        return cycle, {host: lab.internet.visits(host) for host in (*hosts, "time.google.com")}


@pytest.fixture(scope="module")
def calls() -> tuple[Seen, dict[str, list[dict[str, Any]]]]:
    """A cycle without HTTP/3."""
    return _calls(OVER_UDP)


def _told(cycle: Seen, network: str) -> tuple[tuple[str, ...], str]:
    line = cycle.endpoint(network, STUN)
    keys = ("state", "rule_id", "method", "sub_method", "evidence")
    return tuple(line[key] for key in keys), cycle.platform(network, "messenger")["state"]


@pytest.mark.parametrize("network", OVER_UDP)
def test_calls_are_told_from_udp_without_http_3(
    calls: tuple[Seen, dict[str, list[dict[str, Any]]]], network: str
) -> None:
    """One question to a reference tells a network without UDP from one that blocks calls, all of
    them or those of one platform."""
    cycle, _ = calls
    assert _told(cycle, network) == TOLD[network]
    assert cycle.vantage(network)["state"] == "ok"


def test_only_where_no_call_is_possible_the_time_is_asked_for(
    calls: tuple[Seen, dict[str, list[dict[str, Any]]]],
) -> None:
    """A server for calls that answers suffices: nothing else is asked over UDP."""
    _, visits = calls
    askers = {
        visit["peer"]
        for host in ("time.cloudflare.com", "time.google.com")
        for visit in visits[host]
    }
    callers = {
        visit["peer"]
        for host in ("stun.cloudflare.com", "stun.l.google.com")
        for visit in visits[host]
    }
    assert askers
    assert callers
    assert len(callers) > len(askers)


def test_calls_are_told_from_udp_with_http_3() -> None:
    """QUIC that passes shows that UDP works, and still no call is possible."""
    cycle, _ = _calls(("stun-ban", "open"), "--quic", quic=True)
    assert _told(cycle, "stun-ban") == TOLD["stun-ban"]
    assert _told(cycle, "open") == TOLD["open"]
    assert cycle.platform("stun-ban", "x")["state"] == "ok"
