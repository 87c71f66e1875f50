"""A world: what is true on each network at each moment, before anything measured it.

Times are seconds after the world's beginning, by a clock that nobody sets. What a program says is
compared with this, so nothing here is computed by the program.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from tests.worlds.build import START

INTERVAL = 300.0
"""Seconds from one cycle of a vantage to its next."""
COUNTRY, ELSEWHERE = "PK", "BR"
"""Where the world is, and a country that nobody watches."""
PLATFORM, OPEN_PLATFORM = "x", "facebook"
"""What may be blocked, and what never is."""


class Method(StrEnum):
    """How a network blocks, by the detector's name of it."""

    RESET = "tls.reset"
    NXDOMAIN = "dns.nxdomain"
    HIJACK = "dns.hijack"
    SILENCE = "tcp.timeout"


METHODS = {
    **{one: frozenset({str(one)}) for one in Method},
    Method.RESET: frozenset({"tls.reset", "tls.address"}),
}
"""How it may be called: the reset comes whatever name is asked for, which follow-ups find out."""


class Part(StrEnum):
    """What of the platform is blocked."""

    ALL = "all"
    MEDIA = "media"
    """Pictures and video alone; the site itself opens."""
    IPV6 = "ipv6"
    """Everything, over IPv6 alone."""


class Trouble(StrEnum):
    """Why a cycle decides nothing."""

    OFFLINE = "offline"
    PORTAL = "captive_portal"
    LOSSY = "lossy"
    ALLOWLIST = "allowlist"
    """Only a list of sites answers, the open platform among them."""
    UNWATCHED = "unwatched"
    """The program does not run, so there is no cycle at all."""
    SKIPPED = "skipped"
    """The cycle is skipped, to save the bytes of the day."""


class Span(msgspec.Struct, frozen=True):
    """From one moment to another, in seconds; without an end it lasts."""

    since: float
    until: float = float("inf")

    def __contains__(self, seconds: float) -> bool:
        return self.since <= seconds < self.until


class Block(Span, frozen=True):
    """The platform is blocked."""

    method: Method = Method.RESET
    part: Part = Part.ALL


class Fault(Span, frozen=True):
    """Something keeps a vantage from deciding."""

    trouble: Trouble = Trouble.OFFLINE


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """One network, seen by one vantage."""

    vantage: str
    asn: int
    name: str
    blocks: tuple[Block, ...] = ()
    faults: tuple[Fault, ...] = ()

    def block_at(self, seconds: float) -> Block | None:
        """What blocks the platform then."""
        return next((one for one in self.blocks if seconds in one), None)

    def fault_at(self, seconds: float) -> Fault | None:
        """What is wrong with the vantage then."""
        return next((one for one in self.faults if seconds in one), None)

    @property
    def moments(self) -> Iterator[float]:
        """When anything changes."""
        for one in (*self.blocks, *self.faults):
            yield from (at for at in (one.since, one.until) if 0 <= at < float("inf"))


class World(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that happens."""

    name: str
    networks: tuple[Network, ...]
    turns: int
    """Cycles of each vantage."""
    seen_at: tuple[int, ...] = ()
    """Turns after which the surfaces are read, besides the last."""
    controls: bool = True
    """Whether there is any control."""
    control_faults: tuple[Fault, ...] = ()
    steps: tuple[tuple[float, float], ...] = ()
    """When somebody sets the program's clock, and by how many seconds."""
    restarts: tuple[int, ...] = ()
    """Turns before which the program starts anew."""
    slow: float = 0.0
    """Seconds that a server takes before it answers or cuts off."""
    flaky: bool = False
    """Whether the first connection of each cycle fails for no reason, so that it is retried."""

    def wall(self, seconds: float) -> datetime:
        """What the program's clock shows then."""
        set_by = sum(step for at, step in self.steps if at <= seconds)
        return START + timedelta(seconds=seconds + set_by)

    @property
    def parts(self) -> frozenset[Part]:
        """What is blocked at any time, anywhere."""
        return frozenset(block.part for network in self.networks for block in network.blocks)

    @property
    def dual(self) -> bool:
        """Whether everything has addresses of both families."""
        return Part.IPV6 in self.parts

    # -- what is true of the country ---------------------------------------------------------

    def blocked_at(self, seconds: float) -> bool:
        """Whether any network blocks it then."""
        return any(network.block_at(seconds) for network in self.networks)

    def decided(self, network: Network, seconds: float) -> bool:
        """Whether a cycle that starts then can find out what is true."""
        fault, block = network.fault_at(seconds), network.block_at(seconds)
        if fault is not None and fault.trouble is not Trouble.LOSSY:
            return False
        if block is None:
            return True
        if fault is not None and block.method is Method.SILENCE:
            return False
        return self.controls and not any(seconds in one for one in self.control_faults)


def stretches_of(blocks: Iterable[Block]) -> list[Span]:
    """When any of these blocks."""
    found: list[Span] = []
    for one in sorted(blocks, key=lambda block: block.since):
        if found and one.since <= found[-1].until:
            found[-1] = Span(found[-1].since, max(found[-1].until, one.until))
        else:
            found.append(Span(one.since, one.until))
    return found
