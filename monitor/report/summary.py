"""The beginning: what was found, where and when, in sentences that can be quoted."""

from collections.abc import Iterator

from monitor.analysis.events.event import Event, EventState
from monitor.report import words
from monitor.report.document import Block, Facts, Heading, Para, Picture, Table
from monitor.report.findings import UNPROVEN, Findings, Lane, Story
from monitor.report.foreign_text import name
from monitor.report.words import joined, length, plural, short
from storage.values.reviews import Mark

MOST_NETWORKS = 60


def headline(findings: Findings, title: str, country: str) -> str:
    """The title."""
    story = findings.main_story
    if story is None:
        return f"No block of {title} was detected in {country}"
    event = story.event
    if event.state in UNPROVEN:
        return f"{title} in {country}: signs of a block, not confirmed"
    blocked, seen = len(words.blocked_networks(event)), len(event.networks)
    verb = "blocked" if not event.active else "being blocked"
    return f"{words.what(event, title)} {verb} in {country}: {blocked} of {seen} networks observed"


def summary(findings: Findings, title: str, country: str) -> Iterator[Block]:
    """What is asked first."""
    yield Heading("In short")
    story = findings.main_story
    if story is None:
        yield Para(_nothing(findings, title, country), lead=True)
        return
    event = story.event
    for sentence in _quotable(event, findings, title, country):
        yield Para(sentence, lead=True)
    if findings.lanes:
        yield _timeline(findings, title)
    yield Facts(
        (
            ("What", f"{words.what(event, title)}, in {country} ({event.country})"),
            ("State", words.STATES[event.state]),
            ("Began", words.onset(event)),
            ("Ended", words.end(event)),
            ("Lasted", words.duration(event)),
            ("How", words.methods(event.methods)),
            ("Evidence", f"{event.evidence}: {words.GRADES.get(event.evidence, '')}"),
            *((("Hours", f"{event.pattern}"),) if event.pattern else ()),
            ("Event", event.id),
        )
    )
    yield from _reviewed(story)
    if len(findings.stories) > 1 or findings.stories_left_out:
        yield _all_events(findings)


def _nothing(findings: Findings, title: str, country: str) -> str:
    if not findings.lanes:
        return (
            f"Nothing is known: no verdict on {title} in {country} is stored for this time. "
            "No data does not mean that it worked."
        )
    seen = joined([words.network(*lane.network) for lane in findings.lanes[:MOST_NETWORKS]])
    return (
        f"No block of {title} was detected in this time on {seen}. What is said under "
        "“What this does not show” holds here too: of other networks nothing is known."
    )


def _quotable(event: Event, findings: Findings, title: str, country: str) -> Iterator[str]:
    blocked = words.blocked_networks(event)
    named = joined([words.network(one.asn, one.network) for one in blocked[:MOST_NETWORKS]])
    subject = words.what(event, title)
    if event.state in UNPROVEN:
        yield (
            f"There were signs that {subject} was blocked in {country}, on {named}. They were not "
            f"confirmed ({words.STATES[event.state]}) and should not be reported as a block."
        )
        return
    has = "has been" if event.active else "was"
    plural_verb = "have been" if event.active else "were"
    verb = has if subject == title else plural_verb
    yield (
        f"{_first_up(subject)} {verb} blocked in {country} on {len(blocked)} of "
        f"{len(event.networks)} networks observed: {named}."
    )
    began = "It began" if event.onset_earliest is not None else "It had begun"
    yield f"{began} {words.onset(event)}. {_ended(event)}."
    compared = [one for one in findings.examples if one.control is not None and one.control.reached]
    if compared:
        yield (
            "Looks that failed inside the country were followed by control looks from outside, at "
            "the same address. In the cases shown below those from outside succeeded."
        )


def _ended(event: Event) -> str:
    if event.end_latest is not None:
        return f"It ended {words.end(event)}"
    if event.end_earliest is not None or event.state is EventState.UNOBSERVED:
        return f"Its end is {words.end(event)}"
    seen = words.moment_text(event.updated_at, event.country)
    return f"It had not ended when last seen, {seen}"


def _first_up(text: str) -> str:
    return text[:1].upper() + text[1:]


def _reviewed(story: Story) -> Iterator[Block]:
    decided = [one for one in story.reviews if one.mark is not Mark.NOTE]
    if decided:
        last = decided[-1]
        by = f" by {name(last.reviewer)}" if last.reviewer else ""
        yield Para(
            f"A person has {last.mark.value} this event{by} ({short(last.at)} UTC). What they said "
            "stands under “What people said”; it changes nothing of what was detected."
        )


def _all_events(findings: Findings) -> Block:
    rows = tuple(
        (
            story.event.id,
            story.event.state.value,
            short(story.event.onset_earliest) or "before monitoring",
            short(story.event.onset_latest),
            short(story.event.end_latest) or "—",
            str(len(words.blocked_networks(story.event))),
        )
        for story in findings.stories
    )
    more = (
        f" {plural(findings.stories_left_out, 'later event')} left out here."
        if findings.stories_left_out
        else ""
    )
    return Table(
        f"All blocks of the platform detected in this time (UTC).{more}",
        ("Event", "State", "Open until", "Blocked from", "Open again from", "Networks"),
        rows,
        (24, 14, 20, 20, 20, 10),
    )


def where(findings: Findings, country: str) -> Iterator[Block]:
    """Networks, and when each blocked."""
    yield Heading("Where and when")
    story = findings.main_story
    lanes = {lane.network: lane for lane in findings.lanes}
    if story is not None:
        event = story.event
        rows = []
        for one in event.networks[:MOST_NETWORKS]:
            lane = lanes.get((one.asn, one.network))
            first = one.episodes[0] if one.episodes else None
            last = one.episodes[-1] if one.episodes else None
            rows.append(
                (
                    words.network(one.asn, one.network),
                    words.methods(one.methods) if one.affected else "not blocked",
                    "—"
                    if first is None
                    else words.short_span(
                        first.onset_earliest, first.onset_latest, ("before monitoring", "")
                    ),
                    "—"
                    if last is None
                    else "goes on"
                    if last.end_earliest is None
                    else words.short_span(last.end_earliest, last.end_latest, ("", "not seen")),
                    f"{lane.looks:,}" if lane else "0",
                )
            )
        yield Table(
            "Networks, and when each blocked: the last look at which it was open and the first at "
            "which it was blocked, and the same for the end (UTC).",
            ("Network", "What it did", "Began between", "Ended between", "Verdicts"),
            tuple(rows),
            (22, 33, 20, 20, 13),
        )
    known = {(one.asn, one.network) for one in story.event.networks} if story else set()
    others = [lane for lane in findings.lanes if lane.network not in known]
    if others:
        yield Para(
            f"Also looked from in this time in {country}: "
            f"{joined([words.network(*lane.network) for lane in others[:MOST_NETWORKS]])}."
        )


def share(findings: Findings, title: str) -> Iterator[Block]:
    """The chart of the share of verdicts that found it open."""
    if not findings.lanes:
        return
    if findings.main_story is None:
        yield _timeline(findings, title)
    yield Picture(
        "charts/availability",
        f"Lines, one a network: the share of verdicts at which {title} was open, over time. "
        + " ".join(_lane_sentence(lane) for lane in findings.lanes[:12]),
        "Share of verdicts at which the platform was open, among those that could say. "
        "The numbers are in data/timeline.csv.",
    )


def _timeline(findings: Findings, title: str) -> Block:
    return Picture("charts/timeline", _timeline_alt(findings, title), _timeline_caption(findings))


def _timeline_alt(findings: Findings, title: str) -> str:
    """What the first chart shows, in words."""
    parts = [f"One line a network, coloured by what was seen of {title} over time."]
    for story in findings.stories[:6]:
        event = story.event
        parts.append(f"Began {words.onset(event)}; ended {words.end(event)}.")
    return " ".join([*parts, *(_lane_sentence(lane) for lane in findings.lanes[:12])])


def _lane_sentence(lane: Lane) -> str:
    return (
        f"{words.network(*lane.network)}: blocked in {lane.blocked:,} of "
        f"{plural(lane.looks, 'verdict')}."
    )


def _timeline_caption(findings: Findings) -> str:
    return (
        f"What was seen on each network. One stretch is {length(findings.slot)}; grey means that "
        "nothing is known. Dashed lines: the onset; dotted lines: the end; the shading around them "
        "is the time between their bounds."
    )
