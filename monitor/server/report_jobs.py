"""Reports that editors have made: one at a time, by the command, in a process of its own.

The command's process shares neither memory nor the interpreter with what measures, has a low
priority, and is ended when it takes too long. Reports name networks and never vantages, as the
command does by default.
"""

import asyncio
import os
import shutil
import signal
import sys
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import msgspec
import uuid_utils

from monitor.acting.acts import ActError
from monitor.logs import logger

log = logger(__name__)

KEPT = 5
"""Reports that can be downloaded; older ones are deleted."""
LONGEST = 900.0
"""Seconds that one may take."""
_NICE = 10
_MOST_SAID = 500
"""Characters kept of what the command says."""
# Safe: no file of the current folder runs, which others may be able to write to.
COMMAND = (sys.executable, "-P", "-m", "monitor", "report")


class ReportAsked(msgspec.Struct, frozen=True, kw_only=True):
    """What a report is to be about."""

    country: str
    platform: str
    since: str
    until: str
    language: str

    @property
    def options(self) -> Mapping[str, str]:
        """Of the command."""
        return {name: value for name, value in msgspec.structs.asdict(self).items() if value}


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One report."""

    id: str
    asked: ReportAsked
    at: datetime
    """UTC; when it was asked for."""
    file: Path
    state: str = "running"
    """`running`, `ready` or `failed`."""
    said: str = ""
    """What the command says: the headline, or why there is no report. English."""


class ReportJobs:
    """The reports of one process, in a folder that goes with it."""

    def __init__(self, command: Sequence[str] = COMMAND) -> None:
        self._command = tuple(command)
        self._folder: Path | None = None
        self._task: asyncio.Task[None] | None = None
        self.jobs: list[Job] = []
        """The newest first."""

    @property
    def busy(self) -> bool:
        """Whether one is being made."""
        return self._task is not None and not self._task.done()

    def start(self, asked: ReportAsked, config: str, now: datetime) -> Job:
        """Begin to make one. ActError while another is being made."""
        if self.busy:
            raise ActError("a report is being made: wait until it is done")
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="shutwatch-reports-"))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        id_ = str(uuid_utils.uuid7())
        job = Job(id=id_, asked=asked, at=now, file=self._folder / f"{id_}.zip")
        for old in self.jobs[KEPT - 1 :]:
            old.file.unlink(missing_ok=True)
        self.jobs = [job, *self.jobs[: KEPT - 1]]
        self._task = asyncio.create_task(self._make(job, config))
        return job

    def file(self, id_: str) -> Path | None:
        """The file of a report that is ready."""
        ready = (one for one in self.jobs if one.id == id_ and one.state == "ready")
        return next((one.file for one in ready), None)

    async def _make(self, job: Job, config: str) -> None:
        options = [f"--{name}={value}" for name, value in job.asked.options.items()]
        made = await asyncio.create_subprocess_exec(
            *(*self._command, *options, f"--output={job.file}", f"--config={config}"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, made.pid, _NICE)
            async with asyncio.timeout(LONGEST):
                _, said = await made.communicate()
        except TimeoutError:
            self._over(job, "failed", f"it took longer than {LONGEST / 60:.0f} minutes")
            return
        finally:
            if made.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(made.pid, signal.SIGKILL)
                await made.wait()
        # The first line is the headline, or the reason; paths on this machine are nobody's matter.
        text = said.decode("utf-8", "replace").partition("\n")[0]
        text = text.replace(f"{job.file}: ", "").replace(config, Path(config).name)
        text = text.removeprefix("shutwatch: ")
        ready = made.returncode == 0 and job.file.is_file()
        self._over(job, "ready" if ready else "failed", text[:_MOST_SAID])

    def _over(self, job: Job, state: str, said: str) -> None:
        done = msgspec.structs.replace(job, state=state, said=said)
        self.jobs = [done if one.id == job.id else one for one in self.jobs]
        if state == "failed":
            log.warning("report not made", reason=said)
