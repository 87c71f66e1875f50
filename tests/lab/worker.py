"""Child processes that obey JSON lines: one request, one answer, no waiting by guesswork.

`Worker` is the parent's handle; the rest is for the children, which end when their standard
input does and know nothing but the standard library.
"""

import contextlib
import json
import site
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
Request = dict[str, Any]
Handler = Callable[[Request], Any]
AsyncHandler = Callable[[Request], Awaitable[Any]]


class WorkerError(RuntimeError):
    """A child refused a request or died; the message holds what it said."""


def python(module: str, *arguments: str) -> list[str]:
    """Start `module` with the standard library alone: quick, and free of what is installed."""
    return [sys.executable, "-S", "-E", "-s", "-m", module, *arguments]


def load_packages() -> None:
    """Make what is installed importable after all, for children that are asked to speak QUIC."""
    site.main()


class Worker:
    """A child in a namespace. `ask` may be called from any thread."""

    def __init__(self, enter: Sequence[str], module: str, log: Path, *arguments: str) -> None:
        self._log = log
        self._name = module
        self._lock = threading.Lock()
        with log.open("ab") as errors:
            self._child = subprocess.Popen(
                [*enter, *python(module, *arguments)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )
        self.pid = self._child.pid

    def ask(self, do: str, **arguments: Any) -> Any:
        """Send one request and wait for its answer; raises WorkerError."""
        with self._lock:
            self.send(do, **arguments)
            return self.receive()

    def send(self, do: str, **arguments: Any) -> None:
        """Send a request whose answer `receive` will bring: lets several children work at once."""
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self._child.stdin.flush()
        except BrokenPipeError:
            raise self._died() from None

    def receive(self) -> Any:
        """The answer to the oldest request not yet answered; raises WorkerError."""
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line:
            raise self._died()
        reply = json.loads(line)
        if "error" in reply:
            raise WorkerError(f"{self._name}: {reply['error']}")
        return reply["answer"]

    def let_go(self) -> None:
        """Close its input, so that it ends."""
        if self._child.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._child.stdin.close()

    def close(self) -> None:
        """Let it go and wait for its end."""
        self.let_go()
        if self._child.stdout is not None:
            self._child.stdout.close()
        self._child.wait(timeout=60)

    def _died(self) -> WorkerError:
        said = self._log.read_text(errors="replace")[-3000:]
        return WorkerError(f"{self._name} ended: {said}")


def obey(line: bytes, handlers: Mapping[str, Handler]) -> bytes:
    """Carry out one request line and give the answer line."""
    request = json.loads(line)
    try:
        return _reply(answer=handlers[request.pop("do")](request))
    except Exception as error:  # noqa: BLE001  (whatever it is, the test must hear of it)
        return _reply(error=f"{type(error).__name__}: {error}")


async def obey_async(line: bytes, handlers: Mapping[str, AsyncHandler]) -> bytes:
    """The same for handlers that wait."""
    request = json.loads(line)
    try:
        return _reply(answer=await handlers[request.pop("do")](request))
    except Exception as error:  # noqa: BLE001  (as above)
        return _reply(error=f"{type(error).__name__}: {error}")


def _reply(**reply: Any) -> bytes:
    return json.dumps(reply).encode() + b"\n"


def tuples(fields: Request) -> Request:
    """JSON's lists as the tuples that values are made of."""
    return {key: tuple(v) if isinstance(v, list) else v for key, v in fields.items()}


class Lines:
    """Joins what arrives on a pipe to whole lines."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The lines completed by `data`."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        return whole
