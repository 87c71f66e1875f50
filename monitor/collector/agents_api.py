"""The agents' API: the six routes of `monitor.wire.answers`, and nothing else.

The sealed headers are opened, the sender is known, and the signature checked, before a byte of the
body is read, so a stranger costs nothing but headers and takes nobody's place. The body is opened
and unpacked after it was found to be the one that was signed, and stored after all in it was found
to be what its sender may say. Every answer of 2xx is signed and sealed, and the refusal of a
revoked key is signed. A refusal says why, is counted by reason, and logged with the vantage and
never with an address.
"""

import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from hashlib import sha256
from math import ceil
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from monitor.collector.admission import Answered, Room, Slots, VantageRate
from monitor.collector.agent_settings import SettingsForAgents
from monitor.collector.answer_controls import ControlRequests
from monitor.collector.batch_checks import frame_of, is_id, read_batch
from monitor.collector.enrolments import EnrolledKeys
from monitor.collector.invitations import Invitations
from monitor.collector.known_looks import KnownLooks
from monitor.collector.requests import (
    PATIENCE,
    Sender,
    check_age,
    check_body,
    open_sealed,
    opened,
    read_body,
)
from monitor.config.settings import Settings
from monitor.keys.sealing import sealing_key
from monitor.logs import logger
from monitor.measuring.controls import Controls
from monitor.metrics.ingest_counts import IngestCounts, Spool
from monitor.wire.answers import (
    BATCHES,
    CONTROLS,
    ENROLMENT,
    KNOWN,
    SETTINGS,
    STATUS,
    TIME,
    KnownControls,
    Moment,
    Reason,
    Receipt,
    Refusal,
)
from monitor.wire.batch import MOST_PACKED, MOST_UNPACKED
from monitor.wire.envelope import SEALED, seal_answer, sealed_size
from monitor.wire.refusal import BUSY_FOR, DOWN_FOR, Refused, malformed
from monitor.wire.signing import REQUEST, SIGNATURE, Claim, is_signed, sign_answer
from monitor.wire.unpacking import unpack
from storage.store import FleetStore, StorageError
from storage.values.fleet import Enrolment, ReceivedBatch
from storage.values.steady_clock import utc_now

log = logger(__name__)

MOST_ASKED = 64 * 1024
"""Bytes of a request that is no batch."""
UNPACKED_AT_ONCE = 2 * MOST_UNPACKED
"""Bytes of unpacked batches that are read and stored at once; more wait, packed."""
TIMES = 50.0
"""Requests for the time each second, of each vantage, and of all strangers together: they need no
key, and each answer is signed."""

EVERY = 60.0
"""Seconds between two lines about the same refusal: anybody can send requests that are refused."""

_encode = msgspec.json.Encoder().encode
_Handler = Callable[[Sender, bytes], Awaitable[msgspec.Struct]]


class RefusalLog:
    """Refusals in the log: at most one line for each reason and vantage in `EVERY` seconds, with a
    count. Its lines hold the vantage, where it is enrolled, and never an address."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` gives seconds and never goes back."""
        self._clock = clock
        self._last: dict[tuple[Reason, str], tuple[float, int]] = {}
        """When a line was written, and how many refusals there were since."""

    def refused(self, refused: Refused, vantage: str) -> None:
        """Log a refusal; `vantage` is empty unless the key is enrolled for it."""
        what, now = (refused.reason, vantage), self._clock()
        written_at, more = self._last.get(what, (now - EVERY, 0))
        if now - written_at < EVERY:
            self._last[what] = (written_at, more + 1)
            return
        self._last[what] = (now, 0)
        more_fields = {"vantage": vantage} if vantage else {}
        if more:
            more_fields["earlier"] = str(more)
        log.warning(
            "request refused", reason=str(refused.reason), detail=refused.detail, **more_fields
        )


class AgentApi:
    """The application over an open store: its handlers, and what they share."""

    def __init__(
        self,
        store: FleetStore,
        key: Ed25519PrivateKey,
        settings: Callable[[], Settings],
        counts: IngestCounts,
        *,
        controls: Callable[[], Controls | None] = lambda: None,
        now: Callable[[], datetime] = utc_now,
        clock: Callable[[], float] = time.monotonic,
        patience: float = PATIENCE,
    ) -> None:
        """`key` is the installation's, which agents know; `settings` gives the configuration in
        use, `controls` measures from this collector's own controls, None where there is none.

        `now` is the time (UTC), `clock` gives seconds that never go back. `patience` is how many
        seconds any body may take.
        """
        limits = settings().collector
        self._store = store
        self._key = key
        self._sealing = sealing_key(key)
        self._settings = settings
        self._counts = counts
        self._now = now
        self._clock = clock
        self._patience = patience
        self._enrolled = EnrolledKeys(store, clock)
        self._invitations = Invitations(store, now, clock)
        self._settings_for_agents = SettingsForAgents(settings, now)
        self._known_looks = KnownLooks(store, settings, now=now, clock=clock)
        self._control_requests = ControlRequests(store, settings, controls, now)
        self._questions = Answered(clock)
        self._slots = Slots(limits.requests_at_once)
        self._room = Room(UNPACKED_AT_ONCE)
        self._bytes_pace = VantageRate(limits.hourly_bytes, 3600.0, clock)
        self._time_pace = VantageRate(TIMES, 1.0, clock)
        self._log = RefusalLog(clock)

    def app(self) -> Starlette:
        """The ASGI application."""
        limits = self._settings().collector
        return Starlette(
            routes=[
                self._route(BATCHES, "POST", self._receive, MOST_PACKED, limits.batches_per_minute),
                self._route(
                    CONTROLS, "POST", self._measure, MOST_ASKED, limits.controls_per_minute
                ),
                self._route(
                    SETTINGS, "GET", self._give_settings, MOST_ASKED, limits.batches_per_minute
                ),
                self._route(KNOWN, "GET", self._give_known, MOST_ASKED, limits.batches_per_minute),
                Route(ENROLMENT, self.enrolment, methods=["POST"]),
                Route(TIME, self.time, methods=["GET"]),
            ],
            exception_handlers={HTTPException: _plain, Exception: _fault},
        )

    def _route(
        self, path: str, method: str, handler: _Handler, most: int, per_minute: float
    ) -> Route:
        """A route for enrolled agents: bodies of at most `most` bytes, `per_minute` requests of one
        vantage."""
        pace = VantageRate(per_minute, 60.0, self._clock)
        # A batch may come again, under its id and with its body: its agent may have got no receipt.
        answered = None if path == BATCHES else self._questions
        endpoint = partial(self._answered, handler=handler, most=most, pace=pace, answered=answered)
        return Route(path, endpoint, methods=[method])

    async def time(self, request: Request) -> Response:
        """The time, for anybody; signed for the id that the request names, if it names one.

        An agent, which seals and signs its question, has a share of its own, whatever strangers
        ask. The time of sending does not matter here: an agent without a clock asks before it knows
        any.
        """
        try:
            envelope = opened(request, self._sealing) if SEALED in request.headers else None
            asked = request.headers.get(REQUEST, "") if envelope is None else envelope.claim.request
            if asked and not is_id(asked):
                raise malformed(f"{REQUEST} is no UUID")
            enrolment = None if envelope is None else await self._asker(envelope.claim)
            if enrolment is not None and enrolment.revoked_at is not None:
                return self._revoked(asked)
            try:
                name = "" if enrolment is None else enrolment.vantage
                self._time_pace.take(name, "questions for the time")
            except Refused:
                raise Refused(Reason.BUSY, "too much to do", retry_after=1) from None
            moment = Moment(at=self._now())
            if envelope is None:
                return self._signed(asked, moment)
            return self._sealed(asked, moment, envelope.answer_key)
        except Refused as refused:
            return self._refusal(refused, "")

    async def enrolment(self, request: Request) -> Response:
        """Enrol a key by an invitation. All of it is in the headers: no body is read."""
        try:
            envelope = opened(request, self._sealing)
            moment = await self._invitations.redeem(envelope)
            self._enrolled.changed()
            log.info("agent enrolled by invitation", vantage=envelope.claim.vantage)
            return self._sealed(envelope.claim.request, moment, envelope.answer_key)
        except Refused as refused:
            return self._refusal(refused, "")
        except StorageError as error:
            return self._down(error, "")

    async def _asker(self, claim: Claim) -> Enrolment | None:
        """Whose valid signature a request for the time carries; None for nobody's."""
        try:
            enrolment = await self._enrolled.find(claim.vantage, claim.key)
        except Refused:
            return None
        return enrolment if is_signed(claim, enrolment.key) else None

    async def _answered(
        self,
        request: Request,
        handler: _Handler,
        most: int,
        pace: VantageRate,
        answered: Answered | None,
    ) -> Response:
        vantage = asked = ""
        try:
            began = self._clock()
            envelope = opened(request, self._sealing)
            claim = envelope.claim
            enrolment = await self._enrolled.find(claim.vantage, claim.key)
            if not is_signed(claim, enrolment.key):
                raise Refused(Reason.BAD_SIGNATURE, "the signature does not fit the request")
            vantage, asked = enrolment.vantage, claim.request
            if enrolment.revoked_at is not None:
                return self._revoked(claim.request)
            check_age(claim.sent_at, self._now())
            if answered is not None:
                answered.check(vantage, claim.request)
            pace.take(vantage, "requests")
            with self._slots.one(vantage):
                if answered is not None:
                    answered.note(vantage, claim.request)
                sealed = await read_body(request, sealed_size(most), self._patience)
                body = open_sealed(self._sealing, sealed)
                check_body(claim, body)
                sender = Sender(claim=claim, spool=envelope.spool, enrolment=enrolment, began=began)
                answer = await handler(sender, body)
                return self._sealed(claim.request, answer, envelope.answer_key)
        except Refused as refused:
            return self._refusal(refused, vantage, asked)
        except StorageError as error:
            return self._down(error, vantage, asked)
        except ClientDisconnect:
            self._counts.gone()
            return Response(status_code=400)  # to nobody

    async def _receive(self, sender: Sender, body: bytes) -> Receipt:
        """Receive a batch; 200 once it is on disk."""
        claim, enrolment = sender.claim, sender.enrolment
        async with self._room.unpacking:
            unpacked = unpack(body, claim.encoding, MOST_UNPACKED)
            size = len(unpacked)
            self._bytes_pace.take(enrolment.vantage, "bytes", size)
            await self._room.take(size)
        try:
            settings, received_at = self._settings(), self._now()
            frame = frame_of(received_at, settings.interval, settings.retention.raw)
            seen = read_batch(unpacked, enrolment, frame)
            del unpacked
            batch = ReceivedBatch(
                country=enrolment.country,
                vantage=enrolment.vantage,
                id=claim.request,
                fingerprint=enrolment.fingerprint,
                sent_at=claim.sent_at,
                encoding=claim.encoding,
                signature=claim.signature,
                body_sha256=sha256(body).hexdigest(),
                body=body,
                received_at=received_at,
            )
            reception = await self._store.receive(batch, seen.cycles)
        finally:
            await self._room.give_back(size)
        if reception.conflict:
            raise Refused(Reason.REPLAY, "a batch of that id is stored, and it has another body")
        if not reception.known:
            self._counts.stored(reception.measurements, seen.backfilled)
        spool = sender.spool or Spool(waiting=0, dropped=0)
        self._counts.acknowledged(enrolment.vantage, spool, self._clock() - sender.began)
        return Receipt(
            batch=claim.request,
            known=reception.known,
            at=self._now(),
            settings=self._settings_for_agents.version(enrolment.vantage),
        )

    async def _measure(self, sender: Sender, body: bytes) -> msgspec.Struct:
        return await self._control_requests.answer(unpack(body, sender.claim.encoding, MOST_ASKED))

    async def _give_settings(self, sender: Sender, body: bytes) -> msgspec.Struct:
        if body:
            raise malformed("a question for settings has no body")
        return self._settings_for_agents.for_agent(sender.enrolment.vantage)

    async def _give_known(self, _: Sender, body: bytes) -> msgspec.Struct:
        if body:
            raise malformed("a question for what is known has no body")
        return KnownControls(looks=tuple(await self._known_looks.known()))

    def _signed(self, request: str, answer: msgspec.Struct) -> Response:
        body = _encode(answer)
        return _json(body, 200, {SIGNATURE: sign_answer(self._key, request, body)})

    def _sealed(self, request: str, answer: msgspec.Struct, key: bytes) -> Response:
        """The answer to the sender alone, signed as it is before it is sealed."""
        body = _encode(answer)
        signature = {SIGNATURE: sign_answer(self._key, request, body)}
        response = _json(seal_answer(key, request, body), 200, signature)
        response.headers["content-type"] = "application/octet-stream"
        return response

    def _revoked(self, request: str) -> Response:
        refused = Refused(Reason.REVOKED_KEY, "this key was revoked; ask for a new enrolment")
        return self._refusal(refused, "", request)

    def _down(self, error: StorageError, vantage: str, asked: str = "") -> Response:
        log.error("the database stored nothing", vantage=vantage, error=str(error))
        down = Refused(Reason.STORAGE, "the database stores nothing now", retry_after=DOWN_FOR)
        return self._refusal(down, vantage, asked)

    def _refusal(self, refused: Refused, vantage: str, asked: str = "") -> Response:
        """Signed for the request whose own signature held: an agent gives up on some, so nobody
        else may say them."""
        self._counts.refused(refused.reason)
        self._log.refused(refused, vantage)
        headers = {"Retry-After": str(ceil(refused.retry_after))} if refused.retry_after else {}
        if refused.closing:
            headers["Connection"] = "close"
        body = _encode(Refusal(reason=refused.reason, detail=refused.detail, at=self._now()))
        if asked:
            headers[SIGNATURE] = sign_answer(self._key, asked, body)
        return _json(body, STATUS[refused.reason], headers)


def _json(body: bytes, status: int, headers: dict[str, str]) -> Response:
    return Response(
        body,
        status_code=status,
        media_type="application/json",
        headers={"Cache-Control": "no-store", **headers},
    )


def _plain(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers: Any = dict(getattr(error, "headers", None) or {})
    return _json(_encode({"detail": "there is no such thing here"}), status, headers)


def _fault(_: Request, __: Exception) -> Response:
    return _json(
        _encode({"detail": "a fault of the collector's; nothing was acknowledged"}),
        500,
        {"Retry-After": str(BUSY_FOR)},
    )
