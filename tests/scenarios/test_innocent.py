"""What must never be called a block: outages, and the control's own trouble."""

import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.lab.lab import Lab
from tests.lab.network import LabNetwork
from tests.scenarios.story import once, seen, write_config

pytestmark = pytest.mark.lab

X_HOSTS = (
    "x.com",
    "twitter.com",
    "api.x.com",
    "api.twitter.com",
    "abs.twimg.com",
    "pbs.twimg.com",
    "video.twimg.com",
    "t.co",
)
MOMENTS = [1, 3, 8, *(pytest.param(one, marks=pytest.mark.soak) for one in (2, 5))]
"""So many visits to X come before it goes down: the first, some, and most of a cycle's."""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Two networks of one country and two controls."""
    networks = [LabNetwork("ptcl", 17557, "PK"), LabNetwork("jazz", 45669, "PK")]
    with Lab(networks, controls=2) as running:
        yield running


@pytest.fixture(autouse=True)
def _as_new(request: pytest.FixtureRequest) -> Iterator[None]:
    """Nothing of one story reaches into the next."""
    yield
    if "lab" in request.fixturenames:
        lab: Lab = request.getfixturevalue("lab")
        lab.internet.reset()
        for network in lab.networks:
            network.reset()


@pytest.mark.parametrize("how", ["refuse", "silence"])
def test_down_worldwide(lab: Lab, how: str) -> None:
    """A platform that fails for the controls too is down, on every network."""
    lab.internet.down(*X_HOSTS, how=how)
    story = once(lab, platforms=["x", "instagram"])
    for network in ("ptcl", "jazz"):
        assert story.states(network) == {"x": "down", "instagram": "ok"}
        assert story.endpoint(network, "https://x.com/")["rule_id"] == "control.also_fails"
    assert not story.accusations()


@pytest.mark.parametrize("moment", MOMENTS)
def test_down_from_one_moment_to_the_next(lab: Lab, moment: int) -> None:
    """An outage that begins in mid-cycle is down or not seen yet, never blocked."""
    config = write_config(lab, platforms=["x", "instagram"], probe={"rate": 40})
    running = lab.popen(
        ["shutwatch", "once", "--config", str(config), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 120
    while sum(len(lab.internet.visits(host)) for host in X_HOSTS) < moment:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    lab.internet.down(*X_HOSTS)
    output, errors = running.communicate(timeout=300)
    assert running.returncode == 0, errors
    story = seen(_completed(output, errors))
    assert not story.accusations()
    failed = [
        line
        for line in story.lines
        if line["kind"] == "endpoint" and line["platform"] == "x" and line["state"] != "ok"
    ]
    assert {line["rule_id"] for line in failed} <= {"control.also_fails"}
    assert {line["state"] for line in failed} <= {"down"}


def _completed(output: str, errors: str) -> subprocess.CompletedProcess[str]:
    return subprocess.CompletedProcess([], 0, output, errors)


def test_back_up_before_the_control_looks(lab: Lab) -> None:
    """An outage that ends between the field's look and the control's is no block."""
    lab.internet.down(*X_HOSTS)
    config = write_config(lab, platforms=["x"], probe={"retry_pause": "1s"})
    running = lab.popen(
        ["shutwatch", "once", "--config", str(config), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 120
    # The controls are asked right after the first failure: up again just as they come.
    while not lab.controls[0].visits():
        assert time.monotonic() < deadline
        time.sleep(0.005)
    lab.internet.up(*X_HOSTS)
    output, errors = running.communicate(timeout=300)
    assert running.returncode == 0, errors
    assert not seen(_completed(output, errors)).accusations()


@pytest.mark.parametrize("how", ["refuse", "silence"])
def test_dead_control(lab: Lab, how: str) -> None:
    """With no control alive a failure is insufficient, and says that the control was dead."""
    for control in lab.controls:
        control.kill(how)
    lab.network("ptcl").block(sni=["x.com"], how="reset")
    story = once(lab, platforms=["x", "instagram"])
    assert story.endpoint("ptcl", "https://x.com/")["rule_id"] == "control.dead"
    assert story.states("ptcl") == {"x": "insufficient", "instagram": "ok"}
    assert story.states("jazz") == {"x": "ok", "instagram": "ok"}


def test_dead_control_and_failing_dns(lab: Lab) -> None:
    """A name that does not resolve, with no control alive, is not "accessible" and not blocked."""
    for control in lab.controls:
        control.kill()
    lab.network("ptcl").block(dns=["x.com", ".twitter.com"], how="nxdomain")
    story = once(lab, platforms=["x", "instagram"])
    verdict = story.endpoint("ptcl", "https://x.com/")
    assert (verdict["state"], verdict["rule_id"]) == ("insufficient", "control.dead")
    assert verdict["failures"] == {"dns": "dns_nxdomain_error"}
    assert story.platform("ptcl", "x")["state"] == "insufficient"


def test_one_of_two_controls_dead(lab: Lab) -> None:
    """One living control is enough."""
    lab.controls[0].kill()
    lab.network("ptcl").block(sni=["x.com"], how="reset")
    story = once(lab, platforms=["x"])
    assert story.platform("ptcl", "x")["state"] == "blocked"


def test_empty_namespace(lab: Lab) -> None:
    """With no network at all the vantage is offline, nothing is flagged, and it ends soon."""
    for network in lab.networks:
        network.unplug()
    story = once(lab, timeout=300)
    assert {story.vantage(network)["state"] for network in ("ptcl", "jazz")} == {"offline"}
    assert not story.accusations()
