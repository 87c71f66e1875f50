"""What a probe costs, next to what one would use instead: `make bench`.

A probe is one UDP DNS lookup, one TCP connection, one verified TLS handshake and a GET of 2 KB. The
hosts are those of cycles that come round, as benchmarks/names.py says. Everything runs on loopback
in a network namespace of its own, the client pinned to one core and the servers to another. Rounds
are interleaved, so that whatever else the machine does hits all alike; medians are compared.
docs/benchmarks.md says what is counted.
"""

import argparse
import asyncio
import json
import os
import platform
import ssl
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import msgspec

from benchmarks import certificates, namespace
from benchmarks.blackbox import PROGRAM, Blackbox
from benchmarks.clients import Order
from benchmarks.names import CYCLES_AN_HOUR, PER_CYCLE

OURS = {
    "ours": "shutwatch, IPv4 only, row stored",
    "ours_cold": "shutwatch, IPv4 only, row stored, every chain verified",
    "ours_both": "shutwatch, IPv4 and IPv6 (the default), row stored",
}
BLACKBOX = f"{PROGRAM}, IPv4 only"
HTTPX = "plain httpx, IPv4 only, nothing stored"
WARM_UP = CYCLES_AN_HOUR * PER_CYCLE
"""An hour's cycles, so that every host has been met that is to come round."""


class Program:
    """A Python program of the benchmark on one core, spoken to in lines."""

    def __init__(self, core: int, module: str, argument: str) -> None:
        self._process = subprocess.Popen(
            ["taskset", "-c", str(core), sys.executable, "-m", f"benchmarks.{module}", argument],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def say(self, line: object) -> None:
        """One line to it."""
        assert self._process.stdin is not None
        print(line, file=self._process.stdin, flush=True)

    def hear(self) -> Any:
        """One line of JSON from it."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            sys.exit(f"{self._process.args!r} ended before its time")
        return json.loads(line)

    def stop(self) -> None:
        """Tell it that there is no more."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was measured."""

    machine: dict[str, str]
    probes: int
    """A round."""
    cpu_per_1000: dict[str, list[float]]
    """Variant → CPU seconds per 1,000 probes, round by round."""
    recognised: dict[str, float]
    """Variant of ours → share of its handshakes, warm-up left out, whose chain was recognised."""
    kib_per_stuck_probe: float

    def median(self, variant: str) -> float:
        """The figure to quote."""
        return statistics.median(self.cpu_per_1000[variant])


def main() -> None:
    """Measure and print."""
    arguments = _arguments()
    namespace.enter()
    client_core, server_core = sorted(os.sched_getaffinity(0))[:2]
    os.sched_setaffinity(0, {server_core})
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        result = measure(arguments, Path(folder), client_core, server_core)
    if arguments.json:
        print(json.dumps(as_json(result), indent=2))
    else:
        print(as_table(result))


def measure(
    arguments: argparse.Namespace, folder: Path, client_core: int, server_core: int
) -> Result:
    """Run every round."""
    files = certificates.make(folder)
    servers = Program(server_core, "servers", files.server)
    port, silent_port = servers.hear()
    order = Order(
        kind="", anchor=files.anchor, port=port, folder=str(folder), window=arguments.window
    )

    def client(kind: str) -> Program:
        told = msgspec.structs.replace(order, kind=kind)
        return Program(client_core, "clients", msgspec.json.encode(told).decode())

    programs = {**{name: client(kind) for kind, name in OURS.items()}, HTTPX: client("httpx")}
    version = Blackbox.version()
    blackbox = Blackbox(folder, files.anchor, client_core) if version else None
    figures: dict[str, list[float]] = {}
    shares: dict[str, list[float]] = {}

    def note(name: str, cpu: float, count: int, *, warming: bool) -> None:
        if not warming:
            figures.setdefault(name, []).append(cpu * 1000 / count)

    for round_ in range(arguments.rounds + 1):
        warming = round_ == 0
        count = WARM_UP if warming else arguments.probes
        for name, program in programs.items():
            program.say(count)
            cpu, *recognised = program.hear()
            note(name, cpu, count, warming=warming)
            if recognised and not warming:
                shares.setdefault(name, []).append(recognised[0])
        if blackbox is not None:
            cpu = asyncio.run(blackbox.probe(port, count))
            note(BLACKBOX, cpu, count, warming=warming)
        print(f"round {round_} of {arguments.rounds}", file=sys.stderr)
    stuck = client("stuck")
    stuck.say(arguments.stuck)
    stuck.say(silent_port)
    kib = stuck.hear()
    for program in (*programs.values(), stuck, servers):
        program.stop()
    if blackbox is not None:
        blackbox.stop()
    return Result(
        machine=_machine(version),
        probes=arguments.probes,
        cpu_per_1000=figures,
        recognised={name: statistics.mean(seen) for name, seen in shares.items()},
        kib_per_stuck_probe=kib,
    )


def as_json(result: Result) -> dict[str, Any]:
    """For other programs: the figures, their medians and what they are to the alternatives'."""
    return {
        "machine": result.machine,
        "probes_per_round": result.probes,
        "variants": {
            name: {
                "cpu_seconds_per_1000": [round(figure, 4) for figure in figures],
                "median": round(result.median(name), 4),
                "times_blackbox": _times(result, name, BLACKBOX),
                "times_httpx": _times(result, name, HTTPX),
            }
            for name, figures in result.cpu_per_1000.items()
        },
        "chains_recognised": {name: round(share, 3) for name, share in result.recognised.items()},
        "kib_per_probe_stuck_in_tls": round(result.kib_per_stuck_probe, 1),
    }


def as_table(result: Result) -> str:
    """For people."""
    rounds = len(next(iter(result.cpu_per_1000.values())))
    lines = [
        *(f"{name}: {value}" for name, value in result.machine.items()),
        "",
        f"CPU seconds of the client per 1,000 probes, {rounds} rounds of {result.probes:,}",
        "",
        f"{'':56}{'median':>8}{'lowest':>8}{'highest':>8}{'× blackbox':>12}{'× httpx':>9}",
    ]
    for name, figures in sorted(result.cpu_per_1000.items(), key=lambda pair: min(pair[1])):
        lines.append(
            f"{name:56}{result.median(name):8.3f}{min(figures):8.3f}{max(figures):8.3f}"
            f"{_shown(_times(result, name, BLACKBOX)):>12}{_shown(_times(result, name, HTTPX)):>9}"
        )
    lines += ["", "handshakes whose chain was recognised:"]
    lines += [f"  {name}: {share:.1%}" for name, share in result.recognised.items()]
    lines += ["", f"memory per probe stuck in TLS: {result.kib_per_stuck_probe:.1f} KiB"]
    return "\n".join(lines)


def _times(result: Result, name: str, other: str) -> float | None:
    if other not in result.cpu_per_1000:
        return None
    return round(result.median(name) / result.median(other), 3)


def _shown(ratio: float | None) -> str:
    return "–" if ratio is None else f"{ratio:.2f}"


def _machine(blackbox: str) -> dict[str, str]:
    model = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return {
        "processor": f"{model}, {os.cpu_count()} cores",
        "kernel": platform.release().partition("-")[0],
        "python": platform.python_version(),
        "openssl": ssl.OPENSSL_VERSION.partition("  ")[0],
        "compared with": blackbox or f"nothing ({PROGRAM} or taskset is not installed)",
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--probes",
        type=int,
        default=1000,
        help=f"of each kind in a round; a multiple of {PER_CYCLE}",
    )
    parser.add_argument("--stuck", type=int, default=1000, help="probes to hang for the memory")
    parser.add_argument(
        "--window",
        type=float,
        default=-1.0,
        help="seconds to listen for a second DNS answer; negative: the default",
    )
    parser.add_argument("--folder", help="where databases are made; a temporary folder by default")
    arguments = parser.parse_args()
    if arguments.probes < PER_CYCLE or arguments.probes % PER_CYCLE:
        parser.error(f"--probes must be a multiple of {PER_CYCLE}")
    return arguments


if __name__ == "__main__":
    main()
