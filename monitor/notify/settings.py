"""The `[notify]` table: who is notified of what, and when. Durations are seconds as float."""

from typing import Any

import msgspec

from monitor.analysis.events.event import EventKind, EventState


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One address that messages go to. It holds secrets, and appears only where it is used."""

    name: str
    """Number within the route and scheme, such as `1-tgram`: what logs and commands call it."""
    url: str
    """As Apprise writes addresses."""
    mark: str = ""
    """Its name whatever stands before it, such as `tgram-k3fa`; empty before it has one."""

    @property
    def stored(self) -> str:
        """What the outbox calls it."""
        return self.mark or self.name

    def __repr__(self) -> str:
        return f"Target({self.name})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("name", self.name)]


class Quiet(msgspec.Struct, frozen=True, kw_only=True):
    """Hours of every day in which people should not be woken, in minutes after midnight."""

    start: int
    end: int
    """Exclusive; before `start` when the hours go past midnight."""


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One `[[notify.route]]`: targets that receive the same messages at the same times."""

    name: str
    urls: tuple[Target, ...]
    """The addresses in `urls`, then those in the file."""
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
        EventKind.ALLOWLIST,
    )
    minimum: str = EventState.CONFIRMED.value
    """`suspected` or `confirmed`: the least certain event that gets a message."""
    language: str = "en"
    """Code of the language of its messages."""
    timezone: str = "UTC"
    """Of `quiet` and `daily`."""
    quiet: Quiet | None = None
    wake: bool = False
    """Confirmations and corrections are sent in quiet hours too."""
    gather: float = 30.0
    """Time to wait for more before a message goes out."""
    digest: float = 3600.0
    """The same for notices of further networks."""
    daily: int | None = None
    """Minutes after midnight at which the one message of the day goes out; None: at once."""


class NotifySettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `[notify]` table."""

    give_up: float = 2 * 86400.0
    """Time for which delivery of one message is tried."""
    timeout: float = 20.0
    """Longest time of one attempt."""
    ping_url: str = ""
    """Address requested while cycles are stored, so that a service notices when they stop; empty
    for none."""
    ping_interval: float = 300.0
    route: tuple[Route, ...] = ()
