"""Writes cycles until it is killed, and says which ones it was told are stored.

`python -m tests.contract.crash_writer`. Each line of standard input, a file and a first number,
forks a child that stores cycles from that number on; so a round costs no start of an
interpreter. Lines out: `writer PID`, `stored ID`, `ended`.
"""

import asyncio
import os
import sys

from storage.open_store import sql_store
from tests.contract.cycles import cycle, event, log_entry

ENDPOINTS = 60
"""Of each of two platforms: big enough that most of a writer's time is spent writing."""


def _say(line: str) -> None:
    """In one write: a line that `print` wrote in two could lose its end to the kill."""
    os.write(1, f"{line}\n".encode())


async def _write(file: str, number: int) -> None:
    store = sql_store(f"sqlite:///{file}")
    await store.open()
    while True:
        saved = cycle(number, endpoints=ENDPOINTS)
        now = event(updated=600 + number)
        await store.save(saved, [now], [log_entry(number + 1, now)])
        _say(f"stored {saved.id}")
        number += 1


def main() -> None:
    """Serve one writer after another."""
    for line in sys.stdin:
        file, number = line.rsplit(maxsplit=1)
        child = os.fork()
        if child == 0:
            asyncio.run(_write(file, int(number)))
        _say(f"writer {child}")
        os.waitpid(child, 0)
        _say("ended")


if __name__ == "__main__":
    main()
