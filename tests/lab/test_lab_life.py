"""The lab comes and goes cleanly: quick, in parallel, without root, and even when killed."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from monitor.config.load import load_config
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork
from tests.lab.worker import ROOT, WorkerError

pytestmark = pytest.mark.lab

THREE = [LabNetwork("a", 1, "PK"), LabNetwork("b", 2, "PK"), LabNetwork("c", 3, "BR")]

STORY = """
import os, sys
from monitor.config.load import load_config
from tests.lab.lab import Lab
with Lab(controls=1) as lab:
    lab.popen(["sh", "-c", "sleep 1000 & sleep 1000"])
    here = lab.networks[0]
    with here.block(sni=["x.com"], how="reset"):
        look = dict(address=lab.internet.address("x.com"), port=443, sni="x.com")
        print(os.geteuid(), lab.look("tls", **look)["error"], flush=True)
    print(lab.directory, *lab.pids, flush=True)
    sys.stdin.readline()
"""


def story(*before: str) -> "subprocess.Popen[str]":
    """A process of its own that runs a lab until it reads a line."""
    return subprocess.Popen(
        [*before, sys.executable, "-c", STORY],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def members(namespaces: set[str]) -> list[str]:
    """Processes in any of these network namespaces."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                if str((process / "ns" / "net").readlink()) in namespaces:
                    found.append(process.name)
            except OSError:  # it ended while we looked, or is not ours
                continue
    return found


def read(child: "subprocess.Popen[str]") -> str:
    """The child's next line, or a failure with what it complained of."""
    assert child.stdout is not None
    line = child.stdout.readline()
    if not line:
        _, complaint = child.communicate()
        pytest.fail(f"the story ended early: {complaint}")
    return line.strip()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_killed_lab_leaves_nothing(how: signal.Signals) -> None:
    """Killing the process that started a lab leaves no process, namespace or file of it."""
    child = story()
    read(child)
    directory, *pids = read(child).split()
    namespaces = {str(Path(f"/proc/{pid}/ns/net").readlink()) for pid in pids}
    assert len(namespaces) == 3
    assert len(members(namespaces)) > 6
    child.send_signal(how)
    child.communicate()
    deadline = time.monotonic() + 30
    while members(namespaces) or Path(directory).exists():
        assert time.monotonic() < deadline, f"left behind: {members(namespaces)} {directory}"
        time.sleep(0.02)


def test_lab_without_root() -> None:
    """An ordinary user has a lab inside a user namespace."""
    as_user = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
    child = story(*(as_user if os.geteuid() == 0 else []))
    assert read(child) == "1000 ConnectionResetError"
    directory = read(child).split()[0]
    _, complaint = child.communicate("done\n", timeout=20)
    assert (child.returncode, complaint) == (0, "")
    assert not Path(directory).exists()


def test_labs_side_by_side() -> None:
    """Labs do not touch each other, though they use the same addresses."""

    def blocked(number: int) -> list[bool]:
        with Lab() as lab:
            if number % 2:
                lab.networks[0].block(sni=["x.com"], how="reset")
            look = {"kind": "tls", "address": lab.internet.address("x.com"), "port": 443}
            return ["error" in seen for seen in lab.look_many([{**look, "sni": "x.com"}] * 5)]

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(blocked, range(3))) == [[False] * 5, [True] * 5, [False] * 5]


def test_programs_end_with_the_lab() -> None:
    """A program started in the lab has the venv on PATH, its own pid, and ends with the lab."""
    with Lab() as lab:
        child = lab.popen(
            ["python", "-c", "import os, time; print(os.getpid()); time.sleep(1000)"], stdout=-1
        )
        assert child.stdout is not None
        assert int(child.stdout.readline()) == child.pid
        which = lab.run(["sh", "-c", "command -v python; pwd"]).stdout.split()
        assert which == [str(Path(sys.executable).parent / "python"), str(lab.directory)]
    assert child.returncode == -signal.SIGTERM


def test_pages_of_the_client_itself() -> None:
    """What a program serves on the client's loopback can be read from the test."""
    with Lab() as lab:
        server = lab.popen(
            ["python", "-u", "-m", "http.server", "10100", "--bind", "127.0.0.1"],
            stdout=-1,
            stderr=subprocess.DEVNULL,
        )
        assert server.stdout is not None
        server.stdout.readline()
        assert "ca.pem" in lab.get(10100, "/")["body"]


def test_configuration() -> None:
    """The monitor reads the configuration: a vantage per network and control, as asked for."""
    with Lab(THREE, controls=2) as lab:
        default = load_config(lab.config_file(interval="7s", extra="[events]\nfalse_ends = 4"), {})
        other = load_config(
            lab.config_file(egress="interface", resolver="system", control_resolver="8.8.8.8"), {}
        )
        narrow = load_config(lab.config_file(platforms=["x"], probe={"rate": 5}), {})
        ca = str(lab.ca)
    assert [v.id for v in default.vantages] == ["a", "b", "c", "control-1", "control-2"]
    assert [v.role for v in default.vantages] == ["field"] * 3 + ["control"] * 2
    assert default.vantages[1].egress.source == "198.51.100.10,2001:db8:c:1::2"
    assert default.vantages[1].resolver.address == "192.0.2.54"
    control = default.vantages[4].egress
    assert (control.proxy_host, control.proxy_port) == ("203.0.113.12", 1080)
    assert (control.username, control.password) == ("control2", "secret-2")
    assert (default.interval, default.events.false_ends) == (7.0, 4.0)
    assert default.probe.trust_anchors == (ca,)
    domestic = {r.country for r in default.catalog.references if r.country}
    assert domestic == {"PK", "BR"}
    assert [v.egress.interface for v in other.vantages][:2] == ["wwan0", "wwan1"]
    assert [v.resolver.address for v in other.vantages][-3:] == ["", "8.8.8.8", "8.8.8.8"]
    assert [p.name for p in narrow.catalog.platforms] == ["x"]
    assert narrow.probe.rate == 5


def test_requests_to_the_servers_fail_loudly() -> None:
    """A mistake in a story is an error where it is made, and the lab goes on."""
    with Lab() as lab:
        with pytest.raises(WorkerError, match="KeyError"):
            lab.internet.down("nobody.example")
        lab.internet.down("x.com")
