"""The first part: what was found, where and when, in sentences that can be quoted."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime

from monitor.analysis.events.event import Event, EventState, NetworkStatus, Stretch
from monitor.analysis.events.stretches import at_first_test, newest, stretches
from monitor.analysis.trust import network_key
from monitor.report.document import Block, Facts, Heading, Para, Picture, Table
from monitor.report.findings import Findings, Lane, Story, is_proven
from monitor.report.tables import short, short_span, some_stretches, with_omitted
from monitor.wording.coverage import coverage_headline, coverage_text
from monitor.wording.durations import duration
from monitor.wording.events import (
    began,
    counted_networks,
    ending,
    extent,
    founded,
    length,
    not_affected,
    onset,
    seems_over,
    what_happened,
)
from monitor.wording.failures_and_methods import method_and_name
from monitor.wording.functions import function_in_words
from monitor.wording.grades import grade_and_meaning
from monitor.wording.languages import N_
from monitor.wording.networks import network_name, network_names
from monitor.wording.reviews import MARKS
from monitor.wording.states import EVENT_STATES, state_and_meaning
from monitor.wording.support import doubts, weight
from monitor.wording.times import moment
from monitor.wording.words import Words
from storage.values.reviews import Mark

MOST_NETWORKS = 60


def headline(words: Words, findings: Findings, title: str) -> str:
    """The title of the report."""
    story = findings.main_story
    if story is None:
        names = _names(words, findings, title)
        if findings.nothing_known:
            return words.gettext("Nothing is known about %(platform)s in %(country)s", **names)
        return words.gettext(
            "%(platform)s in %(country)s: %(what)s",
            **names,
            what=coverage_headline(words, findings.coverage, controls=findings.wanted.controls),
        )
    return what_happened(words, story.event, {story.event.platform: title})


def summary(words: Words, findings: Findings, title: str) -> Iterator[Block]:
    """The answers to the first questions."""
    yield Heading(words.gettext("In short"))
    story = findings.main_story
    if story is None:
        yield Para(_nothing(words, findings, title), lead=True)
        return
    event = story.event
    for sentence in _quotable(words, event, findings, title):
        yield Para(sentence, lead=True)
    if findings.lanes:
        yield _timeline(words, findings, title)
    functions = [function_in_words(words, function) for function in event.functions]
    methods = [method_and_name(words, name, past=seems_over(event)) for name in event.methods]
    unknown = words.gettext("not known")
    yield Facts(
        (
            (words.gettext("What"), what_happened(words, event, {event.platform: title})),
            (words.gettext("Functions"), words.listed(functions) or unknown),
            *(((words.gettext("Affected"), part),) if (part := extent(words, event)) else ()),
            (words.gettext("State"), state_and_meaning(words, event)),
            (words.gettext("Began"), onset(words, event, exact=True)),
            (words.gettext("Ended"), _ended(words, event)),
            (words.gettext("Lasted"), length(words, event)),
            (words.gettext("How"), words.pause.join(methods) or unknown),
            *_weighed(words, event),
            *(((words.gettext("Hours"), words.ltr(event.pattern)),) if event.pattern else ()),
            (words.gettext("Event"), words.ltr(event.id)),
        )
    )
    yield from _reviewed(words, story)
    if len(findings.stories) > 1 or findings.stories_omitted:
        yield _all_events(words, findings)


def _weighed(words: Words, event: Event) -> Iterator[tuple[str, str]]:
    """The evidence, what those who find it blocked weigh, and why not more where that needs
    saying."""
    if not founded(event):
        return
    yield words.gettext("Evidence"), grade_and_meaning(words, event.evidence)
    if event.weight is not None:
        said = (weight(words, event) + ".", *doubts(words, event))
        yield words.gettext("Weight of the evidence"), " ".join(said)


def blocked_networks(event: Event) -> list[NetworkStatus]:
    """Networks that blocked at any time of the event."""
    return [one for one in event.networks if one.affected]


def lane_name(words: Words, lane: Lane) -> str:
    """The network of a lane."""
    asn, name = lane.network
    return network_name(words, name, asn)


def verdicts(words: Words, number: int) -> str:
    """`12 verdicts`."""
    return words.ngettext("%(n)s verdict", "%(n)s verdicts", number)


def _nothing(words: Words, findings: Findings, title: str) -> str:
    known = coverage_text(words, findings.coverage, controls=findings.wanted.controls)
    if not findings.coverage.decided:
        return " ".join(
            [
                words.gettext(
                    "Nothing is known about %(platform)s in %(country)s in this time.",
                    **_names(words, findings, title),
                ),
                known,
                words.gettext("No data does not mean that it worked."),
            ]
        )
    seen = words.joined([lane_name(words, lane) for lane in findings.lanes[:MOST_NETWORKS]])
    return " ".join(
        [
            words.gettext(
                "%(platform)s in %(country)s, tested on %(networks)s:",
                **_names(words, findings, title),
                networks=seen,
            ),
            known,
            words.gettext(
                "The part “What this does not show” applies here too: nothing is known about other "
                "networks."
            ),
        ]
    )


def _names(words: Words, findings: Findings, title: str) -> Mapping[str, str]:
    return {
        "platform": words.name(title, 60),
        "country": words.country(findings.wanted.country),
    }


def _quotable(words: Words, event: Event, findings: Findings, title: str) -> Iterator[str]:
    what = what_happened(words, event, {event.platform: title})
    if not is_proven(event):
        blocked = network_names(words, blocked_networks(event), MOST_NETWORKS)
        yield words.gettext("%(what)s.", what=what)
        yield words.gettext(
            "This is not confirmed and should not be reported as a block. Signs were seen on "
            "%(networks)s.",
            networks=blocked,
        )
        return
    counted = network_names(words, counted_networks(event), MOST_NETWORKS)
    yield words.gettext("%(what)s: %(networks)s.", what=what, networks=counted)
    yield _began_and_ended(words, event)
    worked = [one.control is not None and one.control.reached for one in findings.examples]
    if worked and all(worked):
        yield words.gettext(
            "Tests that failed inside the country were followed by tests of the same address from "
            "a control outside. In the cases shown below the tests from outside worked."
        )


def _began_and_ended(words: Words, event: Event) -> str:
    return " ".join(
        [began(words, event), words.gettext("Ended: %(when)s.", when=_ended(words, event))]
    )


def _ended(words: Words, event: Event) -> str:
    if not founded(event):
        return words.gettext("does not apply")
    ended = ending(words, event, exact=True)
    if ended is not None:
        return ended
    last = newest(event)
    if event.state is EventState.UNOBSERVED and last.end_latest and last.end_earliest:
        return words.gettext(
            "not certain: last blocked at %(when)s, then found open, and no longer tested",
            when=moment(words, last.end_earliest, event.country, seconds=True),
        )
    if event.state is EventState.UNOBSERVED:
        return words.gettext("not known: nobody saw it end")
    if last.end_earliest is not None:
        return _seems_open(words, last.end_earliest, event)
    return words.gettext(
        "not yet; blocked when last tested, at %(when)s",
        when=moment(words, last.last_blocked or last.onset_latest, event.country, seconds=True),
    )


def _seems_open(words: Words, blocked_at: datetime, event: Event) -> str:
    return words.gettext(
        "not certain yet: it seems open again, and was last blocked at %(when)s",
        when=moment(words, blocked_at, event.country, seconds=True),
    )


def _reviewed(words: Words, story: Story) -> Iterator[Block]:
    decided = [one for one in story.reviews if one.mark is not Mark.NOTE]
    if not decided:
        return
    last = decided[-1]
    by = words.name(last.reviewer, 60) if last.reviewer else words.gettext("not named")
    yield Para(
        words.gettext(
            "%(mark)s: %(reviewer)s, %(when)s UTC. The reviews are under “What people said”; they "
            "change nothing of what was detected.",
            mark=words.gettext(MARKS[last.mark]),
            reviewer=by,
            when=short(words, last.at),
        )
    )


def _all_events(words: Words, findings: Findings) -> Block:

    def before(event: Event, stretch: Stretch) -> str:
        first = at_first_test(event, stretch)
        return words.gettext("before monitoring") if first else words.gettext("not known")

    rows = tuple(
        (
            words.ltr(story.event.id),
            words.gettext(EVENT_STATES[story.event.state]),
            short(words, stretch.onset_earliest) or before(story.event, stretch),
            short(words, stretch.onset_latest),
            short(words, stretch.end_latest) or "—",
            words.number(len(blocked_networks(story.event))),
        )
        for story in findings.stories
        for _, stretch in some_stretches(stretches(story.event))
    )
    caption = words.gettext(
        "All blocks of the platform that were detected in this time, each blocked stretch in a "
        "row (UTC). Of many stretches the first and the last ones are shown."
    )
    return Table(
        with_omitted(words, caption, findings.stories_omitted),
        (
            words.gettext("Event"),
            words.gettext("State"),
            words.gettext("Open until"),
            words.gettext("Blocked from"),
            words.gettext("Open again from"),
            words.gettext("Networks"),
        ),
        rows,
        (24, 14, 20, 20, 20, 10),
    )


def where(words: Words, findings: Findings) -> Iterator[Block]:
    """Networks, and when each blocked."""
    yield Heading(words.gettext("Where and when"))
    story = findings.main_story
    if story is not None:
        yield _networks(words, findings, story.event)
    known = {network_key(one.asn, one.network) for one in story.event.networks} if story else set()
    others = [lane for lane in findings.lanes if network_key(*lane.network) not in known]
    if others:
        message = (
            N_("Also tested in this time in %(country)s: %(networks)s.")
            if known
            else N_("Tested in this time in %(country)s: %(networks)s.")
        )
        yield Para(
            words.gettext(
                message,
                country=words.country(findings.wanted.country),
                networks=words.joined([lane_name(words, one) for one in others[:MOST_NETWORKS]]),
            )
        )


def _networks(words: Words, findings: Findings, event: Event) -> Block:
    # Vantages may call one network by several names.
    counted = Counter[tuple[int, str]]()
    for lane in findings.lanes:
        counted[network_key(*lane.network)] += lane.verdicts
    rows: list[tuple[str, ...]] = []
    for one in event.networks[:MOST_NETWORKS]:
        over = not (event.active and one.blocked_now)
        methods = [method_and_name(words, name, past=over) for name in one.methods]
        how = words.pause.join(methods) if one.affected else not_affected(words, event, one)
        name = network_name(words, one.network, one.asn)
        number = words.number(counted[network_key(one.asn, one.network)])
        if not one.stretches:
            rows.append((name, how, "—", "—", "—", number))
        for place, stretch in some_stretches(one.stretches):
            which = words.gettext(
                "%(number)s of %(n)s",
                number=words.number(place),
                n=words.number(len(one.stretches)),
            )
            rows.append((name, how, which, *_bounds(words, stretch, one, event), number))
    return Table(
        words.gettext(
            "Networks, and when each blocked (UTC). It began between the last test that was open "
            "and the first that was blocked, and ended likewise."
        ),
        (
            words.gettext("Network"),
            words.gettext("How"),
            words.gettext("Stretch"),
            words.gettext("Began between"),
            words.gettext("Ended between"),
            words.gettext("Verdicts"),
        ),
        tuple(rows),
        (20, 28, 10, 20, 20, 12),
    )


def _bounds(
    words: Words, stretch: Stretch, network: NetworkStatus, event: Event
) -> tuple[str, str]:
    """When one stretch of a network began and ended, for a table."""
    before, unseen = words.gettext("before monitoring"), words.gettext("nobody saw when")
    began = short_span(words, stretch.onset_earliest, stretch.onset_latest, (before, ""))
    if stretch.end_earliest is None:
        return began, words.gettext("goes on") if event.active else "—"
    if event.active and stretch.end_latest is None:
        if network.recovering:
            return began, _seems_open(words, stretch.end_earliest, event)
        unseen = words.gettext("not known: nobody saw it end")
    return began, short_span(words, stretch.end_earliest, stretch.end_latest, ("", unseen))


def share(words: Words, findings: Findings, title: str) -> Iterator[Block]:
    """The chart of the share of verdicts that found it open."""
    if not findings.lanes:
        return
    if findings.main_story is None:
        yield _timeline(words, findings, title)
    shown = words.gettext(
        "One line for each network: the share of verdicts that found %(platform)s open, wholly or "
        "in part, over time.",
        platform=words.name(title, 60),
    )
    yield Picture(
        "charts/availability",
        " ".join([shown, *_lane_sentences(words, findings)]),
        words.gettext(
            "Share of decided verdicts that found the platform open, wholly or in part. "
            "The numbers are in %(file)s.",
            file="data/timeline.csv",
        ),
    )


def _timeline(words: Words, findings: Findings, title: str) -> Block:
    shown = words.gettext(
        "One line for each network, coloured by the results for %(platform)s over time.",
        platform=words.name(title, 60),
    )
    events = [_began_and_ended(words, story.event) for story in findings.stories[-6:]]
    return Picture(
        "charts/timeline",
        " ".join([shown, *events, *_lane_sentences(words, findings)]),
        words.gettext(
            "What the tests showed on each network. One slot is %(length)s; grey means that "
            "nothing is known. Dashed line: the start. Dotted line: the end. Shaded: the time "
            "between the bounds of either.",
            length=duration(words, findings.slot),
        ),
    )


def _lane_sentences(words: Words, findings: Findings) -> Iterator[str]:
    for lane in findings.lanes[:12]:
        names = {"network": lane_name(words, lane), "verdicts": verdicts(words, lane.verdicts)}
        if lane.undecided == lane.verdicts and not lane.in_part:
            yield words.gettext("%(network)s: %(verdicts)s, and none was decided.", **names)
        elif lane.undecided == lane.verdicts:
            pass  # Blocked in part, and else nothing is known.
        elif lane.undecided:
            yield words.gettext(
                "%(network)s: blocked in %(x)s of %(decided)s that were decided, of %(verdicts)s.",
                x=words.number(lane.blocked),
                decided=words.number(lane.verdicts - lane.undecided),
                **names,
            )
        else:
            yield words.gettext(
                "%(network)s: blocked in %(x)s of %(verdicts)s.",
                x=words.number(lane.blocked),
                **names,
            )
        if lane.throttled:
            yield words.ngettext(
                "%(network)s: slowed down in %(n)s verdict.",
                "%(network)s: slowed down in %(n)s verdicts.",
                lane.throttled,
                network=names["network"],
            )
        if lane.in_part:
            yield words.ngettext(
                "%(network)s: blocked in part in %(n)s verdict.",
                "%(network)s: blocked in part in %(n)s verdicts.",
                lane.in_part,
                network=names["network"],
            )
