"""What one cycle looks like on the line of the person who hosts a vantage, counted in the lab.

    python benchmarks/line.py

Runs the shipped catalogue and the shipped settings from one network of the lab, while all is well
and while everything is blocked, as a normal and as a quiet vantage, and prints what left and
entered that network's interface. Needs what the lab needs; see tests/lab/README.md.
"""

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from monitor.config.catalog import shipped_catalog, watched_by_default
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork, Network

COUNT = """
import asyncio, collections, json, pathlib, sys
from monitor.cli.once import measure_once
from monitor.config.load import load_config
cycles = asyncio.run(measure_once(load_config(pathlib.Path(sys.argv[1]), {})))
field = [m for c in cycles for m in c.measurements if m.vantage_role == "field"]
seen = [o for m in field for o in m.observations]
kinds = collections.Counter(type(o).__name__ for o in seen)
print(json.dumps({
    "looks": len(field),
    "references": sum(m.platform == "reference" for m in field),
    "repeats": sum(m.look == "retry" for m in field),
    "follow-ups": sum(m.look == "follow_up" for m in field),
    "DNS questions": kinds["DnsObservation"],
    "names asked": len({o.name for o in seen if type(o).__name__ == "DnsObservation"}),
    "TCP connections": kinds["TcpObservation"],
    "addresses": len({o.address for o in seen if type(o).__name__ == "TcpObservation"}),
    "seconds": round(max((c.finished_at - c.started_at).total_seconds() for c in cycles)),
}))
"""


def main() -> None:
    """Print one line of JSON per story."""
    with Lab([LabNetwork("line", 17557)], controls=2) as lab:
        for blocked in (False, True):
            for profile in ("normal", "quiet"):
                if blocked:
                    block_everything(lab.network("line"))
                print(json.dumps(story(lab, profile) | {"profile": profile, "blocked": blocked}))
                sys.stdout.flush()
                lab.reset()


def block_everything(network: Network) -> None:
    """Every name is dropped after its ClientHello, every chat server's address altogether."""
    hosts = {
        endpoint.host
        for platform in watched_by_default(shipped_catalog()).platforms
        for function in platform.functions
        for endpoint in function.endpoints
    }
    network.block(sni=sorted(hosts), how="drop")
    chat = {host for host in hosts if host[-1].isdigit() or ":" in host}
    chat |= {host for host in hosts if host.endswith(".whatsapp.net")}
    network.block(address=sorted(chat), how="drop")


def story(lab: Lab, profile: str) -> dict[str, Any]:
    """One cycle, and what the interface counted meanwhile."""
    text = lab.config(
        interval="5m",
        probe={
            "dns_timeout": "4s",
            "tcp_timeout": "10s",
            "tls_timeout": "10s",
            "http_timeout": "10s",
            "rate": 20,
        },
    )
    head, name, tail = text.partition('id = "line"\n')
    path = lab.directory / "line.toml"
    path.write_text(f'{head}{name}profile = "{profile}"\n{tail}')
    script = lab.directory / "count.py"
    script.write_text(COUNT)
    before = counters(lab)
    done = lab.run(["python", str(script), str(path)], timeout=600, check=True)
    after = counters(lab)
    counted: dict[str, Any] = json.loads(done.stdout)
    return {key: after[key] - before[key] for key in after} | counted


def counters(lab: Lab) -> dict[str, int]:
    """Bytes and packets, out and in."""
    shown = lab.run(["ip", "-s", "-j", "link", "show", lab.network("line").interface], check=True)
    stats = json.loads(shown.stdout)[0]["stats64"]
    return {
        f"{what} {way}": stats[side][what]
        for way, side in (("out", "tx"), ("in", "rx"))
        for what in ("bytes", "packets")
    }


if __name__ == "__main__":
    main()
