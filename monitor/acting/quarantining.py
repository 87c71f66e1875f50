"""Quarantine: the results of a vantage do not count in events, by a person's decision."""

from collections.abc import Collection, Mapping
from datetime import datetime

from monitor.acting.acts import ActError, act_of, one_line
from monitor.config.toml_node import did_you_mean
from storage.store import CollectorStore
from storage.values.acts import ActKind
from storage.values.fleet import Quarantine

REASON_LIMIT = 1000
"""Characters."""
SHOWS_ALL = "`shutwatch vantage list` shows all"


async def quarantine(
    store: CollectorStore,
    countries: Mapping[str, str],
    vantage: str,
    *,
    controls: Collection[str],
    reason: str,
    since: datetime | None = None,
    until: datetime | None = None,
    who: str,
    now: datetime,
) -> None:
    """Leave the results of a vantage out of events, from `since` to before `until` (UTC, in
    order). `countries` has the country of each known vantage, and `controls` are those that are
    controls: field results are compared with theirs, so they have none that could be left out.
    Raises ActError and StorageError."""
    why = one_line("reason", reason, REASON_LIMIT)
    if vantage not in countries:
        hint = did_you_mean(vantage, countries) or SHOWS_ALL
        raise ActError(f"there is no vantage {vantage!r}: {hint}; nothing was changed")
    if vantage in controls:
        raise ActError(
            f"{vantage} is a control, and only field vantages can be in quarantine: take it out of "
            f"the configuration, or `shutwatch vantage revoke {vantage}`; nothing was changed"
        )
    await store.quarantine(
        Quarantine(
            vantage=vantage,
            country=countries[vantage],
            since=since,
            until=until,
            reason=why,
            at=now,
        ),
        act_of(who, now, ActKind.QUARANTINE, f"vantage {vantage}", why),
    )


async def release(store: CollectorStore, vantage: str, *, who: str, now: datetime) -> None:
    """End a vantage's quarantine. Raises ActError and StorageError."""
    if not await store.release(vantage, act_of(who, now, ActKind.RELEASE, f"vantage {vantage}")):
        held = [one.vantage for one in await store.quarantines()]
        hint = did_you_mean(vantage, held) or SHOWS_ALL
        raise ActError(f"{vantage} is not in quarantine: {hint}")
