"""The ports of a vantage that is bound to a source address."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.lab

PORTS, CONNECTIONS = 2, 4
HOLD_CONNECTIONS = f"""
import asyncio, socket
from pathlib import Path

from probes.sockets.network import SocketNetwork, TlsContexts
from probes.vantage import Egress, EgressKind

async def main():
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range({CONNECTIONS})]
    places = [listener.getsockname()[1] for listener in listeners]
    Path("/proc/sys/net/ipv4/ip_local_port_range").write_text("50000 {50000 + PORTS - 1}")
    source = Egress(kind=EgressKind.SOURCE, source="127.0.0.7")
    network = SocketNetwork(source, TlsContexts())
    held = [await network.connect("127.0.0.1", port) for port in places]
    print(len(held))

asyncio.run(main())
"""


def test_connections_from_a_source_address_share_ports() -> None:
    """More connections from one source address than there are ports work, to different servers."""
    inside = ["unshare", "--net", "--user", "--map-root-user", "--mount", "sh", "-ec"]
    made = subprocess.run(
        [*inside, 'ip link set lo up; exec "$0" -c "$1"', sys.executable, HOLD_CONNECTIONS],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (made.stdout.strip(), made.stderr) == (str(CONNECTIONS), "")
