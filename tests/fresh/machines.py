"""The machines of a new user, on an Internet that is the lab.

    monitor 10.20.30.2 ──┐                       ┌── PTCL ── the agent's machine
                         ├── the lab's Internet ─┤
    server  10.20.40.2 ──┘                       ├── Jazz ── a line at somebody's home, 10.8.0.2
                                                 └── Zong ── another one, 10.8.0.3

The monitor reaches both homes by a tunnel (10.8.0.0/24). What the lab's hosts are called leads to
public addresses, since nobody believes answers from the ranges that are kept for examples.
"""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

from tests.fresh.home_lines import PASSWORD, PORT, USER
from tests.lab import hosts, worker
from tests.lab.addresses import OPEN_RESOLVERS
from tests.lab.lab import Lab
from tests.lab.namespaces import Namespaces
from tests.lab.network import LabNetwork

ROOT = Path(__file__).parents[2]
NOBODY_SPECIAL = 1000
"""User and group that everything is typed as."""
MONITOR, SERVER = "10.20.30.2", "10.20.40.2"
HOMES = ("10.8.0.2", "10.8.0.3")
NETWORKS = (
    LabNetwork("khi-ptcl", 17557, "PK", "PTCL"),
    LabNetwork("jazz", 45669, "PK", "Jazz"),
    LabNetwork("zong", 59257, "PK", "Zong"),
)
"""The first one is the agent's; the others have a proxy each."""
_PUBLIC = 0x0B000000
"""Addresses for the lab's hosts: 11.0.0.0/8 is public, and nobody in the lab has another of it."""


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """A machine, and its user."""

    title: str
    pid: int
    """Of a process whose namespaces are the machine; 0: the host itself, with its network."""

    def argv(self, command: str, folder: Path) -> list[str]:
        """The command, as an ordinary user types it there."""
        enter = _enter(self.pid, folder) if self.pid else []
        who = [f"--reuid={NOBODY_SPECIAL}", f"--regid={NOBODY_SPECIAL}", "--clear-groups"]
        return [*enter, "setpriv", *who, "--no-new-privs", "sh", "-c", command]


class World(msgspec.Struct, frozen=True, kw_only=True):
    """Everything there is."""

    lab: Lab
    monitor: Machine
    server: Machine
    agent: Machine


def way_out(home: str) -> str:
    """The proxy at a home."""
    return f"socks5://{USER}:{PASSWORD}@{home}:{PORT}"


@contextmanager
def world() -> Iterator[World]:
    """All machines, for as long as the context lasts. Needs root."""
    with ExitStack() as stack:
        lab = stack.enter_context(Lab(NETWORKS, controls=0, more_hosts=list(_public_hosts())))
        namespaces = stack.enter_context(Namespaces())
        entered = {}
        for title in ("monitor", "server"):
            home = Path(tempfile.mkdtemp(prefix="machine-"))
            (home / "resolv.conf").write_text(f"nameserver {OPEN_RESOLVERS[0]}\n")
            entered[title] = namespaces.make(home=home)
        for one in entered.values():
            one.wait_up()
        monitor, server = entered["monitor"], entered["server"]
        client, internet, _ = lab.pids
        _ip(internet, *_link("mon", MONITOR, monitor.pid), *_link("srv", SERVER, server.pid))
        _in(internet, "echo 1 >/proc/sys/net/ipv4/ip_forward")
        for address, pid, device in (
            (MONITOR, monitor.pid, "mon0"),
            (SERVER, server.pid, "srv0"),
        ):
            _ip(
                pid,
                f"addr add {address}/30 dev {device}",
                f"link set {device} up",
                f"route add default via {_router(address)}",
            )
        _ip(
            monitor.pid,
            f"link add name tunnel0 type veth peer name tunnel1 netns {client}",
            "addr add 10.8.0.1/24 dev tunnel0",
            "link set tunnel0 up",
        )
        _ip(client, *(f"addr add {home}/24 dev tunnel1" for home in HOMES), "link set tunnel1 up")
        stack.enter_context(_homes(lab))
        yield World(
            lab=lab,
            monitor=Machine(title="monitor", pid=monitor.pid),
            server=Machine(title="server", pid=server.pid),
            agent=Machine(title="agent", pid=client),
        )


def _public_hosts() -> Iterator[hosts.LabHost]:
    """The lab's hosts at public addresses."""
    at_home = hosts.domestic(NETWORKS[0].country)
    for number, host in enumerate((*hosts.ALL, *at_home), 1):
        if host.literal or not host.families:
            continue
        first, more = _PUBLIC + 256 * number + 1, range(host.addresses)
        places = tuple(".".join(map(str, (first + one).to_bytes(4))) for one in more)
        yield msgspec.structs.replace(host, literal=places, families=(4,))


def _router(address: str) -> str:
    return f"{address.rpartition('.')[0]}.1"


def _link(name: str, address: str, pid: int) -> list[str]:
    """A link between the Internet and a machine."""
    return [
        f"link add name {name}1 type veth peer name {name}0 netns {pid}",
        f"addr add {_router(address)}/30 dev {name}1",
        f"link set {name}1 up",
    ]


@contextmanager
def _homes(lab: Lab) -> Iterator[None]:
    """The proxies at home, by the second and the third network."""
    pairs = [
        f"{home}={network.source}" for home, network in zip(HOMES, lab.networks[1:], strict=True)
    ]
    with subprocess.Popen(
        [*_enter(lab.pids[0], ROOT), *worker.python("tests.fresh.home_lines", *pairs)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as lines:
        assert lines.stdin is not None
        assert lines.stdout is not None
        assert lines.stdout.readline() == b"up\n"
        try:
            yield
        finally:
            lines.stdin.close()


def _enter(pid: int, folder: Path) -> list[str]:
    return ["nsenter", "-t", str(pid), "-n", "-m", f"--wd={folder}", "--"]


def _ip(pid: int, *lines: str) -> None:
    subprocess.run(
        ["nsenter", "-t", str(pid), "-n", "ip", "-batch", "-"],
        input="\n".join([*lines, ""]),
        text=True,
        check=True,
        timeout=20,
    )


def _in(pid: int, command: str) -> None:
    subprocess.run(["nsenter", "-t", str(pid), "-n", "sh", "-c", command], check=True, timeout=20)
