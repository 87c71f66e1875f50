"""The lab: a client, a censor on each of its networks, and an internet, in network namespaces.

    with Lab([LabNetwork("ptcl", asn=17557)], controls=2) as lab:
        lab.network("ptcl").block(sni=["x.com"], how="reset")
        lab.run(["shutwatch", "once", "--config", str(lab.config_file()), "--json"])

Everything is made by this process and gone with it, however it ends.
"""

import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from tests.lab import certificates, hosts, worker
from tests.lab.addresses import (
    OPEN_RESOLVERS,
    NetworkPlan,
    allocate,
    control_addresses,
    direct_addresses,
    domestic_networks,
    plan_network,
)
from tests.lab.hosts import LabHost
from tests.lab.namespaces import Namespace, Namespaces
from tests.lab.network import LabNetwork, Network
from tests.lab.settings_text import catalog_text, settings_text
from tests.lab.wiring import box_lines, client_lines, client_lines6, internet_lines
from tests.lab.worker import Worker, WorkerError
from tests.lab.world import Control, DirectControl, Internet

_MINTING = threading.Lock()
"""Labs side by side trust one authority: the first mints it."""
PATIENCE = 300.0
"""Seconds `run` waits unless told otherwise."""


class Lab:
    """A running lab. Use as a context manager; leaving it ends every process in it."""

    directory: Path
    """Work files; vanishes with the lab."""
    ca: Path
    """PEM of the authority whose certificates are honest here."""
    catalog: Path
    """A catalogue file with the authorities that platforms have of their own here."""
    pids: tuple[int, ...]
    """Processes that hold the namespaces of client, internet and boxes."""
    networks: list[Network]
    controls: list[Control]
    direct: list[DirectControl]
    """Controls without a proxy."""
    internet: Internet

    def __init__(
        self,
        networks: Sequence[LabNetwork] = (LabNetwork("ptcl", asn=17557),),
        *,
        controls: int = 1,
        direct: int = 0,
        more_hosts: Sequence[LabHost] = (),
        quic: bool = False,
        large_certificates: bool = False,
    ) -> None:
        """Served are hosts.ALL, the shipped references of the networks' countries, and `more_hosts`
        instead of those with the same name.

        `direct` controls have no proxy, so that their UDP works as well.
        With `quic`, hosts that can do so speak HTTP/3; it takes a quarter of a second to start.
        With `large_certificates` no server's greeting fits into one packet, as with platforms:
        where large packets get lost it never arrives, however short the client's greeting is.
        """
        self._quic = quic
        self._large_certificates = large_certificates
        self._specs = tuple(networks)
        self._control_count = controls
        self.direct = [DirectControl(index) for index in range(direct)]
        at_home = [h for spec in networks for h in hosts.domestic(spec.country)]
        table = {host.name: host for host in (*hosts.ALL, *at_home, *more_hosts)}
        self._hosts = tuple(table.values())
        self._stack = ExitStack()
        self._running: list[subprocess.Popen[Any]] = []
        self._workers: list[Worker] = []
        self._visitor: Worker | None = None

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        complaints = _serious(self.close())
        if complaints and kind is None:
            raise WorkerError(complaints)

    def close(self) -> str:
        """End everything, and give what the lab's own servers complained of.

        Doing so twice is harmless.
        """
        for child in self._running:
            _end(child)
        self._running.clear()
        for own in self._workers:
            own.let_go()
        for own in self._workers:
            own.close()
        self._workers.clear()
        complaints = "".join(log.read_text() for log in self.directory.glob("worker-*.log"))
        self._stack.close()
        return complaints

    def reset(self) -> None:
        """As new, for the next story: no rules, all links, hosts and controls up, no visits."""
        for network in self.networks:
            network.reset()
        self.internet.reset()

    def network(self, name: str) -> Network:
        """The field network of that name."""
        return next(network for network in self.networks if network.name == name)

    # --- what runs in the client ------------------------------------------

    @property
    def enter(self) -> list[str]:
        """Put before a command to run it in the client's namespace."""
        return self._client.enter(self.directory)

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float = PATIENCE,
        check: bool = False,
        env: Mapping[str, str] | None = None,
        text_in: str | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program in the client's namespace and collect what it prints.

        The virtual environment's programs are first on PATH; the working directory is
        `directory`. Raises subprocess.TimeoutExpired.
        """
        return subprocess.run(
            [*self._client.enter(self.directory), *argv],
            capture_output=True,
            text=True,
            input=text_in,
            stdin=subprocess.DEVNULL if text_in is None else None,
            timeout=timeout,
            check=check,
            env=self._environment(env),
        )

    def popen(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        **options: Any,
    ) -> subprocess.Popen[str]:
        """Start a program in the client's namespace; its pid is the program's own.

        Ended with the lab. `options` go to subprocess.Popen.
        """
        child: subprocess.Popen[str] = subprocess.Popen(
            [*self._client.enter(self.directory), *argv],
            text=True,
            env=self._environment(env),
            start_new_session=True,
            **options,
        )
        self._running.append(child)
        return child

    def look(self, kind: str, **details: Any) -> dict[str, Any]:
        """One plain look from the client; see tests.lab.visitor for kinds and details."""
        return self.look_many([{"kind": kind, **details}])[0]

    def look_many(
        self, looks: Sequence[Mapping[str, Any]], *, at_once: int = 16
    ) -> list[dict[str, Any]]:
        """Many plain looks, several at once."""
        full = [{"ca": str(self.ca), **look} for look in looks]
        seen: list[dict[str, Any]] = self._visitor_worker().ask("many", looks=full, at_once=at_once)
        return seen

    def get(self, port: int, path: str = "/", *, timeout: float = 30.0) -> dict[str, Any]:
        """What a server on the client's own loopback answers: status, headers, body, or error."""
        return self.look(
            "http",
            address="127.0.0.1",
            port=port,
            host=f"127.0.0.1:{port}",
            path=path,
            timeout=timeout,
        )

    # --- the monitor's configuration --------------------------------------

    def config(
        self,
        *,
        interval: str = "5s",
        listen: str = "127.0.0.1:10100",
        egress: str = "source",
        resolver: str = "isp",
        control_resolver: str = "",
        platforms: Sequence[str] = (),
        probe: Mapping[str, Any] | None = None,
        few_references: bool = True,
        extra: str = "",
    ) -> str:
        """TOML with one vantage per network and per control.

        `egress` is source, interface or direct; `resolver` is isp (each network's own), system
        or an address; `control_resolver` is left out when empty; `probe` adds to or overrides
        the [probe] table; with `few_references` three international ones replace those shipped;
        `extra` is appended as it is.
        """
        return settings_text(
            self.networks,
            self.controls,
            self.direct,
            ca=str(self.ca),
            database=f"sqlite:///{self.directory / 'shutwatch.db'}",
            interval=interval,
            listen=listen,
            egress=egress,
            resolver=resolver,
            control_resolver=control_resolver,
            catalog=str(self.catalog),
            platforms=platforms,
            probe=probe or {},
            few_references=few_references,
            extra=extra,
        )

    def config_file(self, **options: Any) -> Path:
        """`config` written to a file in `directory`."""
        path = self.directory / "shutwatch.toml"
        path.write_text(self.config(**options))
        return path

    # --- building ----------------------------------------------------------

    def _start(self) -> None:
        # The client's namespace removes it too, in case this process is killed.
        home = tempfile.TemporaryDirectory(prefix="lab-", ignore_cleanup_errors=True)
        self.directory = Path(self._stack.enter_context(home))
        count = range(len(self._specs))
        plans = [plan_network(i, self._specs[i].interface or f"wwan{i}") for i in count]
        namespaces = self._stack.enter_context(Namespaces())
        resolv_conf = f"nameserver {plans[0].resolver4}\noptions timeout:2 attempts:2\n"
        (self.directory / "resolv.conf").write_text(resolv_conf)
        client = self._client = namespaces.make(home=self.directory)
        internet, box = namespaces.make(), namespaces.make()
        self.pids = (client.pid, internet.pid, box.pid)
        with _MINTING:
            pems = self._certificates()
        for namespace in (client, internet, box):
            namespace.wait_up()
        far = self._worker(internet, "tests.lab.internet")
        box.ip(box_lines(plans, client.pid, internet.pid))
        boxes = [
            self._worker(
                box, "tests.lab.box", plan.near_box, plan.far_box, plan.gateway4, plan.gateway6
            )
            for plan in plans
        ]
        countries = tuple(
            sorted({n.country for n in self._specs} | {h.country for h in self._hosts if h.country})
        )
        addresses = allocate(self._hosts, countries)
        self._wire(client, internet, plans, addresses)
        fields = [_control_fields(index) for index in range(self._control_count)]
        far.send(
            "start",
            hosts=[
                _host_fields(host, addresses[host.name], pems, quic=self._quic)
                for host in self._hosts
            ],
            relay=[*hosts.TRANSPARENT_PROXY, *hosts.PRIVATE_CACHE],
            resolvers=[*OPEN_RESOLVERS, *(r for p in plans for r in (p.resolver4, p.resolver6))],
            controls=fields,
        )
        for child in boxes:
            child.ask("ready")
        far.receive()
        peers: dict[str, tuple[str, ...]] = {
            spec.name: (plan.client4, plan.client6)
            for spec, plan in zip(self._specs, plans, strict=True)
        }
        peers["controls"] = tuple(
            a for i in range(self._control_count) for a in control_addresses(i)
        ) + tuple(a for i in range(len(self.direct)) for a in direct_addresses(i))
        self.internet = Internet(far, addresses, self.directory, peers=peers)
        self.controls = [Control(far, index, given) for index, given in enumerate(fields)]
        self.networks = [
            Network(
                spec,
                plan,
                box=child,
                client=client,
                internet=self.internet,
                domestic=domestic_networks(spec.country, countries),
            )
            for spec, plan, child in zip(self._specs, plans, boxes, strict=True)
        ]

    def _certificates(self) -> dict[str, str]:
        """Files by host name."""
        self.catalog = self.directory / "own-authorities.toml"
        roots = certificates.interceptor(hosts.SIGNAL).cert_pem.bytes().decode()
        self.catalog.write_text(catalog_text({"signal.org": roots}))
        self.ca = self.directory / "ca.pem"
        certificates.authority().cert_pem.write_to_path(str(self.ca))
        files = {}
        for host in self._hosts:
            name = host.name
            path = self.directory / f"{name}.pem"
            if host.raw:
                text = ""
            elif host.own_ca:
                text = certificates.forged(name, certificates.BY + host.own_ca)
            else:
                text = certificates.honest(name, large=self._large_certificates)
            path.write_text(text)
            files[name] = str(path)
        return files

    def _wire(
        self,
        client: Namespace,
        internet: Namespace,
        plans: Sequence[NetworkPlan],
        addresses: Mapping[str, tuple[str, ...]],
    ) -> None:
        every = [address for found in addresses.values() for address in found]
        far_lines = internet_lines(plans, self._control_count, every, len(self.direct))
        with ThreadPoolExecutor(5) as pool:
            jobs = [
                pool.submit(client.ip, client_lines(plans, len(self.direct))),
                pool.submit(client.ip, client_lines6(plans, len(self.direct)), six=True),
                pool.submit(internet.ip, far_lines),
                pool.submit(_offload, client, [plan.interface for plan in plans]),
                pool.submit(_offload, internet, [plan.far for plan in plans]),
            ]
            for job in jobs:
                job.result()

    def _worker(self, namespace: Namespace, module: str, *arguments: str) -> Worker:
        log = self.directory / f"worker-{module.rpartition('.')[2]}.log"
        child = Worker(namespace.enter(worker.ROOT), module, log, *arguments)
        self._workers.append(child)
        self._stack.callback(child.close)
        return child

    def _visitor_worker(self) -> Worker:
        if self._visitor is None:
            self._visitor = self._worker(self._client, "tests.lab.visitor")
        return self._visitor

    def _environment(self, more: Mapping[str, str] | None) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        return {**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1", **(more or {})}


def _offload(namespace: Namespace, devices: list[str]) -> None:
    subprocess.run(
        [*namespace.enter(worker.ROOT), *worker.python("tests.lab.offload", *devices)],
        check=True,
        timeout=60,
    )


def _control_fields(index: int) -> dict[str, Any]:
    address4, address6 = control_addresses(index)
    return {
        "address4": address4,
        "address6": address6,
        "port": 1080,
        "username": f"control{index + 1}",
        "password": f"secret-{index + 1}",
        "resolver": OPEN_RESOLVERS[0],
    }


def _host_fields(
    host: LabHost, addresses: tuple[str, ...], pems: Mapping[str, str], *, quic: bool
) -> dict[str, Any]:
    return {
        "name": host.name,
        "pem": pems[host.name],
        "addresses": addresses,
        "ports": host.ports,
        "raw": host.raw,
        "speaks": host.speaks,
        "stun": host.stun,
        "ntp": host.ntp,
        "quic": host.quic and quic,
        "rotate": host.rotate,
        "https": msgspec.to_builtins(host.https),
        "http": msgspec.to_builtins(host.http),
        "group": host.group,
        "cname": host.cname,
        "doh": host.doh,
    }


def _end(child: "subprocess.Popen[Any]") -> None:
    """Ask it to end, then make it."""
    child.terminate()
    try:
        child.wait(timeout=5)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    for stream in (child.stdin, child.stdout, child.stderr):
        if stream is not None:
            with suppress(OSError):
                stream.close()


_HUNG_UP = re.compile(
    r"^Exception in callback .*\n(?:(?!Exception in callback).*\n)*?"
    r"OSError: \[Errno 107\] Transport endpoint is not connected\n?",
    flags=re.MULTILINE,
)
"""What asyncio says when it ends its half of a conversation whose other end has hung up already."""
_FORGOTTEN = re.compile(
    r"^Exception ignored in: <function _SelectorTransport\.__del__ .*\n"
    r"(?:(?!Exception ignored in).*\n)*?TypeError: 'NoneType' object is not iterable\n?",
    flags=re.MULTILINE,
)
"""What Python 3.13 says of a conversation that is forgotten after its server has closed."""


def _serious(complaints: str) -> str:
    """What a worker said on standard error, less asyncio's words about conversations whose other
    end hung up, or that were still going on when the lab ended: a process that is told to go has no
    time for them."""
    unfinished = ("Task was destroyed but it is pending!", "task: <Task pending")
    heard = _FORGOTTEN.sub("", _HUNG_UP.sub("", complaints)).splitlines()
    return "\n".join(line for line in heard if not line.startswith(unfinished)).strip()
