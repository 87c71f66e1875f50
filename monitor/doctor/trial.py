"""What the checks have in common: what they try, and what they say."""

import asyncio
import shutil
import socket
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from monitor.agent.collector_clock import Machine, this_machine
from monitor.config.settings import Settings
from monitor.measuring.probers import Probers
from monitor.wording.failures_and_methods import failure_in_words
from monitor.wording.findings import Finding
from monitor.wording.words import words_in
from probes.sockets.failure_mapping import failure_of
from probes.sockets.system_resolvers import ResolverAddress
from storage.values.steady_clock import utc_now

DIAL = 8.0
"""Seconds that a connection to a server may take."""
_UNRESOLVED = "its name does not resolve"


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was tried."""

    check: str
    """Its kind, as in `database`."""
    about: str = ""
    """Which one of several; never an address of a vantage."""
    finding: Finding | None = None
    """What is wrong; None: it works."""


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What to try, and the machine it is tried on."""

    settings: Settings
    probers: Probers
    system: Sequence[ResolverAddress] = ()
    """The machine's own resolvers."""
    now: Callable[[], datetime] = utc_now
    machine: Callable[[], Machine] = this_machine
    """Its clocks, as an agent has them."""
    free_bytes: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free
    send: bool = False
    """Send a test message to every address of notifications, and ping once."""
    prometheus: str = ""
    """URL of a Prometheus that should read the metrics; empty: none."""


Check = Callable[[Trial], Awaitable[Sequence[Checked]]]


def found(check: str, about: str, what: str, **values: str) -> Checked:
    """Something that is wrong."""
    return Checked(check=check, about=about, finding=Finding(what=what, values=values))


async def server_silent(host: str, port: int) -> str:
    """Why no connection to a server can be made; empty when one can."""
    try:
        async with asyncio.timeout(DIAL):
            _, writer = await asyncio.open_connection(host, port)
    except OSError as error:
        return why_silent(error)
    except UnicodeError:  # a part of the name is empty or too long
        return _UNRESOLVED
    writer.close()
    return ""


def why_silent(error: OSError) -> str:
    """Why there is no connection."""
    if isinstance(error, socket.gaierror):
        return _UNRESOLVED
    # Of several addresses asyncio tells the errors in one, which has no number.
    several = error.errno is None and not isinstance(error, TimeoutError)
    if several:
        return "none of its addresses connects"
    return failure_in_words(words_in(), failure_of(error))
