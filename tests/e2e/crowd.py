"""A crowd that means harm: `python -m tests.e2e.crowd PORT SECONDS PASSWORDS [quiet]`.

It holds 1,500 connections idle and 600 downloads that it does not read, sends 5,000 requests a
second, and guesses passwords from eight places, each crowd from addresses of its own. Meanwhile
operators sign in, each for the first time: PASSWORDS is a file with a line `name:password` for
each; with `quiet` they are alone. Prints what came of it as JSON.
"""

import asyncio
import base64
import json
import socket
import sys
import time
from collections import Counter
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

IDLE, STALLED, GUESSERS = 1500, 600, 8
OFFERED = 5000
"""Requests sent each second."""
_BURST = 100
"""Requests sent at once on one of the connections that do not wait for answers."""
_PATHS = ("/", "/events", "/countries/PK", "/api/v1/events", "/nowhere", "/vantages")
_FILE = "/api/v1/measurements.csv"
_PAUSE = 10.0
"""Seconds until whoever was closed comes again."""


def _request(path: str, authorization: str = "") -> bytes:
    signed = f"Authorization: {authorization}\r\n" if authorization else ""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{signed}\r\n".encode()


def _basic(name: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"


class Crowd:
    """All of them, and what they count."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._loop = asyncio.get_running_loop()
        self.counts: Counter[str] = Counter()
        self.signed_in: list[float] = []
        self.refused: list[str] = []

    async def _connect(self, address: str, receives: int = 0) -> socket.socket:
        made = socket.socket()
        made.setblocking(False)
        if receives:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receives)
        try:
            made.bind((address, 0))
            await self._loop.sock_connect(made, ("127.0.0.1", self._port))
        except BaseException:
            made.close()
            raise
        return made

    async def idle(self, number: int) -> None:
        """Connect and say nothing; come again when closed."""
        await self._again(f"127.0.1.{1 + number % 15}", b"", "idle")

    async def stalled(self, number: int) -> None:
        """Ask for a file and read nothing of it."""
        address = f"127.0.2.{1 + number % 10}"
        while True:
            try:
                with await self._connect(address, 4096) as made:
                    await self._loop.sock_sendall(made, _request(_FILE))
                    self.counts["downloads begun"] += 1
                    await asyncio.sleep(20)
                    # Whether it is still connected shows on the first bytes alone.
                    if await self._loop.sock_recv(made, 64):
                        await asyncio.sleep(3600)
            except OSError:
                self.counts["stalled closed"] += 1
            await asyncio.sleep(_PAUSE)

    async def _again(self, address: str, request: bytes, name: str) -> None:
        while True:
            try:
                with await self._connect(address) as made:
                    self.counts[f"{name} begun"] += 1
                    if request:
                        await self._loop.sock_sendall(made, request)
                    while await self._loop.sock_recv(made, 65536):
                        pass
            except OSError:
                pass
            self.counts[f"{name} closed"] += 1
            await asyncio.sleep(_PAUSE)

    async def asking(self, number: int) -> None:
        """Ask, read, ask again at once."""
        request = _request(_PATHS[number % len(_PATHS)])
        while True:
            try:
                with await self._connect(f"127.0.3.{1 + number % 10}") as made:
                    while True:
                        await self._loop.sock_sendall(made, request)
                        self.counts["requests"] += 1
                        if not await self._loop.sock_recv(made, 262144):
                            break
            except OSError:
                pass
            await asyncio.sleep(1)

    async def flood(self) -> None:
        """Send the rest of the requests, without waiting for a single answer."""
        began, number = time.monotonic(), 0
        while True:
            missing = OFFERED * (time.monotonic() - began) - self.counts["requests"]
            if missing < _BURST:
                await asyncio.sleep(0.005)
                continue
            number += 1
            many = _request(_PATHS[number % len(_PATHS)]) * _BURST
            try:
                with await self._connect(f"127.0.3.{1 + number % 10}") as made:
                    await self._loop.sock_sendall(made, many)
            except OSError:
                self.counts["floods refused"] += 1
            self.counts["requests"] += _BURST

    async def guesser(self, number: int) -> None:
        """Guess, and guess again."""
        tries = 0
        while True:
            tries += 1
            request = _request("/vantages", _basic("asma-0", f"guess {number} {tries}"))
            try:
                with await self._connect(f"127.0.4.{1 + number}") as made:
                    await self._loop.sock_sendall(made, request)
                    await self._loop.sock_recv(made, 65536)
                    self.counts["guesses"] += 1
            except OSError:
                await asyncio.sleep(0.5)

    async def operators(self, users: list[str], every: float) -> None:
        """One after the other signs in, never having done so before."""
        for line in users:
            await asyncio.sleep(every)
            request = _request("/vantages", _basic(*line.split(":", 1)))
            began = time.monotonic()
            try:
                async with asyncio.timeout(30):
                    with await self._connect("127.0.0.1") as made:
                        await self._loop.sock_sendall(made, request)
                        answer = (await self._loop.sock_recv(made, 65536)).partition(b"\r\n")[0]
            except (OSError, TimeoutError) as error:
                answer = repr(error).encode()
            self.signed_in.append(time.monotonic() - began)
            if b" 200 " not in answer:
                self.refused.append(answer.decode())

    def harmful(self) -> list[Coroutine[Any, Any, None]]:
        """All who mean harm."""
        return [
            *(self.idle(number) for number in range(IDLE)),
            *(self.stalled(number) for number in range(STALLED)),
            *(self.asking(number) for number in range(60)),
            *(self.flood() for _ in range(4)),
            *(self.guesser(number) for number in range(GUESSERS)),
        ]


async def main(port: int, seconds: float, users: list[str], *, quiet: bool) -> None:
    """Do harm for so many seconds."""
    crowd = Crowd(port)
    alone = [crowd.operators(users, seconds / (len(users) + 4))]
    everybody = alone if quiet else [*alone, *crowd.harmful()]
    tasks = [asyncio.create_task(one) for one in everybody]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    print(  # noqa: T201 # that is its answer
        json.dumps({**crowd.counts, "signed_in": crowd.signed_in, "refused": crowd.refused})
    )


if __name__ == "__main__":
    given_port, given_seconds, passwords, *rest = sys.argv[1:]
    people = Path(passwords).read_text().split()
    asyncio.run(main(int(given_port), float(given_seconds), people, quiet=bool(rest)))
