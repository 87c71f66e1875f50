"""Network namespaces that live exactly as long as the process that made them.

Each is anonymous and held by a shell that waits for end of file on its standard input. When the
maker ends, by whatever means, the pipe closes, the shell kills whatever still runs in its
namespace and ends too, and the kernel takes the namespace apart.
"""

import functools
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

OUTER = "echo up; exec cat >/dev/null"

# The sweep matches by the namespace's inode, so it can only ever reach its own members.
HOLD = """
for setting in ipv6/conf/all/accept_dad=0 ipv6/conf/default/accept_dad=0 \
               ipv6/conf/all/accept_ra=0 ipv6/conf/default/accept_ra=0 \
               ipv6/conf/all/keep_addr_on_down=1 ipv6/conf/default/keep_addr_on_down=1 \
               ipv4/tcp_no_metrics_save=1; do
  echo "${setting#*=}" 2>/dev/null >"/proc/sys/net/${setting%%=*}" || true
done
ip link set lo up || exit 1
if [ -n "$1" ]; then
  mount --bind "$1/resolv.conf" "$(readlink -f /etc/resolv.conf)" || exit 1
fi
echo up
cat >/dev/null
me=$(readlink /proc/self/ns/net | sed 's/[][]/\\\\&/g')
for sweep in 1 2 3 4 5; do
  left=
  for link in $(find /proc/[0-9]*/ns/net -maxdepth 0 -lname "$me" 2>/dev/null); do
    pid=${link#/proc/}; pid=${pid%%/*}
    if [ "$pid" != "$$" ] && kill -KILL "$pid" 2>/dev/null; then left=1; fi
  done
  [ -z "$left" ] && break
done
if [ -n "$1" ]; then cd / && rm -rf -- "$1"; fi
"""


class NamespaceError(RuntimeError):
    """A namespace could not be made or wired; the message holds what the tool said."""


class Holder:
    """A child that lives until its standard input closes. `pid` names its namespaces."""

    def __init__(self, argv: Sequence[str]) -> None:
        self._child = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.pid = self._child.pid

    def wait_up(self) -> None:
        """Return once the namespace stands; raises NamespaceError when it was refused."""
        assert self._child.stdout is not None
        assert self._child.stderr is not None
        if self._child.stdout.readline() != "up\n":
            said = self._child.stderr.read().strip()
            self.close()
            raise NamespaceError(f"namespace refused: {said or 'no reason given'}")

    def let_go(self) -> None:
        """Close its input, so that it ends."""
        if self._child.stdin is not None:
            self._child.stdin.close()

    def close(self) -> None:
        """Let it go and wait until it, and all it held, is gone."""
        self.let_go()
        for stream in (self._child.stdout, self._child.stderr):
            if stream is not None:
                stream.close()
        self._child.wait(timeout=60)


class Namespaces:
    """Makes namespaces. Without root they all live in one user namespace of their own."""

    def __init__(self) -> None:
        self._outer: Holder | None = None
        self._held: list[Holder] = []

    def __enter__(self) -> Self:
        if os.geteuid() != 0:
            self._outer = Holder(["unshare", "-Urnm", "sh", "-c", OUTER])
            self._outer.wait_up()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for holder in self._held:
            holder.let_go()
        for holder in self._held:
            holder.close()
        if self._outer is not None:
            self._outer.close()

    def make(self, *, home: Path | None = None) -> "Namespace":
        """Begin a namespace.

        With `home` it sees that directory's resolv.conf as /etc/resolv.conf, and the directory
        is removed with it.
        """
        outer = self._outer_prefix()
        argv = [*outer, "unshare", "--net", "--mount", "sh", "-c", HOLD, "hold"]
        holder = Holder([*argv, str(home or "")])
        self._held.append(holder)
        return Namespace(holder, outer)

    def _outer_prefix(self) -> list[str]:
        if self._outer is None:
            return []
        return ["nsenter", "-t", str(self._outer.pid), "-U", "--preserve-credentials", "-n", "-m"]


class Namespace:
    """One network and mount namespace."""

    def __init__(self, holder: Holder, outer: list[str]) -> None:
        self._holder = holder
        self._outer = outer
        self.pid = holder.pid

    def wait_up(self) -> None:
        """Return once it stands; raises NamespaceError when it was refused."""
        self._holder.wait_up()

    def enter(self, directory: Path) -> list[str]:
        """Argument vector that runs what follows it inside, started in `directory`."""
        user = ["-U", "--preserve-credentials"] if self._outer else []
        return ["nsenter", "-t", str(self.pid), *user, "-n", "-m", f"--wd={directory}", "--"]

    def ip(self, lines: str, *, six: bool = False) -> None:
        """Run lines of `ip` (without the word itself), of IPv6 alone if `six`.

        Raises NamespaceError on the first error.
        """
        family = ["-6"] if six else []
        done = subprocess.run(
            [*self.enter(Path("/")), "ip", *family, "-batch", "-"],
            input=lines,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if done.returncode:
            raise NamespaceError(f"ip: {done.stderr.strip()}\n{lines}")


def with_own_mounts(command: Sequence[str]) -> list[str]:
    """The command that runs another one as root of a mount namespace of its own."""
    user = () if os.geteuid() == 0 else ("--user", "--map-root-user")
    return ["unshare", *user, "--mount", *command]


@functools.cache
def why_refused() -> str:
    """Why this machine gives us no namespaces, or empty when it does."""
    try:
        with Namespaces() as namespaces:
            one = namespaces.make()
            one.wait_up()
            one.ip("link add name probe0 type veth peer name probe1\n")
    except (OSError, NamespaceError, subprocess.SubprocessError) as error:
        return str(error)
    return ""
