"""What collectors ordered, by which key, and what of it the host has not accepted: for `shutwatch
agent status` and `shutwatch agent accept`."""

from collections.abc import Iterator
from datetime import datetime

import msgspec

from monitor.agent.consent import Consent, signer_of
from monitor.agent.ordered_catalog import Unused
from monitor.agent.paths import AgentFiles
from monitor.agent.what_orders_may_change import Orders, follow
from monitor.config.settings import Settings
from monitor.keys.keys import fingerprint, grouped

_MEGABYTE = 1e6


class Ordered(msgspec.Struct, frozen=True, kw_only=True):
    """The newest settings from collectors, with a signature that holds."""

    version: str
    issued_at: datetime
    """UTC, by the collector's clock."""
    key: str
    """Fingerprint of the collectors' key that signed them."""
    paused: bool
    interval: float
    """Seconds."""
    daily_bytes: int
    platforms: tuple[str, ...]
    catalog_key: str = ""
    """Fingerprint of the offline key that the catalogue names; empty for none."""
    catalog_ends: datetime | None = None
    """UTC; until when its signing key is valid."""
    catalog_fault: str = ""
    """Why no offline key that the host trusts stands behind the catalogue; empty when one does."""
    used: tuple[str, ...] = ()
    """Endpoints that are measured by the order alone."""
    unused: tuple[Unused, ...] = ()
    """What of the order is not used."""


def ordered_of(settings: Settings, files: AgentFiles, consent: Consent) -> Ordered | None:
    """What was ordered; None where nothing was."""
    setup = settings.agent
    assert setup is not None  # noqa: S101 # asked of agents alone
    orders = Orders(files.orders, setup.collector_key)
    orders.restore()
    new = orders.current
    if new is None:
        return None
    followed = follow(settings, new, consent.allowed(new))
    proof = new.catalog_proof
    return Ordered(
        version=new.version,
        issued_at=new.issued_at,
        key=fingerprint(setup.collector_key),
        paused=new.paused,
        interval=new.interval,
        daily_bytes=new.daily_bytes,
        platforms=new.platforms,
        catalog_key=signer_of(new),
        catalog_ends=None if proof is None else proof.signer.ends,
        catalog_fault=consent.fault(new) if new.catalog else "",
        used=tuple(sorted(followed.settings.catalog.ordered)),
        unused=followed.unused,
    )


def lines(ordered: Ordered) -> Iterator[str]:
    """One for each fact."""
    yield f"Ordered {ordered.issued_at:%Y-%m-%d %H:%M:%S}Z by the key {grouped(ordered.key)}:"
    yield (
        f"  every {ordered.interval:,.0f} s, {ordered.daily_bytes / _MEGABYTE:.0f} MB a day at "
        f"most, {', '.join(ordered.platforms) or 'no platform'}"
    )
    if ordered.catalog_key:
        proven = f"not proven: {ordered.catalog_fault}" if ordered.catalog_fault else "proven"
        yield (
            f"  catalogue of the offline key {grouped(ordered.catalog_key)}, {proven}; its signing "
            f"key is valid until {ordered.catalog_ends:%Y-%m-%d %H:%M}Z"
        )
    for endpoint in ordered.used:
        yield f"  measured by order, allowed: {endpoint}"
    for part in ordered.unused:
        yield f"  not used, {part.name}: {part.why}"
        yield from (f"    {address}" for address in addresses(part))
    if any(part.acceptable for part in ordered.unused):
        yield "  `shutwatch agent accept` shows what is new and asks whether to allow it"


def addresses(part: Unused) -> Iterator[str]:
    """The ids of what is new in it."""
    yield from (one.id for one in part.endpoints)
    for one in part.references:
        yield f"{one.endpoint.id} ({one.scope} reference)"
