"""What is known of vantages with a key or in quarantine, and the table of it."""

from datetime import datetime

import msgspec
from rich.table import Table

from monitor.cli.console import plain_console
from monitor.keys.keys import grouped
from monitor.wording.plain import visible
from storage.values.fleet import CollectorStore, Enrolment, Quarantine

_SHOWN = 16
"""Digits of a fingerprint: enough to tell two keys of one's own apart."""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """One vantage."""

    vantage: str
    country: str
    keys: tuple[Enrolment, ...] = ()
    """By when they were enrolled."""
    quarantine: Quarantine | None = None
    judged_at: datetime | None = None
    """UTC; of its newest cycle. None when none was judged yet."""

    @property
    def key(self) -> Enrolment | None:
        """The one that may speak for it."""
        return next((one for one in self.keys if one.revoked_at is None), None)


async def known_vantages(store: CollectorStore) -> list[Known]:
    """Every vantage that was ever enrolled or is in quarantine, by id."""
    keys: dict[str, list[Enrolment]] = {}
    for one in await store.enrolments():
        keys.setdefault(one.vantage, []).append(one)
    held = {one.vantage: one for one in await store.quarantines()}
    judged = {one.vantage: one.at for one in await store.latest_health()}
    return [
        Known(
            vantage=vantage,
            country=keys[vantage][-1].country if vantage in keys else held[vantage].country,
            keys=tuple(keys.get(vantage, ())),
            quarantine=held.get(vantage),
            judged_at=judged.get(vantage),
        )
        for vantage in sorted(keys.keys() | held.keys())
    ]


def print_vantages(found: list[Known]) -> None:
    """One row for each."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("vantage", "country", "network", "role", "key", "may speak", "last judged"):
        table.add_column(title, overflow="fold")
    for one in found:
        table.add_row(*_row(one))
    console = plain_console()
    console.print(table)
    for one in found:
        if one.quarantine is not None:
            line = f"{one.vantage} is left out{_span(one.quarantine)}: "
            console.print(line + visible(one.quarantine.reason), markup=False, soft_wrap=True)


def _row(one: Known) -> tuple[str, ...]:
    judged = _moment(one.judged_at) if one.judged_at else "never"
    if not one.keys:
        return (one.vantage, one.country, "", "", "", "this process's own", judged)
    last = one.key or one.keys[-1]
    network = f"AS{last.asn} {visible(last.network)}"
    role = last.role if last.profile == "normal" else f"{last.role}, {last.profile}"
    if last.revoked_at is None:
        speaks = f"since {_moment(last.enrolled_at)}"
    else:
        speaks = f"no, since {_moment(last.revoked_at)}: {visible(last.reason)}"
    return (
        *(one.vantage, one.country, network, role, grouped(last.fingerprint[:_SHOWN])),
        *(speaks, judged),
    )


def _span(quarantine: Quarantine) -> str:
    since = f" from {_moment(quarantine.since)}" if quarantine.since else ""
    return since + (f" to {_moment(quarantine.until)}" if quarantine.until else "")


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}Z"
