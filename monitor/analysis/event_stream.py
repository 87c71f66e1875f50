"""What one vantage saw of one platform lately, folded verdict by verdict.

Blocked is a state, not a verdict: it begins with strong evidence, or with two weak verdicts among
the last few, and lasts until enough verdicts in a row were ok. Insufficient, down and throttled
verdicts take their place among the last few but neither block nor clear.
"""

from datetime import datetime

import msgspec

from monitor.analysis.verdict import EVIDENCE_ORDER, Evidence, PlatformVerdict, State
from monitor.settings import EventSettings

_STRONG = EVIDENCE_ORDER[Evidence.STRONG]
_WEAK_NEEDED = 2
"""Weak verdicts within the window that together say blocked."""


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """One verdict, as far as events need it."""

    at: datetime
    """UTC; when the first look behind the verdict began."""
    state: State
    evidence: Evidence
    method: str
    """`method.sub_method`, or empty."""
    roles: tuple[str, ...]
    """Roles that are blocked or throttled."""
    measurement: str
    last_ok: datetime | None
    """When the verdict before it that was ok began, if any was."""

    @property
    def accuses(self) -> bool:
        """Whether it says blocked, wholly or in part."""
        return self.state in (State.BLOCKED, State.DEGRADED)

    @property
    def strong(self) -> bool:
        """Whether it accuses with strong or better evidence."""
        return self.accuses and EVIDENCE_ORDER[self.evidence] >= _STRONG


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """One platform at one vantage."""

    vantage: str
    asn: int
    network: str
    """Its name; the vantage's id where neither number nor name is configured."""
    cycle: str = ""
    """Of the last verdict."""
    marks: tuple[Mark, ...] = ()
    """The last verdicts, oldest first, at most `window`."""
    last_ok: datetime | None = None
    oks: int = 0
    """Verdicts ok in a row, not counting those that neither block nor clear."""
    open_since: datetime | None = None
    """When the first of those began."""
    last_blocked: datetime | None = None
    blocked: bool = False
    onset: Mark | None = None
    """The accusing verdict with which the present, or else the last, block began; None before
    the first one, and when it lies further back than the stream remembers."""

    @property
    def key(self) -> tuple[int, str]:
        """What tells networks apart: the AS number, or the name without one."""
        return (self.asn, "" if self.asn else self.network)

    @property
    def seen(self) -> bool:
        """Whether anything was known of the platform here lately."""
        return any(mark.state is not State.INSUFFICIENT for mark in self.marks)

    @property
    def accusing(self) -> tuple[Mark, ...]:
        """The verdicts kept that belong to the present block; none while it is open."""
        if not self.blocked:
            return ()
        since = self.onset.at if self.onset is not None else None
        return tuple(m for m in self.marks if m.accuses and (since is None or m.at >= since))

    def confirms(self, settings: EventSettings) -> bool:
        """Whether this vantage alone saw enough strong verdicts lately."""
        strong = sum(mark.strong for mark in self.marks)
        return self.blocked and strong >= settings.confirm_cycles


def stream_of(verdict: PlatformVerdict) -> Stream:
    """An empty stream for the vantage and platform of a verdict."""
    unnamed = not verdict.asn and not verdict.network
    return Stream(
        vantage=verdict.vantage,
        asn=verdict.asn,
        network=verdict.vantage if unnamed else verdict.network,
    )


def known(stream: Stream, verdict: PlatformVerdict) -> bool:
    """Whether the stream already holds this verdict, or a later one: history is not rewritten."""
    last = stream.marks[-1].at if stream.marks else None
    return verdict.cycle == stream.cycle or (last is not None and verdict.started_at <= last)


def observe(stream: Stream, verdict: PlatformVerdict, settings: EventSettings) -> Stream:
    """The stream after one more verdict."""
    mark = _mark(verdict, stream.last_ok)
    marks = (*stream.marks, mark)[-settings.window :]
    after = msgspec.structs.replace(stream, cycle=verdict.cycle, marks=marks)
    if mark.accuses:
        return _accused(after, mark)
    if mark.state is State.OK:
        return _worked(after, mark, settings)
    return after


def _accused(stream: Stream, mark: Mark) -> Stream:
    stream = msgspec.structs.replace(stream, oks=0, open_since=None, last_blocked=mark.at)
    if stream.blocked or not _says_blocked(stream.marks):
        return stream
    return msgspec.structs.replace(stream, blocked=True, onset=_onset(stream.marks))


def _worked(stream: Stream, mark: Mark, settings: EventSettings) -> Stream:
    oks = stream.oks + 1
    return msgspec.structs.replace(
        stream,
        last_ok=mark.at,
        oks=oks,
        open_since=stream.open_since or mark.at,
        blocked=stream.blocked and oks < settings.clear_cycles,
    )


def _says_blocked(marks: tuple[Mark, ...]) -> bool:
    accusing = [mark for mark in marks if mark.accuses]
    return any(mark.strong for mark in accusing[-1:]) or len(accusing) >= _WEAK_NEEDED


def _onset(marks: tuple[Mark, ...]) -> Mark:
    """The first accusing verdict since the last ok, if those suffice; else the first kept."""
    oks = [position for position, mark in enumerate(marks) if mark.state is State.OK]
    run = marks[oks[-1] + 1 :] if oks else marks
    chosen = run if _says_blocked(run) else marks
    return next(mark for mark in chosen if mark.accuses)


def _mark(verdict: PlatformVerdict, last_ok: datetime | None) -> Mark:
    method = f"{verdict.method}.{verdict.sub_method}" if verdict.method else ""
    return Mark(
        at=verdict.started_at,
        state=verdict.state,
        evidence=verdict.evidence,
        method=method,
        roles=tuple(
            role.role
            for role in verdict.roles
            if role.state in (State.BLOCKED, State.THROTTLED, State.DEGRADED)
        ),
        measurement=verdict.measurement,
        last_ok=last_ok,
    )
