"""Messages of one or more notices, as plain text without markup."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import msgspec

from monitor.notify.body import NoticeContent, lines_of
from monitor.notify.message_value import Message, Urgency
from monitor.notify.names_without_markup import LONGEST_NAME
from monitor.notify.notice_kinds import NoticeKind
from monitor.notify.titles import title_of
from monitor.wording.times import moment
from monitor.wording.words import Words

LONGEST_BODY = 3000
"""Characters of a message of several notices: Telegram, for one, takes no more than 4096."""
LONGEST_TITLE = 200


_URGENCY: Mapping[NoticeKind, Urgency] = {
    NoticeKind.CONFIRMED: Urgency.FAILURE,
    NoticeKind.ENDED: Urgency.SUCCESS,
    NoticeKind.DISMISSED: Urgency.SUCCESS,
}


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """One notice in words."""

    title: str
    lines: tuple[str, ...]
    urgency: Urgency

    @property
    def size(self) -> int:
        """Characters it takes among others."""
        return len(self.title) + sum(map(len, self.lines)) + len(self.lines) + 2


def section(
    words: Words, notice: NoticeContent, titles: Mapping[str, str], public_url: str = ""
) -> Section:
    """One notice in words. `titles` are the platforms' own names, by name in the catalogue."""
    return Section(
        title=_shortened(title_of(words, notice.occasion, notice.entry.snapshot, titles)),
        lines=tuple(lines_of(words, notice, public_url)),
        urgency=_urgency(notice),
    )


def _urgency(notice: NoticeContent) -> Urgency:
    if notice.occasion is NoticeKind.ENDED and notice.entry.snapshot.end_latest is None:
        return Urgency.WARNING
    return _URGENCY.get(notice.occasion, Urgency.WARNING)


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


def message(words: Words, sections: Sequence[Section]) -> Message:
    """One message of one or more sections."""
    urgency = max((one.urgency for one in sections), key=list(Urgency).index)
    if len(sections) == 1:
        (only,) = sections
        body = "\n".join((*only.lines, *_draft(words)))
        return Message(title=only.title, body=body, urgency=urgency)
    parts = ("\n".join((one.title, *one.lines)) for one in sections)
    body = "\n\n".join((*parts, *_draft(words)))
    return Message(title=_together(words, sections), body=body, urgency=urgency)


def trial_message(words: Words, route: str, at: datetime) -> Message:
    """The message of `shutwatch notify test`; `at` is when it is sent (UTC)."""
    said = words.gettext(
        "This is a test of the route %(route)s, sent by hand at %(when)s. Nothing is blocked. "
        "If you can read it, real messages will reach you here.",
        route=words.name(route, LONGEST_NAME),
        when=moment(words, at),
    )
    return Message(
        title=words.gettext("TEST: only a test of shutwatch, nothing has happened"),
        body="\n".join((said, *_draft(words))),
        urgency=Urgency.INFO,
    )


def _draft(words: Words) -> tuple[str, ...]:
    """The last line of a message whose translation nobody has reviewed."""
    return (words.short_draft,) if words.short_draft else ()


def _together(words: Words, sections: Sequence[Section]) -> str:
    """One title for all: the most urgent first."""
    ranked = sorted(sections, key=lambda one: -list(Urgency).index(one.urgency))
    titles = words.pause.join(one.title for one in ranked)
    count = words.number(len(sections))
    return _shortened(words.gettext("%(n)s at once: %(titles)s", n=count, titles=titles))


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_TITLE else f"{text[: LONGEST_TITLE - 1].rstrip()}…"
