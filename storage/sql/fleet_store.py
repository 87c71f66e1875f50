"""The part of an SQL store that implements `storage.store.FleetStore`."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    delete,
    literal_column,
    or_,
    select,
    tuple_,
    update,
)

from monitor.analysis.trust import network_key
from probes.measurement import REFERENCE_PLATFORM, Measurement, Purpose
from probes.vantage import VantageRole
from storage.sql import listing as listings
from storage.sql import schema
from storage.sql.acts_store import SqlActs
from storage.sql.backend import Backend
from storage.sql.log_store import LogWaiting
from storage.sql.quarantined import count_again, keep_others_from_counting
from storage.sql.received import AT_ENDPOINTS, Arrival, ArrivalRows, arrival_rows
from storage.sql.received_group_commit import GroupCommit
from storage.sql.statements import insert_new, upsert
from storage.sql.writing_received import ReceivedWriter
from storage.store import StorageError
from storage.values import codecs
from storage.values.acts import Act
from storage.values.fleet import (
    REPLACED,
    EndpointKey,
    Enrolment,
    Invitation,
    Quarantine,
    ReceivedBatch,
    Reception,
    SeenCycle,
    WaitingCycle,
)
from storage.values.log import enrolment_digest, revocation_digest
from storage.values.storable_text import storable
from storage.values.times import text_time, time_text

_MOST = 5000
"""Measurements that are stored in one transaction."""
_AT_ONCE = 500
"""Ids, or endpoints, in one query."""
_FORGOTTEN = timedelta(days=1)
"""How long an invitation stays after it expired: while somebody may still ask why it is refused."""
_NEAR = timedelta(days=1)
"""How far in time a cycle's measurements can be from it. It limits how many months are searched."""

_measurements = schema.measurement.c
# As a literal, or the index of controls' measurements would not be used.
OF_CONTROLS = _measurements.vantage_role == literal_column("'control'")


def by_controls(
    since: datetime, until: datetime
) -> tuple[list[ColumnElement[bool]], ColumnElement[bool]]:
    """What selects the measurements that controls began from `since` to before `until` (UTC); the
    last bounds them from below."""
    where = [
        OF_CONTROLS,
        _measurements.look.in_([Purpose.CONTROL.value, Purpose.REFERENCE.value]),
        _measurements.started_at < time_text(until),
    ]
    return where, _measurements.started_at >= time_text(since)


def _is_open(at: datetime) -> ColumnElement[bool]:
    """As `Invitation.is_open`."""
    table = schema.invitation.c
    return and_(
        table.used_at.is_(None), table.withdrawn_at.is_(None), table.expires_at > time_text(at)
    )


def _is_same(known: Mapping[Any, Any], invited: Mapping[Any, Any]) -> bool:
    """Whether an invitation is for the host, place and task of a key. One whose host nobody named
    is the same when it is named."""
    places = (
        (one["country"], one["role"], *network_key(one["asn"], one["network"]))
        for one in (known, invited)
    )
    return len({*places}) == 1 and known["held_by"] in ("", invited["held_by"])


class SqlFleet(SqlActs):
    """Agents, their batches and quarantines."""

    def __init__(self, backend: Backend, **options: Any) -> None:
        super().__init__(backend, **options)
        self._received = ReceivedWriter(backend)
        self._logged = LogWaiting(backend)
        self._enrolment = insert_new(schema.enrolment, backend, codecs.ENROLMENT.names)
        self._invitation = insert_new(schema.invitation, backend, codecs.INVITATION.names)
        self._quarantine = upsert(schema.quarantine, backend, codecs.QUARANTINE.names)
        self._arriving: GroupCommit[Arrival, list[ArrivalRows], Reception] = GroupCommit(
            self._rows_of, self._store_rows, weigh=lambda arrival: arrival.weight, most=_MOST
        )

    async def enrol(self, enrolment: Enrolment) -> None:
        valid = storable(enrolment, Enrolment)
        await self._write(lambda connection: self._enrol(connection, valid))

    def _enrol(self, connection: Connection, valid: Enrolment) -> None:
        self._revoke(connection, valid.vantage, valid.enrolled_at, REPLACED)
        if not self._enrolment.run(connection, [codecs.ENROLMENT.encode(valid)]):
            raise StorageError(
                f"the key {valid.fingerprint} was enrolled before, or vantage {valid.vantage} "
                "got another at this moment: make a new key for each vantage; nothing was "
                "changed"
            )
        self._logged.add(connection, [enrolment_digest(valid)])

    async def revoke(self, vantage: str, at: datetime, reason: str) -> bool:
        why = storable(reason, str)

        def revoke(connection: Connection) -> bool:
            withdrawn = self._withdraw(connection, vantage, at)
            return self._revoke(connection, vantage, at, why) or withdrawn

        return await self._write(revoke)

    async def invite(self, invitation: Invitation) -> None:
        valid = storable(invitation, Invitation)
        table = schema.invitation
        old = delete(table).where(table.c.expires_at < time_text(valid.made_at - _FORGOTTEN))

        def invite(connection: Connection) -> None:
            connection.execute(old)
            self._withdraw(connection, valid.vantage, valid.made_at)
            self._invitation.run(connection, [codecs.INVITATION.encode(valid)])

        await self._write(invite)

    def _withdraw(self, connection: Connection, vantage: str, at: datetime) -> bool:
        """Withdraw the vantage's open invitation; returns whether there was one."""
        open_one = and_(schema.invitation.c.vantage == vantage, _is_open(at))
        statement = update(schema.invitation).where(open_one).values(withdrawn_at=time_text(at))
        return connection.execute(statement).rowcount > 0

    async def invitations(self) -> list[Invitation]:
        return await self._all(listings.INVITATIONS)

    async def redeem(self, digest: str, key: str, fingerprint: str, at: datetime) -> bool:
        table, keys = schema.invitation, schema.enrolment.c
        use = (
            update(table)
            .where(table.c.digest == digest, _is_open(at))
            .values(used_at=time_text(at), used_by=fingerprint)
            .returning(
                *(table.c[name] for name in ("vantage", "country", "asn", "network", "role")),
                *(table.c[name] for name in ("profile", "held_by")),
            )
        )

        def redeem(connection: Connection) -> bool:
            used = connection.execute(use).mappings().one_or_none()
            if used is None:
                return False
            before = select(schema.enrolment).where(
                keys.vantage == used["vantage"], keys.revoked_at.is_(None)
            )
            known = connection.execute(before).mappings().one_or_none()
            # Else another host, or one elsewhere, would be believed from the first day.
            earned = known if known is not None and _is_same(known, used) else None
            established_at = earned["established_at"] if earned is not None else None
            self._enrol(
                connection,
                Enrolment(
                    **used,
                    key=key,
                    fingerprint=fingerprint,
                    enrolled_at=at,
                    agreed=earned["agreed"] if earned is not None else 0.0,
                    established_at=established_at and text_time(established_at),
                ),
            )
            return True

        return await self._write(redeem)

    def _revoke(self, connection: Connection, vantage: str, at: datetime, reason: str) -> bool:
        """Revoke the vantage's valid key; returns whether there was one."""
        table = schema.enrolment
        revoked = connection.execute(
            update(table)
            .where(table.c.vantage == vantage, table.c.revoked_at.is_(None))
            .values(revoked_at=time_text(at), reason=reason)
            .returning(table.c.fingerprint)
        ).scalars()
        digests = [revocation_digest(fingerprint, at) for fingerprint in revoked]
        self._logged.add(connection, digests)
        return bool(digests)

    async def enrolments(self) -> list[Enrolment]:
        return await self._all(listings.ENROLMENTS)

    async def agree(
        self, fingerprints: Collection[str], seconds: float, needed: float, at: datetime
    ) -> None:
        table = schema.enrolment
        valid = (table.c.fingerprint.in_(list(fingerprints)), table.c.revoked_at.is_(None))
        longer = update(table).where(*valid).values(agreed=table.c.agreed + seconds)
        enough = (table.c.agreed >= needed, table.c.established_at.is_(None))
        established = update(table).where(*valid, *enough).values(established_at=time_text(at))

        def agree(connection: Connection) -> None:
            connection.execute(longer)
            connection.execute(established)

        await self._write(agree)

    async def receive(self, batch: ReceivedBatch, cycles: Sequence[SeenCycle]) -> Reception:
        return await self._arriving.put(Arrival(batch=batch, cycles=tuple(cycles)))

    async def add_control_measurements(self, measurements: Sequence[Measurement]) -> None:
        await self._arriving.put(Arrival(measurements=tuple(measurements)))

    async def waiting(
        self,
        limit: int,
        skip: Sequence[str] = (),
        *,
        backfilled: bool | None = None,
        now: datetime | None = None,
        order_wait: float = 0.0,
    ) -> list[WaitingCycle]:
        inbox = schema.inbox.c
        where: list[ColumnElement[bool]] = [inbox.vantage.not_in(list(skip))] if skip else []
        if backfilled is not None:
            where.append(inbox.backfilled == backfilled)
        if now is not None:
            due = time_text(now - timedelta(seconds=order_wait))
            ahead = inbox.received_at > time_text(now)
            where.append(or_(inbox.finished_at <= due, inbox.received_at <= due, ahead))
        found, _ = await self._read(
            lambda connection: listings.WAITING.page(connection, where, limit=limit)
        )
        return found

    async def measurements_of(self, cycle: WaitingCycle) -> list[Measurement]:
        of_vantage = and_(
            _measurements.country == cycle.country, _measurements.vantage == cycle.vantage
        )
        near = and_(
            _measurements.started_at >= time_text(cycle.started_at - _NEAR),
            _measurements.started_at <= time_text(cycle.finished_at + _NEAR),
        )
        where = [_measurements.cycle == cycle.id, or_(of_vantage, OF_CONTROLS), near]
        return await self._all(listings.MEASUREMENTS, where)

    async def control_measurements(self, since: datetime, until: datetime) -> list[Measurement]:
        return await self._all(listings.MEASUREMENTS, *by_controls(since, until))

    async def latest_control_measurements(
        self, since: datetime, places: Collection[EndpointKey] | None = None
    ) -> AsyncIterator[Sequence[Measurement]]:
        latest = schema.latest_look.c
        where = [
            latest.vantage_role == VantageRole.CONTROL.value,
            latest.look.in_([look.value for look in AT_ENDPOINTS]),
            latest.platform != REFERENCE_PLATFORM,
            latest.started_at >= time_text(since),
            _measurements.country == latest.country,
            _measurements.started_at == latest.started_at,
            _measurements.id == latest.measurement,
        ]
        if places is None:
            wanted = [where]
        else:
            endpoint, keys = tuple_(latest.platform, latest.function, latest.endpoint), [*places]
            wanted = [
                [*where, endpoint.in_(keys[start : start + _AT_ONCE])]
                for start in range(0, len(keys), _AT_ONCE)
            ]
        for conditions in wanted:
            async for page in self._pages(listings.MEASUREMENTS.reader(conditions)):
                yield page

    async def received_batches(self, cycles: Sequence[str]) -> list[ReceivedBatch]:
        link, batch = schema.batch_cycle.c, schema.batch.c
        found: dict[tuple[str, str, str], ReceivedBatch] = {}
        for start in range(0, len(cycles), _AT_ONCE):
            keys = select(link.country, link.vantage, link.batch).where(
                link.cycle.in_(cycles[start : start + _AT_ONCE])
            )
            where = [tuple_(batch.country, batch.vantage, batch.id).in_(keys)]
            for one in await self._all(listings.BATCHES, where):
                found[one.country, one.vantage, one.id] = one
        return sorted(found.values(), key=lambda one: (one.received_at, one.vantage, one.id))

    async def quarantine(self, quarantine: Quarantine, act: Act | None = None) -> None:
        valid = storable(quarantine, Quarantine)
        row = codecs.QUARANTINE.encode(valid)

        def write(connection: Connection) -> None:
            keep_others_from_counting(connection)
            # By the bounds that it had.
            count_again(connection, valid.vantage, held=False)
            self._quarantine.run(connection, [row])
            count_again(connection, valid.vantage, held=True)
            self._note(connection, act)

        await self._write(write)

    async def release(self, vantage: str, act: Act | None = None) -> bool:
        table = schema.quarantine
        removal = delete(table).where(table.c.vantage == vantage)

        def write(connection: Connection) -> bool:
            keep_others_from_counting(connection)
            count_again(connection, vantage, held=False)
            ended = connection.execute(removal).rowcount > 0
            self._note(connection, act if ended else None)
            return ended

        return await self._write(write)

    async def quarantines(self) -> list[Quarantine]:
        return await self._all(listings.QUARANTINES)

    async def _rows_of(self, arrivals: Sequence[Arrival]) -> list[ArrivalRows]:
        return await self._in_maker(lambda: self._made(arrivals))

    def _made(self, arrivals: Sequence[Arrival]) -> list[ArrivalRows]:
        try:
            return [arrival_rows(one, time_text(self._arrivals.stamp())) for one in arrivals]
        except UnicodeEncodeError:
            valid = storable(tuple(arrivals), tuple[Arrival, ...])
            return [arrival_rows(one, time_text(self._arrivals.stamp())) for one in valid]

    async def _store_rows(
        self, rows: list[ArrivalRows], waits_for_disk: Callable[[], None]
    ) -> Sequence[Reception]:
        loop = asyncio.get_running_loop()

        def receive(connection: Connection) -> list[Reception]:
            receptions = self._received.receive(connection, rows)
            loop.call_soon_threadsafe(waits_for_disk)
            return receptions

        return await self._write(receive)
