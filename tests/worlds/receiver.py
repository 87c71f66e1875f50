"""A service that takes messages: a web server on loopback that notes what it was sent.

In a test, `with receiving() as inbox`; as a program, `python -m tests.worlds.receiver PORT FILE`,
which writes one JSON object a line to FILE and answers 503 while FILE.closed exists.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec

Letter = dict[str, Any]
MOVED = "/moved"
"""The path that a status of 300 to 399 leads to, which takes everything."""


class Inbox:
    """What came, and what is answered."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.letters: list[Letter] = []
        """Each with the `path` it was sent to."""
        self.status = 200
        self.delay = 0.0
        """Seconds before it is answered."""

    def url(self, path: str = "") -> str:
        """As Apprise writes the address of a webhook."""
        return f"json://127.0.0.1:{self.port}/{path}"


def serve(port: int, take: Callable[[Letter], int]) -> ThreadingHTTPServer:
    """A server; `take` gets each letter and says which status to answer with."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(take({**msgspec.json.decode(body), "path": self.path}))

        def do_GET(self) -> None:
            self._answer(take({"path": self.path}))

        def _answer(self, status: int) -> None:
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", MOVED)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


@contextmanager
def receiving() -> Iterator[Inbox]:
    """A server in a thread, for as long as the context lasts."""
    letters: list[Letter] = []

    def take(letter: Letter) -> int:
        time.sleep(inbox.delay)
        status = 200 if letter["path"] == MOVED else inbox.status
        if status == 200:
            letters.append(letter)
        return status

    server = serve(0, take)
    inbox = Inbox(server.server_port)
    inbox.letters = letters
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield inbox
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def main() -> None:
    """Serve until killed."""
    port, file = int(sys.argv[1]), Path(sys.argv[2])
    closed = file.with_name(f"{file.name}.closed")

    def take(letter: Letter) -> int:
        if closed.exists():
            return 503
        with file.open("ab", buffering=0) as out:
            out.write(msgspec.json.encode(letter) + b"\n")
        return 200

    serve(port, take).serve_forever(0.05)


if __name__ == "__main__":
    main()
