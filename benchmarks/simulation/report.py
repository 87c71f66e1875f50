"""The scorecard as a document."""

import math
from collections.abc import Mapping, Sequence

from benchmarks.simulation.blocks import KINDS, LEAK, TECHNIQUES
from benchmarks.simulation.noise import (
    FITTED,
    FLAKY_SHARE,
    FLAKY_TIMES,
    HELD_OUT,
    LASTING,
    ODD,
    Family,
)
from benchmarks.simulation.rivals import OURS, RULES
from benchmarks.simulation.run import TEST_ALONE
from benchmarks.simulation.score import CleanYear, Found, Trial, poisson_upper, quantile, shown
from benchmarks.simulation.world import LEAKY, ROUTE_MISTAKEN, ROUTE_SHOWN

SHOWN_RULES = (OURS, *RULES)
LONG = ("24 hours", "3 days")
FULL = frozenset(kind.name for kind in KINDS if kind.full)


def write_report(
    clean: Mapping[str, Sequence[CleanYear]],
    sensitivity: Mapping[str, Sequence[CleanYear]],
    trials: Sequence[Trial],
    command: str,
) -> str:
    """The whole document, as Markdown."""
    years = clean["as assumed"]
    parts = [
        _HEAD.format(command=command),
        "## In short",
        _short(years, trials),
        "## Blocks",
        _BLOCKS.format(number=len(_of(trials, OURS, {KINDS[0].name}))),
        _by_kind(trials),
        "## Beside other rules",
        _RIVALS,
        _rivals(years, trials),
        _ratio(trials),
        "## False alarms",
        _FALSE,
        _false(clean),
        "## If an assumption is wrong",
        _SENSITIVITY.format(years=len(next(iter(sensitivity.values()), ()))),
        _wrong(sensitivity),
        "## What is assumed",
        _ASSUMED.format(
            flaky=FLAKY_SHARE,
            times=FLAKY_TIMES,
            leak=LEAK,
            leaky=LEAKY,
            shown=ROUTE_SHOWN,
            mistaken=ROUTE_MISTAKEN,
            mix=", ".join(f"{name} {share:.0%}" for name, share in TECHNIQUES.items()),
        ),
        _families(FITTED, "as assumed"),
        _families(HELD_OUT, "held out"),
        _families(LASTING, "faults that last"),
        _families(ODD, "left out above"),
        _LIMITS,
    ]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _short(years: Sequence[CleanYear], trials: Sequence[Trial]) -> str:
    full = _of(trials, OURS, FULL)
    delays = [one.confirmed for one in full]
    recall = _recall(full)
    count, total = _sum(years, OURS, sure=True), len(years)
    suspected = _sum(years, OURS, sure=False)
    errors = [one.onset_error for one in full if one.onset_error < math.inf]
    rate, bound = count / total, poisson_upper(suspected)
    rows = [
        ("simulated full blocks of 30 minutes or more", f"{len(full)}"),
        ("… confirmed (recall)", f"{recall:.1%}"),
        ("… onset to confirmed, median", shown(quantile(delays, 0.5))),
        ("… 95th percentile", shown(quantile(delays, 0.95))),
        ("… onset off by, median", shown(quantile(errors, 0.5))),
        (
            "confirmed events without a block, a country × platform year",
            f"{rate:.3f} ({count} in {total}; at most {poisson_upper(count) / total:.3f})",
        ),
        (
            "suspected events without a block, a year",
            f"{suspected / total:.3f} ({suspected} in {total}; at most {bound / total:.3f})",
        ),
        ("precision of confirmed events at one block a year", f"{recall / (recall + rate):.1%}"),
        ("cycles of the fast lane, a year", f"{_mean_fast(years):.0f}"),
    ]
    return _table(("what", "seen"), rows)


def _by_kind(trials: Sequence[Trial]) -> str:
    rows = []
    for kind in KINDS:
        found = _of(trials, OURS, {kind.name})
        sure = [one.confirmed for one in found]
        errors = [one.onset_error for one in found if one.onset_error < math.inf]
        events = [one.events for one in found if one.confirmed < math.inf]
        rows.append(
            (
                kind.name,
                f"{sum(one.suspected < math.inf for one in found) / len(found):.1%}",
                f"{_recall(found):.1%}",
                shown(quantile([one.suspected for one in found], 0.5)),
                shown(quantile(sure, 0.5)),
                shown(quantile(sure, 0.95)),
                shown(quantile(errors, 0.5)) if errors else "",
                f"{sum(events) / len(events):.1f}" if events else "",
            )
        )
    head = ("block", "suspected", "confirmed", "to suspected, median", "to confirmed, median")
    return _table((*head, "95 %", "onset off by", "events"), rows)


def _rivals(years: Sequence[CleanYear], trials: Sequence[Trial]) -> str:
    rows = []
    for rule in SHOWN_RULES:
        full = _of(trials, rule, FULL)
        delays = [one.confirmed for one in full]
        rate = _sum(years, rule, sure=True) / len(years)
        recall = _recall(full)
        errors = [one.onset_error for one in full if one.onset_error < math.inf]
        rows.append(
            (
                rule,
                f"{recall:.1%}",
                shown(quantile(delays, 0.5)),
                shown(quantile(delays, 0.95)),
                shown(quantile(errors, 0.5)) if errors else "",
                f"{rate:.2f}",
                f"{recall / (recall + rate):.1%}" if recall + rate else "",
            )
        )
    return _table(
        (
            "rule",
            "recall",
            "delay, median",
            "95 %",
            "onset off by",
            "false alarms a year",
            "precision at one block a year",
        ),
        rows,
    )


def _ratio(trials: Sequence[Trial]) -> str:
    theirs = next(iter(RULES))
    both = [
        (one.found[OURS].confirmed, one.found[theirs].confirmed)
        for one in trials
        if one.kind in LONG
        and one.found[OURS].confirmed < math.inf
        and one.found[theirs].confirmed < math.inf
    ]
    if not both:
        return "No block of 24 hours or more was found by both rules.\n"
    ratios = [ours / other for ours, other in both]
    return (
        f"Over the {len(both)} blocks of 24 hours or more that both find, our delay is"
        f" {quantile(ratios, 0.5):.1%} of OONI's rule's in the median, {quantile(ratios, 0.95):.1%}"
        " at the 95th percentile.\n"
    )


def _false(clean: Mapping[str, Sequence[CleanYear]]) -> str:
    sets = {name: years for name, years in clean.items() if years}
    rows = []
    for rule in (*SHOWN_RULES, TEST_ALONE):
        rows.append((rule, *(_rate(years, rule, sure=True) for years in sets.values())))
        if rule in (OURS, TEST_ALONE):  # the others confirm when they alarm
            suspected = (_rate(years, rule, sure=False) for years in sets.values())
            rows.append((f"{rule}, suspected", *suspected))
    return _table(("rule", *(f"{name}, {len(years)} years" for name, years in sets.items())), rows)


def _wrong(rows: Mapping[str, Sequence[CleanYear]]) -> str:
    """A table of families that differ, one of families that are left out, and the bounds."""
    grid: dict[str, dict[str, str]] = {}
    bounds: dict[str, float] = {}
    for name, years in rows.items():
        if not years:
            continue
        family, _, how = name.partition(": ")
        for what, sure in (("confirmed", True), ("suspected", False)):
            count = _sum(years, OURS, sure=sure)
            seen = f"{count / len(years):.3f}"
            bounds[seen] = poisson_upper(count) / len(years)
            grid.setdefault(family, {})[f"{how}: {what}" if how else what] = seen
    known = [family.name for family in ODD]
    differ = {name: cells for name, cells in grid.items() if name not in known}
    left_out = {name: cells for name, cells in grid.items() if name in known}
    tables = [
        _table((title, *next(iter(part.values()))), [(name, *part[name].values()) for name in part])
        for title, part in (("what differs", differ), ("what is left out", left_out))
        if part
    ]
    said = ", ".join(f"{bounds[seen]:.3f} where {seen} was seen" for seen in sorted(bounds))
    return "\n".join([*tables, f"Upper bounds: {said}.\n"])


def _families(families: Sequence[Family], name: str) -> str:
    rows = [
        (
            family.name,
            f"{family.a_year:g}",
            shown(family.median),
            shown(family.median * math.exp(1.645 * family.spread)),
            family.source,
        )
        for family in families
    ]
    head = (name, "a year", "lasts, median", "95 %", "source or remark")
    return _table(head, rows)


def _of(trials: Sequence[Trial], rule: str, kinds: frozenset[str] | set[str]) -> list[Found]:
    return [one.found[rule] for one in trials if one.kind in kinds]


def _recall(found: Sequence[Found]) -> float:
    return sum(one.confirmed < math.inf for one in found) / len(found)


def _sum(years: Sequence[CleanYear], rule: str, *, sure: bool) -> int:
    return sum((year.confirmed if sure else year.suspected)[rule] for year in years)


def _rate(years: Sequence[CleanYear], rule: str, *, sure: bool) -> str:
    """Events a year with their upper bound."""
    count = _sum(years, rule, sure=sure)
    return f"{count / len(years):.3f} (≤ {poisson_upper(count) / len(years):.3f})"


def _mean_fast(years: Sequence[CleanYear]) -> float:
    return sum(year.fast for year in years) / len(years)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


_HEAD = """# How good the detection is

    .venv/bin/python {command}

writes this page. It simulates measurements in countries whose networks are tested every five
minutes, with noise and blocks; rules, sequential test and events are the real ones. Cycles start
and last as real ones. The short test between two cycles is included.
"""
_BLOCKS = """{number} blocks of each kind. *Confirmed*: before the block's first stretch was over,
or ten minutes after; a miss counts as infinite delay. *Onset off by*: distance of the onset's
latest bound from the truth. *Events*: confirmed events for one block.
"""
_RIVALS = """Full blocks of half an hour or more. The others get the same verdicts without the fast
lane. OONI's CUSUM rule follows its description (two-sided, hourly medians, mu0 0, mu1 0.7, h 3.5)
**on our data**; this does not judge OONI's own system.
"""
_FALSE = """Confirmed events in a country × platform year without a block, on three networks; in
brackets the Poisson 95 % upper bound. *Held out* adds families that did not set the test's weights,
*faults that last* those of [the lab](scenarios.md) that hit one platform for hours.
"""
_SENSITIVITY = """Events a year, in {years} years each, with noise *as assumed* and one difference.
The goal is 0.02 confirmed in every cell. With [`[events] agreement`](config.md#events) of two, one
vantage alone never confirms.
"""
_ASSUMED = """Rates are of each vantage, of each control, or for outages of the platform, and
assumed; lengths are log-normal, and assumed where no source stands. {flaky:.0%} of vantages are
flaky: lines and uplinks fail {times:g} times as often. In {leaky:.0%} of cycles {leak:.0%} of
measurements get past a filter. Networks block by {mix}. Where addresses are dropped, {shown:.0%} of
networks show it by a neighbour or routers; {mistaken:.0%} of dead routes seem the same.
"""
_LIMITS = """## What this does not show

* **The field.** Many rates are our guesses.
* **Regional outages** that spare every control seem to be blocks.
* **Partial blocks.** Simulated ones are whole networks. Filters on some customers or
  servers are found later or not at all.
* **Lone faults that last.** Here two often meet on one line; most suspected events there are such
  pairs.
* **Transfers.** *Throttled* cycles take the verdict of the rules.
* **Other platforms.** X (eight endpoints, four functions) stands for all; one with a single
  function shows less.
* **Recovery** is not scored.
"""
