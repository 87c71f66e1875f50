"""A program runs its tasks until a signal or the end of one of them."""

import subprocess
import sys
import textwrap

import pytest

SCRIPT = """
import asyncio, os, signal
from monitor.app.run_until_stopped import keep_running, run_until_stopped

async def forever(name):
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        await asyncio.sleep(0.05)
        print(name, "has ended", flush=True)

async def act():
    await asyncio.sleep(0.1)
    {act}

def reload():
    print("reload", flush=True)

asyncio.run(run_until_stopped(reload, forever("one"), forever("other"), act()))
"""
FOREVER = "await asyncio.get_running_loop().create_future()"


def program(act: str) -> "subprocess.CompletedProcess[str]":
    """The end of a program of which one task does `act`."""
    script = textwrap.dedent(SCRIPT).format(act=act)
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False
    )


def ended(done: "subprocess.CompletedProcess[str]") -> list[str]:
    """The tasks that ended in order."""
    ends = (line.partition(" has ended") for line in done.stdout.splitlines())
    return sorted(name for name, found, _ in ends if found)


@pytest.mark.parametrize("number", ["SIGTERM", "SIGINT"])
def test_a_signal_ends_all_tasks(number: str) -> None:
    """Each is cancelled and waited for, and the program ends without an error."""
    done = program(f"os.kill(os.getpid(), signal.{number}); {FOREVER}")
    assert (done.returncode, ended(done)) == (0, ["one", "other"]), done.stderr


def test_the_error_of_one_task_ends_the_program() -> None:
    """The others end in order, and the error comes out."""
    done = program('raise ValueError("broken")')
    assert ended(done) == ["one", "other"]
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "ValueError: broken"


def test_sighup_reloads_and_ends_nothing() -> None:
    """It may come as often as it likes."""
    twice = "; ".join(["os.kill(os.getpid(), signal.SIGHUP)", "await asyncio.sleep(0.05)"] * 2)
    done = program(twice)
    assert done.stdout.splitlines()[:2] == ["reload", "reload"]


def test_a_bug_in_a_task_kept_running_ends_nothing() -> None:
    """It is logged, and the task starts again later."""
    kept = """asyncio.create_task(keep_running(broken)); await asyncio.sleep(0.1)

async def broken():
    raise ValueError("broken")
"""
    done = program(kept)
    assert done.returncode == 0, done.stderr
    assert "our own fault" in done.stdout + done.stderr
