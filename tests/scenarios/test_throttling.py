"""Speed on real packets: throttled, stalled, honestly slow and unharmed are told apart."""

from collections.abc import Iterator

import pytest

from tests.lab.hosts import Page, web_page
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork
from tests.scenarios.story import QUICK, Line, Seen, seen

pytestmark = pytest.mark.lab

X = "https://x.com/"
EVERYTHING = ["0.0.0.0/0", "::/0"]
STALL = 16 * 1024
ROOMY = {
    **QUICK,
    "tcp_timeout": "6s",
    "tls_timeout": "6s",
    "http_timeout": "6s",
    "retry_pause": "1s",
}
"""The censor's queue holds four seconds of what it lets through, on top of the page itself."""
THROTTLING = """
[throttling]
object_bytes = "96KiB"
deadline = "5s"
"""
ACCUSED = ("slow-128k", "slow-1m", "stalled", "stalled-address")
INNOCENT = ("slow-uplink", "slow-servers", "free")
PATIENT_RUNS = 4
"""A machine that is busy with other tests may hold up a transfer, which the program notices. It
then claims nothing, and is run again."""


@pytest.fixture(scope="module")
def story() -> Iterator[Seen]:
    """Each network slows things down in its own way; all are measured in one run."""
    networks = [LabNetwork(name, asn=64500 + i) for i, name in enumerate((*ACCUSED, *INNOCENT))]
    with Lab(networks, controls=1) as lab:
        for host in ("x.com", "www.wikipedia.org"):
            lab.internet.page(host, Page(body=web_page(f"{host} start page", 200 * 1024)))
        lab.network("slow-128k").throttle(kbit=128, sni=["x.com"])
        lab.network("slow-1m").throttle(kbit=1000, sni=["x.com"])
        lab.network("stalled").stall(after=STALL, sni=["x.com"])
        lab.network("stalled-address").stall(after=STALL, address=["x.com"])
        lab.network("slow-uplink").throttle(kbit=600, address=EVERYTHING)
        lab.network("slow-servers").throttle(kbit=600, address=["x.com"])
        path = lab.directory / "shutwatch.toml"
        path.write_text(
            lab.config(platforms=["x"], egress="interface", probe=ROOMY, extra=THROTTLING)
        )
        command = ["shutwatch", "once", "--config", str(path), "--json", "--transfers"]
        for _ in range(PATIENT_RUNS):
            story = seen(lab.run(command, timeout=150))
            if not _held_up(story):
                break
        yield story


def _held_up(story: Seen) -> bool:
    """Whether the program says that this machine was too busy to time a transfer."""
    rules = {speed(story, network)["rule_id"] for network in (*ACCUSED, *INNOCENT)}
    return bool(rules & {"throttling.machine", "throttling.insufficient"})


def speed(story: Seen, network: str) -> Line:
    """What the transfers of the start page from one network came to."""
    (line,) = [
        line
        for line in story.lines
        if (line["kind"], line["vantage"], line.get("function")) == ("transfer", network, "web")
    ]
    return line


@pytest.mark.parametrize(
    ("network", "sub_method"), list(zip(ACCUSED, ("rate", "rate", "stall", "stall"), strict=True))
)
def test_slowed_down_platforms_are_throttled(story: Seen, network: str, sub_method: str) -> None:
    """A throttled or stalled page throttles endpoint, function and platform, with evidence."""
    for line in (story.endpoint(network, X), story.platform(network, "x")):
        assert (line["state"], line["method"], line["sub_method"]) == (
            "throttled",
            "throttling",
            sub_method,
        )
        assert (line["rule_id"], line["evidence"]) == (f"throttling.{sub_method}", "strong")
    assert story.platform(network, "x")["functions"]["web"] == "throttled"


@pytest.mark.parametrize(("network", "rate"), [("slow-128k", 128_000), ("slow-1m", 1_000_000)])
def test_the_rate_is_the_one_the_censor_allows(story: Seen, network: str, rate: int) -> None:
    """What is reported is the rate it is held to, and a ratio with its spread over three rounds."""
    line = speed(story, network)
    assert line["class"] == "throttled"
    assert line["rounds"] == 3
    target = line["bits_per_second"]["target"]
    assert 0.8 * rate < target["low"] <= target["high"] < 1.1 * rate
    ratio = line["ratio"]["innocuous"]
    assert ratio["low"] <= ratio["median"] <= ratio["high"] < 0.3


@pytest.mark.parametrize("network", ["stalled", "stalled-address"])
def test_a_stall_is_a_class_of_its_own(story: Seen, network: str) -> None:
    """It is told where the connection stopped: at 16 KiB, to within a packet or two."""
    line = speed(story, network)
    assert line["class"] == "stalled"
    assert STALL - 3000 <= line["stalled_at"]["low"] <= line["stalled_at"]["high"] <= STALL
    assert "target" not in line["bits_per_second"]


def test_a_stall_by_name_shows_against_the_innocuous_name(story: Seen) -> None:
    """The innocuous name gets its rate at the same address where only the name is acted on."""
    assert "innocuous" in speed(story, "stalled")["bits_per_second"]
    assert "innocuous" not in speed(story, "stalled-address")["bits_per_second"]


def test_a_slow_uplink_accuses_nobody(story: Seen) -> None:
    """A line on which everything is slow is called that, after a single round."""
    line = speed(story, "slow-uplink")
    assert (line["class"], line["rule_id"]) == ("slow_uplink", "throttling.slow_uplink")
    assert line["rounds"] == 1
    assert line["ratio"]["innocuous"]["median"] == pytest.approx(1, rel=0.5)


def test_slow_servers_under_any_name_accuse_nobody(story: Seen) -> None:
    """Slow at the address whatever the name may be congestion: it is said, and not held against."""
    line = speed(story, "slow-servers")
    assert (line["class"], line["rule_id"]) == ("insufficient", "throttling.slow_address")


def test_an_open_network_is_fast(story: Seen) -> None:
    """It is ok: after one round, without asking control, unless a busy machine held up that round
    and it had to be measured again."""
    line = speed(story, "free")
    assert line["class"] == "ok"
    assert line["rounds"] > 1 or "control" not in line["bits_per_second"]


@pytest.mark.parametrize("network", INNOCENT)
def test_nothing_innocent_is_accused(story: Seen, network: str) -> None:
    """Where nobody interferes every endpoint of the platform is ok."""
    assert story.states(network) == {"x": "ok"}
    assert not [line for line in story.accusations() if line["vantage"] == network]
