"""Stops an agent and deletes its traces, as far as a program can."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from monitor.agent.paths import AgentFiles, process_of
from monitor.agent.traces import traces_at

PATIENCE = 10.0
"""Seconds that a running agent gets to end by itself."""
_BLOCK = 1 << 20

LIMITS = """\
What this cannot promise:
- Flash memory (SD cards, SSDs, USB sticks) and file systems that copy or log what is written may
  keep earlier contents. Only a disk that was encrypted from the beginning can be made unreadable,
  by destroying its key; or destroy the card.
- The journal keeps what the agent logged (journalctl --vacuum-time=1s removes all of it, which is
  noticeable itself); the shell keeps what was typed, editors what was opened and copied (as in
  ~/.viminfo); backups keep what they hold.
- What the line's provider, the platforms and the collectors have recorded stays."""


class StillRunsError(Exception):
    """The agent could not be stopped; the message says why."""


class Wiped(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an agent and its files."""

    stopped: bool
    """Whether one ran, and was stopped."""
    deleted: tuple[Path, ...]
    failed: tuple[str, ...]
    """What could not be done, each with its reason."""
    left: tuple[Path, ...]
    """What lies in the folder and is not known to be the agent's."""


def wipe(config: Path, *, keep_config: bool = False) -> Wiped:
    """Stop the agent whose configuration is, or was, this file; then overwrite and delete its key,
    its configuration unless that is kept, and its other files. Whatever fails, the rest is done.

    Raises OSError when its folder cannot be read.
    """
    stopped = False
    failed: list[str] = []
    deleted: list[Path] = []
    for agent in traces_at(config).agents:
        try:
            stopped |= stop(agent)
        except StillRunsError as error:
            failed.append(f"the agent was not stopped: {error}")
    traces = traces_at(config)  # as the agent left it
    # The key first: without it nobody speaks for the vantage.
    for file in (*traces.keys, *(() if keep_config else traces.config), *traces.others):
        try:
            if _overwrite_and_delete(file, failed.append):
                deleted.append(file)
        except OSError as error:
            failed.append(f"{file} was not deleted: {error.strerror}")
    for folder in {file.parent for file in deleted}:
        _to_disk(folder)
    return Wiped(stopped=stopped, deleted=tuple(deleted), failed=tuple(failed), left=traces.left)


def stop(files: AgentFiles) -> bool:
    """Stop the agent that runs with these files; False when none did. Raises StillRunsError."""
    process = process_of(files)
    if process is None:
        return False
    if process == os.getpid():  # which is another one's number in another container
        raise StillRunsError("it runs in another container: stop that, or type it there")
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


def _overwrite_and_delete(file: Path, fail: Callable[[str], None]) -> bool:
    """Whether there was one; `fail` gets what was deleted without being overwritten."""
    if file.is_symlink():
        target = file.resolve()
        file.unlink()
        if target.is_file():
            fail(f"{target} was not deleted: {file.name} was only a link to it")
        return True
    try:
        file.chmod(0o600)
        _overwrite(file)
    except FileNotFoundError:
        return False
    except OSError as error:
        fail(f"{file} was not overwritten: {error.strerror}")
    # Under another name the old one does not stay in the folder either.
    anonymous = file.with_name(f"{os.urandom(8).hex()}")
    file.rename(anonymous)
    anonymous.unlink()
    return True


def _overwrite(file: Path) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_NOFOLLOW)
    try:
        left = os.fstat(descriptor).st_size
        while left > 0:
            left -= os.write(descriptor, os.urandom(min(left, _BLOCK)))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _to_disk(folder: Path) -> None:
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
