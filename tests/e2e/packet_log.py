"""A program that notes to where packets leave this network namespace, over every interface.

    python -m tests.e2e.packet_log FILE

The file has a line for each kind of packet that was new: `tcp ADDRESS PORT` for the first packet of
a connection, `udp ADDRESS PORT`, and `other ADDRESS 0`.
"""

import socket
import struct
import sys
from pathlib import Path

_ALL, _OUTGOING = 3, 4
"""ETH_P_ALL and PACKET_OUTGOING of Linux."""
_TCP, _UDP, _ICMP6 = 6, 17, 58
_SYN, _ACK = 2, 16


def destination(packet: bytes) -> str:
    """The line of an IP packet; empty where it answers or is none."""
    version = packet[0] >> 4 if packet else 0
    if version == 4:
        start, protocol = 4 * (packet[0] & 15), packet[9]
        address = socket.inet_ntop(socket.AF_INET, packet[16:20])
    elif version == 6:
        start, protocol = 40, packet[6]
        address = socket.inet_ntop(socket.AF_INET6, packet[24:40])
    else:
        return ""
    if protocol == _TCP:
        flags = packet[start + 13]
        if not flags & _SYN or flags & _ACK:
            return ""
    if protocol in (_TCP, _UDP):
        (port,) = struct.unpack_from("!H", packet, start + 2)
        return f"{'tcp' if protocol == _TCP else 'udp'} {address} {port}"
    # The kernel itself finds neighbours (ICMPv6) and joins groups on the link (ff02::16).
    of_kernel = protocol == _ICMP6 or address == "ff02::16"
    return "" if of_kernel else f"other {address} 0"


def main() -> None:
    """Note until ended."""
    seen: set[str] = set()
    with (
        socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ALL)) as every,
        Path(sys.argv[1]).open("w") as out,
    ):
        while True:
            packet, (_, _, kind, *_) = every.recvfrom(65536)
            line = destination(packet) if kind == _OUTGOING else ""
            if line and line not in seen:
                seen.add(line)
                print(line, file=out, flush=True)


if __name__ == "__main__":
    main()
