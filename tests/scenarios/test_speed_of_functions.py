"""One function of a platform slowed down or frozen, with the catalogue as shipped.

Servers of pictures and videos answer a request for nothing with a few words, as the real ones do;
one of them serves a real object. Two networks censor it, one slows down all and one nothing.
"""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from tests.lab.hosts import Page, web_page
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork, Network
from tests.scenarios.matrix_functions import SPEED
from tests.scenarios.story import UNHURRIED, Line, Seen, seen, write_config

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

FREEZE = 16 * 1024
VIDEO = ".googlevideo.com"
MEDIA = ["mmg.whatsapp.net", "static.whatsapp.net"]
SLOWED, FROZEN = "slowed", "frozen"
STORIES: dict[str, tuple[str, str, str, Callable[[Network], Any]]] = {
    "youtube-video-128k": (SLOWED, "youtube", "video", lambda n: n.throttle(kbit=128, sni=[VIDEO])),
    "youtube-video-frozen": (
        FROZEN,
        "youtube",
        "video",
        lambda n: n.stall(after=FREEZE, sni=[VIDEO]),
    ),
    "whatsapp-media-32k": (SLOWED, "whatsapp", "media", lambda n: n.throttle(kbit=32, sni=MEDIA)),
    "tiktok-pictures-frozen": (
        FROZEN,
        "tiktok",
        "pictures",
        lambda n: n.stall(after=20_000, address=["p16-sign-va.tiktokcdn.com"]),
    ),
}
"""Story → network, platform, function, and what the censor does."""
PLATFORMS = sorted({platform for _, platform, _, _ in STORIES.values()})
NOTHING_SLOW = "open"
SLOW_LINE = "slow-line"
PATIENT_RUNS = 3
SLOWEST = "whatsapp-media-16k"
PATIENT = {**UNHURRIED, "tcp_timeout": "10s", "tls_timeout": "10s", "http_timeout": "10s"}
OBJECT = """
[platform.whatsapp.function.media]
transfer = "https://mmg.whatsapp.net/lab/bytes/200000"
"""
ACCUSING = {"throttling.rate", "throttling.stall"}
UNDECIDED = {
    ("insufficient", rule)
    for rule in ("line.slow", "path.lossy", "loss.possible", "vantage.lossy", "partial.any_name")
}
SMALL = '[throttling]\nobject_bytes = "96KiB"\ndeadline = "5s"\n'


@pytest.fixture(scope="module")
def story() -> Iterator[Seen]:
    """All networks in one run, with the speed of each function."""
    names = (SLOWED, FROZEN, NOTHING_SLOW, SLOW_LINE)
    networks = [LabNetwork(name, asn=64500 + number) for number, name in enumerate(names)]
    with Lab(networks, controls=2) as lab:
        lab.internet.page("www.wikipedia.org", Page(body=web_page("Wikipedia", 200 * 1024)))
        for network, _, _, apply in STORIES.values():
            apply(lab.network(network))
        lab.network(SLOW_LINE).throttle(kbit=600, address=["0.0.0.0/0", "::/0"])
        config = write_config(lab, platforms=PLATFORMS, probe=UNHURRIED, extra=SMALL)
        command = ["shutwatch", "once", "--transfers", "--config", str(config), "--json"]
        for _ in range(PATIENT_RUNS):
            found = seen(lab.run(command, timeout=300))
            busy = {"throttling.machine", "throttling.insufficient"}
            if not any(speed(found, name)["rule_id"] in busy for name in STORIES):
                break
        yield found


def speed(story: Seen, name: str) -> Line:
    """What the transfers of the function came to that this story is about."""
    network, platform, function, _ = STORIES[name]
    (line,) = [
        line
        for line in story.lines
        if (line["kind"], line["vantage"], line.get("platform"), line.get("function"))
        == ("transfer", network, platform, function)
    ]
    return line


@pytest.mark.parametrize("name", STORIES)
def test_a_slowed_function_is_named_and_the_rest_is_ok(story: Seen, name: str) -> None:
    """People lose what the function does, however fast the start page is."""
    network, platform, function, _ = STORIES[name]
    answer = next(row.answer for row in SPEED if row.name == name)
    verdict = story.platform(network, platform)
    said = {key: verdict[key] for key in msgspec.structs.asdict(answer)}
    assert said == msgspec.structs.asdict(answer)
    assert {key for key, state in verdict["functions"].items() if state != "ok"} == {function}
    others = story.states(network)
    for censored in {one for there, one, _, _ in STORIES.values() if there == network}:
        del others[censored]
    assert set(others.values()) == {"ok"}


@pytest.fixture(scope="module")
def line() -> Iterator[Lab]:
    """One network where each connection to WhatsApp's media host is held to very little."""
    with Lab([LabNetwork(SLOWEST)], controls=2) as lab:
        lab.internet.page("www.wikipedia.org", Page(body=web_page("Wikipedia", 200 * 1024)))
        yield lab
        lab.reset()


@pytest.mark.soak
@pytest.mark.parametrize(("kbit", "named"), [(16, False), (32, True)], ids=["16k", "32k-object"])
def test_the_harder_the_throttling_the_surer_the_verdict(line: Lab, kbit: int, named: bool) -> None:
    """What came in ten seconds, or in five, is a rate, though it is less than one TLS record."""
    extra = SMALL
    if named:
        (line.directory / "object.toml").write_text(OBJECT)
        extra = f'[catalog]\nfile = "object.toml"\nplatforms = ["whatsapp"]\n{SMALL}'
    config = write_config(
        line, platforms=[] if named else ["whatsapp"], probe=PATIENT, extra=extra if named else ""
    )
    command = ["shutwatch", "once", "--transfers", "--config", str(config), "--json"]
    with line.network(SLOWEST).throttle(kbit=kbit, sni=[MEDIA[0]]) as rule:
        found = seen(line.run(command, timeout=240))
        assert rule.hits
    verdict = found.platform(SLOWEST, "whatsapp")
    assert (verdict["state"], verdict["rule_id"]) == ("degraded", "throttling.rate")
    assert verdict["functions"]["media"] == "throttled"
    (speeds,) = [ln for ln in found.lines if ln["kind"] == "transfer" and ln["function"] == "media"]
    assert speeds["bits_per_second"]["target"]["high"] < 1100 * kbit


@pytest.mark.soak
def test_a_shared_line_is_slow_and_nothing_is_dropped(line: Lab) -> None:
    """All hosts of X share 128 kbit/s, and their tests fill its queue: handshakes time out. Given
    time one comes; the rate says the rest, though nobody asked for speeds. Those of three functions
    are measured in turn, which takes four minutes."""
    config = write_config(line, platforms=["x"], probe=UNHURRIED, interval="5m")
    names = ["x.com", "api.x.com", ".twitter.com", ".twimg.com", "t.co"]
    with line.network(SLOWEST).throttle(kbit=128, sni=names) as rule:
        found = seen(
            line.run(["shutwatch", "once", "--config", str(config), "--json"], timeout=600)
        )
        assert rule.hits
    verdict = found.platform(SLOWEST, "x")
    assert (verdict["state"], verdict["rule_id"]) == ("throttled", "throttling.rate")
    accused = [ln for ln in found.accusations() if ln["kind"] == "endpoint"]
    surest = {ln["evidence"] for ln in accused if ln["method"] == "tls"}
    assert surest <= {"weak"}


@pytest.mark.parametrize(
    ("name", "after"), [("youtube-video-frozen", FREEZE), ("tiktok-pictures-frozen", 20_000)]
)
def test_a_freeze_is_told_with_its_bytes(story: Seen, name: str, after: int) -> None:
    """The connection's bytes are counted as the censor counts them, to within a packet or two."""
    line = speed(story, name)
    assert line["class"] == "stalled"
    assert after - 3000 <= line["stalled_at"]["low"] <= line["stalled_at"]["high"] <= after


@pytest.mark.parametrize(
    ("name", "kbit"), [("youtube-video-128k", 128), ("whatsapp-media-32k", 32)]
)
def test_the_rate_is_the_one_the_censor_allows(story: Seen, name: str, kbit: int) -> None:
    """No more than that: requests and other hosts take their share of it."""
    target = speed(story, name)["bits_per_second"]["target"]
    assert 150 * kbit < target["low"] <= target["high"] < 1100 * kbit


def _speeds(story: Seen, network: str) -> set[str]:
    """The rules that judged the speeds of one network's functions."""
    return {
        line["rule_id"]
        for line in story.lines
        if (line["kind"], line["vantage"]) == ("transfer", network)
    }


def test_where_all_is_fast_a_glance_suffices(story: Seen) -> None:
    """Nobody slows anything, and nobody is accused."""
    assert set(story.states(NOTHING_SLOW).values()) == {"ok"}
    rules = _speeds(story, NOTHING_SLOW)
    assert "throttling.unhindered" in rules
    assert not rules & ACCUSING


def test_a_line_on_which_everything_is_slow_accuses_nobody(story: Seen) -> None:
    """Tests queue behind each other until some end unanswered: spared hosts are as slow. Where too
    many do, no speed is measured."""
    assert not _speeds(story, SLOW_LINE) & ACCUSING
    for platform, state in story.states(SLOW_LINE).items():
        said = story.platform(SLOW_LINE, platform)
        assert state == "ok" or (state, said["rule_id"]) in UNDECIDED, said
