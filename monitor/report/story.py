"""From findings to the document: what, where, when, how it is known, and what it does not show.

Nothing is said here that the findings do not hold, and nothing at all about who is behind it.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec

from monitor.analysis.event import Event, EventState
from monitor.analysis.rules import RULES
from monitor.analysis.throttling_rules import THROTTLING_RULES
from monitor.report import words
from monitor.report.document import Block, Bullets, Document, Facts, Heading, Para, Picture, Table
from monitor.report.findings import Example, Findings, Lane, Story
from monitor.report.key import grouped
from monitor.report.text import name, plain
from monitor.report.words import joined, length, plural, short
from probes.countries import COUNTRIES
from probes.measurement import (
    AppObservation,
    DnsObservation,
    HttpObservation,
    Layer,
    Measurement,
    Observation,
    QuicObservation,
    TcpObservation,
    TlsObservation,
    TransferObservation,
)
from storage.human import Mark
from storage.summary import deciding

_UNPROVEN = (EventState.SUSPECTED, EventState.DISMISSED, EventState.WITHDRAWN)
_MEANINGS = {rule.id: (rule.meaning, rule.wrong_when) for rule in RULES} | {
    rule.id: (rule.meaning, rule.wrong_when) for rule in THROTTLING_RULES
}
_LAYERS = {
    Layer.EGRESS: "Our own proxy",
    Layer.DNS: "Name (DNS)",
    Layer.TCP: "Connection (TCP)",
    Layer.TLS: "Encryption (TLS)",
    Layer.HTTP: "Page (HTTP)",
    Layer.APP: "App's own protocol",
    Layer.QUIC: "HTTP/3 (QUIC)",
    Layer.TRANSFER: "Transfer",
}
_MOST_ADDRESSES = 4
_MOST_NETWORKS = 60


class Imprint(msgspec.Struct, frozen=True, kw_only=True):
    """Who made the report, with what."""

    version: str
    generated_at: datetime
    fingerprint: str
    title: str
    """The platform's name for people."""


def document(findings: Findings, imprint: Imprint) -> Document:
    """The whole report."""
    wanted = findings.wanted
    title = name(imprint.title)
    country = COUNTRIES.get(wanted.country, wanted.country)
    blocks: list[Block] = [
        *_summary(findings, title, country),
        *_where(findings, country),
        *_share(findings, title),
        *_how(findings),
        *_limits(findings, title, country),
        *_beside(findings),
        *_people(findings),
        *_history(findings),
        *_method(findings, imprint),
        *_files(findings, imprint),
    ]
    return Document(
        title=_headline(findings, title, country),
        subtitle=(
            f"Report on {title} in {country}, {short(wanted.since)} to {short(wanted.until)} UTC"
        ),
        blocks=tuple(blocks),
        footer=(
            f"shutwatch {imprint.version} · rules {', '.join(findings.rules_versions) or 'none'} · "
            f"made {short(imprint.generated_at)} UTC · key {imprint.fingerprint[:16]}…"
        ),
    )


def main_story(findings: Findings) -> Story | None:
    """The event the report is first about: the last that was confirmed, else the last."""
    proven = [one for one in findings.stories if one.event.state not in _UNPROVEN]
    known = proven or list(findings.stories)
    return known[-1] if known else None


def _headline(findings: Findings, title: str, country: str) -> str:
    story = main_story(findings)
    if story is None:
        return f"No block of {title} was detected in {country}"
    event = story.event
    if event.state in _UNPROVEN:
        return f"{title} in {country}: signs of a block, not confirmed"
    blocked, seen = len(words.blocked_networks(event)), len(event.networks)
    verb = "blocked" if not event.active else "being blocked"
    return f"{words.what(event, title)} {verb} in {country}: {blocked} of {seen} networks observed"


def _summary(findings: Findings, title: str, country: str) -> Iterator[Block]:
    yield Heading("In short")
    story = main_story(findings)
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
    seen = joined([words.network(*lane.network) for lane in findings.lanes[:_MOST_NETWORKS]])
    return (
        f"No block of {title} was detected in this time on {seen}. What is said under "
        "“What this does not show” holds here too: of other networks nothing is known."
    )


def _quotable(event: Event, findings: Findings, title: str, country: str) -> Iterator[str]:
    blocked = words.blocked_networks(event)
    named = joined([words.network(one.asn, one.network) for one in blocked[:_MOST_NETWORKS]])
    subject = words.what(event, title)
    if event.state in _UNPROVEN:
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


def _where(findings: Findings, country: str) -> Iterator[Block]:
    yield Heading("Where and when")
    story = main_story(findings)
    lanes = {lane.network: lane for lane in findings.lanes}
    if story is not None:
        event = story.event
        rows = []
        for one in event.networks[:_MOST_NETWORKS]:
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
            f"{joined([words.network(*lane.network) for lane in others[:_MOST_NETWORKS]])}."
        )


def _share(findings: Findings, title: str) -> Iterator[Block]:
    if not findings.lanes:
        return
    if main_story(findings) is None:
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


def _how(findings: Findings) -> Iterator[Block]:
    yield Heading("How we know")
    yield Para(
        "From inside each network a program does what a browser or an app does: it asks for the "
        "name, connects, encrypts and asks for the page, and notes how far it gets. When a look "
        "fails it looks again, then a control vantage outside the country looks at the same thing, "
        "and further tests rule out innocent explanations. Fixed rules, printed below, turn that "
        "into a verdict; no person decides."
    )
    if findings.examples:
        yield Heading("What each step showed: inside, and outside", 3)
    for example in findings.examples:
        yield from _example(example)
    yield from _rules(findings)


def _example(example: Example) -> Iterator[Block]:
    verdict, look, control = example.verdict, example.field, example.control
    inside, outside = deciding(look), deciding(control) if control else {}
    layers = [layer for layer in Layer if layer in inside or layer in outside]
    rows = tuple(
        (
            _LAYERS[layer],
            _shown(inside.get(layer), layer, look),
            _shown(outside.get(layer), layer, control) if control else "no control looked",
        )
        for layer in layers
        if layer is not Layer.EGRESS
    )
    own = words.network(verdict.asn, verdict.network)
    yield Table(
        f"{own}: {plain(verdict.endpoint, 120)}, {short(look.started_at)} UTC. Verdict "
        f"{verdict.state.value} by rule {verdict.rule_id}, evidence {verdict.evidence.value}.",
        ("Step", "From inside the network", "From outside (control)"),
        rows,
        (20, 40, 40),
    )
    tested = _follow_ups(example.follow_ups)
    if tested:
        yield Para("Further tests from inside, in the same pass:")
        yield Bullets(tested)


def _follow_ups(looks: Sequence[Measurement]) -> tuple[str, ...]:
    """What further tests in the same cycle showed, counted by what they asked."""
    counts: dict[str, Counter[str]] = {}
    for look in looks:
        for one in look.observations:
            if one.reason in words.FOLLOW_UPS and not _leads_there(one):
                result = "it worked" if one.failure is None else words.failure(one.failure)
                counts.setdefault(one.reason, Counter())[result] += 1
    return tuple(
        f"{words.FOLLOW_UPS[reason]}: "
        + joined([f"{result}, {plural(count, 'time')}" for result, count in found.most_common(4)])
        + "."
        for reason, found in counts.items()
    )


def _leads_there(one: Observation) -> bool:
    """A connection made only to say a name over it tells nothing by itself."""
    return isinstance(one, TcpObservation) and one.failure is None


def _shown(one: Observation | None, layer: Layer, look: Measurement) -> str:
    if one is None:
        return "hidden by the proxy" if layer in look.not_observed else "not reached"
    if one.failure is not None:
        return words.failure(one.failure)
    took = f"{one.duration * 1000:.0f} ms"
    match one:
        case DnsObservation():
            found = [plain(address) for address in one.addresses]
            more = (
                f" and {len(found) - _MOST_ADDRESSES} more" if len(found) > _MOST_ADDRESSES else ""
            )
            return f"{', '.join(found[:_MOST_ADDRESSES])}{more} ({took})"
        case TcpObservation():
            return f"connected to {plain(one.address)} port {one.port} ({took})"
        case TlsObservation() | QuicObservation():
            return f"greeting completed, certificate good ({took})"
        case HttpObservation():
            titled = f", titled “{name(one.title)}”" if one.title else ""
            return f"answer {one.status}{titled} ({took})"
        case AppObservation():
            return f"the platform's own server answered ({took})"
        case TransferObservation():
            return f"{one.bytes_read:,} of {one.bytes_wanted:,} bytes ({took})"
        case _:
            return f"worked ({took})"


def _rules(findings: Findings) -> Iterator[Block]:
    counts: Counter[tuple[str, str]] = Counter()
    for one in findings.applied:
        counts[one.rule, one.state] += one.count
    if not counts:
        return
    order = {"blocked": 0, "throttled": 1, "insufficient": 2, "down": 3, "ok": 4}
    rows = tuple(
        (
            rule,
            _MEANINGS.get(rule, ("This version no longer has that rule.", ""))[0],
            _MEANINGS.get(rule, ("", "—"))[1],
            f"{state}, {count:,}",
        )
        for (rule, state), count in sorted(
            counts.items(), key=lambda pair: (order.get(pair[0][1], 5), -pair[1], pair[0])
        )[:30]
    )
    yield Heading("The rules that decided", 3)
    yield Table(
        "Each verdict on one address in one pass is made by one rule. What would make a rule wrong "
        "is said beside it.",
        ("Rule", "What it says", "It would be wrong if", "Verdict, how often"),
        rows,
        (18, 38, 30, 16),
    )


def _limits(findings: Findings, title: str, country: str) -> Iterator[Block]:
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
    items.extend(_lane_limits(lane) for lane in findings.lanes[:_MOST_NETWORKS])
    hidden = sorted(
        {_LAYERS[layer] for example in findings.examples for layer in example.field.not_observed}
    )
    if hidden:
        items.append(f"Steps that could not be seen from some vantages: {joined(hidden)}.")
    story = main_story(findings)
    if story is not None and story.event.evidence == "weak":
        items.append(
            "The evidence is weak: an innocent explanation is left. Have somebody look again, from "
            "another line on the same network, before publishing."
        )
    items.append(
        f"Whether {title} could be used by other means, such as a VPN, and how many people were "
        "affected."
    )
    yield Bullets(tuple(items))


def _coverage(findings: Findings) -> str:
    vantages = sum(lane.vantages for lane in findings.lanes)
    return (
        f"This rests on {plural(vantages, 'vantage point')} in "
        f"{plural(len(findings.lanes), 'network')}."
    )


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
        f"{plural(findings.control_looks, 'look')} at what had failed inside, in the times whose "
        f"measurements are enclosed; {ill}."
    )


def _lane_limits(lane: Lane) -> str:
    undecided = (
        f"{lane.undecided / lane.looks:.1%} said nothing either way"
        if lane.undecided
        else "all of them could say"
    )
    ill = f"; in {plural(lane.unwell, 'cycle')} the vantage itself was not well"
    unwell = f"{ill}, so nobody was accused" if lane.unwell else ""
    return (
        f"{words.network(*lane.network)}: {plural(lane.looks, 'verdict')} from "
        f"{plural(lane.vantages, 'vantage')}, {short(lane.first)} to {short(lane.last)} UTC; "
        f"{undecided}; the longest time without one was {length(lane.longest_gap)}{unwell}."
    )


def _beside(findings: Findings) -> Iterator[Block]:
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


def _people(findings: Findings) -> Iterator[Block]:
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


def _history(findings: Findings) -> Iterator[Block]:
    story = main_story(findings)
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


def _method(findings: Findings, imprint: Imprint) -> Iterator[Block]:
    yield Heading("Method and version")
    yield Para(
        f"Made by shutwatch {imprint.version}, free software that anybody can run. Verdicts by "
        f"rules version {', '.join(findings.rules_versions) or '—'}. Failures are named in words "
        "of OONI. An event is opened when a sequential test over the verdicts finds a block "
        "likelier than chance within a fixed budget of false alarms, and confirmed at a stricter "
        "one."
    )
    yield Para(
        f"To cite: shutwatch {imprint.version}, report on {name(imprint.title)} in "
        f"{findings.wanted.country}, {words.day(imprint.generated_at)}"
        + (f", event {story.event.id}" if (story := main_story(findings)) else "")
        + "."
    )


_FILES = {
    "data/events.csv": "The events above, one a row",
    "data/verdicts.csv": "What was concluded of each address, network and pass, and by which rule",
    "data/timeline.csv": "What the charts are drawn from",
    "data/availability.csv": "Availability by hour, with its definition in every row",
    "data/measurements.csv": "Each look around the onset and the end, with its control looks",
    "data/measurements.jsonl": "The same with everything that was seen, one JSON object a line",
    "data/ooni.jsonl": "The same in OONI's data format",
    "data/dictionary.csv": "What every column means",
}


def _files(findings: Findings, imprint: Imprint) -> Iterator[Block]:
    yield Heading("What is enclosed, and how to check it")
    yield Table(
        "Files of data beside this document.",
        ("File", "What it holds", "Rows"),
        tuple((file, what, f"{findings.rows.get(file, 0):,}") for file, what in _FILES.items()),
        (32, 54, 14),
    )
    around = (
        "for the whole time of the report"
        if findings.wanted.all_measurements
        else "for the hour before and after each onset and each end"
        if findings.stories
        else "for the last hour"
    )
    named = (
        "Vantages are named."
        if findings.wanted.with_vantages
        else "No vantage is named more closely than by its network, and no file holds its address."
    )
    gone = (
        ""
        if findings.rows.get("data/measurements.csv")
        else " None is stored for those times: they are kept for a limited time only."
    )
    yield Para(f"Raw measurements are enclosed {around}.{gone} {named}")
    yield Para(
        "MANIFEST.json lists every file with its SHA-256 and is signed. The command “shutwatch "
        "verify FILE --key FINGERPRINT” finds any changed byte, offline. The fingerprint of the "
        "key that signed it:"
    )
    yield Para(grouped(imprint.fingerprint), lead=True)
    yield Para(
        "A signature shows that the report is as this installation made it. Whose installation it "
        "is, only somebody who knows the fingerprint from elsewhere can tell."
    )
