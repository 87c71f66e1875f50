"""The agent as a service of systemd: its unit, installed and started."""

import os
import stat
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import msgspec

from monitor.agent.paths import SERVICE_FOLDER

UNIT = "shutwatch-agent.service"
_HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")  # noqa: S108 # the unit hides them
_SHIPPED = "/opt/shutwatch/.venv/bin/shutwatch"
_LONGEST = 90.0
"""Seconds that one step of systemctl may take."""


class ServiceError(Exception):
    """systemd refused; the message says why."""


class Systemd(msgspec.Struct, frozen=True, kw_only=True):
    """Where systemd is, and how to call it."""

    running: Path = Path("/run/systemd/system")
    """Exists where systemd runs the machine."""
    units: Path = Path("/etc/systemd/system")
    command: str = "systemctl"


def obstacle(systemd: Systemd, folder: Path, program: Path) -> str:
    """Why the agent cannot become a service here; empty where it can."""
    if not systemd.running.is_dir():
        return "systemd does not run this machine"
    if os.geteuid() != 0:
        return "only root can install a service"
    if folder != SERVICE_FOLDER:
        return f"the service keeps its files in {SERVICE_FOLDER}"
    for one in (program, Path(sys.executable)):
        if not _reachable(one):
            return f"the service has a user of its own, who cannot read {one}: install it in /opt"
    return ""


def is_service(config: Path, folder: Path = SERVICE_FOLDER) -> bool:
    """Whether that file is the service's, however it is named."""
    return config.parent.resolve() == folder.resolve()


def this_program() -> Path:
    """The `shutwatch` command that runs now."""
    return Path(sys.executable).with_name("shutwatch")


def install(systemd: Systemd, program: Path) -> None:
    """Write the unit and start it, now and with the machine. Raises ServiceError or OSError."""
    text = files("monitor.agent").joinpath(UNIT).read_text("utf-8")
    (systemd.units / UNIT).write_text(text.replace(_SHIPPED, _in_unit(program)), "utf-8")
    for words in (("daemon-reload",), ("enable", UNIT), ("restart", UNIT)):
        _tell(systemd, *words)


def remove(systemd: Systemd) -> bool:
    """Take the service away, which has ended already; False where there is none. Raises
    ServiceError or OSError."""
    unit = systemd.units / UNIT
    if not unit.exists():
        return False
    _tell(systemd, "disable", UNIT)
    unit.unlink()
    _tell(systemd, "daemon-reload")
    return True


def _in_unit(program: Path) -> str:
    """As ExecStart has it: in quotes a space ends no word, and a percent sign stands twice. systemd
    takes no path with a quote or a backslash, and says so."""
    return '"{}"'.format(str(program).replace("%", "%%"))


def _tell(systemd: Systemd, *words: str) -> None:
    done = subprocess.run(  # noqa: S603 # fixed words
        [systemd.command, *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=_LONGEST,
    )
    if done.returncode:
        raise ServiceError(f"systemctl {' '.join(words)}: {done.stderr.strip()}")


def _reachable(program: Path) -> bool:
    """Whether a user without any right can read it, as the unit lets them see the machine."""
    real = program.resolve()
    if not real.is_file() or any(real.is_relative_to(hidden) for hidden in _HIDDEN):
        return False
    return all(part.stat().st_mode & stat.S_IXOTH for part in (real, *real.parents))
