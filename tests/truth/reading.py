"""Reads the sentences of one surface, and keeps those that are false."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias

import msgspec

from monitor.wording.events import _CONDITIONS
from tests.truth.phrases import Found, Phrases, phrases_in
from tests.truth.truth import Truth
from tests.truth.world import COUNTRY, OPEN_PLATFORM, PLATFORM

_NETWORK = re.compile(r"^(?:.*?)\(AS(?P<asn>\d+)\): (?P<rest>.+)$")


class FalseClaim(msgspec.Struct, frozen=True):
    """A sentence that is not true."""

    world: str
    surface: str
    sentence: str
    truth: str
    at: str
    """When it was said, by the program's clock."""

    def __str__(self) -> str:
        return f"[{self.world}] {self.surface} at {self.at}: {self.sentence!r}, but {self.truth}"


class Scope(msgspec.Struct, frozen=True):
    """What the statements of a surface about how much is known are about."""

    now: bool
    """The present, and not all of the time."""
    platforms: tuple[str, ...] = (PLATFORM, OPEN_PLATFORM)
    """Those that are chosen."""
    since: float = 0.0
    """When the time begins, in seconds of the world."""
    state: str = ""
    """The state of events that is chosen; empty for every one."""


class Chosen(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a reader filters by; empty for everything."""

    country: str = ""
    platform: str = ""
    state: str = ""
    days: str = ""


def chosen(truth: Truth, scope: Scope, filters: Chosen) -> tuple[Truth, Scope]:
    """What a surface is about that is filtered so."""
    if filters.country.upper() not in ("", COUNTRY):
        truth = Truth.of_nothing(truth.world, truth.seconds)
    platforms = (filters.platform,) if filters.platform else scope.platforms
    return truth, msgspec.structs.replace(scope, platforms=platforms, state=filters.state)


Claim: TypeAlias = "Callable[[Reading, Found, str], Iterator[str]]"
"""What a message claims where it is found in a text: for each claim why it is false, or nothing."""


class Reading:
    """Reads one surface in one language against the truth of a moment."""

    def __init__(
        self,
        truth: Truth,
        surface: str,
        code: str = "en",
        scope: Scope | None = None,
    ) -> None:
        self.truth = truth
        self.surface = surface
        self.scope = scope
        self.phrases: Phrases = phrases_in(code)
        self.false: list[FalseClaim] = []
        self.claims = 0
        """How many were compared."""
        self.asn: int | None = None
        """The network that the next lines are about."""

    def check(self, sentence: str, why: str) -> None:
        """Count a claim, and keep it if it is false."""
        self.claims += 1
        if why:
            world, seconds = self.truth.world, self.truth.seconds
            at = f"{world.wall(seconds):%d %b %H:%M}"
            self.false.append(FalseClaim(world.name, self.surface, sentence[:400], why, at))

    def add(self, other: "Reading") -> None:
        """Count what another one has read."""
        self.false += other.false
        self.claims += other.claims

    def whole(self, text: str, message: str) -> bool:
        """Whether the text is that message."""
        return self.phrases.is_whole(text, message)

    def has(self, text: str, messages: Iterable[str]) -> bool:
        """Whether any of these messages stands in the text."""
        return any(True for message in messages for _ in self.phrases.find(text, message))

    def read(self, text: str, anywhere: Mapping[str, Claim], alone: Mapping[str, Claim]) -> None:
        """One sentence: messages that may stand in it, and those that it may be."""
        for table, whole in ((anywhere, False), (alone, True)):
            for found in self.phrases.all_of(text, tuple(table), whole=whole):
                for why in table[found.message](self, found, text):
                    self.check(text, why)
        if (network := _NETWORK.match(text)) is not None:
            self._network(int(network["asn"]), network["rest"], text)

    def _network(self, asn: int, rest: str, text: str) -> None:
        """`PTCL (AS17557): blocked; method`."""
        if asn not in self.truth.cycles:
            return
        self.asn = asn
        first = re.split(r"[;؛,،]", rest)[0].strip()
        for (now, _, _), message in _CONDITIONS.items():
            if self.whole(first, message):
                self.check(text, self.truth.network(asn, blocked=True, now=now))
        if self.whole(first, "not blocked"):
            self.check(text, self.truth.network(asn, blocked=False, now=False))
        if self.whole(first, "was not blocked"):
            self.check(text, self.truth.was_open(asn))
        if self.whole(first, "seems open again"):
            self.check(text, self.truth.network(asn, blocked=False, now=True))
