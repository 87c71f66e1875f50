"""How closely each look of a cycle goes, so that bytes go where something may be wrong.

A modest cycle greets: it shakes hands over one address family, the other one in the next cycle.
Where anything of a role looked wrong or was accused in the last cycle, all of the role is looked at
as closely as ever, so that no block seems over because less was looked at; repeats go before
routine. Where not even the bytes kept for suspicion suffice, as when everything
is blocked by silence day and night, half the endpoints of each core role are still repeated, over
one family, so that its verdict keeps its evidence, and so is whatever costs next to nothing.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

import msgspec

from monitor.analysis.judge.suspicion import failing_families, suspicious
from monitor.analysis.verdict import State, Verdict
from monitor.budget.budget import Allotment, Effort
from monitor.budget.bytes_used import bytes_of
from monitor.budget.ledger import Ledger
from probes.catalog.catalog import Endpoint, Platform, Role
from probes.measurement import Layer, Measurement
from probes.target import Reduction

_CHEAP = 3_000
"""Bytes: a connection attempt that nobody answers, questions to the resolver included."""
_CLOSER = 4
"""What a close look takes at most, beyond a reduced one: both families, more addresses, a page."""
_REPEAT_ADDRESSES = 1


def reference_reduction(effort: Effort) -> Reduction | None:
    """What looks at references leave out: pages. Which families work they are to show."""
    return None if effort is Effort.WHOLE else Reduction(greet=True)


def reference_allotment(effort: Effort) -> Allotment | None:
    """Who pays for looks at references, when it is not the routine."""
    return Allotment.SUSPICION if effort is Effort.HURRIED else None


_Role = tuple[str, str]
"""Platform and role, by name."""
_Wary = dict[_Role, frozenset[str]]
"""Where something was wrong, and over which address families; empty: not known, so any."""


class EffortPlanner:
    """What is remembered of every vantage from cycle to cycle."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._wary: dict[str, _Wary] = {}
        self._cycles: Counter[str] = Counter()

    def remember(self, verdicts: Iterable[Verdict]) -> None:
        """Be wary of what an earlier process found blocked; `verdicts` are the newest stored."""
        for verdict in verdicts:
            if verdict.state is State.BLOCKED:
                wary = self._wary.setdefault(verdict.vantage, {})
                wary[verdict.platform, verdict.role] = frozenset()

    def inherit(self, before: "EffortPlanner", vantages: Collection[str]) -> None:
        """Go on with what another one knew of these vantages."""
        self._wary = {name: known for name, known in before._wary.items() if name in vantages}
        for name in vantages:
            self._cycles[name] = before._cycles[name]

    def begin(self, vantage: str, effort: Effort, families: Sequence[str]) -> "CycleEffort":
        """A cycle of that effort begins; `families` work from the vantage."""
        self._cycles[vantage] += 1
        wary = self._wary.setdefault(vantage, {})
        turn = families[self._cycles[vantage] % len(families)] if families else ""
        return CycleEffort(self.ledger, vantage, effort, tuple(families), turn, wary)


class CycleEffort:
    """How closely the looks of one cycle go."""

    def __init__(
        self,
        ledger: Ledger,
        vantage: str,
        effort: Effort,
        families: tuple[str, ...],
        turn: str,
        wary: _Wary,
    ) -> None:
        self._spending = ledger
        self._vantage = vantage
        self._effort = effort
        self._families = families
        self._turn = turn
        self._wary = wary
        self._glanced: dict[_Role, str] = {}
        """Over which family what is wary was looked at, where it could not be closely."""
        self._essential: dict[str, set[str]] = {}

    def first(
        self, platform: Platform, role: Role, endpoint: Endpoint
    ) -> tuple[Reduction | None, Allotment | None]:
        """What to leave out of the first look, and who pays when it is not the routine."""
        if self._effort is Effort.HURRIED:
            return None, Allotment.SUSPICION
        if self._effort is not Effort.MODEST:
            return None, None
        key = (platform.name, role.name)
        if key not in self._wary:
            return Reduction(family=self._turn, greet=True), None
        closely = _CLOSER * self._spending.usual(self._vantage, endpoint.id)
        if self._spending.affords(self._vantage, Allotment.SUSPICION, closely):
            return None, Allotment.SUSPICION
        reduction = self._telling(self._wary[key])
        self._glanced[key] = reduction.family
        return reduction, None

    def again(
        self, platform: Platform, role: Role, endpoint: Endpoint, first: Measurement
    ) -> tuple[bool, Reduction | None]:
        """Whether the bytes allow for a repeat of a look that went wrong, and its reduction."""
        cost = bytes_of(first)
        closely = _CLOSER * cost if self._effort is Effort.MODEST else cost
        if self._spending.affords(self._vantage, Allotment.SUSPICION, closely):
            return True, None
        needed = cost <= _CHEAP or self._is_essential(platform, role, endpoint)
        reduction = self._telling(failing_families(first, self._families))
        reduction = msgspec.structs.replace(reduction, addresses=_REPEAT_ADDRESSES)
        return needed and self._spending.lasts(self._vantage, cost), reduction

    def at_control(self, failed: Measurement) -> Reduction | None:
        """What the look of a control leaves out: a page, where there is none to compare with."""
        if self._effort is not Effort.MODEST or failed.of(Layer.HTTP):
            return None
        family = self._telling(failing_families(failed, self._families)).family
        return Reduction(family=family, greet=True)

    def learn(self, looks: Iterable[Measurement], verdicts: Iterable[Verdict]) -> None:
        """Remember how the cycle went; `looks` are its last at each endpoint."""
        blocked = {one.endpoint for one in verdicts if one.state is State.BLOCKED}
        by_role: dict[_Role, list[Measurement]] = {}
        for look in looks:
            by_role.setdefault((look.platform, look.role), []).append(look)
        for key, seen in by_role.items():
            wrong = [
                failing_families(look, self._families)
                for look in seen
                if look.endpoint in blocked or suspicious(look, self._families)
            ]
            if wrong:
                self._wary[key] = frozenset().union(*wrong) if all(wrong) else frozenset()
                continue
            # What was seen to work over one family may not over the other.
            rest = self._wary.pop(key, frozenset()) - {self._glanced.get(key, "")}
            if rest and self._glanced.get(key):
                self._wary[key] = rest

    def _telling(self, failed: frozenset[str]) -> Reduction:
        """A look over one family, if that one shows whether what failed still does."""
        if failed and failed.issuperset(self._families):
            return Reduction(family=self._turn)
        if len(failed) == 1:
            return Reduction(family=min(failed))
        return Reduction(addresses=_REPEAT_ADDRESSES)

    def _is_essential(self, platform: Platform, role: Role, endpoint: Endpoint) -> bool:
        if not role.core and any(one.core for one in platform.roles):
            return False
        if role.canonical:
            return endpoint == role.endpoints[0]
        # Half of a role must be found blocked for the role to be.
        most = (len(role.endpoints) + 1) // 2
        chosen = self._essential.setdefault(f"{platform.name} {role.name}", set())
        if len(chosen) < most:
            chosen.add(endpoint.id)
        return endpoint.id in chosen
