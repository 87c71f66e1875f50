"""prometheus-blackbox-exporter, asked to probe, and what that costs it.

Its own cost is read from the kernel's account of the process while a driver on the other core
asks for probes. That includes serving /probe and writing out the metrics, which is how it gives
its result, as ours is a row in the database. It resolves one family, where ours asks for both.
"""

import asyncio
import atexit
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.certificates import ONE_FAMILY
from benchmarks.names import name
from probes.sockets.http_client import httpx

PROGRAM = "prometheus-blackbox-exporter"
CONCURRENCY = 100
_MODULE = {
    "prober": "http",
    "timeout": "10s",
    "http": {
        "method": "GET",
        "valid_status_codes": [200],
        "fail_if_not_ssl": True,
        "enable_http2": False,
        "preferred_ip_protocol": "ip4",
        "ip_protocol_fallback": False,
    },
}
_TICKS = os.sysconf("SC_CLK_TCK")
_PORT = 9115
_HERE = f"http://127.0.0.1:{_PORT}"


class Blackbox:
    """One running exporter, pinned to a core."""

    def __init__(self, folder: Path, anchor: str, core: int) -> None:
        config = folder / "blackbox.yml"
        # JSON is YAML.
        config.write_text(json.dumps({"modules": {"https_2xx": _MODULE}}))
        environment = {
            **os.environ,
            # The trusted root as if it were the system's, which it reads once and not per probe.
            "SSL_CERT_FILE": anchor,
            "SSL_CERT_DIR": str(folder / "none"),
            "GODEBUG": "netdns=go",
        }
        self._process = subprocess.Popen(
            [
                *("taskset", "-c", str(core), PROGRAM),
                f"--config.file={config}",
                f"--web.listen-address=127.0.0.1:{_PORT}",
                "--log.level=error",
            ],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        atexit.register(self._process.kill)  # whatever else goes wrong
        self._count = 0

    @staticmethod
    def version() -> str:
        """Its own words, or empty when it is not installed."""
        if shutil.which(PROGRAM) is None or shutil.which("taskset") is None:
            return ""
        shown = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True)
        return (shown.stdout or shown.stderr).split(" (")[0].replace(", version", "")

    def cpu(self) -> float:
        """CPU seconds so far, of all its threads."""
        stat = Path(f"/proc/{self._process.pid}/stat").read_text()
        fields = stat.rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    async def probe(self, port: int, count: int) -> float:
        """Have it make so many probes; the CPU seconds they cost it."""
        hosts = [name(self._count + n, ONE_FAMILY) for n in range(count)]
        self._count += count
        limits = httpx.Limits(max_connections=CONCURRENCY)
        async with httpx.AsyncClient(limits=limits, timeout=60, trust_env=False) as client:
            await self._ready(client)
            before = self.cpu()
            await asyncio.gather(*(_ask(client, host, port) for host in hosts))
            return self.cpu() - before

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait()

    @staticmethod
    async def _ready(client: httpx.AsyncClient) -> None:
        for _ in range(100):
            try:
                await client.get(f"{_HERE}/-/healthy")
            except httpx.TransportError:
                await asyncio.sleep(0.1)
            else:
                return
        sys.exit(f"{PROGRAM} does not start")


async def _ask(client: httpx.AsyncClient, host: str, port: int) -> None:
    parameters = {"module": "https_2xx", "target": f"https://{host}:{port}/"}
    response = await client.get(f"{_HERE}/probe", params=parameters)
    assert "\nprobe_success 1" in response.text, response.text
    assert "\nprobe_http_version 1.1" in response.text
