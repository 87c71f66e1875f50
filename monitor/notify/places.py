"""Which address a notice is for, also after addresses were added, deleted, corrected or moved.

A notice names its address by scheme and mark: neither the order of the addresses nor a deleted one
matters. An address that somebody corrected has another name. So what waits for a name that is gone,
or went there, counts for every address of its route that had no notice of the same line: too many
people rather than too few hear of a correction.
"""

import hmac
from base64 import b32encode
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from itertools import count

from msgspec.structs import replace

from monitor.notify.settings import Route, Target
from storage.values.outbox import Notice, NoticeState

Place = tuple[str, str]
"""Names of a route and, as the outbox has it, of one of its targets."""
_MARK = 4
"""Characters of a mark: they tell addresses of one route apart, and fit far too many numbers and
mail addresses to give one away."""


class Places:
    """The configured places, and what notices for others mean to them."""

    def __init__(self, routes: Sequence[Route] = (), key: bytes = b"") -> None:
        """Without a key targets have the names of the configuration."""
        self.routes = tuple(replace(route, urls=_marked(route.urls, key)) for route in routes)
        self.known: Mapping[Place, tuple[Route, Target]] = {
            (route.name, target.stored): (route, target)
            for route in self.routes
            for target in route.urls
        }

    @property
    def renamed(self) -> Mapping[Place, str]:
        """What an earlier version called each place → the name of its target now."""
        return {(route.name, one.name): one.stored for route, one in self.known.values()}

    def inherited(self, place: Place, notices: Iterable[Notice]) -> list[Notice]:
        """What notices for places that are gone mean to this one, as its own; `notices` are all
        about the same events. It inherits none of a line of the log that it has a notice of."""
        found = list(notices)
        own = {one.key[:3] for one in found if one.place == place}
        lines: dict[tuple[str, str, int], list[Notice]] = {}
        for one in found:
            if one.key[:3] not in own and place in self._heirs(one.place):
                lines.setdefault(one.key[:3], []).append(one)
        return [_as_one(place, gone) for gone in lines.values()]

    def passed_on(self, notices: Iterable[Notice]) -> list[Notice]:
        """What places get of what waits for places that are gone, to be tried at once."""
        found = list(notices)
        inherited = (one for place in self.known for one in self.inherited(place, found))
        waiting = (one for one in inherited if one.state is NoticeState.PENDING)
        return [replace(one, retry_at=None) for one in waiting]

    def _heirs(self, gone: Place) -> list[Place]:
        """The same address in other routes, else all addresses of the same route; none of a place
        that is configured."""
        if gone in self.known:
            return []
        route, target = gone
        same = [one for one in self.known if one[1] == target]
        return same or [one for one in self.known if one[0] == route]


def _as_one(place: Place, notices: Sequence[Notice]) -> Notice:
    """Notices of one line for several places, as one for this place: what waits is sent, and what
    may have arrived may have arrived here."""
    most = max(notices, key=lambda one: (one.state is NoticeState.PENDING, _heard(one)))
    attempts = max(one.attempts for one in notices)
    return replace(most, route=place[0], target=place[1], attempts=attempts)


def _heard(notice: Notice) -> tuple[bool, int]:
    return notice.state is NoticeState.SENT, notice.attempts


def _marked(targets: Sequence[Target], key: bytes) -> tuple[Target, ...]:
    """Targets of one route with their marks, which are as short as tells them apart; an address
    that is there twice counts once."""
    if not key:
        return tuple(targets)
    whole = {one.url: _mark(one.url, key) for one in targets}
    made: dict[str, Target] = {}
    for one in targets:
        mark = whole[one.url]
        length = next(n for n in count(_MARK) if _alike(mark[:n], whole.values()) == 1)
        scheme = one.url.partition("://")[0].lower()
        made.setdefault(one.url, replace(one, mark=f"{scheme}-{mark[:length]}"))
    return tuple(made.values())


def _mark(url: str, key: bytes) -> str:
    return b32encode(hmac.digest(key, url.encode(), sha256)).decode().lower()


def _alike(beginning: str, marks: Iterable[str]) -> int:
    return sum(mark.startswith(beginning) for mark in marks)
