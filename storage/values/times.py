"""Moments as text: `2026-01-02T03:04:05.678901Z`, always UTC, always 27 characters.

Fixed width is what makes plain text comparison chronological, in every database and tool.
"""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec

LENGTH = len("2026-01-02T03:04:05.678901Z")
_encode = msgspec.json.Encoder().encode
_TICK = timedelta(microseconds=1)


def time_text(moment: datetime) -> str:
    """`moment` as text. ValueError when it has no time zone: none is guessed."""
    if moment.tzinfo is None:
        raise ValueError(f"a time without a time zone cannot be stored: {moment!r}")
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    # With microseconds in it this is the same text, in a third of the time.
    text = _encode(moment)[1:-1].decode()
    return text if len(text) == LENGTH else f"{moment.isoformat(timespec='microseconds')[:26]}Z"


def text_time(text: str) -> datetime:
    """The moment that `time_text` wrote, in UTC."""
    return datetime.fromisoformat(text)


def in_utc(moment: datetime) -> datetime:
    """A time that somebody else wrote, in UTC, which one without a zone is in. ValueError where
    arithmetic with it may leave the calendar."""
    if not 1970 <= moment.year < 2200:
        raise ValueError(f"{moment.isoformat()} is no time from 1970 to 2199")
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


class TimesInUtc(msgspec.Struct, frozen=True):
    """What somebody else wrote: every time in it is in UTC, and one with an impossible time cannot
    be read."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            if isinstance(moment := getattr(self, name), datetime):
                try:
                    msgspec.structs.force_setattr(self, name, in_utc(moment))
                except ValueError as error:
                    raise ValueError(f"{name}: {error}") from error


class Arrivals:
    """Gives every arrival a moment of its own: replay follows their order."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        """`clock` may stand still or jump back; the stamps of one process still increase, in all
        its threads."""
        self._clock = clock
        self._last: datetime | None = None
        self._lock = threading.Lock()

    def stamp(self) -> datetime:
        """The moment of this arrival."""
        with self._lock:
            now = self._clock()
            if self._last is not None and now <= self._last:
                now = self._last + _TICK
            self._last = now
            return now
