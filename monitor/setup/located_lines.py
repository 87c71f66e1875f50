"""The network of each line of this machine, by the operator's files and server.

An address is looked up at once and dropped; it is neither stored nor shown.
"""

import fcntl
import ipaddress
import socket
import struct
from collections.abc import Sequence

import msgspec

from monitor.config.egress import parse_egress
from monitor.config.load import UNKNOWN_COUNTRY, default_settings
from monitor.measuring.exits import asn_of, network_name_of, records_of
from monitor.measuring.probers import Probers
from monitor.setup.local_lines import LocalLine
from probes.measure.exit_address import ask_echo
from probes.vantage import VantagePoint
from storage.values.steady_clock import utc_now

_GET_ADDRESS = 0x8915
"""SIOCGIFADDR of Linux."""


class Located(msgspec.Struct, frozen=True, kw_only=True):
    """The network of a line; 0 and empty when not known."""

    asn: int = 0
    network: str = ""


async def located(
    lines: Sequence[LocalLine], mmdb: Sequence[str], echo: str = ""
) -> tuple[Located, ...]:
    """Of each line. `echo` is a URL that tells the address it sees, asked by each line whose own
    address is none of the public internet's."""
    if not mmdb:
        return (Located(),) * len(lines)
    addresses = [_own_address(line.device) for line in lines]
    if echo:
        vantages = tuple(
            VantagePoint(id=str(n), country=UNKNOWN_COUNTRY, egress=parse_egress(line.egress))
            for n, line in enumerate(lines)
        )
        settings = msgspec.structs.replace(default_settings(), vantages=vantages)
        async with Probers(settings, now=utc_now) as probers:
            for n, address in enumerate(addresses):
                if not address:
                    addresses[n] = await ask_echo(probers.prober(str(n)), echo)
    return tuple(_looked_up(mmdb, address) for address in addresses)


def _looked_up(files: Sequence[str], address: str) -> Located:
    asn, network = 0, ""
    for record in records_of(files, address) if address else ():
        asn, network = asn or asn_of(record), network or network_name_of(record)
    return Located(asn=asn, network=network)


def _own_address(device: str) -> str:
    """The public IPv4 address of a device; empty for none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            answer = fcntl.ioctl(
                sock.fileno(), _GET_ADDRESS, struct.pack("256s", device.encode()[:15])
            )
        except OSError:
            return ""
    address = socket.inet_ntoa(answer[20:24])
    return address if ipaddress.ip_address(address).is_global else ""
