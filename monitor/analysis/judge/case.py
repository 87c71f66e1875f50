"""What is put before the judge: everything that bears on one endpoint in one cycle."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from monitor.analysis.judge.fingerprint import Fingerprint
from monitor.analysis.verdict import VantageHealth
from probes.measurement import Measurement


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One endpoint, one field vantage, one cycle, put before the judge."""

    cycle: str
    vantage: str
    country: str
    asn: int
    network: str
    platform: str
    role: str
    endpoint: str
    """`Endpoint.id`."""
    attempts: tuple[Measurement, ...]
    """The looks at this endpoint in this cycle, in the order made."""
    controls: tuple[Measurement, ...] = ()
    """Looks at the same endpoint from control vantages, in any order, however old."""
    follow_ups: tuple[Measurement, ...] = ()
    """Extra observations of this endpoint in this cycle, each with its reason."""
    fingerprints: tuple[Fingerprint, ...] = ()
    """The block pages and filtering products that are known."""
    udp_works: bool = False
    """HTTP/3 or STUN of another endpoint worked from this vantage in this cycle: UDP other than DNS
    gets through, so its silence here means something."""
    health: VantageHealth
    """Of the field vantage, from references asked after the failures."""
    control_health: Mapping[str, VantageHealth] = {}
    """Vantage id → health, of the control vantages; one that is missing counts as unwell."""
    judged_at: datetime
    """UTC."""
