"""When a notice is due (after a short wait, outside quiet hours, or once a day) and retried.

The time and the random number are arguments.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from monitor.notify.notice_kinds import LOUD, NoticeKind
from monitor.notify.settings import Quiet, Route

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
