"""Notices → messages: one, or several that go out together. Pure text, no markup."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum

import msgspec

from monitor.notify.body import KnownFacts, lines_of
from monitor.notify.changes import Occasion
from monitor.notify.plain_names import plain_name
from monitor.notify.titles import title_of
from monitor.wording.local_time import utc_text

LONGEST_BODY = 3000
"""Characters of a message of several notices: Telegram, for one, takes no more than 4096."""
LONGEST_TITLE = 200


class Urgency(StrEnum):
    """How a service shows a message, where it can: Apprise's words, least urgent first."""

    INFO = "info"
    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"


_URGENCY: Mapping[Occasion, Urgency] = {
    Occasion.CONFIRMED: Urgency.FAILURE,
    Occasion.ENDED: Urgency.SUCCESS,
    Occasion.DISMISSED: Urgency.SUCCESS,
}


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """What one notice says."""

    title: str
    lines: tuple[str, ...]
    urgency: Urgency

    @property
    def size(self) -> int:
        """Characters it takes among others."""
        return len(self.title) + sum(map(len, self.lines)) + len(self.lines) + 2


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent."""

    title: str
    body: str
    urgency: Urgency


def section(told: KnownFacts, titles: Mapping[str, str], public_url: str = "") -> Section:
    """One notice in words. `titles` are what people call platforms, by name."""
    return Section(
        title=_shortened(title_of(told.occasion, told.entry.snapshot, titles)),
        lines=tuple(lines_of(told, public_url)),
        urgency=_URGENCY.get(told.occasion, Urgency.WARNING),
    )


def batches(sizes: Iterable[int]) -> Iterator[int]:
    """How many sections go into each message, in order, so that none of several gets too long."""
    count = length = 0
    for size in sizes:
        if count and length + size > LONGEST_BODY:
            yield count
            count = length = 0
        count += 1
        length += size
    if count:
        yield count


def message(sections: Sequence[Section]) -> Message:
    """One message of one or more sections."""
    urgency = max((one.urgency for one in sections), key=list(Urgency).index)
    if len(sections) == 1:
        (only,) = sections
        return Message(title=only.title, body="\n".join(only.lines), urgency=urgency)
    parts = ("\n".join((one.title, *one.lines)) for one in sections)
    return Message(title=_together(sections), body="\n\n".join(parts), urgency=urgency)


def trial_message(route: str, at: datetime) -> Message:
    """What `shutwatch notify test` sends; `at` is when (UTC)."""
    return Message(
        title="TEST: only a test of shutwatch, nothing has happened",
        body=(
            f"This is a test of the route {plain_name(route)}, sent by hand at {utc_text(at)}. "
            "Nothing is blocked. That you read it means that what happens will reach you here."
        ),
        urgency=Urgency.INFO,
    )


def _together(sections: Sequence[Section]) -> str:
    """One title for all: the most urgent first."""
    ranked = sorted(sections, key=lambda one: -list(Urgency).index(one.urgency))
    return _shortened(f"{len(sections)} at once: {'; '.join(one.title for one in ranked)}")


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_TITLE else f"{text[: LONGEST_TITLE - 1].rstrip()}…"
