"""Why a selection has no rows: found by asking the store for more."""

from msgspec.structs import replace

from monitor.export.kinds import EXPORTS, Export, Kind
from monitor.wording.no_rows import NoRows
from storage.first_rows import first_rows
from storage.store import Store
from storage.values.rollup import Period
from storage.values.selection import Selection

_MEASURED = (Kind.VERDICTS, Kind.MEASUREMENTS, Kind.AVAILABILITY)
"""Kinds whose rows are deleted after a time."""


async def why_no_rows(
    export: Export, store: Store, selection: Selection, rejudging: str = ""
) -> NoRows:
    """Why `export.rows` gives none for these arguments. Raises StorageError."""

    async def some(wanted: Selection) -> bool:
        one = replace(wanted, after=(), batch=1)
        return bool(await first_rows(export.rows(store, one, rejudging), 1))

    if not rejudging and (why := await _gone(export, store, selection)):
        return why
    if await some(replace(selection, since=None, until=None)):
        return NoRows.ANOTHER_TIME
    return NoRows.ELSEWHERE if await some(Selection()) else NoRows.NOTHING


async def _gone(export: Export, store: Store, selection: Selection) -> NoRows | None:
    """Whether there were such rows once, as counts or verdicts that are left tell."""
    measured = [EXPORTS[kind] for kind in _MEASURED]
    # Neither counts nor verdicts on platforms know more of a row than its place.
    if export not in measured or selection.vantage or selection.state or selection.event:
        return None
    place = replace(selection, period=Period.DAY, by_network=True, after=(), batch=1)
    counted = bool(await first_rows(store.availability(place), 1))
    if export is EXPORTS[Kind.AVAILABILITY]:
        if counted:
            return NoRows.DELETED
        return NoRows.EXTRA if await first_rows(store.platforms(place), 1) else None
    # The oldest are deleted first, so where older ones are left none of these was.
    older = Selection(until=selection.until, batch=1)
    left = await first_rows(export.rows(store, older), 1)
    return NoRows.DELETED if counted and not left else None
