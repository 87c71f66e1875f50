"""How closely each look of a cycle goes, so that bytes go where something may be wrong.

A modest cycle greets: it shakes hands over one address family, the other one in the next cycle.
Endpoints that looked wrong when they were last looked at are looked at as closely as ever, and
repeats go before routine. Where not even the bytes kept for suspicion suffice, as when everything
is blocked by silence day and night, half the endpoints of each core role are still repeated, over
one family, so that its verdict keeps its evidence, and so is whatever costs next to nothing.
"""

from collections import Counter
from collections.abc import Sequence

from monitor.budget import Effort, Purse
from monitor.spending import Spending
from monitor.traffic import bytes_of
from probes.catalog import Endpoint, Platform, Role
from probes.measurement import Layer, Measurement
from probes.target import Glance

_CHEAP = 3_000
"""Bytes: a connection attempt that nobody answers, questions to the resolver included."""
_CLOSER = 4
"""What a close look takes at most, of a glance: both families, more addresses, a page."""
_REPEAT_ADDRESSES = 1


def reference_glance(effort: Effort) -> Glance | None:
    """What looks at references leave out: pages. Which families work they are to show."""
    return Glance(greet=True) if effort is Effort.MODEST else None


class Modesty:
    """What is remembered of every vantage from cycle to cycle."""

    def __init__(self, spending: Spending) -> None:
        self.spending = spending
        self._wary: dict[str, set[str]] = {}
        self._cycles: Counter[str] = Counter()

    def begin(self, vantage: str, effort: Effort, families: Sequence[str]) -> "Closeness":
        """A cycle of that effort begins; `families` work from the vantage."""
        self._cycles[vantage] += 1
        wary = self._wary.setdefault(vantage, set())
        turn = families[self._cycles[vantage] % len(families)] if families else ""
        return Closeness(self.spending, vantage, effort, turn, wary)


class Closeness:
    """How closely the looks of one cycle go."""

    def __init__(
        self, spending: Spending, vantage: str, effort: Effort, family: str, wary: set[str]
    ) -> None:
        self._spending = spending
        self._vantage = vantage
        self._effort = effort
        self._family = family
        self._wary = wary
        self._essential: dict[str, set[str]] = {}

    def first(self, endpoint: Endpoint) -> tuple[Glance | None, Purse | None]:
        """What to leave out of the first look, and who pays when it is not the routine."""
        if self._effort is Effort.HURRIED:
            return None, Purse.SUSPICION
        if self._effort is not Effort.MODEST:
            return None, None
        if endpoint.id not in self._wary:
            return Glance(family=self._family, greet=True), None
        closely = _CLOSER * self._spending.usual(self._vantage, endpoint.id)
        if self._spending.affords(self._vantage, Purse.SUSPICION, closely):
            return None, Purse.SUSPICION
        return Glance(family=self._family), None

    def again(
        self, platform: Platform, role: Role, endpoint: Endpoint, first: Measurement
    ) -> tuple[bool, Glance | None]:
        """Whether the bytes allow for a repeat of a look that went wrong, and its glance."""
        cost = bytes_of(first)
        closely = _CLOSER * cost if self._effort is Effort.MODEST else cost
        if self._spending.affords(self._vantage, Purse.SUSPICION, closely):
            return True, None
        needed = cost <= _CHEAP or self._is_essential(platform, role, endpoint)
        glance = Glance(family=self._family, addresses=_REPEAT_ADDRESSES)
        return needed and self._spending.lasts(self._vantage, cost), glance

    def at_control(self, failed: Measurement) -> Glance | None:
        """What the look of a control leaves out: a page, where there is none to compare with."""
        if self._effort is not Effort.MODEST or failed.of(Layer.HTTP):
            return None
        return Glance(family=self._family, greet=True)

    def noted(self, endpoint: Endpoint, *, wrong: bool) -> None:
        """Remember how the last look at an endpoint went."""
        if wrong:
            self._wary.add(endpoint.id)
        else:
            self._wary.discard(endpoint.id)

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
