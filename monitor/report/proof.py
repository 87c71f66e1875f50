"""How it is known: each step seen from inside beside the same from outside, and the rules."""

from collections import Counter
from collections.abc import Iterator, Sequence

from monitor.analysis.judge.rules import RULES
from monitor.analysis.throttling.rules_table import THROTTLING_RULES
from monitor.report import words
from monitor.report.document import Block, Bullets, Heading, Para, Table
from monitor.report.findings import Example, Findings
from monitor.report.foreign_text import name, plain
from monitor.report.words import joined, plural, short
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
from storage.values.measurement_summary import deciding

_MEANINGS = {rule.id: (rule.meaning, rule.wrong_when) for rule in RULES} | {
    rule.id: (rule.meaning, rule.wrong_when) for rule in THROTTLING_RULES
}
LAYERS = {
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


def how(findings: Findings) -> Iterator[Block]:
    """What each step showed, and the rules that decided."""
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
            LAYERS[layer],
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
