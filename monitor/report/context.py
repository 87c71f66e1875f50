"""What stands beside the event: other events, what people said, and how it became known."""

from collections.abc import Iterator

from monitor.report import words
from monitor.report.document import Block, Heading, Para, Table
from monitor.report.findings import Findings
from monitor.report.foreign_text import name, plain
from monitor.report.words import joined, plural, short


def beside(findings: Findings) -> Iterator[Block]:
    """Events of other kinds that bear on it."""
    if not findings.beside:
        return
    yield Heading("What else was detected in this time")
    yield Table(
        "Events of other kinds in the country or on the platform (UTC). They bear on what can be "
        "concluded.",
        ("What", "State", "From", "To", "Networks"),
        tuple(
            (
                words.KINDS.get(event.kind.value, event.kind.value),
                event.state.value,
                short(event.onset_latest),
                short(event.end_latest) or "—",
                joined([words.network(one.asn, one.network) for one in event.networks[:8]]) or "—",
            )
            for event in findings.beside
        ),
        (36, 14, 20, 20, 24),
    )


def people(findings: Findings) -> Iterator[Block]:
    """Reviews and annotations, apart from what was detected."""
    reviews = [(story.event.id, one) for story in findings.stories for one in story.reviews]
    if not reviews and not findings.annotations:
        return
    yield Heading("What people said")
    yield Para(
        "This part was written by people. It is kept apart from what was detected, and changes "
        "nothing of it."
    )
    if reviews:
        yield Table(
            "Reviews of the events above.",
            ("Event", "Review", "By", "When (UTC)", "Note"),
            tuple(
                (
                    event,
                    one.mark.value,
                    name(one.reviewer) if one.reviewer else "not named",
                    short(one.at),
                    name(one.note, 600) if one.note else "",
                )
                for event, one in reviews
            ),
            (22, 12, 16, 18, 40),
        )
    if findings.annotations:
        yield Table(
            "What happened in the country in this time, with its sources.",
            ("When (UTC)", "Kind", "What", "Source"),
            tuple(
                (
                    short(one.since) + (f" – {short(one.until)}" if one.until else ""),
                    one.kind.value.replace("_", " "),
                    name(one.text, 600),
                    plain(one.source, 200),
                )
                for one in findings.annotations
            ),
            (22, 16, 40, 30),
        )


_CHANGES = {
    "opened": "first signs",
    "confirmed": "confirmed",
    "network_affected": "another network blocks",
    "network_recovering": "a network seems open again",
    "network_recovered": "a network is open again",
    "network_unobserved": "a network is no longer seen",
    "method_added": "another way of blocking",
    "scope_widened": "more of the platform is blocked",
    "pattern_found": "it keeps hours",
    "recovering": "seems over",
    "reblocked": "blocked again",
    "unobserved": "no longer seen",
    "ended": "over",
    "reopened": "began again",
    "dismissed": "dismissed",
    "revised": "revised",
    "withdrawn": "withdrawn",
}


def history(findings: Findings) -> Iterator[Block]:
    """The log of the event."""
    story = findings.main_story
    if story is None or not story.log:
        return
    yield Heading("How it became known")
    more = f" {plural(story.log_left_out, 'later entry')} left out." if story.log_left_out else ""
    yield Table(
        "The log of the event: what was known when (UTC). It is written as it happens and never "
        f"changed.{more}",
        ("When", "What changed", "Detail"),
        tuple(
            (short(one.at), _CHANGES.get(one.change, one.change), name(one.detail, 100))
            for one in story.log
        ),
        (22, 30, 48),
    )
