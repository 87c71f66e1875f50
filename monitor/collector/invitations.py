"""Enrolment by invitation: the one request of somebody whose key nobody knows yet."""

import time
from collections.abc import Callable
from datetime import datetime

from monitor.collector.admission import VantageRate
from monitor.collector.requests import Envelope, check_age
from monitor.keys.keys import fingerprint, is_public
from monitor.wire.answers import Moment, Reason
from monitor.wire.invitation import proof_digest
from monitor.wire.refusal import Refused, malformed
from monitor.wire.signing import is_signed
from storage.store import FleetStore
from storage.values.fleet import Invitation

TRIES = 5.0
"""Wrong proofs a second, of all strangers together: each asks the database."""
FRESH = 1.0
"""Seconds for which the known invitations are not read again for a right proof."""


class Invitations:
    """Redeems invitations."""

    def __init__(
        self,
        store: FleetStore,
        now: Callable[[], datetime],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`now` is the time (UTC), `clock` gives seconds that never go back."""
        self._store = store
        self._now = now
        self._clock = clock
        self._pace = VantageRate(TRIES, 1.0, clock)
        self._known: dict[str, Invitation] = {}
        """By digest."""
        self._read_at = -FRESH

    async def redeem(self, envelope: Envelope) -> Moment:
        """Enrol the sender's key as its invitation says. The same key may ask again, since the
        answer may have been lost. Refused otherwise; StorageError where it cannot be stored."""
        claim, public = envelope.claim, envelope.public
        if not is_public(public):
            raise malformed("the public key is missing, or is none")
        if claim.key != fingerprint(public) or not is_signed(claim, public):
            raise Refused(Reason.BAD_SIGNATURE, "the signature does not fit the request")
        now = self._now()
        check_age(claim.sent_at, now)
        digest = proof_digest(envelope.invitation)
        found = await self._find(digest)
        if found is None or found.vantage != claim.vantage:
            raise Refused(Reason.INVITATION, "there is no such invitation; ask for another one")
        known = [one for one in await self._store.enrolments() if one.fingerprint == claim.key]
        if known:
            # What was just used is not in what was read a moment ago.
            await self._read()
            found = self._known.get(digest, found)
        if any(one.revoked_at is not None or found.used_by != claim.key for one in known):
            raise Refused(Reason.INVITATION, "this key was enrolled before; make another one")
        if not known and not await self._store.redeem(digest, public, claim.key, now):
            await self._read()
            raise Refused(Reason.INVITATION, _why(self._known.get(digest, found), now))
        return Moment(at=now)

    async def _find(self, digest: str) -> Invitation | None:
        """The invitation of that digest. However many guess, a right proof is found."""
        if self._clock() - self._read_at >= FRESH:
            await self._read()
        if digest not in self._known:
            try:
                self._pace.take("", "tries")
            except Refused:
                raise Refused(Reason.BUSY, "too much to do", retry_after=1) from None
            await self._read()
        return self._known.get(digest)

    async def _read(self) -> None:
        self._known = {one.digest: one for one in await self._store.invitations()}
        self._read_at = self._clock()


def _why(found: Invitation, now: datetime) -> str:
    if found.withdrawn_at is not None:
        return "this invitation was withdrawn; ask for another one"
    if found.used_at is None and now >= found.expires_at:
        return "this invitation has expired; ask for another one"
    return (
        "this invitation was used already: if not by you, tell the operator at once, who revokes "
        "that key"
    )
