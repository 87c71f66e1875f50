"""What the report does not show, judged by how much was tested and how well."""

from collections.abc import Iterator
from datetime import datetime

from monitor.report.document import Block, Bullets, Heading
from monitor.report.findings import Findings, Lane
from monitor.report.signatures_text import signature_limits
from monitor.report.summary import MOST_NETWORKS, lane_name, verdicts
from monitor.report.tables import short
from monitor.wording.durations import duration
from monitor.wording.observations import layer_in_words
from monitor.wording.words import Words


def limits(words: Words, findings: Findings, title: str) -> Iterator[Block]:
    """What this does not show."""
    yield Heading(words.gettext("What this does not show"))
    yield Bullets(tuple(_limits(words, findings, title)))


def _limits(words: Words, findings: Findings, title: str) -> Iterator[str]:
    yield words.gettext(
        "Who ordered it, and why. Measurements show that connections fail and how. They do not "
        "show whose decision that was, and nothing here says so."
    )
    yield words.gettext(
        "Other networks. %(coverage)s Nothing is known from these measurements about any other "
        "network in %(country)s, or about other places and subscribers of the same networks.",
        coverage=_coverage(words, findings),
        country=words.country(findings.wanted.country),
    )
    yield words.gettext(
        "The exact moments. Tests are made at intervals, and nothing is seen between two tests. "
        "That is why start and end have bounds."
    )
    yield _controls(words, findings)
    for lane in findings.lanes[:MOST_NETWORKS]:
        yield _lane(words, lane)
    hidden = sorted({layer for one in findings.examples for layer in one.field.not_observed})
    if hidden:
        yield words.gettext(
            "Steps that could not be observed from some vantages: %(layers)s.",
            layers=words.joined([layer_in_words(words, layer) for layer in hidden]),
        )
    story = findings.main_story
    if story is not None and story.event.evidence == "weak":
        yield words.gettext(
            "The evidence is weak: innocent explanations remain. Let somebody test again from "
            "another line on the same network before you publish."
        )
    yield from signature_limits(words, findings.signed)
    yield words.gettext(
        "Whether %(platform)s could be used by other means, such as a VPN, and how many people "
        "were affected.",
        platform=words.name(title, 60),
    )


def _coverage(words: Words, findings: Findings) -> str:
    if not findings.lanes and findings.main_story is not None:
        return words.gettext(
            "This rests on the event as it was recorded: the results behind it were deleted after "
            "the time that they are kept."
        )
    networks = words.ngettext("%(n)s network", "%(n)s networks", len(findings.lanes))
    vantages = len(frozenset().union(*(lane.vantages for lane in findings.lanes)))
    if not vantages or any(lane.by_hour for lane in findings.lanes):
        return words.gettext("This rests on %(networks)s.", networks=networks)
    return words.gettext(
        "This rests on %(vantages)s in %(networks)s.",
        vantages=words.ngettext("%(n)s vantage point", "%(n)s vantage points", vantages),
        networks=networks,
    )


def _controls(words: Words, findings: Findings) -> str:
    deleted = findings.deleted_before
    gone = deleted is not None and any(start < deleted for start, _ in findings.windows)
    if gone and not findings.control_measurements:
        return words.gettext(
            "Whether the platform worked everywhere else. If controls outside the country tested "
            "it in this time, their tests were deleted after the time that they are kept."
        )
    if not findings.controls:
        return words.gettext(
            "No control outside the country tested in this time. Without a control a failure "
            "cannot be told from a fault of the platform, and is never more than weak evidence."
        )
    if not findings.control_measurements:
        return words.gettext(
            "Whether the platform worked everywhere else. No control outside the country tested it "
            "in the times whose measurements are enclosed."
        )
    tests = words.ngettext("%(n)s test", "%(n)s tests", findings.control_measurements)
    made = words.ngettext(
        "Whether the platform worked everywhere else. %(n)s control outside the country made "
        "%(tests)s of what had failed inside, in the times whose measurements are enclosed.",
        "Whether the platform worked everywhere else. %(n)s controls outside the country made "
        "%(tests)s of what had failed inside, in the times whose measurements are enclosed.",
        findings.controls,
        tests=tests,
    )
    if findings.control_unwell is None:
        return made
    return f"{made} {_controls_health(words, findings.control_unwell, deleted)}"


def _controls_health(words: Words, unwell: int, deleted: datetime | None) -> str:
    since = short(words, deleted)
    if not unwell and since:
        return words.gettext(
            "The controls themselves worked from %(when)s UTC on; results before that were "
            "deleted.",
            when=since,
        )
    if not unwell:
        return words.gettext("The controls themselves worked throughout.")
    said = words.ngettext(
        "In %(n)s cycle a control was not working itself.",
        "In %(n)s cycles a control was not working itself.",
        unwell,
    )
    if not since:
        return said
    before = words.gettext("Results before %(when)s UTC were deleted.", when=since)
    return f"{said} {before}"


def _source(words: Words, lane: Lane) -> str:
    """Who measured it, as far as that is still known."""
    if not lane.vantages:
        return words.gettext("counted by the hour")
    vantages = words.ngettext("from %(n)s vantage", "from %(n)s vantages", len(lane.vantages))
    if not lane.by_hour:
        return vantages
    return words.gettext(
        "(%(n)s of them counted by the hour, the others %(vantages)s)",
        n=words.number(lane.by_hour),
        vantages=vantages,
    )


def _gap(words: Words, lane: Lane) -> str:
    """The longest time without a verdict. Hours whose verdicts were deleted show none."""
    if lane.longest_gap is None:
        return words.gettext("how long there was none at a time is no longer known")
    length = duration(words, lane.longest_gap)
    if lane.by_hour:
        return words.gettext(
            "the longest time without one was %(length)s, as far as single results are kept",
            length=length,
        )
    return words.gettext("the longest time without one was %(length)s", length=length)


def _lane(words: Words, lane: Lane) -> str:
    parts = [
        words.gettext(
            "%(network)s: %(verdicts)s %(source)s, %(first)s to %(last)s UTC",
            network=lane_name(words, lane),
            verdicts=verdicts(words, lane.verdicts),
            source=_source(words, lane),
            first=short(words, lane.first),
            last=short(words, lane.last),
        ),
        words.gettext(
            "%(share)s were undecided", share=words.percent(lane.undecided / lane.verdicts, 1)
        )
        if lane.undecided
        else words.gettext("all were decided"),
        _gap(words, lane),
    ]
    if lane.unwell:
        parts.append(
            words.ngettext(
                "in %(n)s cycle the vantage itself was not working, so nobody was accused",
                "in %(n)s cycles the vantage itself was not working, so nobody was accused",
                lane.unwell,
            )
        )
    return words.gettext("%(what)s.", what=words.pause.join(parts))
