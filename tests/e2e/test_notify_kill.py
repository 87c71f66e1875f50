"""kill -9 while blocks are stored and told, again and again.

Nothing is lost, and nothing is told that is not stored.
"""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from monitor.notify.delivery import MOVED
from tests.worlds.receiver import receiving

pytestmark = pytest.mark.timeout(900)

KILLS = 12


@pytest.fixture
def workers() -> Iterator["subprocess.Popen[str]"]:
    """What forks workers."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.e2e.notify_worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    yield process
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    assert process.wait(60) == 0
    process.stdout.close()


def _ask(workers: "subprocess.Popen[str]", line: str) -> int:
    """Start a worker; its pid."""
    assert workers.stdin is not None
    workers.stdin.write(f"{line}\n")
    return int(_until(workers, "worker")[-1].split()[1])


def _until(workers: "subprocess.Popen[str]", word: str) -> list[str]:
    """What is said up to a line that begins with the word."""
    assert workers.stdout is not None
    said = []
    for line in workers.stdout:
        said.append(line.strip())
        if line.startswith(word):
            break
    return said


def test_killed_while_telling(workers: "subprocess.Popen[str]", tmp_path: Path) -> None:
    """Every block that was stored is told at least once, and more than once only where a kill fell
    in the middle of an attempt, of which the outbox has the trace."""
    rng = random.Random(12)
    file, number = tmp_path / "shutwatch.db", 0
    with receiving() as inbox:
        for _ in range(KILLS):
            pid = _ask(workers, f"{file} {inbox.port} {number}")
            _until(workers, "stored")
            time.sleep(rng.uniform(0.0, 0.4))
            os.kill(pid, signal.SIGKILL)
            number += len(_until(workers, "ended")) + 1  # stored, or half stored when it was killed
        _ask(workers, f"{file} {inbox.port} -1")
        _until(workers, "ended")
        letters = list(inbox.letters)
    told = Counter(
        line.removeprefix("Event: ")
        for letter in letters
        for line in letter["message"].splitlines()
        if line.startswith("Event: ")
    )
    with closing(sqlite3.connect(file)) as database:
        stored = {row[0] for row in database.execute("SELECT event FROM event_log")}
        # The first worker may die before it stored the key by which it named the address.
        query = "SELECT event, state, attempts FROM outbox WHERE reason != ?"
        rows = database.execute(query, (MOVED,)).fetchall()
    assert len(stored) > KILLS
    assert set(told) == stored == {event for event, _, _ in rows}
    assert {state for _, state, _ in rows} == {"sent"}
    attempts = {event: tries for event, _, tries in rows}
    assert all(count <= attempts[event] for event, count in told.items())
    assert max(attempts.values()) <= KILLS
    once = [event for event, tries in attempts.items() if tries == 1]
    assert once
    assert all(told[event] == 1 for event in once)
