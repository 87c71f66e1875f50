"""What a program asked of the kernel, and when: a trace by strace, read."""

import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

CALLS = (
    *("read", "recvfrom", "recvmsg", "write", "sendto", "sendmsg"),
    *("pwrite64", "pwritev", "pwritev2", "fsync", "fdatasync", "msync", "sync_file_range"),
)
WRITES = ("write", "pwrite64", "pwritev", "pwritev2")
SYNCS = ("fsync", "fdatasync")
SHOWN = 70_000
"""Bytes of each piece of data that a trace shows: several pages of a database."""

_LINE = re.compile(r"(?P<task>\d+) +(?P<at>\d+\.\d+) (?P<rest>.*)")
_BEGUN = re.compile(r"(?P<name>\w+)\((?P<given>.*)")
_RESUMED = re.compile(r"<\.\.\. (?P<name>\w+) resumed>(?P<given>.*)")
_ENDED = re.compile(r"(?P<given>.*)\) += (?P<result>-?\d+)(?P<why>.*?) <(?P<took>\d+\.\d+)>")
_FILE = re.compile(r"\d+<(?P<file>[^>]*)>")
_UNFINISHED = " <unfinished ...>"


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One system call that came to its end."""

    name: str
    given: str
    """Arguments as strace writes them; data are quoted and escaped."""
    result: int
    began: float
    ended: float
    """POSIX seconds."""

    @property
    def file(self) -> str:
        """What its first argument stands for: a path, or `socket:[…]`."""
        found = _FILE.match(self.given)
        return "" if found is None else found["file"]


def traced(argv: Sequence[str], file: Path) -> list[str]:
    """The command that runs another one and writes a trace of it; its process id is its own."""
    options = ["-D", "-f", "--seccomp-bpf", "-ttt", "-T", "-y", "-s", str(SHOWN)]
    return ["strace", *options, "-e", f"trace={','.join(CALLS)}", "-o", str(file), "--", *argv]


def why_refused() -> str:
    """Why an installed strace can trace nothing here; empty if it can."""
    argv = traced(["true"], Path("/dev/null"))
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=20)
    return done.stderr.strip() if done.returncode or done.stderr else ""


def read(lines: Sequence[str]) -> list[Call]:
    """The calls of a trace that ended, in the order they began."""
    return sorted(_calls(lines), key=lambda call: call.began)


def _calls(lines: Sequence[str]) -> Iterator[Call]:
    begun: dict[str, tuple[float, str, str]] = {}
    for line in lines:
        told = _LINE.match(line)
        if told is None:
            continue
        task, at, rest = told["task"], float(told["at"]), told["rest"]
        if resumed := _RESUMED.match(rest):
            if task not in begun:
                continue
            began, name, given = begun.pop(task)
            given += resumed["given"]
        elif new := _BEGUN.match(rest):
            began, name, given = at, new["name"], new["given"]
            if given.endswith(_UNFINISHED):
                begun[task] = (began, name, given.removesuffix(_UNFINISHED))
                continue
        else:
            continue
        if ended := _ENDED.match(given):
            yield Call(
                name=name,
                given=ended["given"],
                result=int(ended["result"]),
                began=began,
                ended=began + float(ended["took"]),
            )


def answers(calls: Sequence[Call], request: str, status: str) -> list[tuple[Call, Call]]:
    """Each read of a request that begins so, with the write of an answer to it on the same socket
    that begins so."""
    found = []
    for asked in calls:
        if asked.name not in ("read", "recvfrom", "recvmsg") or f'"{request}' not in asked.given:
            continue
        later = [call for call in calls if call.began >= asked.ended and call.file == asked.file]
        sent = [c for c in later if c.name in ("write", "sendto", "sendmsg")]
        if sent and f'"{status}' in sent[0].given:
            found.append((asked, sent[0]))
    return found


def synced(calls: Sequence[Call], *, within: str, holding: str, by: float) -> list[Call]:
    """The calls that made durable what was written to files whose path holds `within`: for each
    write of something that holds `holding`, one of the same file that began after it ended and was
    over by then. AssertionError where a write has none, or where there is no write."""
    there = [call for call in calls if within in call.file]
    writes = [
        c
        for c in there
        if c.name in WRITES and c.result > 0 and holding in c.given and c.began < by
    ]
    assert writes, f"{holding} was not written to {within} before it was acknowledged"
    found = []
    for write in writes:
        after = [
            call
            for call in there
            if call.name in SYNCS
            and call.result == 0
            and call.file == write.file
            and call.began >= write.ended
            and call.ended <= by
        ]
        assert after, f"what was written to {write.file} was acknowledged before it was on disk"
        found.append(after[0])
    return found
