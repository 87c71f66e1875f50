"""Beyond the handshake, on real packets: Telegram's own protocol, calls over UDP, HTTP/3.

One network per technique, all looked at in one run, so that each is also the others' witness.
"""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from tests.lab.lab import Lab
from tests.lab.network import LabNetwork, Network
from tests.scenarios.story import UNHURRIED, Seen, in_full, seen, write_config

pytestmark = pytest.mark.lab

DATA_CENTRES = (
    *("149.154.160.0/20", "91.108.56.0/22", "95.161.76.0/24"),
    *("2001:67c:4e8::/48", "2001:b28:f23d::/48", "2001:b28:f23f::/48"),
)
CENTRE = "tcp://149.154.175.50:443"
STUN = "stun:stun.fbsbx.com:3478"
SITE = "https://www.youtube.com/"

NETWORKS: dict[str, Callable[[Network], object]] = {
    "open": lambda _: None,
    "handshakes": lambda network: network.middlebox(DATA_CENTRES),
    "squid": lambda network: network.middlebox(DATA_CENTRES, answer="http"),
    "refused": lambda network: network.block(address=DATA_CENTRES, how="reset"),
    "no-calls": lambda network: network.block(udp=[3478], how="drop"),
    "no-udp-443": lambda network: network.block(udp=[443], how="drop"),
    "no-quic-name": lambda network: network.block(quic=["www.youtube.com"], how="drop"),
}

Failures = dict[str, set[str | None]]


class Looks:
    """What `shutwatch probe --quic --json` printed."""

    def __init__(self, printed: str) -> None:
        self.printed = printed
        self._looks = [msgspec.json.decode(line) for line in printed.splitlines()]

    def reached(self, network: str, endpoint: str) -> bool:
        """Whether the endpoint answered as it should."""
        return bool(self._of(network, endpoint)["reached"])

    def failures(self, network: str, endpoint: str) -> Failures:
        """Layer → what its observations failed with, None for one that worked."""
        found: Failures = {}
        for observation in self._of(network, endpoint)["observations"]:
            found.setdefault(observation["layer"], set()).add(observation.get("failure"))
        return found

    def _of(self, network: str, endpoint: str) -> dict[str, Any]:
        (look,) = (
            look
            for look in self._looks
            if look["vantage"] == network and look["endpoint"] == endpoint
        )
        assert isinstance(look, dict)
        return look


@pytest.fixture(scope="module")
def told() -> Iterator[tuple[Looks, Seen, dict[str, Any]]]:
    """One probe and one cycle from all networks, and what the far side saw of it."""
    networks = [LabNetwork(name, asn=64500 + i) for i, name in enumerate(NETWORKS)]
    with Lab(networks, controls=1, quic=True) as lab:
        for name, apply in NETWORKS.items():
            apply(lab.network(name))
        # A busy machine must not make an answer of the box late.
        path = write_config(lab, platforms=["telegram", "messenger"], probe=UNHURRIED)
        config = ("--config", str(path))
        probed = lab.run(
            ["shutwatch", "probe", "--quic", "--json", *config, CENTRE, STUN, SITE], timeout=300
        )
        assert probed.returncode == 0, probed.stderr
        far = {
            "stun": lab.internet.visits("stun.fbsbx.com"),
            "youtube": lab.internet.visits("www.youtube.com"),
            "own": [lab.network(name).source for name in NETWORKS],
        }
        cycle = seen(lab.run(["shutwatch", "once", *config, "--json"], timeout=90))
        yield Looks(probed.stdout), cycle, far


@pytest.fixture(scope="module")
def looks(told: tuple[Looks, Seen, dict[str, Any]]) -> Looks:
    """The probe's."""
    return told[0]


@pytest.fixture(scope="module")
def cycle(told: tuple[Looks, Seen, dict[str, Any]]) -> Seen:
    """The cycle's."""
    return told[1]


@pytest.mark.parametrize(
    ("network", "failure"),
    [("handshakes", "generic_timeout_error"), ("squid", "unknown_failure: not MTProto")],
)
def test_a_box_that_completes_handshakes_is_not_telegram(
    looks: Looks, cycle: Seen, network: str, failure: str
) -> None:
    """Connections are made and nobody answers in Telegram's protocol: not reached, at layer app.

    Every member that was tested in full says who did it, a box in between, and the platform, too.
    """
    assert not looks.reached(network, CENTRE)
    assert looks.failures(network, CENTRE) == {"tcp": {None}, "app": {failure}}
    chat = [
        line
        for line in cycle.lines
        if (line["kind"], line["vantage"], line.get("function")) == ("endpoint", network, "chat")
        and line["platform"] == "telegram"
    ]
    assert len(chat) > 2  # one failed, so the whole pool was tried
    telegram = cycle.platform(network, "telegram")
    for line in (*in_full(chat), telegram):
        said = [line[key] for key in ("state", "rule_id", "method", "sub_method", "evidence")]
        assert said == ["blocked", "app.middlebox", "tcp", "middlebox", "strong"], line
    assert {line["failures"]["app"] for line in chat} == {failure}
    working = dict.fromkeys(("web", "links", "bots"), "ok")
    assert telegram["functions"] == {"chat": "blocked", "media": "blocked", **working}
    assert cycle.platform(network, "messenger")["state"] == "ok"


@pytest.mark.parametrize("network", ["open", "no-calls", "no-udp-443", "no-quic-name"])
def test_a_data_centre_is_reached_where_nothing_is_in_the_way(
    looks: Looks, cycle: Seen, network: str
) -> None:
    """A real exchange, over either family."""
    assert looks.reached(network, CENTRE)
    assert looks.failures(network, CENTRE) == {"tcp": {None}, "app": {None}}
    assert cycle.platform(network, "telegram")["state"] == "ok"


def test_a_refusal_stays_one_of_the_connection(looks: Looks) -> None:
    """Nobody is asked who does not even connect."""
    assert looks.failures("refused", CENTRE) == {"tcp": {"connection_refused"}}


def test_calls_blocked_over_udp(looks: Looks, cycle: Seen) -> None:
    """The name resolves, the datagrams vanish, which is no call: the chat works, calls do not."""
    assert looks.failures("no-calls", STUN) == {"dns": {None}, "app": {"generic_timeout_error"}}
    assert not looks.reached("no-calls", STUN)
    assert cycle.endpoint("no-calls", STUN)["state"] != "ok"
    assert cycle.platform("no-calls", "messenger")["functions"]["calls"] != "ok"


@pytest.mark.parametrize("network", ["open", "handshakes", "no-udp-443"])
def test_calls_that_work(looks: Looks, cycle: Seen, network: str) -> None:
    """A STUN server answers over both families."""
    assert looks.reached(network, STUN)
    assert looks.failures(network, STUN) == {"dns": {None}, "app": {None}}
    assert cycle.endpoint(network, STUN)["state"] == "ok"


def test_what_the_stun_server_saw_is_told_nowhere(
    told: tuple[Looks, Seen, dict[str, Any]],
) -> None:
    """It saw our address and said so; no output holds it."""
    looks, cycle, far = told
    assert {visit["peer"] for visit in far["stun"]} >= {far["own"][0]}
    for address in far["own"]:
        assert address not in looks.printed
        assert address not in msgspec.json.encode(cycle.lines).decode()


@pytest.mark.parametrize("network", ["no-udp-443", "no-quic-name"])
def test_only_http_3_blocked(looks: Looks, network: str) -> None:
    """The site works over TCP and is silent over QUIC, whether by port or by name."""
    assert looks.reached(network, SITE)
    assert looks.failures(network, SITE) == {
        **{layer: {None} for layer in ("dns", "tcp", "tls", "http")},
        "quic": {"generic_timeout_error"},
    }


def test_http_3_that_works(looks: Looks, told: tuple[Looks, Seen, dict[str, Any]]) -> None:
    """Handshake and request arrive at the site, and both are on record."""
    assert looks.failures("open", SITE)["quic"] == {None}
    assert "h3" in {visit.get("scheme") for visit in told[2]["youtube"]}
