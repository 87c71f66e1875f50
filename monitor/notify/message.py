"""Messages of one or more notices, as plain text without markup."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import msgspec

from monitor.notify.body import NoticeContent, lines_of, short_lines_of
from monitor.notify.message_value import LONGEST_TITLE, Limits, Message, Urgency
from monitor.notify.names_without_markup import LONGEST_NAME
from monitor.notify.notice_kinds import NoticeKind
from monitor.notify.titles import title_of
from monitor.wording.times import moment
from monitor.wording.words import Words

ANY = Limits()
"""Of a service that takes all there is."""
_URGENCY: Mapping[NoticeKind, Urgency] = {
    NoticeKind.CONFIRMED: Urgency.FAILURE,
    NoticeKind.ENDED: Urgency.SUCCESS,
    NoticeKind.DISMISSED: Urgency.SUCCESS,
}


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """One notice in words."""

    title: str
    lines: tuple[str, ...]
    short: tuple[str, ...]
    """The short form of it, for a service that takes few characters."""
    urgency: Urgency
    refused: bool = False
    """The service refused it as it is: it goes alone, in the short form."""

    @property
    def size(self) -> int:
        """Characters it takes among others."""
        return len(self.title) + sum(map(len, self.lines)) + len(self.lines) + 2

    def fitted(self, room: int) -> "Section":
        """In the form that takes no more characters than that, if one does."""
        whole = self.size <= room and not self.refused
        return self if whole else msgspec.structs.replace(self, lines=self.short)


def section(
    words: Words,
    notice: NoticeContent,
    titles: Mapping[str, str],
    public_url: str = "",
    *,
    refused: bool = False,
) -> Section:
    """One notice in words. `titles` are the platforms' own names, by name in the catalogue."""
    return Section(
        title=_shortened(title_of(words, notice.occasion, notice.entry.snapshot, titles)),
        lines=tuple(lines_of(words, notice, public_url)),
        short=tuple(short_lines_of(words, notice, public_url)),
        urgency=_urgency(notice),
        refused=refused,
    )


def _urgency(notice: NoticeContent) -> Urgency:
    if notice.occasion is NoticeKind.ENDED and notice.entry.snapshot.end_latest is None:
        return Urgency.WARNING
    return _URGENCY.get(notice.occasion, Urgency.WARNING)


def messages(
    words: Words, sections: Sequence[Section], limits: Limits
) -> Iterator[tuple[int, Message]]:
    """Messages of these sections, in order, that the service takes, each with how many of them it
    has. Only one that is too long in its short form is longer than that."""
    room = limits.body - sum(len(line) + 2 for line in _draft(words))
    shown = [one.fitted(room) for one in sections]
    sizes = [max(one.size, room) if one.refused else one.size for one in shown]
    begun = 0
    for count in batches(sizes, room, 0 if limits.title else LONGEST_TITLE + 2):
        yield count, message(words, shown[begun : begun + count], limits)
        begun += count


def batches(sizes: Iterable[int], room: int, title: int = 0) -> Iterator[int]:
    """How many sections go into each message, in order, so that none of several gets too long;
    `title` is what the title that several have together takes of the room."""
    count = length = 0
    for size in sizes:
        if count and title + length + size > room:
            yield count
            count = length = 0
        count += 1
        length += size
    if count:
        yield count


def message(words: Words, sections: Sequence[Section], limits: Limits = ANY) -> Message:
    """One message of one or more sections. A title that is cut stands in the body as a whole."""
    urgency = max((one.urgency for one in sections), key=list(Urgency).index)
    longest = limits.title or LONGEST_TITLE
    if len(sections) == 1:
        (only,) = sections
        whole = (only.title,) if len(only.title) > longest else ()
        body = "\n".join((*whole, *only.lines, *_draft(words)))
        return Message(title=_shortened(only.title, longest), body=body, urgency=urgency)
    parts = ("\n".join((one.title, *one.lines)) for one in sections)
    body = "\n\n".join((*parts, *_draft(words)))
    title = _shortened(_together(words, sections), longest)
    return Message(title=title, body=body, urgency=urgency)


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
    return words.gettext("%(n)s at once: %(titles)s", n=count, titles=titles)


def _shortened(text: str, longest: int = LONGEST_TITLE) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1].rstrip()}…"
