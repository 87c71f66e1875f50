"""One signed request to one collector, and its checked answer.

HTTPS over HTTP/1.1 that does not stand out: a browser's User-Agent, connections that are kept open
for a while. Who sends, what it says and the answer are sealed besides (`monitor.wire.envelope`):
whoever ends TLS on the way reads an address and sizes. An agent acts only on answers with a
signature of the collectors' key. The same holds for the news that its key was revoked, after which
it sends nothing any more: anybody on the way could refuse without a signature.

On a machine with a wrong clock no certificate seems valid. So while the clock is not known to be
right, certificates are verified without their dates. Once the collectors' time is known, the dates
are checked here by that time.
"""

import asyncio
import random
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec
import uuid_utils
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from monitor.agent.collector_clock import AgentClock
from monitor.agent.signed_answer import Signed, UnreachableError
from monitor.config.settings import AgentSetup
from monitor.keys.sealing import SealError
from monitor.wire.answers import LARGEST_ANSWER, STATUS, TIME, Moment, Reason, Refusal
from monitor.wire.envelope import (
    ANSWER_KEY,
    NO_BODY,
    SPOOL,
    SealedBody,
    answer_key_text,
    new_answer_key,
    open_answer,
    seal_body,
    seal_headers,
)
from monitor.wire.signing import SIGNATURE, is_answer, signed_headers
from monitor.wording.visible_text import visible
from probes.layers.http import BROWSER
from probes.sockets.http_client import httpx
from probes.sockets.http_reason import untrusted_certificate, why_no_answer
from storage.values.times import time_text

SILENCE = 30.0
"""Seconds for which a collector may be silent while a request is under way."""
CONNECT = 15.0
"""Seconds that opening a connection may take."""
KEPT = 20.0
"""Seconds for which an idle connection is kept."""
LONGEST_WAIT = 3600.0
"""Longest Retry-After that is obeyed, in seconds."""
_PAUSED = "paused by the host"
_NO_DATES = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME."""
_DATE_ERRORS = (9, 10)
"""OpenSSL's codes for a certificate that is not valid yet, and for an expired one."""
_RIGHT = 300.0
"""Seconds by which a right clock may be off."""
_GRACE = timedelta(days=1)
"""Tolerance on a certificate's dates, where they are only checked here."""


class RefusedError(Exception):
    """A collector refused."""

    def __init__(self, reason: Reason, detail: str, retry_after: float | None) -> None:
        """`retry_after` is in seconds, None where the answer has none."""
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.retry_after = retry_after
        self.proven = False
        """Whether the collectors' signature proves it; else whoever is on the way may have said it.
        """


class RevokedError(RefusedError):
    """The agent's key was revoked, as the collectors' signature proves."""


class CollectorClient:
    """Sends requests to collectors. Use as an async context manager, from one event loop."""

    def __init__(
        self,
        setup: AgentSetup,
        vantage: str,
        key: Ed25519PrivateKey,
        clock: AgentClock,
        rng: random.Random,
    ) -> None:
        """`rng` picks the collectors' order; it need not be secret."""
        self._setup = setup
        self._vantage = vantage
        self._key = key
        self._clock = clock
        self._rng = rng
        self._dates = True
        self._client = self._new_client()
        self._under_way: set[asyncio.Timeout] = set()
        self.paused = False
        """Whether its host paused the agent: then every request fails at once."""
        self.revoked = asyncio.Event()
        """Set once the agent's key was revoked: nothing is sent any more."""
        self.carried = 0
        """Bytes of bodies and headers, both ways, about."""

    async def __aenter__(self) -> "CollectorClient":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def hang_up(self) -> None:
        """End the requests under way, also those that have no connection yet."""
        under_way, self._under_way = self._under_way, set()
        for request in under_way:
            request.reschedule(asyncio.get_running_loop().time())
        await self._verify_dates(wanted=self._dates)

    def collectors(self) -> Sequence[str]:
        """All of them, in another order each time."""
        several = list(self._setup.collectors)
        self._rng.shuffle(several)
        return several

    async def ask(
        self,
        collector: str,
        method: str,
        path: str,
        *,
        request: str = "",
        body: SealedBody = NO_BODY,
        spool: str = "",
        more: Mapping[str, str] = {},
    ) -> Signed:
        """The answer to a request, which gets a new id unless `request` gives one; `spool` is what
        waits and what was ever dropped, and `more` are further sealed headers.

        Raises UnreachableError or RefusedError.
        """
        if self.revoked.is_set():
            raise RevokedError(Reason.REVOKED_KEY, "earlier", None)
        request = request or str(uuid_utils.uuid7())
        answer_key = new_answer_key()
        inside = signed_headers(
            self._key,
            method=method,
            path=path,
            vantage=self._vantage,
            request=request,
            sent_at=time_text(self._clock.best_now()),
            encoding=body.encoding,
            digest=body.digest,
        )
        inside |= {ANSWER_KEY: answer_key_text(answer_key), SPOOL: spool, **more}
        headers = seal_headers(self._setup.sealing_key, inside)
        status, given, found = await self._send(collector + path, method, headers, body.sealed)
        if httpx.codes.is_success(status):
            found = _opened(answer_key, request, found)
        signature = given.get(SIGNATURE, "")
        signed_by_them = is_answer(self._setup.collector_key, signature, request, found)
        if not httpx.codes.is_success(status):
            error = _refusal(status, given, found, self._clock.best_now())
            if not signed_by_them or not isinstance(error, RefusedError):
                raise error
            error.proven = True
            if error.reason is not Reason.REVOKED_KEY:
                raise error
            self.revoked.set()
            raise RevokedError(error.reason, error.detail, None)
        if not signed_by_them:
            raise UnreachableError("an answer without the collectors' signature")
        return Signed(request=request, signature=signature, body=found)

    def sealed(self, body: bytes) -> SealedBody:
        """A body for `ask`."""
        return seal_body(self._setup.sealing_key, body)

    async def learn_time(self, collector: str) -> bool:
        """Ask for the time; whether that is more precise than before. Raises as `ask` does."""
        since_boot = self._clock.machine.since_boot
        asked = since_boot()
        answer = await self.ask(collector, "GET", TIME)
        return self._clock.heard(answer.read(Moment).at, asked, since_boot())

    # -- the connection ------------------------------------------------------------------------

    async def _send(
        self, url: str, method: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, httpx.Headers, bytes]:
        try:
            async with asyncio.timeout(None) as scope:
                self._under_way.add(scope)
                try:
                    return await self._exchange(url, method, headers, body)
                finally:
                    self._under_way.discard(scope)
        except (httpx.HTTPError, OSError) as error:
            if self.paused:
                raise UnreachableError(_PAUSED) from error
            # With a right clock, wrong dates are the collector's fault.
            if not (self._dates and _is_about_dates(error)) or self._clock_is_right():
                raise UnreachableError(why_no_answer(error)) from error
        await self._verify_dates(wanted=False)
        return await self._send(url, method, headers, body)

    async def _exchange(
        self, url: str, method: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, httpx.Headers, bytes]:
        if not self._dates and self._clock_is_right():
            await self._verify_dates(wanted=True)
        if self.paused:
            raise UnreachableError(_PAUSED)
        async with self._client.stream(method, url, headers=headers, content=body) as answer:
            if not self._dates:
                self._check_dates(answer)
            found = bytearray()
            # What is sealed cannot be packed: nobody else may have us unpack anything.
            async for part in answer.aiter_raw():
                found += part
                if len(found) > LARGEST_ANSWER:
                    raise UnreachableError("an answer that does not end")
        sizes = map(_size, (answer.request.headers, answer.headers))
        self.carried += len(body) + answer.num_bytes_downloaded + sum(sizes)
        return answer.status_code, answer.headers, bytes(found)

    async def _verify_dates(self, *, wanted: bool) -> None:
        """Verify certificates with or without their dates from now on."""
        self._dates = wanted
        before, self._client = self._client, self._new_client()
        await before.aclose()

    def _clock_is_right(self) -> bool:
        known = self._clock.collectors_now()
        if known is None:
            return False
        return abs(known.timestamp() - self._clock.machine.wall()) < _RIGHT

    def _check_dates(self, answer: httpx.Response) -> None:
        """Check the certificate's dates by the collectors' clock, where it is known."""
        now = self._clock.collectors_now()
        if now is None:
            return
        stream: Any = answer.extensions["network_stream"]
        certificate = stream.get_extra_info("ssl_object").getpeercert()
        begins, ends = (
            ssl.cert_time_to_seconds(certificate[name]) for name in ("notBefore", "notAfter")
        )
        grace = _GRACE.total_seconds()
        if not begins - grace <= now.timestamp() <= ends + grace:
            raise UnreachableError("a certificate that has expired")

    def _new_client(self) -> httpx.AsyncClient:
        context = agents_context(self._setup.trust_anchors)
        if not self._dates:
            context.verify_flags |= ssl.VerifyFlags(_NO_DATES)
        headers = {
            "User-Agent": BROWSER["User-Agent"],
            "Accept": "*/*",
            "Accept-Encoding": "identity",
        }
        return httpx.AsyncClient(
            headers=headers,
            verify=context,
            proxy=self._setup.proxy or None,
            trust_env=False,
            timeout=httpx.Timeout(SILENCE, connect=CONNECT),
            limits=httpx.Limits(
                max_connections=8, max_keepalive_connections=2, keepalive_expiry=KEPT
            ),
        )


def _opened(key: bytes, request: str, sealed: bytes) -> bytes:
    try:
        return open_answer(key, request, sealed, LARGEST_ANSWER)
    except SealError as error:
        raise UnreachableError(str(error)) from error


def agents_context(anchors: Sequence[str]) -> ssl.SSLContext:
    """TLS that trusts the anchors alone, or the system's authorities where there is none.

    Whoever can add an authority to the system reads along otherwise. An anchor may be an
    authority, or the very certificate of a collector.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # The same in each Python: from 3.13 on its own default also refuses authorities for faults of
    # form that those made by hand have, such as no word on what their key is for.
    context.verify_flags = (
        ssl.VerifyFlags.VERIFY_X509_TRUSTED_FIRST | ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    )
    if not anchors:
        context.load_default_certs()
    for file in anchors:
        context.load_verify_locations(file)
    return context


def _refusal(status: int, headers: httpx.Headers, body: bytes, now: datetime) -> Exception:
    """The error for a status that is no success: RefusedError where a collector gave a reason."""
    after = _retry_after(headers.get("retry-after", ""), now)
    try:
        refusal = msgspec.json.decode(body, type=Refusal)
    except msgspec.DecodeError:
        refusal = None
    if refusal is not None and STATUS[refusal.reason] == status:
        # Anybody may be on the way, and the host reads it on a terminal.
        return RefusedError(refusal.reason, visible(refusal.detail[:200]), after)
    for reason in (Reason.OVERSIZE, Reason.BUSY):
        if status == STATUS[reason]:
            return RefusedError(reason, "refused by a proxy in front of the collector", after)
    return UnreachableError(f"HTTP status {status}")


def _retry_after(written: str, now: datetime) -> float | None:
    """Seconds to wait, from either form of the header (RFC 9110 section 10.2.3)."""
    if written.isascii() and written.isdigit():
        return min(float(written), LONGEST_WAIT)
    with suppress(ValueError, TypeError, OverflowError):
        seconds = parsedate_to_datetime(written).timestamp() - now.timestamp()
        return min(max(seconds, 0.0), LONGEST_WAIT)
    return None


def _is_about_dates(error: Exception) -> bool:
    untrusted = untrusted_certificate(error)
    return untrusted is not None and untrusted.verify_code in _DATE_ERRORS


def _size(headers: httpx.Headers) -> int:
    return sum(len(name) + len(value) + 4 for name, value in headers.raw)
