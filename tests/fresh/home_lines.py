"""Proxies at people's homes: each listens at one address of this machine and goes out by another.

    python -m tests.fresh.home_lines 10.8.0.2=198.51.100.10 10.8.0.3=198.51.100.18

Says `up` once they serve, and ends with its standard input.
"""

import asyncio
import sys

from tests.lab.socks import Control, MachineNames

PORT, USER, PASSWORD = 1080, "monitor", "at-home"


async def main(pairs: list[str]) -> None:
    """Serve until standard input ends."""
    for pair in pairs:
        listens, goes_out = pair.split("=")
        line = Control(
            names=MachineNames(),
            listens=listens,
            address4=goes_out,
            address6="",
            port=PORT,
            username=USER,
            password=PASSWORD,
            resolver="",
        )
        await line.open()
    sys.stdout.write("up\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
