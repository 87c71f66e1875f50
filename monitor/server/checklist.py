"""What is left to do before the page can say anything: a list of findings for the first page.

As long as nothing is decided it stands in front of everything, with what works already. Once
something is, it folds away.
"""

from collections.abc import Collection, Iterator
from datetime import datetime

import msgspec

from monitor.analysis.verdict import VantageState
from monitor.config.typed_command import typed_command
from monitor.metrics.snapshot import Snapshot, VantageView
from monitor.wording.findings import (
    DONE,
    HEALTH_REMEDIES,
    KNOWN,
    LEVELS,
    WORKS,
    Finding,
    Level,
    What,
    finding_sentences,
)
from monitor.wording.words import Words

_ORDER = tuple(LEVELS)[::-1]
_COLOURS = {Level.NOTE: "grey", Level.WARNING: "grey", Level.PROBLEM: "suspected"}


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the list."""

    colour: str
    """Class of its tag."""
    tag: str
    problem: str
    remedy: str = ""
    key: str = ""
    """Of a finding that somebody may acknowledge; empty for others."""


class Checklist(msgspec.Struct, frozen=True, kw_only=True):
    """The list."""

    open: bool
    """Whether nothing is decided, so that it is what people should read."""
    todo: int
    """Lines that ask for something."""
    known: int
    """Lines that somebody acknowledged."""
    steps: tuple[Step, ...]
    doctor: str
    """What to type to have everything tried."""


def checklist(
    words: Words, snapshot: Snapshot, at: datetime, known: Collection[str] = ()
) -> Checklist:
    """As of a moment (UTC), for readers who may see vantages. `known` are the keys of findings that
    somebody acknowledged: they are shown and no longer counted. What shows only while it runs
    cannot be acknowledged: it may go away and come again."""
    left_so = [one for one in snapshot.weaknesses if one.key in known]
    configured = [one for one in snapshot.weaknesses if one.key not in known]
    findings = sorted((*configured, *_live(snapshot, at)), key=lambda one: _ORDER.index(one.level))
    nothing_known = not snapshot.events and not snapshot.decides_at(at)
    watched = any(view.is_field for view in snapshot.vantages)
    unset = any(one.what == What.NO_CONFIGURATION for one in findings)
    works = [_works(words, view) for view in snapshot.vantages if _is_well(view, at)]
    return Checklist(
        open=nothing_known and watched,
        todo=sum(one.level is not Level.NOTE for one in findings),
        known=len(left_so),
        steps=(
            *(_step(words, one, may=one in configured) for one in findings),
            *(_known(words, one) for one in left_so),
            *works,
        ),
        doctor=words.name(typed_command("doctor" if unset else "doctor --config FILE")),
    )


def _known(words: Words, finding: Finding) -> Step:
    problem, _ = finding_sentences(words, finding)
    return Step(colour="grey", tag=words.gettext(KNOWN), problem=problem)


def _step(words: Words, finding: Finding, *, may: bool) -> Step:
    problem, remedy = finding_sentences(words, finding)
    return Step(
        colour=_COLOURS[finding.level],
        tag=words.gettext(LEVELS[finding.level]),
        problem=problem,
        remedy=remedy,
        key=finding.key if may else "",
    )


def _works(words: Words, view: VantageView) -> Step:
    problem = words.gettext(WORKS, vantage=words.name(view.point.id))
    return Step(colour="ok", tag=words.gettext(DONE), problem=problem)


def _is_well(view: VantageView, at: datetime) -> bool:
    health = view.health_at(at)
    return health is not None and health.state is VantageState.OK


def _live(snapshot: Snapshot, at: datetime) -> Iterator[Finding]:
    """What shows only while it runs."""
    for view in snapshot.vantages:
        what = _of_vantage(view, at)
        if what:
            yield Finding(what=what, values={"vantage": view.point.id})
    stored = [
        view.last_report_at == view.last_success_at
        for view in snapshot.vantages
        if view.last_report_at is not None
    ]
    if not all(stored):
        yield Finding(what=What.NOT_STORED)
    for route, view_of_route in snapshot.routes.items():
        if any(since <= at for since in view_of_route.overdue_from):
            yield Finding(what=What.MESSAGES_WAIT, values={"route": route})
    if snapshot.config_refused:
        yield Finding(what=What.CONFIG_REFUSED)


def _of_vantage(view: VantageView, at: datetime) -> str:
    health = view.health_at(at)
    if health is not None:
        return health.rule_id if health.rule_id in HEALTH_REMEDIES else ""
    first = view.last_report_at is None and view.waited(None, at) <= view.stale_after
    return What.VANTAGE_WAITING if first else What.VANTAGE_SILENT
