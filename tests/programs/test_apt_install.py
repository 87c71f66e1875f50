"""`requirements/apt-install.sh`: what keeps services from starting never stays behind."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "requirements" / "apt-install.sh"
POLICY = "/usr/sbin/policy-rc.d"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_policy_goes_however_the_script_ends(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C while packages are installed left it: no package of the machine started its service
    again, without a word. Both programs that the script calls are fakes."""
    policy, begun = tmp_path / "policy-rc.d", tmp_path / "begun"
    text = SCRIPT.read_text("utf-8")
    assert text.count(POLICY) == 1
    script = tmp_path / "apt-install.sh"
    script.write_text(text.replace(POLICY, str(policy)))
    for name, does in (("id", "echo 0"), ("apt-get", f"touch {begun}; exec sleep 60")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / name).chmod(0o700)
    process = subprocess.Popen(
        # Whoever runs the tests in the background ignores Ctrl-C, and children inherit that.
        ["env", "--default-signal=INT,HUP", "sh", str(script), "some-package"],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while not begun.exists():
            assert process.poll() is None
            time.sleep(0.01)
        assert policy.exists()
        os.killpg(process.pid, number)  # as a terminal does
        assert process.wait(20) == 128 + number
    finally:
        process.kill()
        process.wait()
    assert not policy.exists()


def test_a_policy_of_the_machine_stays(tmp_path: Path) -> None:
    """As where its owner wants no service started."""
    policy = tmp_path / "policy-rc.d"
    policy.write_text("mine")
    script = tmp_path / "apt-install.sh"
    script.write_text(SCRIPT.read_text("utf-8").replace(POLICY, str(policy)))
    for name, does in (("id", "echo 0"), ("apt-get", "true")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / name).chmod(0o700)
    path = f"{tmp_path}:{os.environ['PATH']}"
    subprocess.run(["sh", str(script), "p"], env={"PATH": path}, check=True, capture_output=True)
    assert policy.read_text() == "mine"
