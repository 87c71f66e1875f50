"""A network of the benchmark's own: loopback alone, and a resolver that everybody asks.

Other programs find their resolver in /etc/resolv.conf, at port 53. In a network and mount
namespace of our own both can be what the benchmark needs, without touching the machine.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

_INSIDE = "SHUTWATCH_BENCHMARK_INSIDE"
RESOLVER = "127.0.0.1"
OWN_ADDRESSES = ("198.51.100.7", "2001:db8:7::7")
"""What the client is bound to: like a vantage's own, and unlike loopback, they are to be hidden."""


def enter() -> None:
    """Start this program again in namespaces of its own, or return if it is already there.

    Exits with a reason where namespaces are not to be had.
    """
    if os.environ.get(_INSIDE):
        _furnish()
        return
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        sys.exit("this benchmark needs `unshare` and `ip` (util-linux, iproute2)")
    owner = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    command = ["unshare", *owner, "--net", "--mount", sys.executable, *sys.argv]
    environment = {
        **os.environ,
        _INSIDE: "1",
        "PYTHONPATH": str(Path(__file__).resolve().parent.parent),
    }
    finished = subprocess.run(command, env=environment, check=False)
    sys.exit(finished.returncode)


def _furnish() -> None:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for address in OWN_ADDRESSES:
        subprocess.run(["ip", "address", "add", address, "dev", "lo"], check=True)
    files = {
        "/etc/resolv.conf": f"nameserver {RESOLVER}\n",
        "/etc/nsswitch.conf": "hosts: files dns\n",
    }
    for path, text in files.items():
        if not Path(path).exists():
            continue
        with tempfile.NamedTemporaryFile("w", delete=False) as file:
            file.write(text)
        subprocess.run(["mount", "--bind", file.name, path], check=True)
        Path(file.name).unlink()
