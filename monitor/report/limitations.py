"""What the report does not show, from how much was looked at and how well."""

from collections.abc import Iterator

from monitor.report import words
from monitor.report.document import Block, Bullets, Heading
from monitor.report.findings import Findings, Lane
from monitor.report.proof import LAYERS
from monitor.report.signed_words import limit_words
from monitor.report.summary import MOST_NETWORKS
from monitor.report.words import joined, length, plural, short


def limits(findings: Findings, title: str, country: str) -> Iterator[Block]:
    """What this does not show."""
    yield Heading("What this does not show")
    behind = (
        "Who ordered it, and why. Measurements show that connections fail and how; they do not "
        "show whose decision that was. Nothing here says so."
    )
    elsewhere = (
        f"Other networks. {_coverage(findings)} Of any other network in {country}, and of other "
        "places and subscribers of the same networks, nothing is known from these measurements."
    )
    moments = (
        "The exact moments. A look is made every so often; what lies between two looks is not "
        "seen. That is why onset and end are given as bounds."
    )
    items = [behind, elsewhere, moments, _control_sentence(findings)]
    items.extend(_lane_limits(lane) for lane in findings.lanes[:MOST_NETWORKS])
    hidden = sorted(
        {LAYERS[layer] for example in findings.examples for layer in example.field.not_observed}
    )
    if hidden:
        items.append(f"Steps that could not be seen from some vantages: {joined(hidden)}.")
    story = findings.main_story
    if story is not None and story.event.evidence == "weak":
        items.append(
            "The evidence is weak: an innocent explanation is left. Have somebody look again, from "
            "another line on the same network, before publishing."
        )
    items.extend(limit_words(findings.signed))
    items.append(
        f"Whether {title} could be used by other means, such as a VPN, and how many people were "
        "affected."
    )
    yield Bullets(tuple(items))


def _coverage(findings: Findings) -> str:
    networks = plural(len(findings.lanes), "network")
    vantages = sum(lane.vantages for lane in findings.lanes)
    if not vantages:
        return f"This rests on {networks}."
    return f"This rests on {plural(vantages, 'vantage point')} in {networks}."


def _control_sentence(findings: Findings) -> str:
    if not findings.controls:
        return (
            "No control vantage outside the country looked in this time. Without one a failure "
            "cannot be told from the platform's own trouble, and is never more than weak evidence."
        )
    controls = plural(findings.controls, "control vantage")
    ill = (
        f"in {plural(findings.control_unwell, 'pass')} a control was not well itself"
        if findings.control_unwell
        else "the controls themselves were well throughout"
    )
    return (
        f"Whether the platform was well everywhere else. {controls} outside the country made "
        f"{plural(findings.control_measurements, 'look')} at what had failed inside, in the times "
        f"whose measurements are enclosed; {ill}."
    )


def _lane_limits(lane: Lane) -> str:
    undecided = (
        f"{lane.undecided / lane.looks:.1%} said nothing either way"
        if lane.undecided
        else "all of them could say"
    )
    ill = f"; in {plural(lane.unwell, 'cycle')} the vantage itself was not well"
    unwell = f"{ill}, so nobody was accused" if lane.unwell else ""
    seen = f"{short(lane.first)} to {short(lane.last)} UTC"
    source = f"from {plural(lane.vantages, 'vantage')}" if lane.vantages else "counted by the hour"
    return (
        f"{words.network(*lane.network)}: {plural(lane.looks, 'verdict')} {source}, {seen}; "
        f"{undecided}; the longest time without one was {length(lane.longest_gap)}{unwell}."
    )
