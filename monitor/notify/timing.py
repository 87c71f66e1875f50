"""When a notice is due (after a short wait, outside quiet hours, or once a day) and retried.

The time and the random number are arguments.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from monitor.notify.notice_kinds import LOUD, NoticeKind
from monitor.notify.settings import Quiet, Route
from storage.values.outbox import Notice

FIRST_RETRY, LONGEST_RETRY = 5.0, 1800.0
"""Seconds from a failed attempt to the next one: the first, and the bound that doubling has."""
JITTER = 0.2
"""Share by which they vary, so that many clients of one service do not retry at once."""


def due_at(occasion: NoticeKind, created_at: datetime, route: Route) -> datetime:
    """When a notice made at `created_at` is due, in UTC."""
    if route.daily is not None:
        due = next(_clock(created_at, route.daily, route.timezone))
    else:
        wait = route.digest if occasion is NoticeKind.SPREAD else route.gather
        due = created_at + timedelta(seconds=wait)
    return quiet_until(occasion, due, route) or due


def quiet_until(occasion: NoticeKind, moment: datetime, route: Route) -> datetime | None:
    """The end of the quiet hours that contain `moment`, in UTC; None when it may be sent then."""
    if route.quiet is None or (route.wake and occasion in LOUD):
        return None
    if not _within(route.quiet, moment.astimezone(ZoneInfo(route.timezone))):
        return None
    return next(_clock(moment, route.quiet.end, route.timezone))


def retry_after(attempts: int, chance: float) -> timedelta:
    """How long to wait after so many failed attempts; `chance` from 0 to 1 spreads it."""
    seconds = min(FIRST_RETRY * 2.0 ** min(attempts - 1, 30), LONGEST_RETRY)
    return timedelta(seconds=seconds * (1 - JITTER + 2 * JITTER * chance))


def tried_for(attempts: int) -> timedelta:
    """How long a notice with so many attempts was tried: the waits between them. What else kept it
    does not count, such as a mute, quiet hours or a machine that was off."""
    return sum((retry_after(one, 0.5) for one in range(1, attempts)), timedelta())


def ready_at(notices: Sequence[Notice], route: Route) -> datetime:
    """When the notices of one event that wait for one target are sent next, in UTC. They are sent
    as the newest of them, which decides whether quiet hours hold them."""
    ready = []
    for one in notices:
        occasion = NoticeKind(one.occasion)
        due = due_at(occasion, one.created_at, route)
        due = due if one.retry_at is None else max(due, one.retry_at)
        ready.append(quiet_until(occasion, due, route) or due)
    return quiet_until(_newest_kind(notices), min(ready), route) or min(ready)


def overdue_from(notices: Sequence[Notice], route: Route) -> list[datetime]:
    """For each notice of one event that waits for one target, the UTC time from which it is
    overdue: it failed, or should have been sent."""
    kind = _newest_kind(notices)
    times = []
    for one in notices:
        due = due_at(NoticeKind(one.occasion), one.created_at, route)
        held = quiet_until(kind, due, route) or due
        times.append(one.created_at if one.attempts else held)
    return times


def by_event(notices: Iterable[Notice]) -> list[list[Notice]]:
    """The notices that wait for one target, of each event together, in the order of its log."""
    events: dict[str, list[Notice]] = {}
    for one in sorted(notices, key=lambda one: one.sequence):
        events.setdefault(one.event, []).append(one)
    return list(events.values())


def _newest_kind(notices: Iterable[Notice]) -> NoticeKind:
    """What the newest of the notices of one event reports: an event's state rather than a further
    network."""
    kinds = [(one.occasion != NoticeKind.SPREAD, one.sequence, one.occasion) for one in notices]
    return NoticeKind(max(kinds)[2])


def goes_along(notices: Sequence[Notice], route: Route, now: datetime) -> bool:
    """Whether the notices of one event go along with a message that is sent now. Those that all
    rest after an attempt do not: else they would be tried with each new event."""
    if quiet_until(_newest_kind(notices), now, route) is not None:
        return False
    if all(one.retry_at is not None and one.retry_at > now for one in notices):
        return False
    return route.daily is None or any(
        due_at(NoticeKind(one.occasion), one.created_at, route) <= now for one in notices
    )


def _within(quiet: Quiet, local: datetime) -> bool:
    minute = local.hour * 60 + local.minute
    if quiet.start < quiet.end:
        return quiet.start <= minute < quiet.end
    return minute >= quiet.start or minute < quiet.end


def _clock(after: datetime, minute: int, zone: str) -> Iterator[datetime]:
    """The moments later than `after` at which clocks in `zone` show this minute of the day.

    An hour that clocks skip in spring counts as if they had not; an hour that they show twice in
    autumn comes twice, or quiet hours could end before they began.
    """
    where = ZoneInfo(zone)
    day = after.astimezone(where).date()
    while True:
        shown = datetime.combine(day, time(*divmod(minute, 60)))
        for fold in (0, 1):
            moment = shown.replace(tzinfo=where, fold=fold).astimezone(UTC)
            if moment > after:
                yield moment
        day += timedelta(days=1)
