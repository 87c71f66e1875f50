"""The `[notify]` table: who is told of what, and when. Durations are seconds as float."""

from typing import Any

import msgspec

from monitor.analysis.events.event import EventKind, EventState


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One place a message goes to. Its address holds secrets, and shows nowhere but where it is
    used."""

    name: str
    """Number within the route and scheme, such as `1-tgram`: what logs and the outbox call it."""
    url: str
    """As Apprise writes addresses."""

    def __repr__(self) -> str:
        return f"Target({self.name})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("name", self.name)]


class Quiet(msgspec.Struct, frozen=True, kw_only=True):
    """Hours of every day in which nobody is to be woken, in minutes after midnight."""

    start: int
    end: int
    """Exclusive; before `start` when the hours go past midnight."""


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One `[[notify.route]]`: places that are told of the same things at the same times."""

    name: str
    urls: tuple[Target, ...]
    """Those of `urls`, then those of the file."""
    url_file: str = ""
    """Path of a file with more of them, one a line; empty for none."""
    countries: tuple[str, ...] = ()
    """Empty: all."""
    platforms: tuple[str, ...] = ()
    """Empty: all."""
    kinds: tuple[str, ...] = (
        EventKind.BLOCK,
        EventKind.SHUTDOWN,
        EventKind.INTERNATIONAL_CUT,
    )
    minimum: str = EventState.CONFIRMED.value
    """`suspected` or `confirmed`: the least that is worth a message."""
    timezone: str = "UTC"
    """Of `quiet` and `daily`."""
    quiet: Quiet | None = None
    wake: bool = False
    """What is confirmed, or taken back, is told in quiet hours too."""
    gather: float = 30.0
    """Time to wait for more before a message goes out."""
    digest: float = 3600.0
    """The same for what can wait: further networks."""
    daily: int | None = None
    """Minutes after midnight at which everything is told, in one message a day; None: at once."""


class NotifySettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `[notify]` table."""

    give_up: float = 2 * 86400.0
    """For how long delivery of one message is tried."""
    timeout: float = 20.0
    """What one attempt may take."""
    ping_url: str = ""
    """Asked while all is well, so that somebody else notices when it is not; empty: nobody is."""
    ping_interval: float = 300.0
    route: tuple[Route, ...] = ()
