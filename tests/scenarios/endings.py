"""A program that notes how TCP connections over one interface end, as everybody on the way sees it.

    python -m tests.scenarios.endings INTERFACE

Prints `ready` when it listens. When its standard input ends it prints how many connections the
client opened, and how many of those it ended by a reset, as JSON.
"""

import json
import select
import socket
import struct
import sys

_ALL, _OUTGOING = 3, 4
"""ETH_P_ALL and PACKET_OUTGOING of Linux."""
_TCP, _SYN, _RST, _ACK = 6, 2, 4, 16


def parse(packet: bytes) -> tuple[tuple[bytes, bytes], int] | None:
    """Addresses and ports of a TCP packet, and its flags; None for any other packet."""
    version = packet[0] >> 4 if packet else 0
    if version == 4:
        start, protocol, addresses = 4 * (packet[0] & 15), packet[9], packet[12:20]
    elif version == 6:
        start, protocol, addresses = 40, packet[6], packet[8:40]
    else:
        return None
    if protocol != _TCP:
        return None
    (flags,) = struct.unpack_from("!B", packet, start + 13)
    return (addresses, packet[start : start + 4]), flags


def main() -> None:
    """Note until standard input ends."""
    opened: set[tuple[bytes, bytes]] = set()
    reset: set[tuple[bytes, bytes]] = set()
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ALL)) as every:
        every.bind((sys.argv[1], _ALL))
        every.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 20)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            ready, _, _ = select.select([every, sys.stdin], [], [])
            if every in ready:
                packet, (_, _, kind, *_) = every.recvfrom(65536)
                seen = parse(packet) if kind == _OUTGOING else None
                if seen is not None:
                    connection, flags = seen
                    if flags & (_SYN | _ACK) == _SYN:
                        opened.add(connection)
                    if flags & _RST and connection in opened:
                        reset.add(connection)
            elif sys.stdin in ready:
                break
    sys.stdout.write(json.dumps({"opened": len(opened), "reset": len(reset)}) + "\n")


if __name__ == "__main__":
    main()
