"""What surrounds the event: other events, what people added, and its log."""

from collections.abc import Iterator, Sequence

from monitor.analysis.events.event import Event, NetworkStatus
from monitor.report.document import Block, Bullets, Heading, Para, Table
from monitor.report.findings import Findings
from monitor.report.tables import short, with_omitted
from monitor.wording.changes import change_in_words
from monitor.wording.events import what_happened
from monitor.wording.networks import network_names
from monitor.wording.reviews import ANNOTATION_KINDS, MARKS
from monitor.wording.sources import witness_lines
from monitor.wording.states import EVENT_STATES, KINDS
from monitor.wording.words import Words

_MOST_NETWORKS = 8


def related_events(words: Words, findings: Findings, title: str) -> Iterator[Block]:
    """Events of other kinds that bear on it."""
    if not findings.related:
        return
    titles = {findings.wanted.platform: title}
    yield Heading(words.gettext("Other events in this time"))
    caption = words.gettext(
        "Events of other kinds in the country or on the platform (UTC). They bear on what can "
        "be concluded."
    )
    yield Table(
        with_omitted(words, caption, findings.related_omitted),
        (
            words.gettext("What"),
            words.gettext("State"),
            words.gettext("From"),
            words.gettext("To"),
            words.gettext("Networks"),
        ),
        tuple(
            (
                words.gettext(KINDS[event.kind])
                if event.vantage and not findings.wanted.with_vantages
                else what_happened(words, event, titles),
                words.gettext(EVENT_STATES[event.state]),
                short(words, event.onset_latest),
                short(words, event.end_latest) or "—",
                network_names(words, _concerned(event), _MOST_NETWORKS) or "—",
            )
            for event in findings.related
        ),
        (36, 14, 20, 20, 24),
    )


def _concerned(event: Event) -> Sequence[NetworkStatus]:
    """The networks that an event affected; of one that affects none, those that it is about."""
    return [one for one in event.networks if one.affected] or event.networks


def second_witnesses(words: Words, findings: Findings) -> Iterator[Block]:
    """What others measured in the same time, apart from what was detected."""
    told = [(event, several) for event, several in findings.witnesses if several]
    if not told:
        return
    yield Heading(words.gettext("What others measured in this time"))
    yield Para(
        words.gettext(
            "A second witness. It never confirms, changes or ends the event, and may have tested "
            "other hours and places."
        )
    )
    lines = []
    for event, several in told:
        for one in several:
            sentence, *networks = witness_lines(words, one, event)
            about = words.gettext(
                "%(kind)s from %(when)s: %(seen)s",
                kind=words.gettext(KINDS[event.kind]),
                when=short(words, event.onset_latest),
                seen=sentence,
            )
            lines.append(words.pause.join((about, *networks)))
    yield Bullets(tuple(lines))
    asked_for = dict.fromkeys(one.credit for _, several in told for one in several)
    yield Para(words.pause.join(asked_for))


def people(words: Words, findings: Findings) -> Iterator[Block]:
    """Reviews and annotations, apart from what was detected."""
    # An event and the one that continues it have reviews in common.
    reviews = {one.id: one for story in findings.stories for one in story.reviews}.values()
    if not reviews and not findings.annotations:
        return
    yield Heading(words.gettext("What people said"))
    yield Para(
        words.gettext(
            "People wrote this part. It is separate from what was detected, and changes nothing "
            "of it."
        )
    )
    if reviews:
        yield Table(
            words.gettext("Reviews of the events above and of those that they continue."),
            (
                words.gettext("Event"),
                words.gettext("Review"),
                words.gettext("By"),
                words.gettext("When (UTC)"),
                words.gettext("Note"),
            ),
            tuple(
                (
                    words.ltr(one.event),
                    words.gettext(MARKS[one.mark]),
                    words.name(one.reviewer, 60) if one.reviewer else words.gettext("not named"),
                    short(words, one.at),
                    words.name(one.note, 600) if one.note else "",
                )
                for one in reviews
            ),
            (22, 12, 16, 18, 40),
        )
    if findings.annotations:
        yield Table(
            words.gettext("What happened in the country in this time, with sources."),
            (
                words.gettext("When (UTC)"),
                words.gettext("Kind"),
                words.gettext("What"),
                words.gettext("Source"),
            ),
            tuple(
                (
                    short(words, one.since)
                    + (f" – {short(words, one.until)}" if one.until else ""),
                    words.gettext(ANNOTATION_KINDS[one.kind]),
                    words.name(one.text, 600),
                    words.ltr(one.source[:200]),
                )
                for one in findings.annotations
            ),
            (22, 16, 40, 30),
        )


def history(words: Words, findings: Findings) -> Iterator[Block]:
    """The log of the event."""
    story = findings.main_story
    if story is None or not story.log:
        return
    yield Heading(words.gettext("What was known when"))
    caption = words.gettext(
        "The log of the event (UTC). It is written as things happen and never changed."
    )
    if story.log_omitted:
        more = words.ngettext(
            "%(n)s later entry is not listed.",
            "%(n)s later entries are not listed.",
            story.log_omitted,
        )
        caption = f"{caption} {more}"
    yield Table(
        caption,
        (words.gettext("When"), words.gettext("What changed"), words.gettext("Detail")),
        tuple(
            (short(words, one.at), change_in_words(words, one), words.name(one.detail, 100))
            for one in story.log
        ),
        (22, 30, 48),
    )
