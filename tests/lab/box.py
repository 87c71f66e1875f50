"""The box: a bump in the wire. Two packet sockets, a censor between them, rules on standard input.

Run inside the box's namespace: `python -m tests.lab.box NEAR FAR ROUTER4 ROUTER6`.
"""

import contextlib
import heapq
import importlib
import itertools
import os
import selectors
import socket
import sys
import time

from tests.lab.censor import CLIENT, INTERNET, Censor
from tests.lab.worker import Handler, Lines, Request, load_packages, obey

ETH_P_ALL = 3
SOL_PACKET, PACKET_IGNORE_OUTGOING = 263, 23
SO_RCVBUFFORCE = 33
BUFFER = 16 * 1024 * 1024
BATCH = 64


class Box:
    """Moves frames between two devices as the censor wishes."""

    def __init__(self, near: str, far: str, routers: tuple[str, str]) -> None:
        self._sockets = [_packet_socket(near), _packet_socket(far)]
        self._waiting: list[tuple[float, int, int, bytes]] = []
        self._order = itertools.count()
        self._lines = Lines()
        self.censor = Censor(self, routers)
        rules = self.censor.rules
        self._handlers: dict[str, Handler] = {
            "ready": lambda _: "ready",
            "add": self._add,
            "clear": lambda _: self.censor.clear(),
            "lift": lambda request: rules.lift(request["id"]),
            "hits": lambda request: rules.hits(request["id"]),
        }

    def send(self, side: int, frame: bytes) -> None:
        """Put a frame on the wire; a full queue or a link that is down loses it."""
        with contextlib.suppress(OSError):
            self._sockets[side].send(frame)

    def send_at(self, when: float, side: int, frame: bytes) -> None:
        """Put a frame on the wire at monotonic time `when`."""
        heapq.heappush(self._waiting, (when, next(self._order), side, frame))

    def run(self) -> None:
        """Until standard input ends."""
        with selectors.DefaultSelector() as selector:
            for side in (CLIENT, INTERNET):
                selector.register(self._sockets[side], selectors.EVENT_READ, side)
            selector.register(0, selectors.EVENT_READ, None)
            while True:
                for key, _ in selector.select(self._patience()):
                    if key.data is None:
                        if not self._commands():
                            return
                    else:
                        self._frames(key.data)
                self._release()

    def _add(self, request: Request) -> None:
        rule = request["rule"]
        if rule["kind"] == "quic":
            load_packages()
            importlib.import_module("tests.lab.quic_sniff")
        self.censor.rules.add(rule)

    def _patience(self) -> float | None:
        return max(0.0, self._waiting[0][0] - time.monotonic()) if self._waiting else None

    def _release(self) -> None:
        now = time.monotonic()
        while self._waiting and self._waiting[0][0] <= now:
            _, _, side, frame = heapq.heappop(self._waiting)
            self.send(side, frame)

    def _frames(self, side: int) -> None:
        take = self.censor.from_client if side == CLIENT else self.censor.from_internet
        for _ in range(BATCH):
            try:
                frame = self._sockets[side].recv(65536)
            except BlockingIOError:
                return
            except OSError:  # the link went down; it may come back
                return
            take(frame, time.monotonic())

    def _commands(self) -> bool:
        data = os.read(0, 65536)
        for line in self._lines.feed(data):
            os.write(1, obey(line, self._handlers))
        return bool(data)


def _packet_socket(device: str) -> socket.socket:
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    raw.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    try:
        raw.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
    except PermissionError:  # in a user namespace
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
    raw.setblocking(False)
    raw.bind((device, ETH_P_ALL))
    return raw


if __name__ == "__main__":
    Box(sys.argv[1], sys.argv[2], (sys.argv[3], sys.argv[4])).run()
