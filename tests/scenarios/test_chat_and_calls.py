"""Chat servers' own protocols, on real packets: each way to cut off WhatsApp's messages.

One network per technique, all measured in one run, with two controls behind proxies and one that
is not.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.lab.lab import Lab
from tests.lab.network import LabNetwork, Network
from tests.scenarios.story import UNHURRIED, Line, Seen, once

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
    with Lab(networks, controls=2, direct=1) as lab:
        rules = {name: apply(lab.network(name)) for name, apply in NETWORKS.items()}
        cycle = once(lab, platforms=["whatsapp"], probe=UNHURRIED, timeout=240)
        hits = {name: getattr(rule, "hits", 0) for name, rule in rules.items()}
        yield cycle, hits, [visit for host in CHAT for visit in lab.internet.visits(host)]


def _chat(cycle: Seen, network: str) -> list[Line]:
    return [
        line
        for line in cycle.lines
        if (line["kind"], line["vantage"], line.get("role")) == ("endpoint", network, "chat")
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
    for line in (*chat, whatsapp):
        said = [line[key] for key in ("state", "rule_id", "method", "sub_method", "evidence")]
        assert said == ["blocked", "app.middlebox", "tcp", "middlebox", "strong"], line
    assert {line["failures"]["app"] for line in chat} == {FAILURES[network]}
    assert whatsapp["roles"]["chat"] == "blocked"
    assert whatsapp["roles"]["registration"] == whatsapp["roles"]["web"] == "ok"


@pytest.mark.parametrize("network", ["open", "wa-5222"])
def test_whatsapp_is_reached_where_its_greeting_is_answered(
    told: tuple[Seen, dict[str, int], list[dict[str, Any]]], network: str
) -> None:
    """A real exchange, on one of its two ports at least."""
    cycle, _, visits = told
    assert cycle.platform(network, "whatsapp")["state"] == "ok"
    assert "ok" in {line["state"] for line in _chat(cycle, network)}
    assert "chat" in {visit["stage"] for visit in visits}
