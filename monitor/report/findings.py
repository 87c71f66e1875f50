"""What a report is made of, gathered from the store; everything in it is bounded in size."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from monitor.analysis.events.event import Event, EventLogEntry, EventState
from monitor.analysis.verdict import Verdict
from monitor.report.batches import Signed
from monitor.report.time_slots import Slot
from monitor.wording.languages import ENGLISH, Language
from probes.measurement import Measurement
from storage.values.reviews import Annotation, Review

UNPROVEN = (EventState.SUSPECTED, EventState.DISMISSED, EventState.WITHDRAWN)
"""States of what must not be called a block."""

Network = tuple[int, str]
"""AS number and configured name."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What the report is asked to be about."""

    country: str
    platform: str
    since: datetime
    until: datetime
    with_vantages: bool = False
    """Whether vantages are named, and not only their networks."""
    all_measurements: bool = False
    """Whether every look goes in, and not only those around the events."""
    signed_batches: bool = False
    """Whether the signed batches of agents go in; each names its vantage, so only with those."""


class Lane(msgspec.Struct, frozen=True, kw_only=True):
    """What one network showed over the time of the report."""

    network: Network
    slots: tuple[Slot, ...]
    looks: int
    """Judgements of the platform; each is of one cycle of one vantage."""
    blocked: int
    undecided: int
    vantages: int
    first: datetime
    last: datetime
    longest_gap: timedelta
    """Between two judgements."""
    unwell: int
    """Cycles in which the vantage itself was not well, so that nobody was accused."""


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """How often a rule decided on one network."""

    network: Network
    rule: str
    state: str
    count: int


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """One verdict of *blocked*, with the look it rests on and the control look beside it."""

    verdict: Verdict
    field: Measurement
    control: Measurement | None
    follow_ups: tuple[Measurement, ...] = ()


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """One event with all that belongs to it."""

    event: Event
    log: tuple[EventLogEntry, ...]
    log_left_out: int
    reviews: tuple[Review, ...]


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """All a report says."""

    wanted: Wanted
    stories: tuple[Story, ...]
    """Blocks of the platform in the country, oldest first."""
    stories_left_out: int
    beside: tuple[Event, ...]
    """Other events that bear on it: outages, shutdowns, vantages lost."""
    annotations: tuple[Annotation, ...]
    lanes: tuple[Lane, ...]
    slot: timedelta
    """Length of the slots of `lanes`."""
    applied: tuple[Applied, ...]
    examples: tuple[Example, ...]
    controls: int
    """Control vantages that looked."""
    control_measurements: int
    """Control looks in the measurements that are part of the report."""
    control_unwell: int
    """Cycles in which a control itself was not well."""
    rules_versions: tuple[str, ...]
    rows: Mapping[str, int]
    """Rows written to each file of data."""
    signed: Signed
    """What of the raw measurements is signed by the vantage that made them."""
    windows: tuple[tuple[datetime, datetime], ...]
    """The times whose raw measurements are part of the report."""

    @property
    def main_story(self) -> Story | None:
        """The event the report is first about: the last that was confirmed, else the last."""
        proven = [one for one in self.stories if one.event.state not in UNPROVEN]
        known = proven or list(self.stories)
        return known[-1] if known else None


class Imprint(msgspec.Struct, frozen=True, kw_only=True):
    """Who made the report, with what."""

    version: str
    generated_at: datetime
    fingerprint: str
    title: str
    """The platform's own name."""
    language: Language = ENGLISH
