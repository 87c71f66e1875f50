"""Stops an agent and deletes its traces, as far as a program can."""

import os
import signal
import time
from pathlib import Path

from monitor.agent.paths import AgentFiles, process_of

PATIENCE = 10.0
"""Seconds that a running agent gets to end by itself."""
_BLOCK = 1 << 20

LIMITS = """\
What this cannot promise:
- Flash memory (SD cards, SSDs, USB sticks) and file systems that copy or log what is written may
  keep earlier contents. Only a disk that was encrypted from the beginning can be made unreadable,
  by destroying its key; or destroy the card.
- The journal keeps what the agent logged (journalctl --vacuum-time=1s removes all of it, which is
  noticeable itself); the shell keeps what was typed; backups keep what they hold.
- What the line's provider, the platforms and the collectors have recorded stays."""


class StillRunsError(Exception):
    """The agent could not be stopped; the message says why."""


def stop(files: AgentFiles) -> bool:
    """Stop the agent that runs with these files; False when none did. Raises StillRunsError."""
    process = process_of(files)
    if process is None:
        return False
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.kill(process, number)
        except ProcessLookupError:
            return True
        except PermissionError:
            raise StillRunsError(f"process {process} is another user's: try as root") from None
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if process_of(files) is None:
                return True
            time.sleep(0.1)
    raise StillRunsError(f"process {process} does not end")


def wipe(files: AgentFiles, *, config: bool) -> list[Path]:
    """Overwrite and delete all that is secret, and with `config` the configuration file; returns
    what was deleted. Raises OSError after everything else was deleted."""
    gone: list[Path] = []
    failed: OSError | None = None
    for file in (*files.secret, files.lock, *((files.config,) if config else ())):
        try:
            if _overwrite_and_delete(file):
                gone.append(file)
        except OSError as error:
            failed = error
    if failed is not None:
        raise failed
    return gone


def _overwrite_and_delete(file: Path) -> bool:
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        left = os.fstat(descriptor).st_size
        while left > 0:
            left -= os.write(descriptor, os.urandom(min(left, _BLOCK)))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    # Under another name the old one does not stay in the folder either.
    anonymous = file.with_name(f"{os.urandom(8).hex()}")
    file.rename(anonymous)
    anonymous.unlink()
    return True
