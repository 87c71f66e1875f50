"""How thorough each test of a cycle is, so that bytes go where something may be wrong.

A modest cycle only shakes hands, over one address family, and over the other one in the next cycle.
Where anything of a function looked wrong or was accused in the last cycle, all of it is tested in
full, so that no block seems over because less was tested; retries go before routine. Where not even
the bytes kept for suspicion suffice, as when everything is blocked by silence day and night, half
the endpoints of each core function are still retried, at one address of each family, so that its
verdict keeps its evidence, and so is whatever costs next to nothing.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

import msgspec

from monitor.analysis.judge.second_attempt import failing_families, suspicious
from monitor.analysis.verdict import State, Verdict
from monitor.budget.budget import Allotment, Effort
from monitor.budget.bytes_used import bytes_of
from monitor.budget.ledger import Ledger
from probes.catalog.catalog import Endpoint, Function, Need, Platform
from probes.measurement import Layer, Measurement
from probes.target import Reduction

_CHEAP = 3_000
"""Bytes: a connection attempt that nobody answers, questions to the resolver included."""
_CLOSER = 4
"""Times as many bytes a full test takes at most as a reduced one: both families, more addresses, a
page."""
_REPEAT_ADDRESSES = 1

_WRONG = (State.BLOCKED, State.PARTIAL)
"""States of an endpoint that less than a full test may not show."""


_Function = tuple[str, str]
"""Platform and function, by name."""
_Suspected = dict[_Function, frozenset[str]]
"""Where something was wrong, and over which address families; empty: not known, so any."""


class EffortPlanner:
    """What is remembered of every vantage from cycle to cycle."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._suspected: dict[str, _Suspected] = {}
        self._under_way: dict[str, CycleEffort] = {}
        self._cycles: Counter[str] = Counter()

    def remember(self, verdicts: Iterable[Verdict]) -> None:
        """Test in full what an earlier process found blocked; `verdicts` are the newest stored."""
        for verdict in verdicts:
            if verdict.state in _WRONG:
                suspected = self._suspected.setdefault(verdict.vantage, {})
                suspected[verdict.platform, verdict.function] = frozenset()

    def inherit(self, before: "EffortPlanner", vantages: Collection[str]) -> None:
        """Continue with what another one knows of these vantages."""
        self._suspected = {
            name: known for name, known in before._suspected.items() if name in vantages
        }
        for name in vantages:
            self._cycles[name] = before._cycles[name]

    def begin(self, vantage: str, effort: Effort, families: Sequence[str]) -> "CycleEffort":
        """A cycle of that effort begins; `families` work from the vantage."""
        self._cycles[vantage] += 1
        suspected = self._suspected.setdefault(vantage, {})
        family = families[self._cycles[vantage] % len(families)] if families else ""
        begun = CycleEffort(self._ledger, vantage, effort, tuple(families), family, suspected)
        self._under_way[vantage] = begun
        return begun

    def learn(
        self, vantage: str, measurements: Iterable[Measurement], verdicts: Iterable[Verdict]
    ) -> None:
        """Remember how the vantage's last cycle went; `measurements` are its last of each
        endpoint."""
        if vantage in self._under_way:
            self._under_way.pop(vantage).learn(measurements, verdicts)


class CycleEffort:
    """How thorough the tests of one cycle are."""

    def __init__(
        self,
        ledger: Ledger,
        vantage: str,
        effort: Effort,
        families: tuple[str, ...],
        family: str,
        suspected: _Suspected,
    ) -> None:
        self._ledger = ledger
        self._vantage = vantage
        self._effort = effort
        self._families = families
        self._family = family
        self._suspected = suspected
        self._reduced: dict[_Function, str] = {}
        """Family over which a suspicious function was tested, where a full test was too dear."""
        self._essential: dict[str, set[str]] = {}

    def first(
        self, platform: Platform, function: Function, endpoint: Endpoint
    ) -> tuple[Reduction | None, Allotment | None]:
        """What to leave out of the first attempt, and what pays when it is not the routine."""
        if self._effort is Effort.OUT_OF_TURN:
            return None, Allotment.SUSPICION
        if self._effort is not Effort.MODEST:
            return None, None
        key = (platform.name, function.name)
        if key not in self._suspected:
            return Reduction(family=self._family, greet=True), None
        full_cost = _CLOSER * self._ledger.usual(self._vantage, endpoint.id)
        if self._ledger.affords(self._vantage, Allotment.SUSPICION, full_cost):
            return None, Allotment.SUSPICION
        reduction = self._telling(self._suspected[key])
        self._reduced[key] = reduction.family
        return reduction, None

    def again(
        self, platform: Platform, function: Function, endpoint: Endpoint, first: Measurement
    ) -> tuple[bool, Reduction | None]:
        """Whether the bytes allow for a retry of an attempt that went wrong, and its reduction."""
        cost = bytes_of(first)
        full_cost = _CLOSER * cost if self._effort is Effort.MODEST else cost
        if self._ledger.affords(self._vantage, Allotment.SUSPICION, full_cost):
            return True, None
        needed = cost <= _CHEAP or self._is_essential(platform, function, endpoint)
        reduction = self._telling(failing_families(first, self._families))
        reduction = msgspec.structs.replace(reduction, addresses=_REPEAT_ADDRESSES)
        return needed and self._ledger.lasts(self._vantage, cost), reduction

    def at_control(self, failed: Measurement) -> Reduction | None:
        """What a control leaves out: a page, where there is none to compare with."""
        if self._effort is not Effort.MODEST or failed.of(Layer.HTTP):
            return None
        family = self._telling(failing_families(failed, self._families)).family
        return Reduction(family=family, greet=True)

    def learn(self, measurements: Iterable[Measurement], verdicts: Iterable[Verdict]) -> None:
        """Remember how the cycle went; `measurements` are its last of each endpoint."""
        blocked = {one.endpoint for one in verdicts if one.state in _WRONG}
        by_function: dict[_Function, list[Measurement]] = {}
        for one in measurements:
            by_function.setdefault((one.platform, one.function), []).append(one)
        for key, seen in by_function.items():
            wrong = [
                failing_families(last, self._families)
                for last in seen
                if last.endpoint in blocked or suspicious(last, self._families)
            ]
            if wrong:
                self._suspected[key] = frozenset().union(*wrong) if all(wrong) else frozenset()
                continue
            # What was seen to work over one family may not over the other.
            rest = self._suspected.pop(key, frozenset()) - {self._reduced.get(key, "")}
            if rest and self._reduced.get(key):
                self._suspected[key] = rest

    def _telling(self, failed: frozenset[str]) -> Reduction:
        """A reduced test that shows whether what failed over these families still does: over one of
        them, where all did; else over all. What fails over one alone is no block of the rest."""
        if failed and failed.issuperset(self._families):
            return Reduction(family=self._family)
        return Reduction(addresses=_REPEAT_ADDRESSES)

    def _is_essential(self, platform: Platform, function: Function, endpoint: Endpoint) -> bool:
        if not function.core and any(one.core for one in platform.functions):
            return False
        if function.canonical:
            return endpoint == function.endpoints[0]
        if function.need is not Need.ANY:
            return True
        # Half of a pool must be found blocked for the pool to be.
        number, pool = next(
            (number, pool) for number, pool in enumerate(function.pools) if endpoint in pool
        )
        most = (len(pool) + 1) // 2
        chosen = self._essential.setdefault(f"{platform.name} {function.name} {number}", set())
        if len(chosen) < most:
            chosen.add(endpoint.id)
        return endpoint.id in chosen
