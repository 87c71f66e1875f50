"""The body of a message: what is known of an event, line by line.

It says what happened, where, since when, how that is known, and what the event is not, so that
people who pass it on need not guess.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec

from monitor.analysis.events.event import Event, EventKind, EventLogEntry, NetworkStatus
from monitor.analysis.second_witness import AnyWitness
from monitor.notify.notice_kinds import CLOSING, CORRECTIONS, OPENING, NoticeKind
from monitor.wording.changes import NOTICE_ADVICE, change_in_words
from monitor.wording.events import (
    LIMITS,
    condition,
    ending,
    extent,
    founded,
    onset,
    passing,
    seems_over,
)
from monitor.wording.failures_and_methods import method_and_name
from monitor.wording.functions import function_in_words
from monitor.wording.grades import grade_and_meaning
from monitor.wording.networks import network_names
from monitor.wording.sources import witness_in_message
from monitor.wording.support import doubts, weight
from monitor.wording.times import moment
from monitor.wording.words import Words

METHODS_NAMED = 6
NETWORKS_NAMED = 10
CHANGES_NAMED = 10
"""Of a longer list the rest is counted."""
LONGEST_DETAIL = 120
LONGEST_LIST = 400


class NoticeContent(msgspec.Struct, frozen=True, kw_only=True):
    """What a message is made from."""

    occasion: NoticeKind
    entry: EventLogEntry
    """The newest line of the event's log that it is about."""
    meanwhile: tuple[EventLogEntry, ...] = ()
    """The lines that it sums up, in order, where the reader needs them."""
    first_notified: datetime | None = None
    """When this target was first notified of the event (UTC); None when it never was."""
    late_since: datetime | None = None
    """When this was due (UTC), if that is long ago."""
    witnesses: tuple[AnyWitness, ...] = ()
    """What sources of others' measurements have of the same time."""


def lines_of(words: Words, notice: NoticeContent, public_url: str = "") -> Iterator[str]:
    """The body. `public_url` is the address of the page, without a slash at its end."""
    event = notice.entry.snapshot
    yield from _about(words, notice)
    yield from event_lines(words, event, notice.witnesses)
    if notice.occasion is NoticeKind.ENDED and notice.entry.change == "ended":
        yield from _not_back(words, notice.entry.detail, LONGEST_LIST)
    if notice.occasion in OPENING:
        yield words.gettext("What it is not: %(limit)s", limit=words.gettext(LIMITS[event.kind]))
        yield words.gettext(NOTICE_ADVICE[notice.occasion])
    if public_url:
        yield _link(words, event, public_url)
    yield words.gettext("Event: %(id)s", id=words.ltr(event.id))


def short_lines_of(words: Words, notice: NoticeContent, public_url: str = "") -> Iterator[str]:
    """The body for a service that takes few characters: when, on how many networks, what to do."""
    event = notice.entry.snapshot
    affected = sum(status.affected for status in event.networks)
    if notice.late_since is not None:
        yield _late(words, notice.late_since)
    if notice.occasion in CORRECTIONS:
        yield words.gettext(NOTICE_ADVICE[notice.occasion])
    yield from _when(words, event)
    if affected:
        yield words.gettext(
            "Networks: %(x)s of %(n)s tested",
            x=words.number(affected),
            n=words.number(len(event.networks)),
        )
    if notice.occasion is NoticeKind.ENDED and notice.entry.change == "ended":
        yield from _not_back(words, notice.entry.detail, LONGEST_DETAIL)
    if notice.occasion in OPENING:
        yield words.gettext(NOTICE_ADVICE[notice.occasion])
    if public_url:
        yield _link(words, event, public_url)
    else:
        yield words.gettext("Event: %(id)s", id=words.ltr(event.id))


def _link(words: Words, event: Event, public_url: str) -> str:
    address = words.ltr(f"{public_url}/events/{event.id}")
    return words.gettext("Evidence and data: %(url)s", url=address)


def event_lines(words: Words, event: Event, witnesses: Sequence[AnyWitness] = ()) -> Iterator[str]:
    """When, where and how, as it is known, and how second witnesses stand to it."""
    yield from _when(words, event)
    yield from _where(words, event)
    if event.kind is EventKind.BLOCK:
        yield from _how(words, event)
    for one in witnesses:
        yield words.gettext("Second witness: %(seen)s", seen=witness_in_message(words, one))
    if event.passing:
        yield words.gettext("Still answered: %(hosts)s", hosts=passing(words, event))


def _late(words: Words, since: datetime) -> str:
    when = moment(words, since)
    return words.gettext("This message is late: it was due at %(when)s.", when=when)


def _about(words: Words, notice: NoticeContent) -> Iterator[str]:
    if notice.late_since is not None:
        yield _late(words, notice.late_since)
    if notice.first_notified is not None and notice.occasion in CLOSING:
        yield words.gettext(
            "This is about the message sent here at %(when)s.",
            when=moment(words, notice.first_notified),
        )
    if notice.occasion in CORRECTIONS:
        yield words.gettext(NOTICE_ADVICE[notice.occasion])
    if notice.occasion is NoticeKind.SPREAD:
        lines = notice.meanwhile or (notice.entry,)
        networks = [words.name(line.detail, LONGEST_DETAIL) for line in lines[:NETWORKS_NAMED]]
        networks += _more(words, len(lines) - len(networks))
        yield words.gettext("New: %(networks)s", networks=words.listed(networks))
    elif notice.meanwhile:
        changes = [_change(words, line) for line in notice.meanwhile[-CHANGES_NAMED:]]
        shown = words.pause.join((*_more(words, len(notice.meanwhile) - len(changes)), *changes))
        yield words.gettext("Meanwhile, in this order: %(changes)s", changes=shown)


def _more(words: Words, count: int) -> list[str]:
    """What stands for so many that a list does not name."""
    return [words.gettext("%(n)s more", n=words.number(count))] if count else []


def _change(words: Words, line: EventLogEntry) -> str:
    """A line of the event's log. Its time is not that of the change, so it is left out."""
    change = change_in_words(words, line)
    if line.change != "network_affected":
        return change
    network = words.name(line.detail, LONGEST_DETAIL)
    return words.gettext("%(change)s (%(network)s)", change=change, network=network)


def _not_back(words: Words, networks: str, longest: int) -> Iterator[str]:
    """The first network that is back ends a shutdown: who is not known to be back by then."""
    if networks:
        named = words.name(networks, longest)
        yield words.gettext("Not known to be back: %(networks)s", networks=named)


def _when(words: Words, event: Event) -> Iterator[str]:
    yield words.gettext("Since: %(when)s", when=onset(words, event))
    ended = None if event.active else ending(words, event)
    if ended is not None:
        yield words.gettext("Until: %(when)s", when=ended)
    if event.pattern:
        yield words.gettext("Hours: %(hours)s", hours=words.name(event.pattern, LONGEST_DETAIL))


def _where(words: Words, event: Event) -> Iterator[str]:
    block = event.kind is EventKind.BLOCK

    def note(one: NetworkStatus) -> str:
        """What is so of a network that the title does not count."""
        lasts = one.blocked_now or not (event.active and block)
        return "" if lasts or seems_over(event) else condition(words, event, one)

    affected = [status for status in event.networks if status.affected]
    spared = [status for status in event.networks if status.found_open]
    if affected:
        yield words.gettext(
            "Networks: %(x)s of %(n)s tested: %(names)s",
            x=words.number(len(affected)),
            n=words.number(len(event.networks)),
            names=network_names(words, affected, NETWORKS_NAMED, note),
        )
    if spared and event.kind is EventKind.BLOCK:
        yield words.gettext("Not on: %(names)s", names=network_names(words, spared, NETWORKS_NAMED))
    if event.share_affected is not None and not seems_over(event):
        yield words.gettext(
            "Users affected: %(share)s of those on networks of known size",
            share=words.percent(event.share_affected),
        )
    if part := extent(words, event):
        yield words.gettext("Affected: %(part)s", part=part)
    if event.functions:
        functions = [function_in_words(words, function) for function in event.functions]
        yield words.gettext("Functions: %(names)s", names=words.listed(functions))


def _how(words: Words, event: Event) -> Iterator[str]:
    for number, name in enumerate(event.methods[:METHODS_NAMED]):
        method = method_and_name(words, name, past=seems_over(event))
        if number:
            yield words.gettext("Also: %(method)s", method=method)
        else:
            yield words.gettext("How: %(method)s", method=method)
    if not founded(event):
        return
    yield words.gettext("Evidence: %(grade)s", grade=grade_and_meaning(words, event.evidence))
    if event.weight is not None:
        yield words.gettext("Weight of the evidence: %(weight)s", weight=weight(words, event))
        yield from doubts(words, event)
