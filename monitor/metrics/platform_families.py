"""Prometheus families about platforms: the state at each vantage, and how sure a country is."""

from datetime import datetime
from math import inf

from monitor.analysis.verdict import ACCUSED, State
from monitor.metrics.family import PAIR, Families, Rows
from monitor.metrics.snapshot import Snapshot, VantageView
from monitor.wording.failures_and_methods import method_label

FAMILIES = Families()


@FAMILIES.vantage_info("platform", "method", "sub_method", "meaning", "meaning_past")
def platform_blocked_method(view: VantageView, at: datetime) -> Rows:
    """Method by which a platform, or while it is undecided or down a function of it, is blocked,
    partial, degraded or throttled at a vantage."""
    for verdict in view.counted_at(at):
        shown = (verdict,) if verdict.state in ACCUSED else verdict.blocked_all_the_same[:1]
        for one in shown:
            method, sub_method = one.method, one.sub_method
            meaning = method_label(method, sub_method)
            past = method_label(method, sub_method, past=True)
            yield (verdict.platform, method, sub_method, meaning, past), 1


@FAMILIES.vantage_gauge("platform", "state")
def platform_state(view: VantageView, at: datetime) -> Rows:
    """1 for the current state of a platform at a field vantage, 0 for every other state."""
    for verdict in view.counted_at(at):
        for state in State:
            yield (verdict.platform, state), verdict.state is state


@FAMILIES.vantage_gauge("platform", "function", "state")
def function_state(view: VantageView, at: datetime) -> Rows:
    """Always 1; the label `state` has the state of a function of a platform at a field vantage."""
    for verdict in view.counted_at(at):
        for function in verdict.functions:
            yield (verdict.platform, function.function, function.state), 1


@FAMILIES.vantage_gauge("platform")
def platform_partial_ratio(view: VantageView, at: datetime) -> Rows:
    """Share (0 to 1) of a platform's connections, or of its addresses, that fail at a field
    vantage where its state is partial; no sample where it was not counted."""
    for verdict in view.counted_at(at):
        if verdict.share is not None:
            yield (verdict.platform,), verdict.share


@FAMILIES.vantage_gauge("platform", "function", "group")
def function_group_blocked(view: VantageView, at: datetime) -> Rows:
    """Always 1; the label `group` has a group, such as a data centre, that is blocked, partly
    blocked or slow at a field vantage while others of its function are not."""
    for verdict in view.counted_at(at):
        for function in verdict.functions:
            for group in function.groups:
                yield (verdict.platform, function.function, group), 1


@FAMILIES.vantage_gauge("platform", "function")
def function_blocked_endpoints(view: VantageView, at: datetime) -> Rows:
    """Blocked or slow endpoints of a function at a field vantage, even if it works without them;
    8 at most, and no sample for none."""
    for verdict in view.counted_at(at):
        for function in (function for function in verdict.functions if function.accused):
            yield (verdict.platform, function.function), len(function.accused)


@FAMILIES.gauge(*PAIR)
def platform_blocked_networks_ratio(snapshot: Snapshot, at: datetime) -> Rows:
    """Share of a country's networks that block a platform, among those with a decided verdict."""
    for pair, (blocked, decided) in snapshot.networks_blocked(at).items():
        yield pair, len(blocked) / decided


@FAMILIES.gauge(*PAIR, "cause")
def platform_undecided_verdicts(snapshot: Snapshot, at: datetime) -> Rows:
    """Field vantages that cannot tell now whether a platform is blocked, by cause."""
    for (country, platform), coverage in snapshot.coverage_by_pair(at).items():
        for cause, number in coverage.undecided.items():
            yield (country, platform, cause), number
        if coverage.not_measured:
            yield (country, platform, "not_measured"), coverage.not_measured


@FAMILIES.vantage_gauge("platform", "against")
def platform_transfer_ratio(view: VantageView, at: datetime) -> Rows:
    """Speed of a platform's transfer at a field vantage, divided by that of another transfer."""
    lowest: dict[tuple[str, str], float] = {}
    for transfer in view.transfers_at(at):
        if transfer.ratio is not None:
            key = (transfer.verdict.platform, transfer.ratio[0])
            lowest[key] = min(transfer.ratio[1].median, lowest.get(key, inf))
    yield from lowest.items()
