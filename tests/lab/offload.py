"""Turn transmit checksum offload off, so that what is on the wire has real checksums.

Run inside a namespace: `python -m tests.lab.offload DEVICE…`. A veth leaves checksums to a
network card that is not there; a censor that rewrites packets would see unfinished ones.
"""

import array
import fcntl
import socket
import struct
import sys

SIOCETHTOOL = 0x8946
ETHTOOL_STXCSUM = 0x17


def main(devices: list[str]) -> None:
    """Switch it off on each device; raises OSError when the kernel refuses."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for device in devices:
            command = array.array("B", struct.pack("II", ETHTOOL_STXCSUM, 0))
            address, _ = command.buffer_info()
            request = struct.pack("16sP16x", device.encode(), address)
            fcntl.ioctl(any_socket, SIOCETHTOOL, request)


if __name__ == "__main__":
    main(sys.argv[1:])
