"""The input of the rules: everything about one endpoint in one cycle."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from monitor.analysis.judge.counted_flows import cut_by_name
from monitor.analysis.judge.fingerprint import Fingerprint
from monitor.analysis.judge.lossy_paths import Sign, lost
from monitor.analysis.judge.refused_by_chance import by_chance
from monitor.analysis.judge.slow_line import silent_to_one_name
from monitor.analysis.trust import OWN_ALONE, Trust
from monitor.analysis.verdict import VantageHealth
from probes.measurement import Measurement


class EndpointCase(msgspec.Struct, frozen=True, kw_only=True):
    """What a verdict is about: one endpoint, one field vantage, one cycle."""

    cycle: str
    vantage: str
    country: str
    asn: int
    network: str
    platform: str
    function: str
    endpoint: str
    """`Endpoint.id`."""
    health: VantageHealth
    """Health of the field vantage, from references measured after the failures."""
    judged_at: datetime
    """UTC."""


class Case(EndpointCase, frozen=True, kw_only=True):
    """The measurements of one endpoint, with all that helps to judge them."""

    attempts: tuple[Measurement, ...]
    """The measurements of this endpoint in this cycle, in the order made."""
    controls: tuple[Measurement, ...] = ()
    """Measurements of the same endpoint from control vantages, in any order, of any age."""
    follow_ups: tuple[Measurement, ...] = ()
    fingerprints: tuple[Fingerprint, ...] = ()
    udp_works: bool = False
    """HTTP/3 or STUN of another endpoint worked from this vantage in this cycle, so UDP gets
    through and its silence means something."""
    quic_works: bool = False
    """HTTP/3 of another endpoint, or of a reference, worked from this vantage in this cycle."""
    udp_references: Mapping[str, tuple[str, ...]] = {}
    """Of the references that answered over UDP in this cycle, id → address families: calls need no
    other proof that UDP gets through."""
    no_protocol_of_apps: bool = False
    """Apps' own protocols over TCP got no answer in this cycle, whoever's; see
    `monitor.analysis.judge.protocols_of_apps`."""
    control_health: Mapping[str, VantageHealth] = {}
    """Vantage id → health of the control vantages. A missing one counts as unwell."""
    local_authorities: frozenset[str] = frozenset()
    """Authorities that open TLS at the vantage's own site; see
    `monitor.analysis.judge.interception`."""
    lossy_path: bool = False
    """Many packets get lost between the vantage and this platform; see
    `monitor.analysis.judge.lossy_paths`."""
    perhaps_lossy_path: bool = False
    """More packets than usual get lost between the vantage and this platform."""
    slow_line: bool = False
    """Spared hosts took nearly as long to answer as tests here waited in vain; see
    `monitor.analysis.judge.slow_line`."""
    cut_off: frozenset[str] = frozenset()
    """The platform's addresses that are silent here, and no ordinary fault explains it; see
    `monitor.analysis.judge.silent_addresses`."""
    common_addresses: frozenset[str] = frozenset()
    """Silent addresses to which the resolver leads names of different owners; see
    `monitor.analysis.judge.common_addresses`."""
    private_addresses: frozenset[str] = frozenset()
    """Private addresses at which the platform proved itself under one of its names; see
    `monitor.analysis.judge.private_addresses`."""
    cut_share: float = 0.0
    """Share (0 to 1) of connections to the platform that is cut off with any name, where that was
    counted; see `monitor.analysis.judge.cut_by_chance`."""
    refusals: Mapping[Sign, float] = {}
    """Refusals that hosts which nobody blocks meet at random → the share (0 to 1) of answers that
    are; see `monitor.analysis.judge.refused_by_chance`."""
    explained: frozenset[str] = frozenset()
    """Ids of the rules for ordinary faults that follow-ups found at other endpoints of the platform
    in this cycle. Not every endpoint is followed up."""
    sampled_out: bool = False
    """Others of the function, which stayed silent alike, stand for this endpoint; see
    `monitor.analysis.judge.siblings`."""
    trust: Trust = OWN_ALONE
    """What the word of each control weighs."""

    def excuses(self, sign: Sign | None) -> bool:
        """Whether the line, or the path to the platform, explains this sign."""
        waits = (self.loses_packets or self.waits_in_line) and lost(sign)
        return waits or self.refused_by_chance(sign)

    def refused_by_chance(self, sign: Sign | None) -> bool:
        """Whether the line refuses so much at random that this sign proves nothing."""
        rate = self.refusals.get(sign) if sign is not None else None
        return rate is not None and by_chance(rate, len(self.attempts))

    @property
    def loses_packets(self) -> bool:
        """Whether what was silent here may have been lost on the path to the platform."""
        return self.lossy_path and not cut_by_name(self.endpoint, self.follow_ups)

    @property
    def perhaps_loses_packets(self) -> bool:
        """The same of a path on which more packets than usual get lost."""
        return self.perhaps_lossy_path and not cut_by_name(self.endpoint, self.follow_ups)

    @property
    def waits_in_line(self) -> bool:
        """Whether what was silent here may have waited for a slow line."""
        return self.slow_line and not silent_to_one_name(self.endpoint, self.follow_ups)
