"""blackbox_exporter in the lab, asked about the same URLs as shutwatch, from the same network."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec

from tests.e2e.running import wait_for
from tests.lab.certificates import interceptor
from tests.lab.hosts import LabHost
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork, Network
from tests.lab.wiring import MANAGEMENT
from tests.scenarios.blackbox_said import Said

PORT = 9115
MODULES: Mapping[str, Any] = {
    # As the exporter's own example has them, with the time that Prometheus gives a scrape.
    "http_2xx": {"prober": "http", "timeout": "10s", "http": {"preferred_ip_protocol": "ip4"}},
    "tcp_connect": {"prober": "tcp", "timeout": "10s"},
}
_SUCCESS = re.compile(r"^probe_success ([01])$", re.MULTILINE)
_CHUNK = re.compile(r"(?:\A|\r\n)[0-9a-f]+\r\n")
"""What stands between the pieces that the exporter sends its lines in, which know no line ends."""
_VERSION = re.compile(r"version (\S+)")


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """One lab with one network, and what the exporter is asked there."""

    rows: Mapping[str, str]
    """Scenario → URL."""
    build: Callable[[Lab, Network], object]
    """What happens there."""
    network: str = "field"
    country: str = "PK"
    hosts: Sequence[LabHost] = ()
    six: bool = False
    """True: the network's resolver is asked over IPv6."""
    trusts: Sequence[str] = ()
    """Organisations whose authorities this machine trusts besides."""


def program() -> str:
    """Debian calls it prometheus-blackbox-exporter, its makers blackbox_exporter."""
    found = shutil.which("prometheus-blackbox-exporter") or shutil.which("blackbox_exporter")
    return found or "prometheus-blackbox-exporter"


def version() -> str:
    """Its own word for it; AssertionError when it has none."""
    done = subprocess.run([program(), "--version"], capture_output=True, text=True, check=True)
    shown = _VERSION.search(done.stdout + done.stderr)
    assert shown is not None, done
    return shown[1]


def ask(beside: Beside) -> dict[str, Said]:
    """What it says of every row, by scenario. `tcp_connect` is asked of all rows first: a censor
    that remembers a connection must not make one module answer for the other."""
    network = LabNetwork(beside.network, country=beside.country)
    with Lab([network], controls=2, direct=1, more_hosts=beside.hosts) as lab:
        here = lab.network(beside.network)
        # It binds to no address, and must not find the uncensored link that controls use.
        lab.run(["ip", "link", "set", MANAGEMENT, "down"], check=True)
        beside.build(lab, here)
        if beside.six:
            # Written in place, for the client sees this very file as its own.
            (lab.directory / "resolv.conf").write_text(f"nameserver {here.resolver6}\n")
        _start(lab, beside.trusts)
        told = {
            "tcp_connect": _probes(lab, "tcp_connect", [_target(u) for u in beside.rows.values()]),
            "http_2xx": _probes(lab, "http_2xx", list(beside.rows.values())),
        }
    return {
        row: Said(**{module: told[module][at] for module in MODULES})
        for at, row in enumerate(beside.rows)
    }


def _start(lab: Lab, trusts: Sequence[str]) -> None:
    config, trusted = lab.directory / "blackbox.yml", lab.directory / "trusted.pem"
    config.write_text(json.dumps({"modules": MODULES}))  # JSON is YAML
    authorities = (interceptor(organisation).cert_pem.bytes() for organisation in trusts)
    trusted.write_bytes(b"".join((lab.ca.read_bytes(), *authorities)))
    exporter = lab.popen(
        [program(), f"--config.file={config}", f"--web.listen-address=127.0.0.1:{PORT}"],
        env={"SSL_CERT_FILE": str(trusted), "SSL_CERT_DIR": os.devnull, "GODEBUG": "netdns=go"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for(
        lambda: exporter.poll() is not None or lab.get(PORT, "/-/healthy").get("status") == 200,
        "blackbox_exporter",
    )
    assert exporter.poll() is None, f"{program()} does not start"


def _probes(lab: Lab, module: str, targets: Sequence[str]) -> list[bool]:
    here = {"kind": "http", "address": "127.0.0.1", "port": PORT, "host": f"127.0.0.1:{PORT}"}
    looks = [
        {**here, "timeout": 30, "path": f"/probe?{urlencode({'module': module, 'target': target})}"}
        for target in targets
    ]
    told = []
    for target, seen in zip(targets, lab.look_many(looks), strict=True):
        found = _SUCCESS.search(_CHUNK.sub("", seen.get("body", "")))
        assert found is not None, (module, target, seen)
        told.append(found[1] == "1")
    return told


def _target(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.netloc}:{443 if parts.scheme == 'https' else 80}"
