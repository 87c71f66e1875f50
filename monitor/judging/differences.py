"""What differs between stored results and recomputed ones."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from monitor.analysis.events.event import Event, EventState
from monitor.analysis.verdict import PlatformVerdict, Verdict

_PLACE = ("cycle", "judged_at", "country", "vantage", "asn", "platform")
_OF_VERDICT = ("state", "method", "sub_method", "family", "rule_id", "evidence")
_OF_PLATFORM = ("state", "method", "sub_method", "rule_id", "evidence")
_ABOUT = ("kind", "country", "platform", "vantage")
_OF_EVENT = (
    *("id", "state", "scope", "functions", "methods", "evidence", "networks_affected"),
    *("onset_earliest", "onset_latest", "detected_at", "confirmed_at"),
    *("end_earliest", "end_latest", "reopened", "pattern"),
)
"""Compared fields: neither the version of the rules nor the sizes of networks, which are settings
of today."""

NOTHING = "(none)"
"""In place of a rule, where there was or is no verdict."""


class ChangeKind(StrEnum):
    """What a change is about."""

    VERDICT = "verdict"
    PLATFORM = "platform"
    EVENT = "event"


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One result that differs."""

    kind: ChangeKind
    change: str
    """added, gone or changed."""
    where: dict[str, Any]
    """What it is about: cycle, vantage, endpoint, …"""
    old: dict[str, Any] | None
    """The stored result; of an event only the fields that differ."""
    new: dict[str, Any] | None


class ChangeCounter:
    """Counts changes for a table."""

    def __init__(self) -> None:
        self.rules: Counter[tuple[str, str, str, str]] = Counter()
        """(old state, old rule, new state, new rule) → endpoint verdicts."""
        self.platforms: Counter[tuple[str, str, str, str]] = Counter()
        """(country, platform, old state, new state) → platform verdicts."""
        self.events: list[Change] = []

    def count(self, change: Change) -> None:
        """Count one change."""
        old, new = change.old or {}, change.new or {}
        match change.kind:
            case ChangeKind.VERDICT:
                before = (old.get("state", ""), old.get("rule_id", NOTHING))
                after = (new.get("state", ""), new.get("rule_id", NOTHING))
                self.rules[*before, *after] += 1
            case ChangeKind.PLATFORM:
                states = (old.get("state", NOTHING), new.get("state", NOTHING))
                if states[0] != states[1]:
                    self.platforms[change.where["country"], change.where["platform"], *states] += 1
            case ChangeKind.EVENT:
                self.events.append(change)


def verdict_changes(old: Iterable[Verdict], new: Iterable[Verdict]) -> Iterator[Change]:
    """Of one cycle, endpoint by endpoint."""
    before = {(v.platform, v.function, v.endpoint): v for v in old}
    after = {(v.platform, v.function, v.endpoint): v for v in new}
    for key in sorted(before.keys() | after.keys()):
        either = after.get(key) or before[key]
        where = _fields(either, (*_PLACE, "function", "endpoint"))
        yield from _compare(ChangeKind.VERDICT, where, before.get(key), after.get(key), _OF_VERDICT)


def platform_changes(
    old: Iterable[PlatformVerdict], new: Iterable[PlatformVerdict]
) -> Iterator[Change]:
    """Of one cycle, platform by platform."""
    before = {v.platform: v for v in old}
    after = {v.platform: v for v in new}
    for key in sorted(before.keys() | after.keys()):
        was, now = before.get(key), after.get(key)
        where = _fields(now or before[key], _PLACE)
        yield from _compare(ChangeKind.PLATFORM, where, was, now, _OF_PLATFORM)


def event_changes(old: Sequence[Event], new: Sequence[Event]) -> Iterator[Change]:
    """Events that appear, vanish or differ. An event that begins with another measurement has
    another id; it counts as the same where both are about the same thing at the same time.

    Withdrawn events count as none.
    """
    before = {e.id: e for e in old if e.state is not EventState.WITHDRAWN}
    after = {e.id: e for e in new if e.state is not EventState.WITHDRAWN}
    pairs: list[tuple[Event | None, Event | None]] = [
        (before[key], after[key]) for key in before.keys() & after.keys()
    ]
    lost = [e for key, e in before.items() if key not in after]
    for event in [e for key, e in after.items() if key not in before]:
        same = next((one for one in lost if _same(one, event)), None)
        if same is not None:
            lost.remove(same)
        pairs.append((same, event))
    pairs += [(event, None) for event in lost]
    for was, now in sorted(pairs, key=_when):
        either = now or was
        assert either is not None  # noqa: S101 # narrows for the type checker
        yield from _compare(ChangeKind.EVENT, _fields(either, _ABOUT), was, now, _OF_EVENT)


def _same(one: Event, other: Event) -> bool:
    if _fields(one, _ABOUT) != _fields(other, _ABOUT):
        return False
    first, second = sorted((one, other), key=lambda e: e.onset_latest)
    return first.end_latest is None or second.onset_latest <= first.end_latest


def _when(pair: tuple[Event | None, Event | None]) -> tuple[datetime, str]:
    event = pair[1] or pair[0]
    assert event is not None  # noqa: S101 # narrows for the type checker
    return (event.detected_at, event.id)


def _fields(value: object, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(value, name) for name in names}


def _compare(
    kind: ChangeKind,
    where: dict[str, Any],
    old: Verdict | PlatformVerdict | Event | None,
    new: Verdict | PlatformVerdict | Event | None,
    names: Sequence[str],
) -> Iterator[Change]:
    was = None if old is None else _fields(old, names)
    now = None if new is None else _fields(new, names)
    if was == now:
        return
    change = "added" if was is None else "gone" if now is None else "changed"
    if kind is ChangeKind.EVENT and was is not None and now is not None:
        differing = [name for name in names if name == "id" or was[name] != now[name]]
        was, now = _fields(old, differing), _fields(new, differing)
    yield Change(kind=kind, change=change, where=where, old=was, new=now)
