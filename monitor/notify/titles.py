"""The title of a message: what happened, and how sure that is."""

from collections.abc import Mapping

from monitor.analysis.events.event import Event, EventKind
from monitor.notify.notice_kinds import NoticeKind
from monitor.wording.changes import NOTICE_TITLES
from monitor.wording.events import (
    Certainty,
    as_last_seen,
    certainty_of,
    claim,
    seems_over,
    unseen,
)
from monitor.wording.words import Words

_CERTAINTY: Mapping[NoticeKind, Certainty] = {
    NoticeKind.SUSPECTED: Certainty.MAY,
    NoticeKind.CONFIRMED: Certainty.IS,
    NoticeKind.ENDED: Certainty.NO_LONGER,
    NoticeKind.DISMISSED: Certainty.MAY,
    NoticeKind.DOUBTED: Certainty.MAY,
    NoticeKind.WITHDRAWN: Certainty.IS,
}


def title_of(words: Words, occasion: NoticeKind, event: Event, titles: Mapping[str, str]) -> str:
    """What a phone shows of the message: `Confirmed: X is blocked in Pakistan`."""
    claimed = _claim(words, occasion, event, titles)
    if occasion is NoticeKind.ENDED and event.end_latest is None:
        return words.gettext("Closed: %(claim)s", claim=claimed)
    return words.gettext(NOTICE_TITLES[occasion], claim=claimed)


def _claim(words: Words, occasion: NoticeKind, event: Event, titles: Mapping[str, str]) -> str:
    if occasion is NoticeKind.ENDED and event.end_latest is None:
        was = claim(words, event, titles, Certainty.WAS)
        return words.gettext("%(was)s when last tested; nobody saw it end", was=was)
    if occasion is NoticeKind.ENDED and any(one.unobserved for one in event.networks):
        # It was found open, and then nobody tested it for as long as an event is kept.
        return unseen(words, claim(words, event, titles, Certainty.WAS))
    if occasion is NoticeKind.SPREAD:
        certainty = Certainty.IS if event.sure else Certainty.MAY
    else:
        certainty = _CERTAINTY[occasion]
    if event.kind is EventKind.BLOCK and certainty in (Certainty.IS, Certainty.MAY):
        if occasion is NoticeKind.DISMISSED:
            certainty = Certainty.MAY_HAVE
        elif occasion is not NoticeKind.WITHDRAWN and event.active and seems_over(event):
            was = claim(words, event, titles, certainty_of(event))
            return as_last_seen(words, event, was)
    return claim(words, event, titles, certainty)
