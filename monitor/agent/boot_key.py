"""A key that lives as long as the machine is on: in a file, in a file system that is in memory.

It outlives the agent's process, which may be started anew before it hears a collector, and goes
with the power. What it encrypts can be read on a running machine, as a process's memory can.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

SIZE = 32
_FOLDERS = ("RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR")
"""Variables by which systemd names such a folder, of a service and of a person."""
_SERVICE = Path("/run/shutwatch-agent")
"""What systemd names for the agent's unit."""
_PEOPLE = Path("/run/user")
"""What it names for people, by their numbers."""
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 # in memory, which is the point


def boot_key_file(spool: Path, environ: Mapping[str, str] = os.environ) -> Path:
    """Where the key for this spool is, or will be."""
    named = next((environ[name] for name in _FOLDERS if environ.get(name)), "")
    # systemd separates several folders by colons.
    folder = Path(named.split(":")[0]) if named else _SHARED_MEMORY
    return folder / _name(spool)


def boot_key_files(spool: Path, environ: Mapping[str, str] = os.environ) -> tuple[Path, ...]:
    """Everywhere the key for this spool may be: the agent may have had another environment than
    whoever looks for it, and another user."""
    named = (Path(one) for name in _FOLDERS for one in environ.get(name, "").split(":") if one)
    people = (_PEOPLE / str(number) for number in _users(spool))
    folders = dict.fromkeys([*named, _SERVICE, *people, _SHARED_MEMORY])
    return tuple(folder / _name(spool) for folder in folders)


def _name(spool: Path) -> str:
    digest = hashlib.sha256(os.fsencode(spool.resolve())).hexdigest()
    return f"shutwatch-{digest[:16]}"


def _users(spool: Path) -> Iterator[int]:
    """Who may have run the agent: this user, and the owner of the spool's folder."""
    yield os.getuid()
    with suppress(OSError):
        yield spool.parent.stat().st_uid


def boot_key(file: Path) -> bytes:
    """The key in that file, made when there is none; one of this process alone where the file
    cannot be made, or is another user's."""
    made = os.urandom(SIZE)
    try:
        flags = os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(file, flags, 0o600)
        with os.fdopen(descriptor, "r+b") as opened:
            known = opened.read(SIZE + 1)
            if os.fstat(descriptor).st_uid != os.geteuid():
                return made
            if len(known) == SIZE:
                return known
            opened.seek(0)
            opened.truncate()
            opened.write(made)
    except OSError:
        pass
    return made
