"""Acknowledgements: somebody knows of a line of the checklist, and leaves it so."""

from collections.abc import Iterable
from datetime import datetime

from monitor.acting.acts import ActError, act_of
from monitor.wording.findings import Finding
from storage.store import Store
from storage.values.acts import Acknowledgement, ActKind


async def acknowledge(
    store: Store, findings: Iterable[Finding], key: str, *, who: str, now: datetime
) -> None:
    """Note that somebody knows of one of these findings. Raises ActError and StorageError."""
    if key not in {finding.key for finding in findings}:
        raise ActError("the checklist has no such line any more")
    made = Acknowledgement(finding=key, at=now)
    await store.acknowledge(made, act_of(who, now, ActKind.ACKNOWLEDGE, f"checklist {key}"))
