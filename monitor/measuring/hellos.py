"""Which endpoints are greeted in another form too: by chance, and again where that was blocked."""

import random
from collections.abc import Collection, Iterable, Sequence

from monitor.analysis.judge.grade_by_follow_ups import LARGE_HELLO, SHORT_HELLO
from monitor.analysis.judge.hello_forms import greets_otherwise, other_hello_failed
from monitor.analysis.verdict import VantageHealth, VantageState, Verdict
from probes.catalog.catalog import Endpoint
from probes.catalog.endpoint_kinds import EndpointKind
from probes.measurement import Measurement, Purpose
from probes.vantage import Profile, VantagePoint

SHARE = 0.1
"""Of the endpoints of a cycle. A platform has several, so one of it is greeted in most cycles."""
_RULES = tuple(f"{layer}.{word}" for layer, word in (SHORT_HELLO, LARGE_HELLO))
_TLS = (EndpointKind.HTTPS, EndpointKind.TLS)


class Hellos:
    """Draws them, and learns from their results."""

    def __init__(self, rng: random.Random, share: float = SHARE) -> None:
        """`share` of the endpoints, 0 to 1; `rng` picks which."""
        self._rng = rng
        self._share = share
        self._blocked: dict[str, dict[str, str]] = {}
        """Vantage → platform → the endpoint of it that is greeted otherwise in every cycle."""

    def draw(
        self, vantage: VantagePoint, health: VantageHealth, endpoints: Iterable[Endpoint]
    ) -> frozenset[str]:
        """Ids of the endpoints to greet otherwise in this cycle. None at a quiet vantage, which a
        second greeting would single out, nor behind a proxy."""
        if vantage.profile is Profile.QUIET or vantage.egress.proxied:
            return frozenset()
        if health.state is not VantageState.OK:
            return frozenset()
        ids = [endpoint.id for endpoint in endpoints if endpoint.kind in _TLS]
        drawn = {one for one in ids if self._rng.random() < self._share}
        return frozenset(drawn.union(self._blocked.get(vantage.id, {}).values()))

    def remember(self, verdicts: Iterable[Verdict]) -> None:
        """Continue with what an earlier process found blocked; `verdicts` are the newest stored."""
        for verdict in verdicts:
            if verdict.rule_id in _RULES:
                of_vantage = self._blocked.setdefault(verdict.vantage, {})
                of_vantage.setdefault(verdict.platform, verdict.endpoint)

    def inherit(self, before: "Hellos", vantages: Collection[str]) -> None:
        """Continue with what another one knows of these vantages."""
        self._blocked = {name: one for name, one in before._blocked.items() if name in vantages}

    def learn(
        self, vantage_id: str, measurements: Sequence[Measurement], verdicts: Sequence[Verdict]
    ) -> None:
        """`measurements` are those of one cycle from this vantage, by start."""
        self.remember(verdicts)
        blocked = self._blocked.get(vantage_id, {})
        last = {one.endpoint: one for one in measurements if one.look is not Purpose.FOLLOW_UP}
        for platform, endpoint in list(blocked.items()):
            newest = last.get(endpoint)
            if newest is not None and greets_otherwise(newest) and not other_hello_failed(newest):
                del blocked[platform]
