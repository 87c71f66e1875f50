"""What a report is made from, gathered from the store. Everything in it is bounded in size."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from monitor.analysis.coverage import Coverage
from monitor.analysis.events.event import Event, EventLogEntry, EventState
from monitor.analysis.second_witness import AnyWitness
from monitor.analysis.verdict import Verdict
from monitor.report.batches import Signed
from monitor.report.time_slots import Slot
from monitor.wording.languages import ENGLISH, Language
from monitor.wording.no_rows import NoRows
from probes.measurement import Measurement
from storage.values.log import LogHead
from storage.values.reviews import Annotation, Review
from storage.values.rollup import UTC
from storage.values.selection import Selection


def is_proven(event: Event) -> bool:
    """Whether a report may call it a block: it was confirmed, and is not taken back."""
    return event.sure and event.state not in (EventState.DISMISSED, EventState.WITHDRAWN)


Network = tuple[int, str]
"""AS number and configured name."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What the report is about."""

    country: str
    platform: str
    since: datetime
    until: datetime
    timezone: str = UTC
    """IANA name of the zone whose hours availability is counted by."""
    with_vantages: bool = False
    """Whether vantages are named, and not only their networks."""
    all_measurements: bool = False
    """Whether every measurement is enclosed, and not only those near an onset or end."""
    signed_batches: bool = False
    """Whether the signed batches of agents are enclosed; each names its vantage, so this needs
    `with_vantages`."""
    controls: bool = True
    """Whether a control vantage is configured."""

    @property
    def selection(self) -> Selection:
        """Selects its rows in the store."""
        return Selection(
            since=self.since, until=self.until, country=self.country, platform=self.platform
        )


class Lane(msgspec.Struct, frozen=True, kw_only=True):
    """What one network showed over the time of the report."""

    network: Network
    slots: tuple[Slot, ...]
    verdicts: int
    """Verdicts on the platform; each is of one cycle of one vantage."""
    blocked: int
    throttled: int
    in_part: int
    """Verdicts that some functions, addresses or connections are blocked, and not all, or that
    nothing is known of the others."""
    undecided: int
    """Verdicts that do not decide on the platform as a whole."""
    vantages: frozenset[str]
    """Those that measured, as far as single verdicts are left."""
    by_hour: int = 0
    """Verdicts of which only the number in their hour is left."""
    first: datetime
    last: datetime
    longest_gap: timedelta | None
    """Between two verdicts; None where no single one is left."""
    unwell: int
    """Cycles in which the vantage itself did not work, so that nothing was judged."""


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """How often a rule decided on one network."""

    network: Network
    rule: str
    state: str
    count: int


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """One verdict of *blocked*, with the measurement it rests on and the control's."""

    verdict: Verdict
    field: Measurement
    control: Measurement | None
    follow_ups: tuple[Measurement, ...] = ()


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """One event with its log and reviews."""

    event: Event
    log: tuple[EventLogEntry, ...]
    log_omitted: int
    reviews: tuple[Review, ...]


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a report says."""

    wanted: Wanted
    stories: tuple[Story, ...]
    """Blocks of the platform in the country, oldest first. Of many, confirmed ones are kept before
    others, and newer ones before older ones."""
    stories_omitted: int
    related: tuple[Event, ...]
    """Other events that bear on it, oldest first: outages, shutdowns, lost vantages, which are the
    first that are left out."""
    related_omitted: int = 0
    annotations: tuple[Annotation, ...]
    witnesses: tuple[tuple[Event, tuple[AnyWitness, ...]], ...] = ()
    """For each event, what sources of others' measurements have of its time."""
    lanes: tuple[Lane, ...]
    slot: timedelta
    """Length of the slots of `lanes`."""
    coverage: Coverage
    """How much of the time was decided."""
    applied: tuple[Applied, ...]
    examples: tuple[Example, ...]
    controls: int
    """Control vantages that made the measurements that are enclosed; of none, that measured."""
    control_measurements: int
    """Measurements by controls among those that are enclosed."""
    control_unwell: int | None
    """Cycles in which a control itself did not work; None where no control had a cycle, and where
    all that one had were well and it had none for a time in which the field was tested."""
    deleted_before: datetime | None = None
    """Single results before this were deleted after the time that they are kept; None: none were.
    """
    rules_versions: tuple[str, ...]
    """Of the verdicts, or of the events where no verdict is left."""
    rows: Mapping[str, int]
    """Rows written to each data file."""
    no_rows: Mapping[str, NoRows]
    """Why a data file has none."""
    signed: Signed
    """How many of the raw measurements are signed by the vantage that made them."""
    log: LogHead
    """The installation's append-only log when the report was made."""
    windows: tuple[tuple[datetime, datetime], ...]
    """The times whose raw measurements are enclosed."""

    @property
    def main_story(self) -> Story | None:
        """The event that the report is mainly about: the last confirmed one, else the last that was
        not withdrawn, else the last. Late results may have an event continue as one that is
        detected before it, and is there in its place."""
        proven = [one for one in self.stories if is_proven(one.event)]
        stand = [one for one in self.stories if one.event.state is not EventState.WITHDRAWN]
        known = proven or stand or list(self.stories)
        return known[-1] if known else None

    @property
    def nothing_known(self) -> bool:
        """Whether there is neither an event nor a decided verdict."""
        return self.main_story is None and not self.coverage.decided


class Imprint(msgspec.Struct, frozen=True, kw_only=True):
    """Which version made the report, when, and with which key."""

    version: str
    generated_at: datetime
    fingerprint: str
    title: str
    """The platform's own name."""
    language: Language = ENGLISH
