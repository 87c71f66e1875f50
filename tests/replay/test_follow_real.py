"""A real block, told while it happens: OONI's rows of Kenya are folded as they come.

Measurement data © OONI and its contributors, CC BY-NC-SA 4.0.
"""

from datetime import UTC, datetime, timedelta

import pytest

from monitor.analysis.events.event import EventState
from monitor.analysis.events.settings import EventSettings
from monitor.config.catalog import shipped_catalog
from monitor.following.sourced_events import events_in, folded_since, merged
from monitor.replay.formats import RowCounts, RowFilter
from monitor.replay.platform_of import PlatformLookup
from monitor.replay.row_files import rows_in
from storage.values.sourced import SourcedEvent
from tests.replay.real_data import KENYA, needs_real_data

pytestmark = [pytest.mark.ooni, needs_real_data]

EVERY, LATER_EVERY = timedelta(hours=4), timedelta(days=1)
SETTLED = datetime(2023, 11, 10, tzinfo=UTC)
"""From here on rows are folded once a day: by then it is confirmed. It was once withdrawn from the
first night to the 12th."""


def test_kenya_is_told_within_a_day_and_not_withdrawn() -> None:
    """Telegram in Kenya, exams of 2023: suspected on the day it began, confirmed on the next, and
    one event until it is over. It was withdrawn after the first night, and found anew on the
    12th."""
    lookup = PlatformLookup(shipped_catalog())
    rows = list(rows_in(KENYA, lookup, RowFilter(), RowCounts()))
    known: dict[str, SourcedEvent] = {}
    first: dict[EventState, datetime] = {}
    now = datetime(2023, 11, 8, tzinfo=UTC)
    while now < datetime(2023, 11, 29, tzinfo=UTC):
        since = folded_since(known.values(), now)
        folded = [row for row in rows if since <= row.at < now]
        found = events_in(folded, lookup, EventSettings(), ["KE"], ["telegram"], now)
        for one in merged(found, list(known.values()), "ooni", now):
            known[one.id] = one
            first.setdefault(one.event.state, now)
        now += EVERY if now < SETTLED else LATER_EVERY
    (told,) = known.values()
    assert first[EventState.SUSPECTED] < datetime(2023, 11, 8, 20, tzinfo=UTC)
    assert first[EventState.CONFIRMED] < datetime(2023, 11, 9, 12, tzinfo=UTC)
    assert EventState.WITHDRAWN not in first
    assert told.event.state is EventState.ENDED
    assert told.event.end_earliest is not None
    assert told.event.end_earliest.date() == datetime(2023, 11, 24, tzinfo=UTC).date()
