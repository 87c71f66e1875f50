"""The evidence: each step from inside next to the same from outside, and the rules."""

from collections import Counter
from collections.abc import Iterator, Sequence

from monitor.report.document import Block, Bullets, Heading, Para, Table
from monitor.report.findings import Example, Findings
from monitor.report.tables import short
from monitor.wording.failures_and_methods import failure_in_words
from monitor.wording.grades import grade_in_words
from monitor.wording.layer_lines import Line, layer_lines
from monitor.wording.networks import network_name
from monitor.wording.observations import FOLLOW_UPS, layer_in_words, observed
from monitor.wording.rules import RULE_MEANINGS, rule_doubt, rule_meaning
from monitor.wording.states import STATES
from monitor.wording.words import Words
from probes.measurement import AnyObservation, Layer, Measurement, Observation, TcpObservation

_MOST_RULES = 30
_ORDER = ("blocked", "throttled", "partial", "insufficient", "down", "ok")
"""States by how much they matter to a reader."""


def how(words: Words, findings: Findings) -> Iterator[Block]:
    """What each step showed, and the rules that decided."""
    yield Heading(words.gettext("How do we know?"))
    steps = words.gettext(
        "Inside each network a program does what a browser or an app does: it resolves the name, "
        "connects, encrypts and requests the page, and records how far it gets. When a test fails "
        "it is repeated. Then a control outside the country makes the same test, and follow-up "
        "tests rule out innocent explanations."
    )
    rules = (
        words.gettext("Fixed rules, printed below, turn that into a verdict; no person decides.")
        if findings.applied
        else words.gettext("Fixed rules turn that into a verdict; no person decides.")
    )
    yield Para(f"{steps} {rules}")
    if findings.examples:
        yield Heading(words.gettext("What each step showed, inside and outside"), 3)
    for example in findings.examples:
        yield from _example(words, example)
    yield from _rules(words, findings)


def _example(words: Words, example: Example) -> Iterator[Block]:
    verdict, measurement, control = example.verdict, example.field, example.control
    missing = words.gettext("no control test")
    rows = tuple(
        (
            layer_in_words(words, layer),
            _shown(words, inside),
            _shown(words, outside) if control else missing,
        )
        for layer in Layer
        if layer is not Layer.EGRESS
        for inside in [layer_lines(words, measurement, layer, _told)]
        for outside in [layer_lines(words, control, layer, _told)]
        if inside or outside
    )
    yield Table(
        words.gettext(
            "%(network)s: %(endpoint)s, %(when)s UTC. Verdict: %(state)s by rule %(rule)s, "
            "evidence: %(grade)s.",
            network=network_name(words, verdict.network, verdict.asn),
            endpoint=words.ltr(verdict.endpoint[:120]),
            when=short(words, measurement.started_at),
            state=words.gettext(STATES[verdict.state]),
            rule=words.ltr(verdict.rule_id),
            grade=grade_in_words(words, verdict.evidence),
        ),
        (
            words.gettext("Step"),
            words.gettext("From inside the network"),
            words.gettext("From outside (control)"),
        ),
        rows,
        (20, 40, 40),
    )
    tested = _follow_ups(words, example.follow_ups)
    if tested:
        yield Para(words.gettext("Follow-up tests"))
        yield Bullets(tested)


def _follow_ups(words: Words, measurements: Sequence[Measurement]) -> tuple[str, ...]:
    """What follow-up tests in the same cycle showed, counted by kind."""
    counts: dict[str, Counter[str]] = {}
    for measurement in measurements:
        for one in measurement.observations:
            if one.reason in FOLLOW_UPS and not _leads_there(one):
                result = words.gettext("works") if one.failure is None else _failed(words, one)
                counts.setdefault(one.reason, Counter())[result] += 1
    return tuple(
        words.gettext(
            "%(test)s: %(results)s.",
            test=words.gettext(FOLLOW_UPS[reason]),
            results=words.listed(
                words.ngettext(
                    "%(result)s (%(n)s time)", "%(result)s (%(n)s times)", count, result=result
                )
                for result, count in found.most_common(4)
            ),
        )
        for reason, found in counts.items()
    )


def _leads_there(one: Observation) -> bool:
    """A connection made only to send a name over it shows nothing by itself."""
    return isinstance(one, TcpObservation) and one.failure is None


def _failed(words: Words, one: AnyObservation) -> str:
    """A failure as a phrase with OONI's string."""
    terse = one.failure or ""
    phrase, shown = failure_in_words(words, terse), words.name(terse, 120)
    return phrase if phrase == shown else f"{phrase} [{words.ltr(terse)}]"


def _shown(words: Words, lines: Sequence[Line]) -> str:
    return words.pause.join(line.text for line in lines) or words.gettext("not reached")


def _told(words: Words, one: AnyObservation) -> str:
    """As on the page, with OONI's string for a failure and the time it took."""
    showed = list(observed(words, one))
    if one.failure is not None:
        showed[0] = _failed(words, one)
    took = words.gettext("%(n)s ms", n=words.number(round(one.duration * 1000)))
    return words.dotted([*showed, took])


def _rules(words: Words, findings: Findings) -> Iterator[Block]:
    counts: Counter[tuple[str, str]] = Counter()
    for one in findings.applied:
        counts[one.rule, one.state] += one.count
    if not counts:
        return
    gone = words.gettext("This version no longer has that rule.")
    rank = {state: number for number, state in enumerate(_ORDER)}
    rows = tuple(
        (
            words.ltr(rule),
            rule_meaning(words, rule) if rule in RULE_MEANINGS else gone,
            rule_doubt(words, rule),
            f"{words.gettext(STATES.get(state, state))}{words.comma}{words.number(count)}",
        )
        for (rule, state), count in sorted(
            counts.items(),
            key=lambda pair: (rank.get(pair[0][1], len(rank)), -pair[1], pair[0]),
        )[:_MOST_RULES]
    )
    yield Heading(words.gettext("The rules that decided"), 3)
    yield Table(
        words.gettext(
            "One rule makes each verdict on one address in one cycle. The third column says what "
            "would make that rule wrong."
        ),
        (
            words.gettext("Rule"),
            words.gettext("What it means"),
            words.gettext("It would be wrong if:"),
            words.gettext("Verdict, how often"),
        ),
        rows,
        (18, 38, 30, 16),
    )
