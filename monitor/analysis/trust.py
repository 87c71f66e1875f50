"""How much the word of a vantage weighs where several people run vantages.

A collector judges what *agents* send, and whoever holds an agent's key can sign what was never
measured. Vantages of the operator's own configuration are no agents.

* **A new key weighs little** (`NEW`) until it has agreed with others for `probation`.
* **What one person may control counts once.** Agents of one host, or of one network, weigh as much
  as the one of them that weighs most. The operator says at enrolment who the host is: two hosts on
  one network count as two, one host on two networks counts as one.
* **Controls vote.** What fails at the vantage is compared with the side that has the majority of
  the controls' weight, and `agreement` or more of it. An own control is enough by itself.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

NEW = 0.25
"""Weight of a key that has not agreed with others for long. A known key weighs 1."""
OWN_VOTES = 2
"""Votes of a control of the operator's own; an agent has one at most."""
Network = tuple[int, str]


def network_key(asn: int, network: str) -> Network:
    """What tells networks apart: the AS number, or the name without one."""
    return asn, "" if asn else network


class KeyPeriod(msgspec.Struct, frozen=True, kw_only=True):
    """One key of a vantage."""

    since: datetime
    """UTC; when it was enrolled."""
    established_at: datetime | None = None
    """UTC; from when it weighs in full; None: not yet."""
    host: str = ""
    """Who runs it, in the operator's words; empty: not said."""


class Voice(msgspec.Struct, frozen=True, kw_only=True):
    """A vantage that says something."""

    vantage: str
    network: Network
    """As `network_key` gives it."""


class Trust(msgspec.Struct, frozen=True, kw_only=True):
    """What stands behind the word of each vantage. Without agents, everything is the operator's."""

    agents: Mapping[str, tuple[KeyPeriod, ...]] = {}
    """Vantage → its keys, oldest first. Others are the operator's own."""
    agreement: int = 1
    """Weight that is needed before anything is certain."""

    def is_own(self, vantage: str) -> bool:
        """Whether the operator's own process measures there."""
        return vantage not in self.agents

    def weight(self, vantage: str, at: datetime) -> float:
        """The weight of its word at that moment (UTC), from 0 to 1."""
        key = self._key(vantage, at)
        if key is None or (key.established_at is not None and key.established_at <= at):
            return 1.0
        return NEW

    def is_new(self, vantage: str, at: datetime) -> bool:
        """Whether its key weighs little yet."""
        return self.weight(vantage, at) < 1.0

    def total(self, voices: Iterable[Voice], at: datetime) -> float:
        """The weight of what these say together at that moment (UTC)."""
        return sum(self.by_source(voices, at).values())

    def by_source(self, voices: Iterable[Voice], at: datetime) -> dict[str, float]:
        """The weight of each unrelated source among these."""
        weights: dict[str, float] = {}
        for vantage, source in self.sources(voices, at).items():
            weights[source] = max(weights.get(source, 0.0), self.weight(vantage, at))
        return weights

    def sources(self, voices: Iterable[Voice], at: datetime) -> dict[str, str]:
        """Vantage → its source: those of one source may be one person. The names of sources mean
        nothing elsewhere."""
        heard = list(voices)
        hosts = {one.network: host for one in heard if (host := self._host(one.vantage, at))}
        found: dict[str, str] = {}
        for one in heard:
            if self.is_own(one.vantage):
                found[one.vantage] = f"own {one.vantage}"
            else:
                # Whose host nobody named may be the same as another's on its network.
                host = self._host(one.vantage, at) or hosts.get(one.network, "")
                found[one.vantage] = f"host {host}" if host else f"network {one.network}"
        return found

    def _key(self, vantage: str, at: datetime) -> KeyPeriod | None:
        keys = self.agents.get(vantage)
        if not keys:
            return None
        return next((key for key in reversed(keys) if key.since <= at), keys[0])

    def _host(self, vantage: str, at: datetime) -> str:
        key = self._key(vantage, at)
        return "" if key is None else key.host


OWN_ALONE = Trust()
"""Of a monitor that judges its own vantages and nobody else's."""
