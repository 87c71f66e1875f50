"""The present: every platform in every country and on every network, in its worst state.

No data is a state of its own and never ok: a cell counts recent measurements only, and says on how
many networks it rests.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from monitor.analysis.coverage import Coverage
from monitor.analysis.events.event import Event, EventKind, EventState
from monitor.analysis.measurement_summary import host_of
from monitor.analysis.verdict import ACCUSED, PlatformVerdict, State
from monitor.export.public_view import earlier
from monitor.metrics.snapshot import Snapshot, VantageView
from monitor.wording.failures_and_methods import method_name
from monitor.wording.states import NO_DATA

WORST_FIRST = (
    State.BLOCKED,
    State.THROTTLED,
    State.PARTIAL,
    State.DEGRADED,
    State.DOWN,
    State.OK,
    State.INSUFFICIENT,
    NO_DATA,
)
"""Which of several states is shown. An undecided network counts nothing against a decided one."""
_RANK = {str(state): rank for rank, state in enumerate(WORST_FIRST)}

_OF_A_COUNTRY = (EventKind.SHUTDOWN, EventKind.INTERNATIONAL_CUT, EventKind.ALLOWLIST)
_LOST_NAMED = 3
Network = tuple[str, int, str]
"""Country, AS number and name."""


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One platform in one country, on one network, or at one vantage."""

    platform: str
    """Name in the catalogue."""
    title: str
    state: str
    """A State, or `no_data`."""
    networks: int
    """Number of networks in that state."""
    of: int
    """Number of all networks."""
    methods: tuple[str, ...] = ()
    """Methods of blocking, as `method.sub_method`."""
    functions: tuple[str, ...] = ()
    """Functions that are blocked or slow in that state, by names as events have them."""
    functions_state: str = ""
    """Their worst state where the platform itself is undecided or down; else empty."""
    lost: tuple[str, ...] = ()
    """Hosts that are blocked or slow in functions that work without them; a few of many."""
    event: Event | None = None
    """The active block of this platform in this country."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One country, one network, or one vantage."""

    country: str
    asn: int = 0
    network: str = ""
    vantage: str = ""
    """Empty for readers who may not see vantages."""
    networks: int = 1
    quarantined: bool = False
    """Whether nothing here counts: every vantage is in quarantine."""
    tested_at: datetime | None = None
    """UTC; when the newest test was reported. None: never."""
    cells: tuple[Cell, ...]


def country_rows(snapshot: Snapshot, at: datetime, bucket: float = 0.0) -> tuple[Row, ...]:
    """One row for each country, with platforms in the catalogue's order. Times of tests are put
    into buckets of so many seconds."""
    by_country: dict[str, list[VantageView]] = {country: [] for country in snapshot.countries}
    for view in snapshot.vantages:
        if view.is_field:
            by_country[view.point.country].append(view)
    return tuple(
        Row(
            country=country,
            networks=len({view.network for view in views}),
            tested_at=_tested_at(views, bucket),
            cells=_cells(snapshot, country, views, at),
        )
        for country, views in by_country.items()
    )


def network_rows(
    snapshot: Snapshot, country: str, at: datetime, bucket: float = 0.0, *, vantages: bool
) -> tuple[Row, ...]:
    """One row for each network of a country; with `vantages`, one for each vantage. Times of tests
    are put into buckets of so many seconds."""
    views = _field(snapshot, country)
    groups: dict[tuple[Network, str], list[VantageView]] = {}
    for view in views:
        groups.setdefault((view.network, view.point.id if vantages else ""), []).append(view)
    return tuple(
        Row(
            country=country,
            asn=network[1],
            network=network[2],
            vantage=vantage,
            quarantined=all(view.quarantined for view in members),
            tested_at=_tested_at(members, bucket),
            cells=_cells(snapshot, country, members, at),
        )
        for (network, vantage), members in groups.items()
    )


def _tested_at(views: Sequence[VantageView], bucket: float) -> datetime | None:
    newest = max((v.last_report_at for v in views if v.last_report_at is not None), default=None)
    return newest if newest is None or not bucket else earlier(newest, bucket)


def _field(snapshot: Snapshot, country: str) -> list[VantageView]:
    return [view for view in snapshot.vantages if view.is_field and view.point.country == country]


def _cells(
    snapshot: Snapshot, country: str, views: Sequence[VantageView], at: datetime
) -> tuple[Cell, ...]:
    current = {view.point.id: {v.platform: v for v in view.counted_at(at)} for view in views}
    return tuple(
        _cell(
            platform.name,
            platform.title,
            [(view.network, current[view.point.id].get(platform.name)) for view in views],
            snapshot.events.get((country, platform.name)),
        )
        for platform in snapshot.catalog.platforms
    )


def _cell(
    name: str,
    title: str,
    seen: Sequence[tuple[Network, PlatformVerdict | None]],
    event: Event | None,
) -> Cell:
    by_network: dict[Network, str] = {}
    for network, verdict in seen:
        state = verdict.state if verdict else NO_DATA
        by_network[network] = worst((state, by_network.get(network, state)))
    state = worst(by_network.values())
    deciding = [verdict for _, verdict in seen if verdict is not None and verdict.state == state]
    all_the_same = [one for verdict in deciding for one in verdict.blocked_all_the_same]
    accused = all_the_same or [
        one
        for verdict in deciding
        if state in ACCUSED
        for one in verdict.functions
        if one.state in ACCUSED
    ]
    methods = [(one.method, one.sub_method) for one in deciding]
    methods += [(one.method, one.sub_method) for one in all_the_same]
    return Cell(
        platform=name,
        title=title,
        state=state,
        networks=sum(one == state for one in by_network.values()),
        of=len(by_network),
        methods=tuple(dict.fromkeys(method_name(*one) for one in methods if one[0])),
        functions=tuple(dict.fromkeys(name for one in accused for name in one.names)),
        functions_state=worst(one.state for one in all_the_same) if all_the_same else "",
        lost=tuple(
            dict.fromkeys(
                host_of(endpoint)
                for _, v in seen
                if v is not None
                for function in v.functions
                if function.state is State.OK
                for endpoint in function.accused
            )
        )[:_LOST_NAMED],
        event=event,
    )


def worst(states: Iterable[str]) -> str:
    """The first of WORST_FIRST among them; `no_data` of none."""
    return min((str(state) for state in states), key=_RANK.__getitem__, default=NO_DATA)


def of_country(snapshot: Snapshot, country: str) -> tuple[Event, ...]:
    """Active events without a platform that are about this country, rather than about what measures
    there."""
    found = snapshot.circumstances
    return tuple(one for one in found if one.country == country and one.kind in _OF_A_COUNTRY)


class Overall(msgspec.Struct, frozen=True, kw_only=True):
    """The counts behind the headline of the page."""

    confirmed: int
    suspected: int
    recovering: int
    unobserved: int
    blocked: int
    """Field vantages with a blocked platform in their last cycle, without those in quarantine."""
    coverage: Coverage
    """How much the current verdicts decide."""

    @property
    def nothing_seen(self) -> bool:
        """Whether the headline says how much was decided: there is neither event nor block."""
        events = self.confirmed or self.suspected or self.recovering or self.unobserved
        return not (events or self.blocked)

    @property
    def state(self) -> str:
        """The headline's class of colour: green only where everything was measured and decided."""
        if self.confirmed:
            return "blocked"
        if self.suspected or self.recovering or self.coverage.signs:
            return "suspected"
        known = self.coverage.complete and not self.unobserved
        return "ok" if known else "insufficient"


def overall(snapshot: Snapshot, at: datetime, country: str = "") -> Overall:
    """The counts at that moment, of one country or of all."""
    events = [event for event in snapshot.blocks if country in ("", event.country)]
    states = [
        {verdict.state for verdict in view.counted_at(at)}
        for view in snapshot.vantages
        if view.is_field and country in ("", view.point.country)
    ]
    return Overall(
        confirmed=sum(event.state is EventState.CONFIRMED for event in events),
        suspected=sum(event.state is EventState.SUSPECTED for event in events),
        recovering=sum(event.state is EventState.RECOVERING for event in events),
        unobserved=sum(event.state is EventState.UNOBSERVED for event in events),
        blocked=sum(State.BLOCKED in seen for seen in states),
        coverage=snapshot.coverage_at(at, country),
    )
