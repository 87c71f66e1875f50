"""One round of a second opinion: probes in a country test a platform that may be blocked there.

The same probes look its name up and fetch its page. Where one of them fails, they fetch references
as well, probes elsewhere fetch the page afterwards, and those in the country try again at the
address that worked elsewhere, with the platform's name in the greeting. So each probe is judged by
our rules, beside references and controls that were taken the same way. What a probe cannot tell is
left out; a probe that is gone is not seen.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from monitor.analysis.verdict import State, VantageHealth
from monitor.following.globalping_results import fetched, looked_up, usable
from monitor.following.opinion_row import Suspect, health_of, opinion_of
from monitor.sources.fault import SourceFault
from monitor.sources.globalping_client import (
    EYEBALL,
    Finished,
    ProbeResult,
    Question,
    places,
)
from monitor.sources.round_cost import round_cost
from monitor.sources.terms import TERMS, SourceKind
from probes.catalog.catalog import Endpoint
from probes.layers.bogon import BogonList
from probes.measure.follow_up_reasons import Reason
from probes.measurement import Measurement, Purpose
from probes.vantage import VantagePoint, VantageRole
from storage.values.sourced import SourcedRow

CONTROLS_EACH = 1
"""Probes in each country to compare with."""
TEST = "http"
"""Name of the test in rows."""

Ask = Callable[[Question], Awaitable[Finished | None]]
"""Asks, and waits for the results; None where there is no probe."""


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """How it is asked."""

    probes: int
    """In the country, at most."""
    beside: tuple[str, ...]
    """Countries to compare with."""
    references: tuple[Endpoint, ...]

    @property
    def cost(self) -> int:
        """Points that it takes at most."""
        beside = CONTROLS_EACH * len(self.beside)
        return round_cost(SourceKind.GLOBALPING, self.probes, beside, len(self.references))


async def second_opinion(
    ask: Ask, suspect: Suspect, how: Round, bogons: BogonList, received: Callable[[], datetime]
) -> tuple[list[SourcedRow], int]:
    """A row for each probe that says something, and how many results could not be read. Raises
    SourceFault."""
    host = suspect.endpoint.host
    here = places((suspect.country,), how.probes, eyeball=True)
    named = await ask(Question(type="dns", target=host, locations=here, options=_A))
    if named is None:
        return [], 0
    page = await ask(_page(suspect.endpoint, named.id))
    if page is None:
        return [], 0
    looks = [one for one in _Looks(suspect, named, page, bogons).all() if one is not None]
    malformed = sum(one is None for one in (*named.results, *page.results))
    if all(one.made.reached for one in looks):
        return [one.row(received()) for one in looks], malformed
    asked = [await ask(_page(one, named.id)) for one in how.references]
    references = [one for one in asked if one is not None and _same(one, page)]
    controls = await _controls(ask, suspect, how, max(one.made.ended_at for one in looks))
    address = next((one.address for one in controls if one.address), "")
    direct = None
    if address:
        direct = await ask(_page(suspect.endpoint, named.id, address=address))
    rows = []
    for look in looks:
        if look.made.reached:
            rows.append(look.row(received()))
            continue
        known = [one.results[look.number] for one in references]
        again = direct.results[look.number] if direct and _same(direct, page) else None
        follow_up = look.again(again, address) if again is not None else None
        rows.append(look.judged(known, controls, follow_up, received()))
    return rows, malformed


_A: dict[str, Any] = {"query": {"type": "A"}}


def _page(endpoint: Endpoint, locations: Any, *, address: str = "") -> Question:
    """Fetch a page; at `address`, if given, with its name in the greeting and the request."""
    path, _, query = endpoint.path.partition("?")
    request: dict[str, Any] = {"method": "GET", "path": path or "/"}
    if query:
        request["query"] = query
    if address:
        request["host"] = endpoint.host
    return Question(
        type="http",
        target=address or endpoint.host,
        locations=locations,
        options={"protocol": "HTTPS", "port": endpoint.port, "request": request},
    )


def _same(one: Finished | None, other: Finished) -> bool:
    """Whether the same probes answered both, in the same order."""
    if one is None or len(one.results) != len(other.results):
        return False
    pairs = zip(one.results, other.results, strict=True)
    return all(a is None or b is None or a.probe.asn == b.probe.asn for a, b in pairs)


def not_before(seconds: float, at: datetime) -> datetime:
    """`at`, or the first moment that is not before `seconds` since 1970: a time in whole
    microseconds may be rounded down, and nothing compares with a control that began too soon."""
    if at.timestamp() >= seconds:
        return at
    rounded = datetime.fromtimestamp(seconds, at.tzinfo)
    return rounded if rounded.timestamp() >= seconds else rounded + timedelta(microseconds=1)


class _Control(msgspec.Struct, frozen=True, kw_only=True):
    """One probe elsewhere."""

    made: Measurement
    health: VantageHealth
    address: str
    """Where it reached the page; empty: it did not."""


async def _controls(ask: Ask, suspect: Suspect, how: Round, after: float) -> tuple[_Control, ...]:
    """What probes elsewhere find, after the tests here ended (seconds since 1970)."""
    where = places(how.beside, CONTROLS_EACH, eyeball=False)
    page = await ask(_page(suspect.endpoint, where))
    if page is None:
        return ()
    well = await ask(_page(how.references[0], page.id)) if how.references else None
    found = []
    for number, one in enumerate(page.results):
        if one is None or not usable(one.result):
            continue
        vantage = _vantage(one, VantageRole.CONTROL, number)
        began = not_before(after, page.created_at)
        made = _measured(suspect, vantage, one, page.id, number, began, Purpose.CONTROL)
        reference = well.results[number] if well is not None and _same(well, page) else None
        health = _health(vantage, [reference], began)
        if made.reached:
            health = _health(vantage, [one], began)
        address = one.result.resolved_address or "" if made.reached else ""
        found.append(_Control(made=made, health=health, address=address))
    return tuple(found)


class _Look(msgspec.Struct, frozen=True, kw_only=True):
    """What one probe in the country found."""

    suspect: Suspect
    number: int
    """Its place in the answers."""
    vantage: VantagePoint
    made: Measurement
    uid: str

    def row(self, received: datetime, **found: Any) -> SourcedRow:
        """As it is kept: no city, no position, no address, no page."""
        values = {
            "country": self.vantage.country,
            "source": str(SourceKind.GLOBALPING),
            "uid": self.uid,
            "measured_at": min(self.made.started_at, received),
            "received_at": received,
            "asn": self.vantage.asn,
            "platform": self.suspect.platform.name,
            "part": self.suspect.part,
            "test": TEST,
            "failed": 0.0,
            "judged": str(State.OK),
            "licence": TERMS[SourceKind.GLOBALPING].licence,
        }
        return SourcedRow(**{**values, **found})

    def again(self, one: ProbeResult, address: str) -> Measurement | None:
        """The same probe at an address that worked elsewhere."""
        if not usable(one.result):
            return None
        began = self.made.started_at + timedelta(seconds=self.made.duration)
        return _measured(
            self.suspect,
            self.vantage,
            one,
            self.uid,
            self.number,
            began,
            Purpose.FOLLOW_UP,
            address=address,
        )

    def judged(
        self,
        references: Sequence[ProbeResult | None],
        controls: Sequence[_Control],
        follow_up: Measurement | None,
        received: datetime,
    ) -> SourcedRow:
        """The row by our rules."""
        health = _health(self.vantage, references, self.made.started_at)
        found = opinion_of(
            self.suspect,
            self.vantage,
            self.made,
            health,
            [(one.made, one.health) for one in controls],
            (follow_up,) if follow_up is not None else (),
        )
        return self.row(received, failed=1.0, **msgspec.structs.asdict(found))


class _Looks(msgspec.Struct, frozen=True):
    """The two answers of the same probes, put together."""

    suspect: Suspect
    named: Finished
    page: Finished
    bogons: BogonList

    def all(self) -> Iterator[_Look | None]:
        """Of each probe; None for one that says nothing."""
        if not _same(self.named, self.page):
            raise SourceFault("malformed", "the same probes were asked and others answered")
        pairs = zip(self.named.results, self.page.results, strict=True)
        for number, (named, page) in enumerate(pairs):
            yield self._look(number, named, page)

    def _look(
        self, number: int, named: ProbeResult | None, page: ProbeResult | None
    ) -> _Look | None:
        if page is None or not usable(page.result):
            return None
        probe = page.probe
        if probe.country != self.suspect.country or EYEBALL not in probe.tags:
            return None
        vantage = _vantage(page, VantageRole.FIELD)
        lookup = named and looked_up(self.suspect.endpoint.host, named.result, self.bogons)
        uid = f"{self.page.id}.{number}"
        made = _measured(
            self.suspect,
            vantage,
            page,
            uid,
            number,
            self.page.created_at,
            Purpose.SCHEDULED,
            lookup=lookup,
        )
        return _Look(suspect=self.suspect, number=number, vantage=vantage, made=made, uid=uid)


def _vantage(one: ProbeResult, role: VantageRole, number: int | None = None) -> VantagePoint:
    place = f"globalping-{one.probe.country.lower()}-as{one.probe.asn}"
    return VantagePoint(
        id=place if number is None else f"{place}-{number}",
        country=one.probe.country,
        asn=one.probe.asn,
        network=one.probe.network[:200],
        role=role,
    )


def _measured(
    suspect: Suspect,
    vantage: VantagePoint,
    one: ProbeResult,
    question: str,
    number: int,
    began: datetime,
    purpose: Purpose,
    *,
    address: str = "",
    lookup: Any = None,
) -> Measurement:
    endpoint = suspect.endpoint
    observations, not_observed, reached = fetched(
        endpoint.id,
        endpoint.host,
        endpoint.port,
        one.result,
        lookup=lookup,
        address=address,
        reason=str(Reason.HONEST_ADDRESS) if purpose is Purpose.FOLLOW_UP else "",
    )
    return Measurement(
        id=f"{question}.{number}.{purpose}",
        cycle=question,
        **vantage.origin,
        platform=suspect.platform.name,
        function=suspect.function.name,
        endpoint=endpoint.id,
        look=purpose,
        started_at=began,
        duration=max((o.start + o.duration for o in observations), default=0.0),
        observations=observations,
        not_observed=not_observed,
        reached=reached,
    )


def _health(
    vantage: VantagePoint, references: Sequence[ProbeResult | None], at: datetime
) -> VantageHealth:
    """Well where a reference was reached; else nobody is accused."""
    tried = [one for one in references if one is not None and usable(one.result)]
    return health_of(vantage, [fetched("", "reference", 443, one.result) for one in tried], at)
