"""The vantages that have a key or are in quarantine, and the table of them."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from monitor.cli.output import listing_console, minute, print_lines, table
from monitor.keys.keys import grouped
from monitor.wording.visible_text import visible
from storage.store import CollectorStore
from storage.values.fleet import Enrolment, Quarantine
from storage.values.steady_clock import utc_now

_SHOWN = 16
"""Digits of a fingerprint on a terminal: enough to tell an operator's keys apart."""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """One vantage."""

    vantage: str
    country: str
    keys: tuple[Enrolment, ...] = ()
    """In the order of their enrolment."""
    quarantine: Quarantine | None = None
    invited_until: datetime | None = None
    """UTC time at which its open invitation expires. None when it has none."""
    judged_at: datetime | None = None
    """UTC time of its newest judged cycle. None when no cycle was judged yet."""

    @property
    def key(self) -> Enrolment | None:
        """The one key that is not revoked."""
        return next((one for one in self.keys if one.revoked_at is None), None)


async def known_vantages(store: CollectorStore) -> dict[str, Known]:
    """Every vantage that was ever enrolled, or is invited or in quarantine, in the order of ids."""
    keys: dict[str, list[Enrolment]] = {}
    for one in await store.enrolments():
        keys.setdefault(one.vantage, []).append(one)
    held = {one.vantage: one for one in await store.quarantines()}
    now = utc_now()
    invited = {one.vantage: one for one in await store.invitations() if one.is_open(now)}
    health = sorted(await store.latest_health(), key=lambda one: one.at)  # one for each country
    judged = {one.vantage: one.at for one in health}
    countries = {name: one.country for name, one in held.items()}
    countries |= {name: one.country for name, one in invited.items()}
    countries |= {vantage: known[-1].country for vantage, known in keys.items()}
    return {
        vantage: Known(
            vantage=vantage,
            country=countries[vantage],
            keys=tuple(keys.get(vantage, ())),
            quarantine=held.get(vantage),
            invited_until=invited[vantage].expires_at if vantage in invited else None,
            judged_at=judged.get(vantage),
        )
        for vantage in sorted(countries)
    }


def print_vantages(found: Iterable[Known]) -> None:
    """One row for each."""
    console = listing_console()
    shown = table("vantage", "country", "network", "role", "key", "valid", "last judged")
    below = []
    for one in found:
        shown.add_row(*_row(one, _SHOWN if console.is_terminal else None))
        if one.quarantine is not None:
            held = time_range(one.quarantine.since, one.quarantine.until)
            below.append(f"{one.vantage} is in quarantine{held}: {visible(one.quarantine.reason)}")
    console.print(shown)
    print_lines(below)


def time_range(since: datetime | None, until: datetime | None) -> str:
    """` from … to …`, as far as they are given."""
    begin = f" from {minute(since)}" if since else ""
    return begin + (f" to {minute(until)}" if until else "")


def _row(one: Known, digits: int | None) -> tuple[str, ...]:
    judged = minute(one.judged_at) or "never"
    invited = f"invited until {minute(one.invited_until)}" if one.invited_until else ""
    if not one.keys:
        return (one.vantage, one.country, "", "", "", invited or "own vantage, no key", judged)
    last = one.key or one.keys[-1]
    network = f"AS{last.asn} {visible(last.network)}"
    role = last.role if last.profile == "normal" else f"{last.role}, {last.profile}"
    if last.revoked_at is None:
        valid = f"since {minute(last.enrolled_at)}"
        if last.established_at is None:
            valid += f", new: agreed for {last.agreed / 86400:.1f} d"
    else:
        valid = f"no, since {minute(last.revoked_at)}: {visible(last.reason)}"
    return (
        *(one.vantage, one.country, network, role, grouped(last.fingerprint[:digits])),
        *(f"{valid}; {invited}" if invited else valid, judged),
    )
