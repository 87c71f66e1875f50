"""The quiet profile: what it leaves out, how it spreads, and that it accuses nobody for it."""

import subprocess
import time
from collections.abc import Iterator
from itertools import pairwise

import pytest

from tests.lab.addresses import OPEN_RESOLVERS
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork, Network
from tests.scenarios.story import Seen, seen, write_config

pytestmark = pytest.mark.lab

INTERVAL = 20.0
"""Seconds; first looks are spread over 8 s of it, repeats stand 0.67 s apart at least, and nothing
begins in its last three tenths: enough for the fourth look on a machine with other work to do."""
X_HOSTS = ("x.com", "api.x.com", "abs.twimg.com", "pbs.twimg.com", "video.twimg.com", "t.co")


@pytest.fixture(scope="module")
def running() -> Iterator[Lab]:
    """One vantage that goes quietly and one that does not."""
    with Lab([LabNetwork("quiet", 17557), LabNetwork("normal", 45669)], controls=2) as lab:
        yield lab


@pytest.fixture
def lab(running: Lab) -> Iterator[Lab]:
    """As new for each story."""
    yield running
    running.reset()


def start(lab: Lab) -> subprocess.Popen[str]:
    """`shutwatch once` under way."""
    path = write_config(
        lab, interval=f"{INTERVAL:g}s", platforms=["x", "whatsapp"], probe={"retry_pause": "0.1s"}
    )
    text = path.read_text()
    head, _, tail = text.partition('id = "quiet"\n')
    path.write_text(f'{head}id = "quiet"\nprofile = "quiet"\n{tail}')
    return lab.popen(
        ["shutwatch", "once", "--config", str(path), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def finish(running: subprocess.Popen[str]) -> Seen:
    """What it printed."""
    output, errors = running.communicate(timeout=300)
    assert running.returncode == 0, errors
    return seen(subprocess.CompletedProcess([], 0, output, errors))


def moments(lab: Lab, network: Network, hosts: tuple[str, ...]) -> list[float]:
    """When each host was connected to from a network, sorted; the earlier family of each look."""
    came = {
        host: [
            visit["at"]
            for visit in lab.internet.visits(host)
            if visit["stage"] == "tcp" and visit["peer"] in (network.source, network.source6)
        ]
        for host in hosts
    }
    return sorted(min(times) for times in came.values() if times)


def test_healthy_looks_are_spread_and_pools_sampled_at_one(lab: Lab) -> None:
    """All is looked at and well, over seconds and not at once, and one chat server is enough."""
    story = finish(start(lab))
    assert story.states("quiet") == {"x": "ok", "whatsapp": "ok"} == story.states("normal")
    quiet, normal = (moments(lab, lab.network(name), X_HOSTS) for name in ("quiet", "normal"))
    assert len(quiet) == len(normal) == len(X_HOSTS)
    assert quiet[-1] - quiet[0] > 0.1 * INTERVAL
    assert normal[-1] - normal[0] < 0.1 * INTERVAL
    pool = [
        line
        for line in story.lines
        if line["kind"] == "endpoint"
        and line["platform"] == "whatsapp"
        and line["endpoint"].startswith("tcp:")
    ]
    assert [line["vantage"] for line in pool].count("quiet") == 1
    assert [line["vantage"] for line in pool].count("normal") == 2


def test_a_block_is_found_without_a_question_that_stands_out(lab: Lab) -> None:
    """Blocked on less evidence: no open resolver, no DoH server, no foreign name was asked."""
    asked = {}
    for name in ("quiet", "normal"):
        network = lab.network(name)
        network.block(sni=["x.com"], how="reset")
        asked[name] = (
            network.block(address=OPEN_RESOLVERS, how="drop", ports=[53]),
            network.block(sni=["www.example.com", "dns.google", "cloudflare-dns.com"], how="reset"),
        )
    story = finish(start(lab))
    evidence = {name: story.endpoint(name, "https://x.com/")["evidence"] for name in asked}
    assert evidence == {"quiet": "strong", "normal": "conclusive"}
    assert story.platform("quiet", "x")["state"] == "blocked"
    assert [rule.hits for rule in asked["quiet"]] == [0, 0]
    # The same questions, where they may be asked: the rules above would have seen them.
    assert all(rule.hits for rule in asked["normal"])


def test_repeats_stand_apart(lab: Lab) -> None:
    """A failed look is repeated no sooner than after a thirtieth of the interval."""
    quiet = lab.network("quiet")
    with quiet.block(sni=["t.co"], how="reset"):
        finish(start(lab))
    came = sorted(
        visit["at"]
        for visit in lab.internet.visits("t.co")
        if visit["stage"] == "tcp" and visit["peer"] == quiet.source
    )
    # One look may connect to several addresses of one family, all at once.
    apart = [later - earlier for earlier, later in pairwise(came) if later - earlier > 0.05]
    assert len(apart) >= 1
    assert min(apart) > INTERVAL / 30


def test_an_uplink_that_dies_and_comes_back_accuses_nobody(lab: Lab) -> None:
    """An outage that is over when the cycle ends is still the vantage's own."""
    quiet = lab.network("quiet")
    running = start(lab)
    deadline = time.monotonic() + 120
    while not moments(lab, quiet, X_HOSTS):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    quiet.unplug()
    # Long enough for a look, both its repeats and the checkup; the cycle goes on for longer.
    time.sleep(0.3 * INTERVAL)
    quiet.plug()
    story = finish(running)
    assert story.vantage("quiet")["state"] == "ok"
    assert not story.accusations()
    own = [
        line["rule_id"]
        for line in story.lines
        if line["kind"] == "endpoint" and line["vantage"] == "quiet" and line["state"] != "ok"
    ]
    assert "vantage.offline" in own
